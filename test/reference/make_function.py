"""A small function exported from PyTorch, and what PyTorch makes of an input.

    python test/reference/make_function.py

Writes test/fixtures/functions/sae.onnx by docs/examples/python/export_function.py, and sae.json.
"""

import json
import sys
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "docs/examples/python"))

from export_function import SparseAutoencoder, export_function  # noqa: E402


def main():
    folder = ROOT / "test/fixtures/functions"
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    module = SparseAutoencoder(width=8, features=16, active=4)
    torch.nn.init.normal_(module.bias)
    names = {"input_names": ["h"], "output_names": ["reconstruction", "features"]}
    export_function(module, [torch.randn(2, 3, 8)], str(folder / "sae.onnx"), **names)
    h = torch.randn(1, 5, 8)
    with torch.no_grad():
        reconstruction, features = module(h)
    numbers = {"h": h, "reconstruction": reconstruction, "features": features}
    text = json.dumps({name: tensor[0].tolist() for name, tensor in numbers.items()})
    (folder / "sae.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
