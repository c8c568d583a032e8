"""Rebuild a Hugging Face checkpoint from an ONNX model folder, so that nnsight can run the same weights.

    python test/reference/checkpoint_from_onnx.py --onnx server/models/tiny-gpt2 --out DIR

Initializers that carry a parameter's name are taken as they are. Weights that the exporter
transposed and renamed are found by the MatMul that uses them: its module comes from the node's
metadata_props (dynamo exporter) or from the node's name (TorchScript exporter). The checkpoint's
logits are then compared with the ONNX file's.
"""
from __future__ import annotations

import argparse
import ast
import shutil
from pathlib import Path

import onnx
import torch
from onnx import numpy_helper
from transformers import AutoConfig, AutoModelForCausalLM

from export_tiny_gpt2 import KEPT, check


def module_of(node: onnx.NodeProto) -> str:
    """Path of the innermost module that a node belongs to ('' when unknown)."""
    for prop in node.metadata_props:
        if prop.key == "pkg.torch.onnx.name_scopes":
            return ast.literal_eval(prop.value)[-2]
    return node.name.strip("/").rsplit("/", 1)[0].replace("/", ".") if "/" in node.name else ""


def state_from(graph: onnx.GraphProto, wanted: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    initializers = {i.name: i for i in graph.initializer}
    state = {n: torch.from_numpy(numpy_helper.to_array(i).copy()) for n, i in initializers.items() if n in wanted}
    for node in graph.node:
        name = f"{module_of(node)}.weight"
        if node.op_type == "MatMul" and name in wanted and name not in state and node.input[1] in initializers:
            state[name] = torch.from_numpy(numpy_helper.to_array(initializers[node.input[1]]).T.copy())
    return state


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--onnx", type=Path, required=True, help="model folder (model.onnx, config.json, tokenizer)")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(args.onnx)).eval()
    state = state_from(onnx.load(args.onnx / "model.onnx").graph, model.state_dict())
    tied = set(model.state_dict()) - dict(model.named_parameters()).keys() - dict(model.named_buffers()).keys()
    missing = set(model.state_dict()) - set(state) - tied
    if missing:
        raise SystemExit(f"not found in the ONNX file: {sorted(missing)}")
    model.load_state_dict(state, strict=False)  # tied weights are there by another name
    model.save_pretrained(args.out)
    for name in KEPT:
        if (args.onnx / name).exists() and not (args.out / name).exists():
            shutil.copyfile(args.onnx / name, args.out / name)
    worst = check(args.onnx / "model.onnx", model, model.config.vocab_size)
    print(f"{len(state)} parameters; largest relative difference of logits {worst:.2e}")
    if worst > 1e-5:
        raise SystemExit("the checkpoint and the ONNX file disagree")


if __name__ == "__main__":
    main()
