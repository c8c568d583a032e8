"""Three analyses with PyTorch hooks, for the ones in client/src/analyses to be compared with.

    python test/reference/analyses_reference.py --checkpoint DIR --out FILE.json [--half N]

Induction scores (Olsson et al., 2022) of a random sequence that comes twice; activation patching of indirect object
identification (Wang et al., 2023) at every block and position; direct logit attribution and the logit lens of one of its prompts; path
patching from one head to the final norm. Attention is computed eagerly, so that its probabilities are there.
"""
from __future__ import annotations

import argparse
import importlib.metadata
import json
import re
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

# Clean, corrupted (its subject is the other name, so the answer is), the clean answer, the corrupted one.
PROMPTS = [
    ("When Mary and John went to the store, John gave a drink to",
     "When Mary and John went to the store, Mary gave a drink to", " Mary", " John"),
    ("When Tom and James went to the park, James gave the ball to",
     "When Tom and James went to the park, Tom gave the ball to", " Tom", " James"),
    ("When Dan and Sarah went to the shop, Sarah gave an apple to",
     "When Dan and Sarah went to the shop, Dan gave an apple to", " Dan", " Sarah"),
]
PACKAGES = ["torch", "transformers"]


def parts(model: Any) -> dict[str, Any]:
    if hasattr(model, "transformer"):
        blocks, norm = list(model.transformer.h), model.transformer.ln_f
        return {"blocks": blocks, "norm": norm, "attn": [b.attn for b in blocks], "mlp": [b.mlp for b in blocks],
                "proj": [b.attn.c_proj for b in blocks]}
    blocks, norm = list(model.model.layers), model.model.norm
    return {"blocks": blocks, "norm": norm, "attn": [b.self_attn for b in blocks], "mlp": [b.mlp for b in blocks],
            "proj": [b.self_attn.o_proj for b in blocks]}


def first(output: Any) -> torch.Tensor:
    return output[0] if isinstance(output, tuple) else output


def record(model: Any, modules: list[Any], ids: torch.Tensor, inputs: bool = False) -> tuple[list[torch.Tensor], torch.Tensor]:
    found: dict[int, torch.Tensor] = {}
    hooks = [m.register_forward_hook(lambda _, given, out, i=i: found.__setitem__(i, (given[0] if inputs else first(out)).clone()))
             for i, m in enumerate(modules)]
    logits = model(ids, use_cache=False).logits[0]
    for hook in hooks:
        hook.remove()
    return [found[i] for i in range(len(modules))], logits


def induction(model: Any, half: int) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(0)
    sequence = torch.randint(100, model.config.vocab_size - 100, (half,), generator=generator)
    ids = torch.cat([sequence, sequence])[None]
    attentions = model(ids, output_attentions=True, use_cache=False).attentions
    # What position half + i gives to i + 1; the diagonal begins one before.
    scores = [a[0].diagonal(offset=1 - half, dim1=-2, dim2=-1)[:, 1:].mean(-1).tolist() for a in attentions]
    return {"ids": ids[0].tolist(), "scores": scores}


def patching(model: Any, clean: torch.Tensor, corrupted: torch.Tensor, target: int, versus: int) -> dict[str, Any]:
    blocks = parts(model)["blocks"]
    donors, logits = record(model, blocks, clean)

    def difference(logits: torch.Tensor) -> float:
        return (logits[-1, target] - logits[-1, versus]).item()

    result = {"clean": difference(logits), "corrupted": difference(model(corrupted, use_cache=False).logits[0]), "patched": []}
    for block, donor in zip(blocks, donors):
        # One row a position, all in one batch.
        count = corrupted.shape[1]

        def patch(_: Any, __: Any, output: Any, donor: torch.Tensor = donor) -> Any:
            hidden = first(output).clone()
            hidden[torch.arange(count), torch.arange(count)] = donor[0]
            return (hidden, *output[1:]) if isinstance(output, tuple) else hidden

        hook = block.register_forward_hook(patch)
        rows = model(corrupted.expand(count, -1), use_cache=False).logits[:, -1]
        hook.remove()
        result["patched"].append((rows[:, target] - rows[:, versus]).tolist())
    return result


