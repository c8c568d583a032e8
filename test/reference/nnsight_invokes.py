"""How far nnsight's invokes, several prompts in one batch, are from the same prompts alone.

    python test/reference/nnsight_invokes.py --checkpoint DIR

Prints the largest difference of the logits of each invoke from those of the prompt alone, divided by their RMS, for
prompts of different lengths and of one length, padded on either side. Where it is float error, as it is with nnsight
0.8.1, what `nnsight_reference.py` stores of each prompt alone stands for the batch too.
"""
from __future__ import annotations

import argparse
from pathlib import Path

import torch
from nnsight import LanguageModel
from transformers import AutoModelForCausalLM, AutoTokenizer

DIFFERENT = ["The Eiffel Tower is in the city of", "The", "The capital of France is"]
EQUAL = ["The Eiffel Tower is in the city of"] * 2


def error(wanted: torch.Tensor, got: torch.Tensor) -> float:
    return float((wanted - got).abs().max() / wanted.square().mean().sqrt())


def errors(lm: LanguageModel, prompts: list[str], side: str) -> list[float]:
    lm.tokenizer.padding_side = side
    alone, together = [], []
    with torch.no_grad():
        for prompt in prompts:
            with lm.trace(prompt):
                logits = lm.lm_head.output.clone().save()
            alone.append(logits)
        with lm.trace() as tracer:
            found = list().save()
            for prompt in prompts:
                with tracer.invoke(prompt):
                    found.append(lm.lm_head.output.clone())
        together = found
    own = lambda row, count: row[:, -count:] if side == "left" else row[:, :count]
    return [error(a, own(b, a.shape[1])) for a, b in zip(alone, together)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, required=True)
    folder = parser.parse_args().checkpoint
    torch.set_num_threads(1)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    lm = LanguageModel(AutoModelForCausalLM.from_pretrained(folder).eval(), tokenizer=tokenizer)
    for name, prompts in (("different lengths", DIFFERENT), ("one length", EQUAL)):
        for side in ("left", "right"):
            shown = ", ".join(f"{value:.1e}" for value in errors(lm, prompts, side))
            print(f"{folder.name}, {name}, padded on the {side}: {shown}")


if __name__ == "__main__":
    main()
