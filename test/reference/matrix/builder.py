"""The model builder of onnxruntime-genai: fused attention (GroupQueryAttention) and norms (SkipLayerNorm), contrib operators.

It wants another version of its dependencies than the exporters, so it runs in a Python of its own: one with
onnxruntime-genai 0.11.4 beside the packages of requirements.txt.
"""
from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

import torch
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

from .architectures import VOCABULARY, Architecture

# Gemma is left out: the builder scales inside embed_tokens, where PyTorch scales after it.
ARCHITECTURES = ("llama", "qwen2", "qwen3")


def build(python: str, architecture: Architecture, model: torch.nn.Module, folder: Path, precision: str) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        checkpoint, out = Path(scratch) / "checkpoint", Path(scratch) / "out"
        model.save_pretrained(checkpoint)
        words = {"<0>": 0, **{f"w{i}": i for i in range(1, VOCABULARY)}}
        tokenizer = PreTrainedTokenizerFast(
            tokenizer_object=Tokenizer(models.WordLevel(words, unk_token="<0>")), bos_token="<0>", eos_token="<0>"
        )
        tokenizer.save_pretrained(checkpoint)
        command = [python, "-m", "onnxruntime_genai.models.builder", "-m", str(checkpoint), "-o", str(out),
                   "-p", precision, "-e", "cpu", "-c", str(Path(scratch) / "cache")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(done.stderr.strip().splitlines()[-1])
        folder.mkdir(parents=True, exist_ok=True)
        for file in out.iterdir():
            if file.name.startswith("model.onnx"):
                shutil.move(file, folder / file.name)
        config = {**model.config.to_dict(), "architectures": [type(model).__name__]}
        config.pop("_name_or_path", None)
        (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
