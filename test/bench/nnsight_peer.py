"""Times nnsight on the same weights, a trace at a time on request, so that the bench can measure in turn.

    python test/bench/nnsight_peer.py --checkpoint DIR --threads 2

Reads one JSON line a request, {"do": NAME, "ids": [...]}, and answers {"ms": N}; first says its versions and which
attention the model runs with. Best settings: no gradients, eager Python, the model's fastest attention here (sdpa).
"""
from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from importlib.metadata import version
from typing import Callable

import torch
from nnsight import TransformersModel
from transformers import AutoModelForCausalLM, AutoTokenizer


def blocks_of(lm: TransformersModel) -> list:
    return list(lm.transformer.h if lm.config.model_type == "gpt2" else lm.model.layers)


def hidden_of(block):
    """A block's hidden states: its output, or the first of a tuple."""
    output = block.output
    return output if isinstance(output, torch.Tensor) else output[0]


def empty(lm: TransformersModel, ids: torch.Tensor) -> None:
    """The whole pass, and nothing saved but what shows that it ran."""
    with lm.trace(ids):
        logits = lm.lm_head.output[:, -1].save()
    assert logits.ndim == 2


def saves(lm: TransformersModel, ids: torch.Tensor) -> None:
    blocks = blocks_of(lm)[:12]
    with lm.trace(ids):
        found = list().save()
        for block in blocks:
            found.append(hidden_of(block))
        logits = lm.lm_head.output[:, -1].save()
    assert len(found) == len(blocks) and found[-1].shape[-2] == ids.shape[-1] and logits.ndim == 2


def stop(lm: TransformersModel, ids: torch.Tensor) -> None:
    first = blocks_of(lm)[0]
    with lm.trace(ids) as tracer:
        hidden = hidden_of(first).save()
        tracer.stop()
    assert hidden.shape[-2] == ids.shape[-1]


def patch(lm: TransformersModel, ids: torch.Tensor) -> None:
    """The last token's hidden states in the middle block, from another prompt."""
    blocks = blocks_of(lm)
    block = blocks[len(blocks) // 2]
    donor = torch.full((lm.config.hidden_size,), 0.1)
    with lm.trace(ids):
        hidden_of(block)[..., -1, :] = donor
        logits = lm.lm_head.output[:, -1].save()
    assert logits.ndim == 2


THINGS: dict[str, Callable[[TransformersModel, torch.Tensor], None]] = {
    "empty": empty,
    "saves": saves,
    "stop": stop,
    "patch": patch,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    model = AutoModelForCausalLM.from_pretrained(args.checkpoint, dtype=torch.float32).eval()
    lm = TransformersModel(model, task="text-generation", tokenizer=AutoTokenizer.from_pretrained(args.checkpoint))
    versions = {name: version(name) for name in ["nnsight", "torch", "transformers"]}
    facts = {**versions, "python": platform.python_version(), "threads": torch.get_num_threads()}
    print(json.dumps({**facts, "attention": model.config._attn_implementation}), flush=True)
    with torch.no_grad():
        for line in sys.stdin:
            request = json.loads(line)
            ids = torch.tensor([request["ids"]])
            begun = time.perf_counter()
            THINGS[request["do"]](lm, ids)
            print(json.dumps({"ms": (time.perf_counter() - begun) * 1000}), flush=True)


if __name__ == "__main__":
    main()
