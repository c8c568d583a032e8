"""Export a GPT-2 checkpoint to an ONNX model folder with optimum (TorchScript exporter, key/value cache).

    python test/reference/export_tiny_gpt2.py --checkpoint DIR --out DIR

Equals `optimum-cli export onnx --task text-generation-with-past`,
then keeps only the files that a runner needs and checks ONNX logits against PyTorch.
"""
from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import onnxruntime as ort
import torch
from optimum.exporters.onnx import main_export
from transformers import AutoModelForCausalLM, AutoTokenizer

KEPT = ["config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"]


def feeds(session: ort.InferenceSession, ids: np.ndarray, past: dict[str, np.ndarray] | None = None) -> dict:
    """All inputs for token ids [batch, sequence] after `past` (empty cache when None)."""
    batch, sequence = ids.shape
    shapes = {i.name: i.shape for i in session.get_inputs()}
    out: dict[str, np.ndarray] = {}
    before = 0
    for name, shape in shapes.items():
        if name.startswith("past_key_values."):
            out[name] = past[name] if past else np.zeros((batch, shape[1], 0, shape[3]), np.float32)
            before = out[name].shape[2]
    out["input_ids"] = ids.astype(np.int64)
    out["attention_mask"] = np.ones((batch, before + sequence), np.int64)
    if "position_ids" in shapes:
        out["position_ids"] = np.tile(np.arange(before, before + sequence, dtype=np.int64), (batch, 1))
    return out


def check(onnx_file: Path, model: torch.nn.Module, vocab: int) -> float:
    """Largest difference of logits, relative to their largest magnitude; also runs in two steps with the cache."""
    session = ort.InferenceSession(str(onnx_file), providers=["CPUExecutionProvider"])
    names = [o.name for o in session.get_outputs()]
    rng = np.random.default_rng(0)
    worst = 0.0
    for batch, length in [(1, 1), (1, 2), (1, 7), (1, 31), (2, 12)]:
        ids = rng.integers(1, vocab, (batch, length))
        with torch.no_grad():
            want = model(input_ids=torch.from_numpy(ids)).logits.numpy()
        got = session.run(["logits"], feeds(session, ids))[0]
        worst = max(worst, float(np.abs(got - want).max() / np.abs(want).max()))
        if length > 2 and any(n.startswith("present.") for n in names):
            first = dict(zip(names, session.run(None, feeds(session, ids[:, :-1]))))
            past = {n.replace("present.", "past_key_values."): v for n, v in first.items() if n != "logits"}
            step = session.run(["logits"], feeds(session, ids[:, -1:], past))[0]
            worst = max(worst, float(np.abs(step[:, -1] - want[:, -1]).max() / np.abs(want).max()))
    return worst


def export(checkpoint: Path, out: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        main_export(
            str(checkpoint),
            output=scratch,
            task="text-generation-with-past",
            device="cpu",
            do_validation=False,
        )
        out.mkdir(parents=True, exist_ok=True)
        for name in ["model.onnx", "model.onnx_data", *KEPT]:
            if (Path(scratch) / name).exists():
                shutil.copyfile(Path(scratch) / name, out / name)
    config = json.loads((out / "config.json").read_text())
    config.pop("_name_or_path", None)
    (out / "config.json").write_text(json.dumps(config, indent=2) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    export(args.checkpoint, args.out)
    model = AutoModelForCausalLM.from_pretrained(args.checkpoint).eval()
    worst = check(args.out / "model.onnx", model, len(AutoTokenizer.from_pretrained(args.checkpoint)))
    size = sum(f.stat().st_size for f in args.out.iterdir())
    print(f"largest relative difference of logits {worst:.2e}; {size / 1e6:.2f} MB in {args.out}")


if __name__ == "__main__":
    main()
