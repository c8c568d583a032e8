"""Make an ONNX model folder shaped like GPT-2 small (124M parameters, random weights), for benchmarks.

    python test/reference/export_random_gpt2.py --out DIR [--tokenizer server/models/tiny-gpt2]

Same exporter as tiny-gpt2. The tokenizer is tiny-gpt2's, so only its ids are ever fed; the model's
vocabulary keeps GPT-2's 50257 entries. Writes about 650 MB. With `--layers 6 --width 2560` the weights have 2.4 GB,
which no single ONNX file can hold.
"""
from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

import torch
from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel

from export_tiny_gpt2 import KEPT, check, export


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--tokenizer", type=Path, default=Path("server/models/tiny-gpt2"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--width", type=int, default=768, help="a multiple of 64, the width of a head")
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    tokenizer = AutoTokenizer.from_pretrained(args.tokenizer)
    config = GPT2Config(
        n_layer=args.layers,
        n_embd=args.width,
        n_head=args.width // 64,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    model = GPT2LMHeadModel(config).eval()
    with tempfile.TemporaryDirectory() as scratch:
        model.save_pretrained(scratch)
        for name in KEPT:
            if name.startswith(("tokenizer", "special")) and (args.tokenizer / name).exists():
                shutil.copyfile(args.tokenizer / name, Path(scratch) / name)
        export(Path(scratch), args.out)
    worst = check(args.out / "model.onnx", model, len(tokenizer))
    size = sum(f.stat().st_size for f in args.out.iterdir())
    print(f"largest relative difference of logits {worst:.2e}; {size / 1e6:.0f} MB in {args.out}")


if __name__ == "__main__":
    main()