def attribution(model: Any, ids: torch.Tensor, target: int, versus: int) -> dict[str, Any]:
    found = parts(model)
    norm, head = found["norm"], model.lm_head.weight
    outputs, logits = record(model, [m for pair in zip(found["attn"], found["mlp"]) for m in pair], ids)
    (embedding,), _ = record(model, [found["blocks"][0]], ids, inputs=True)
    (stream,), _ = record(model, [norm], ids, inputs=True)
    (heads), _ = record(model, found["proj"], ids, inputs=True)
    direction = (head[target] - head[versus]) * norm.weight
    layer_norm = isinstance(norm, torch.nn.LayerNorm)
    row = stream[0, -1]
    if layer_norm:
        scale = 1 / torch.sqrt(row.var(unbiased=False) + norm.eps)
    else:
        scale = 1 / torch.sqrt(row.pow(2).mean() + norm.variance_epsilon)

    def project(vector: torch.Tensor) -> torch.Tensor:
        return ((vector - vector.mean(-1, keepdim=True) if layer_norm else vector) @ direction) * scale

    count = model.config.num_attention_heads
    by_head = []
    for projection, value in zip(found["proj"], heads):
        weight = projection.weight if isinstance(projection, torch.nn.Linear) else projection.weight.T
        size = weight.shape[1] // count
        z = value[0, -1].view(count, size)
        each = torch.stack([weight[:, h * size : (h + 1) * size] @ z[h] for h in range(count)])
        by_head.append(project(each).tolist())
    rows = [embedding[0, -1], *(output[0, -1] for output in outputs)]
    return {"contributions": [project(r).item() for r in rows], "heads": by_head,
            "logit": (logits[-1, target] - logits[-1, versus]).item()}


def lens(model: Any, ids: torch.Tensor) -> list[dict[str, Any]]:
    found = parts(model)
    outputs, _ = record(model, found["blocks"], ids)
    rows = []
    for output in outputs:
        top = model.lm_head(found["norm"](output[:, -1:]))[0, 0].softmax(-1).topk(5)
        rows.append({"tokens": top.indices.tolist(), "probabilities": top.values.tolist()})
    return rows


def path(model: Any, clean: torch.Tensor, corrupted: torch.Tensor, target: int, versus: int, block: int, head: int) -> dict[str, Any]:
    """The head's output of the corrupted prompt, seen by the final norm alone, and by the next block's attention alone."""
    found = parts(model)
    projection = found["proj"][block]
    weight = projection.weight if isinstance(projection, torch.nn.Linear) else projection.weight.T
    size = weight.shape[1] // model.config.num_attention_heads
    part = slice(head * size, (head + 1) * size)

    def sent(ids: torch.Tensor) -> torch.Tensor:
        (value,), _ = record(model, [projection], ids, inputs=True)
        return weight[:, part] @ value[0, -1, part]

    change = sent(corrupted) - sent(clean)

    def add(_: Any, given: Any) -> Any:
        hidden = given[0].clone()
        hidden[0, -1] += change
        return (hidden, *given[1:])

    after = found["blocks"][block + 1]
    receivers = {"next": after.ln_1 if hasattr(after, "ln_1") else after.input_layernorm, "final": found["norm"]}
    result: dict[str, Any] = {"block": block, "head": head}
    for name, receiver in receivers.items():
        hook = receiver.register_forward_pre_hook(add)
        logits = model(clean, use_cache=False).logits[0, -1]
        hook.remove()
        result[name] = (logits[target] - logits[versus]).item()
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--half", type=int, default=24, help="tokens of the sequence that comes twice")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    tokenizer = AutoTokenizer.from_pretrained(args.checkpoint)
    model = AutoModelForCausalLM.from_pretrained(args.checkpoint, dtype=torch.float32, attn_implementation="eager").eval()

    def ids_of(text: str) -> torch.Tensor:
        return torch.tensor([tokenizer.encode(text, add_special_tokens=False)])

    sets = []
    for clean, corrupted, target, versus in PROMPTS:
        both = [ids_of(clean), ids_of(corrupted)]
        answers = [ids_of(target)[0].tolist(), ids_of(versus)[0].tolist()]
        if both[0].shape != both[1].shape:
            print(f"left out, for its prompts differ in length: {clean!r}")
            continue
        one, other = answers[0][0], answers[1][0]
        sets.append({"cleanIds": both[0][0].tolist(), "corruptedIds": both[1][0].tolist(), "target": one, "versus": other,
                     **patching(model, *both, one, other)})
    some = sets[0]
    clean, corrupted = torch.tensor([some["cleanIds"]]), torch.tensor([some["corruptedIds"]])
    pair = some["target"], some["versus"]
    data = {"induction": induction(model, args.half), "patching": sets,
            "attribution": attribution(model, clean, *pair), "lens": lens(model, clean),
            "path": path(model, clean, corrupted, *pair, len(parts(model)["blocks"]) // 2, 0),
            "versions": {name: importlib.metadata.version(name) for name in PACKAGES}}
    text = json.dumps(json.loads(json.dumps(data), parse_float=lambda x: float(f"{float(x):.8g}")), indent=1)
    # A row of numbers in one line.
    text = re.sub(r"\[[-\d,.\se+]+\]", lambda row: json.dumps(json.loads(row[0])), text)
    args.out.write_text(text + "\n")
    best = max((s, b, h) for b, row in enumerate(data["induction"]["scores"]) for h, s in enumerate(row))
    print(f"{args.out}: {len(sets)} prompt sets; best induction head {best}")
    for each in sets:
        print(f"clean {each['clean']:.3f}, corrupted {each['corrupted']:.3f}, most when patched {max(map(max, each['patched'])):.3f}")


if __name__ == "__main__":
    main()
