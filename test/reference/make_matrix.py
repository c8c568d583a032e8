"""Make the matrix of small random models, each by every exporter, with the values that PyTorch gives at every module.

    python test/reference/make_matrix.py --out DIR [--only NAME ...]

Writes DIR/<architecture>/reference.safetensors, a model folder DIR/<architecture>/<variant> for each export, and
DIR/matrix.json, which lists them all, those that the exporter could not make included, with the reason. With `--trained
FOLDER --checkpoint CHECKPOINT` only that export is added, of a trained model such as export_smollm2.py makes.
Then: npm run parity -- --models DIR
"""
from __future__ import annotations

import argparse
import json
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import onnxruntime
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from matrix import builder, exports, precisions, reference
from matrix.architectures import ARCHITECTURES, Architecture, inputs, make


def variants(architecture: Architecture) -> list[tuple[str, str, bool]]:
    """(name, exporter, with a key/value cache)."""
    if architecture.kind != "decoder":
        return [("torchscript", "torchscript", False), ("dynamo", "dynamo", False)]
    return [
        (exporter + ("-cache" if cache else ""), exporter, cache)
        for exporter in ("torchscript", "dynamo")
        for cache in (True, False)
    ]


def steps(architecture: Architecture, folder: Path, genai: str | None) -> list[tuple[dict, Callable[[], None]]]:
    """What to make of an architecture, in order: precisions are made of exports."""
    facts = {"architecture": architecture.name}
    todo = []
    for name, exporter, cache in variants(architecture):
        entry = {**facts, "variant": name, "exporter": exporter, "cache": cache, "precision": "float32"}
        todo.append((entry, lambda n=name, e=exporter, c=cache: getattr(exports, e)(architecture, make(architecture), folder / n, c)))
    for variant, (_, precision, sources) in precisions.PRECISIONS.items():
        export = sources.get(architecture.name)
        if export is None:
            continue
        entry = {**facts, "variant": f"{export}-{variant}", "exporter": export.split("-")[0], "cache": "cache" in export, "precision": precision}
        todo.append((entry, lambda v=variant: precisions.derive(architecture, folder, v)))
    if architecture.name in ("gpt2", "llama"):
        for exporter in ("torchscript", "dynamo"):
            name = f"{exporter}-cache-half"
            entry = {**facts, "variant": name, "exporter": exporter, "cache": True, "precision": "float16"}
            todo.append((entry, lambda n=name, d=exporter == "dynamo": exports.plain(architecture, make(architecture).half(), folder / n, True, dynamo=d)))
    if genai and architecture.name in builder.ARCHITECTURES:
        for precision in ("fp32", "int4"):
            entry = {**facts, "variant": f"builder-{precision}", "exporter": "builder", "cache": True, "precision": {"fp32": "float32"}.get(precision, precision)}
            todo.append((entry, lambda p=precision: builder.build(genai, architecture, make(architecture), folder / f"builder-{p}", p)))
    return todo


def loads(file: Path) -> None:
    """Raises what ONNX Runtime has against a file: an exporter may write what no runtime takes."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    onnxruntime.InferenceSession(str(file), options)


def make_one(architecture: Architecture, out: Path, genai: str | None) -> list[dict]:
    folder = out / architecture.name
    low, high = reference.write(make(architecture), inputs(architecture), folder / "reference.safetensors")
    print(f"{architecture.name}: RMS of outputs {low:.2g} to {high:.2g}", flush=True)
    entries = []
    for entry, build in steps(architecture, folder, genai):
        begun = time.time()
        try:
            build()
            loads(folder / entry["variant"] / "model.onnx")
        except Exception as error:  # an exporter that can't is a finding
            while error.__cause__ is not None:
                error = error.__cause__
            entry["failed"] = f"{type(error).__name__}: {' '.join(str(error).split())}"[:200]
        entries.append(entry)
        print(f"  {entry['variant']}: {entry.get('failed', 'made')} in {time.time() - begun:.0f} s", flush=True)
    return entries


PROMPTS = ["The Eiffel Tower is in the city of", "def fibonacci(n):"]


def add_trained(export: Path, checkpoint: Path, out: Path) -> dict:
    """An entry for an export that exists; its values from the checkpoint."""
    folder = out / export.name
    model = AutoModelForCausalLM.from_pretrained(checkpoint, attn_implementation="eager").eval()
    tokenizer = AutoTokenizer.from_pretrained(export)
    passes = [{"input_ids": tokenizer(prompt, return_tensors="pt").input_ids} for prompt in PROMPTS]
    reference.write(model, passes, folder / "reference.safetensors")
    link = folder / "torchscript-cache"
    link.unlink(missing_ok=True)
    link.symlink_to(export.resolve())
    return {"architecture": export.name, "variant": link.name, "exporter": "torchscript", "cache": True,
            "precision": "float32"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="outside the tree")
    parser.add_argument("--genai-python", help="a Python with onnxruntime-genai, for its model builder")
    parser.add_argument("--only", nargs="*", help="architectures")
    parser.add_argument("--trained", type=Path, help="a folder with an export of a trained model")
    parser.add_argument("--checkpoint", type=Path, help="of the trained model")
    args = parser.parse_args()
    warnings.filterwarnings("ignore")
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    torch.set_num_threads(1)
    index = args.out / "matrix.json"
    entries = json.loads(index.read_text()) if index.exists() else []
    if args.trained:
        made = add_trained(args.trained, args.checkpoint, args.out)
        entries = [e for e in entries if e["architecture"] != made["architecture"]] + [made]
        index.write_text(json.dumps(entries, indent=1) + "\n")
        return
    for architecture in ARCHITECTURES:
        if args.only and architecture.name not in args.only:
            continue
        made = make_one(architecture, args.out, args.genai_python)
        entries = [e for e in entries if e["architecture"] != architecture.name] + made
        args.out.mkdir(parents=True, exist_ok=True)
        index.write_text(json.dumps(entries, indent=1) + "\n")


if __name__ == "__main__":
    main()
