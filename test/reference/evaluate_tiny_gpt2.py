"""Measure a tiny-gpt2 checkpoint: facts in held-out and seen phrasings, induction, indirect objects.

    python test/reference/evaluate_tiny_gpt2.py --checkpoint DIR [--write-heldout FILE]

--write-heldout stores a sample (fixed seed) of held-out prompts with their answers as JSON.
"""
from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

import torch

import facts
import make_corpus

MARY_JOHN = "When Mary and John went to the store, John gave a drink to"
EIFFEL = "The Eiffel Tower is in the city of"


@torch.no_grad()
def last_logits(model, tokenizer, prompts: list[str]) -> torch.Tensor:
    """Logits after the last token of each prompt (right padding never reaches it)."""
    out = []
    for at in range(0, len(prompts), 128):
        ids = [tokenizer.encode(p) for p in prompts[at : at + 128]]
        width = max(map(len, ids))
        batch = torch.tensor([row + [0] * (width - len(row)) for row in ids])
        logits = model(input_ids=batch, use_cache=False).logits
        out.append(logits[torch.arange(len(ids)), torch.tensor([len(row) - 1 for row in ids])])
    return torch.cat(out)


def facts_right(model, tokenizer, pairs: list[tuple[str, str]]) -> list[bool]:
    """Top-1 next token equals the (first token of the) answer."""
    top = last_logits(model, tokenizer, [p for p, _ in pairs]).argmax(-1).tolist()
    return [t == tokenizer.encode(a)[0] for t, (_, a) in zip(top, pairs)]


@torch.no_grad()
def induction(model, vocab: int, period: int, rows: int = 64) -> float:
    """Share of right next tokens in the second pass of a random sequence (from its second token on)."""
    gen = torch.Generator().manual_seed(7)
    once = torch.randint(1, vocab, (rows, period), generator=gen)
    ids = torch.cat([once, once], dim=1)
    top = model(input_ids=ids, use_cache=False).logits.argmax(-1)
    return (top[:, period:-1] == ids[:, period + 1 :]).float().mean().item()


def indirect_objects(model, tokenizer, count: int = 300) -> float:
    rng = random.Random(5)
    pairs = []
    for i in range(count):
        a, b = rng.sample(make_corpus.NAMES, 2)
        giver, receiver = (a, b) if i % 2 else (b, a)
        place, thing = rng.choice(make_corpus.PLACES), rng.choice(make_corpus.OBJECTS)
        text = rng.choice(make_corpus.IOI).format(a=a, b=b, g=giver, r="", p=place, o=thing).rstrip()
        pairs.append((text, " " + receiver))
    right = facts_right(model, tokenizer, pairs)
    return sum(right) / len(right)


def measure(model, tokenizer) -> dict:
    held, seen = facts.heldout_prompts(), facts.seen_prompts()[::5]
    eiffel = last_logits(model, tokenizer, [EIFFEL])[0].softmax(-1)
    right = facts_right(model, tokenizer, held)
    relations: dict[str, list[bool]] = {}
    rows = [f.relation for f in facts.all_facts() for _ in range(facts.HELD_OUT_PER_FACT)]
    for relation, ok in zip(rows, right):
        relations.setdefault(relation, []).append(ok)
    return {
        "heldout_prompts": len(held),
        "heldout_accuracy": round(sum(right) / len(held), 4),
        "heldout_by_relation": {k: round(sum(v) / len(v), 3) for k, v in relations.items()},
        "seen_accuracy": round(sum(facts_right(model, tokenizer, seen)) / len(seen), 4),
        "eiffel_top1": tokenizer.decode([int(eiffel.argmax())]),
        "eiffel_probability": round(eiffel[tokenizer.encode(" Paris")[0]].item(), 4),
        "induction_accuracy": {str(n): round(induction(model, len(tokenizer), n), 4) for n in (8, 16, 32, 64)},
        "indirect_object_accuracy": round(indirect_objects(model, tokenizer), 4),
        "mary_john_top1": tokenizer.decode([int(last_logits(model, tokenizer, [MARY_JOHN]).argmax())]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--write-heldout", type=Path, help="JSON file for the sampled held-out prompts")
    parser.add_argument("--count", type=int, default=200)
    args = parser.parse_args()
    from transformers import AutoTokenizer, GPT2LMHeadModel

    tokenizer = AutoTokenizer.from_pretrained(args.checkpoint)
    model = GPT2LMHeadModel.from_pretrained(args.checkpoint).eval()
    print(json.dumps(measure(model, tokenizer), indent=2))
    if args.write_heldout:
        pairs = random.Random(11).sample(facts.heldout_prompts(), args.count)
        right = facts_right(model, tokenizer, pairs)
        print(f"sample of {len(pairs)}: {sum(right)} right")
        rows = ",\n".join("  " + json.dumps({"prompt": p, "answer": a}, ensure_ascii=False) for p, a in pairs)
        args.write_heldout.write_text("[\n" + rows + "\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
