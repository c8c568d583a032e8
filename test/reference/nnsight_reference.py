"""Trace a checkpoint with the real nnsight and store every module's input and output.

    python test/reference/nnsight_reference.py --checkpoint DIR --out FILE.safetensors [--short]

Tensors: `p<N>/<module path>/input`, `.../output` (further tensors of a tuple: `.../output.<I>`),
`p<N>/<attention path>/key` and `.../value` (key/value cache after the run), `p<N>/logits`, and
`i<N>/logits` for the interventions. Equal tensors are stored once; the metadata entry `aliases`
maps the other names. All metadata values are JSON.
"""
from __future__ import annotations

import argparse
import importlib.metadata
import json
import platform
from pathlib import Path
from typing import Any

import nnsight
import torch
from nnsight import LanguageModel
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from stored import Tensors, share, tensors_of

PROMPTS = [
    "The",
    "The capital of France is",
    "Zür\n 東",
    " Paris Rome Paris Rome Paris",
    "The Eiffel Tower is in the city of",
    "When Mary and John went to the store, John gave a drink to",
    "<|endoftext|>Snow is",
]
SHORT_PROMPTS = [  # for a tokenizer of few words
    "The",
    "The capital",
    "Zür\n 東",
    " one two one two",
    "The Eiffel Tower is in the city of",
    "Mary and John went home",
    "<|endoftext|>Snow is",
]
EIFFEL, OTHER = PROMPTS[4], "The Colosseum is in the city of"
PACKAGES = ["nnsight", "torch", "transformers", "tokenizers", "safetensors", "numpy"]


def events(model: torch.nn.Module, ids: torch.Tensor) -> list[tuple[str, str]]:
    """('input' | 'output', path) in the order of execution: nnsight wants accesses in that order."""
    order: list[tuple[str, str]] = []
    handles = []
    for path, module in model.named_modules():
        handles.append(module.register_forward_pre_hook(lambda *_, p=path: order.append(("input", p))))
        handles.append(module.register_forward_hook(lambda *_, p=path: order.append(("output", p))))
    with torch.no_grad():
        model(input_ids=ids)
    for handle in handles:
        handle.remove()
    return [(kind, path) for kind, path in order if path]


def trace_all(lm: LanguageModel, prompt: str, order: list[tuple[str, str]]) -> tuple[list, Any]:
    """One nnsight trace that saves every module's input and output, and the model's output."""
    with torch.no_grad(), lm.trace(prompt):
        found = []
        for kind, path in order:
            envoy = lm.get(path)
            value = envoy.input if kind == "input" else envoy.output
            tensors = [t.detach().clone() for t in tensors_of(value)]
            found.append((kind, path, tensors, type(value).__name__))
        result = lm.output
        nnsight.save(found)
        nnsight.save(result)
    return found, result


def interventions(lm: LanguageModel, blocks: str, attention: str, projection: str, mlp: str, norm: str) -> list[dict]:
    """A few interventions in real nnsight; each returns the logits of the whole prompt."""
    out: list[dict] = []

    def add(name: str, does: str, logits: torch.Tensor, module: str) -> None:
        out.append({"name": name, "prompt": EIFFEL, "module": module, "does": does, "logits": logits})

    width = lm.get(f"{blocks}.1").input_layernorm.weight.shape[0] if norm == "model.norm" else lm.config.n_embd
    head = width // lm.config.num_attention_heads
    with torch.no_grad():
        with lm.trace(EIFFEL):
            lm.get(f"{blocks}.1.{mlp}").output[:] = 0
            logits = lm.lm_head.output.clone().save()
        add("zero_mlp", "output[:] = 0", logits, f"{blocks}.1.{mlp}")

        with lm.trace(EIFFEL):
            target = lm.get(f"{blocks}.1")
            hidden = target.output if isinstance(target.output, torch.Tensor) else target.output[0]
            hidden[:, -1, :] *= 2
            logits = lm.lm_head.output.clone().save()
        add("double_last", "output[:, -1, :] *= 2", logits, f"{blocks}.1")

        with lm.trace(EIFFEL):
            lm.get(f"{blocks}.2.{attention}.{projection}").input[:, :, :head] = 0
            logits = lm.lm_head.output.clone().save()
        add("zero_head", f"input[:, :, :{head}] = 0 (head 0)", logits, f"{blocks}.2.{attention}.{projection}")

        with lm.trace(OTHER):
            source = lm.get(f"{blocks}.1")
            hidden = source.output if isinstance(source.output, torch.Tensor) else source.output[0]
            donor = hidden[:, -1, :].clone().save()
        with lm.trace(EIFFEL):
            target = lm.get(f"{blocks}.1")
            hidden = target.output if isinstance(target.output, torch.Tensor) else target.output[0]
            hidden[:, -1, :] = donor
            logits = lm.lm_head.output.clone().save()
        add("patch_last", f"output[:, -1, :] = the same of the prompt {OTHER!r}", logits, f"{blocks}.1")

        with lm.trace(EIFFEL):
            source = lm.get(f"{blocks}.1")
            hidden = source.output if isinstance(source.output, torch.Tensor) else source.output[0]
            logits = lm.lm_head(lm.get(norm)(hidden)).clone().save()
        add("logit_lens", f"lm_head({norm}(output))", logits, f"{blocks}.1")

        with lm.trace(EIFFEL):
            target = lm.get(f"{blocks}.1")
            target.skip(target.input if norm == "model.norm" else (target.input,))  # GPT-2 takes [0] of it
            logits = lm.lm_head.output.clone().save()
        add("skip_block", "skip(input)", logits, f"{blocks}.1")

        with lm.trace(EIFFEL):
            target = lm.get(f"{blocks}.1")
            hidden = target.output if isinstance(target.output, torch.Tensor) else target.output[0]
            hidden[:, [0, 3], :] *= 3
            logits = lm.lm_head.output.clone().save()
        add("index_list", "output[:, [0, 3], :] *= 3", logits, f"{blocks}.1")

        with lm.trace(EIFFEL):
            target = lm.get(f"{blocks}.1")
            hidden = target.output if isinstance(target.output, torch.Tensor) else target.output[0]
            hidden[hidden > 0.5] = 0.5
            logits = lm.lm_head.output.clone().save()
        add("mask", "output[output > 0.5] = 0.5", logits, f"{blocks}.1")
    return out


def edit_attention(model: torch.nn.Module, path: str, ids: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Attention's probabilities at a module, and the logits once head 1 attends to the first position no more.

    nnsight sees no value inside a function of a library that computes it in one call, so this is plain PyTorch: eager
    attention, and softmax replaced while that module runs.
    """
    attention = model.get_submodule(path)
    softmax = torch.nn.functional.softmax
    seen: list[torch.Tensor] = []

    def edited(*args: Any, **kwargs: Any) -> torch.Tensor:
        probabilities = softmax(*args, **kwargs)
        seen.append(probabilities.clone())
        probabilities[:, 1, :, 0] = 0
        return probabilities

    def begin(*_: Any) -> None:
        torch.nn.functional.softmax = edited

    def end(*_: Any) -> None:
        torch.nn.functional.softmax = softmax

    handles = [attention.register_forward_pre_hook(begin), attention.register_forward_hook(end)]
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([ids])).logits
    for handle in handles:
        handle.remove()
    assert len(seen) == 1, f"{path} computed {len(seen)} softmaxes"
    return seen[0], logits


def greedy(model: torch.nn.Module, ids: list[int], count: int) -> list[int]:
    done = list(ids)
    with torch.no_grad():
        for _ in range(count):
            done.append(int(model(input_ids=torch.tensor([done])).logits[0, -1].argmax()))
    return done[len(ids) :]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--short", action="store_true", help="the short prompts (tiny-llama)")
    parser.add_argument("--max-bytes", type=int, default=4_500_000)
    parser.add_argument("--top", type=int, default=5)
    parser.add_argument("--continue-by", type=int, default=8)
    args = parser.parse_args()
    torch.set_num_threads(1)

    tokenizer = AutoTokenizer.from_pretrained(args.checkpoint)
    model = AutoModelForCausalLM.from_pretrained(args.checkpoint).eval()
    lm = LanguageModel(model, tokenizer=tokenizer)
    gpt2 = model.config.model_type == "gpt2"
    blocks, attention = ("transformer.h", "attn") if gpt2 else ("model.layers", "self_attn")

    tensors: Tensors = {}
    prompts: list[dict] = []
    called: dict[str, dict] = {}
    changed: set[str] = set()
    for n, text in enumerate(SHORT_PROMPTS if args.short else PROMPTS):
        ids = tokenizer.encode(text)
        found, result = trace_all(lm, text, events(model, torch.tensor([ids])))
        last_input: dict[str, torch.Tensor] = {}
        for kind, path, values, type_name in found:
            for i, value in enumerate(values):
                tensors[f"p{n}/{path}/{kind}" + (f".{i}" if i else "")] = value
            called.setdefault(path, {})[f"{kind}_type"] = type_name
            if kind == "input":
                last_input[path] = values[0] if values else torch.empty(0)
            elif not values or not torch.equal(values[0], last_input[path]):
                changed.add(path)
        for i, layer in enumerate(result.past_key_values.layers):
            tensors[f"p{n}/{blocks}.{i}.{attention}/key"] = layer.keys.detach()
            tensors[f"p{n}/{blocks}.{i}.{attention}/value"] = layer.values.detach()
        logits = result.logits.detach()
        tensors[f"p{n}/logits"] = logits
        with torch.no_grad():
            assert torch.equal(logits, model(input_ids=torch.tensor([ids])).logits), "nnsight and plain PyTorch differ"
        top = logits[0, -1].softmax(-1).topk(args.top)
        after = greedy(model, ids, args.continue_by)
        prompts.append(
            {
                "text": text,
                "ids": ids,
                "tokens": tokenizer.convert_ids_to_tokens(ids),
                "top": [
                    {"id": i, "token": tokenizer.decode([i]), "probability": p}
                    for i, p in zip(top.indices.tolist(), top.values.tolist())
                ],
                "greedy_ids": after,
                "greedy_text": tokenizer.decode(after),
            }
        )
    projection, norm = ("c_proj", "transformer.ln_f") if gpt2 else ("o_proj", "model.norm")
    done = interventions(lm, blocks, attention, projection, "mlp", norm)
    eager = AutoModelForCausalLM.from_pretrained(args.checkpoint, attn_implementation="eager").eval()
    where = f"{blocks}.1.{attention}"
    probabilities, logits = edit_attention(eager, where, tokenizer.encode(EIFFEL))
    tensors[f"i{len(done)}/probabilities"] = probabilities.detach()
    does = "probabilities[:, 1, :, 0] = 0 (plain PyTorch, eager attention)"
    done.append({"name": "edit_attention", "prompt": EIFFEL, "module": where, "does": does, "logits": logits})
    for n, item in enumerate(done):
        tensors[f"i{n}/logits"] = item.pop("logits").detach()

    modules = [
        {
            "path": path,
            "class": type(module).__name__,
            "called": path in called or path == "",
            "identity": path in called and path not in changed,
            **called.get(path, {}),
        }
        for path, module in model.named_modules()
    ]
    kept, aliases = share(tensors)
    metadata = {
        "model": model.config.model_type,
        "attention": model.config._attn_implementation,
        "prompts": prompts,
        "interventions": done,
        "modules": modules,
        "aliases": aliases,
        "versions": {p: importlib.metadata.version(p) for p in PACKAGES} | {"python": platform.python_version()},
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    save_file(kept, args.out, {k: json.dumps(v, ensure_ascii=False) for k, v in metadata.items()})
    args.out.chmod(0o644)
    size = args.out.stat().st_size
    print(f"{len(modules)} modules, {len(kept)} tensors and {len(aliases)} aliases, {size / 1e6:.2f} MB in {args.out}")
    for p in prompts:
        print(f"  {p['text']!r} {len(p['ids'])} tokens -> {p['top'][0]['token']!r} {p['top'][0]['probability']:.3f}")
    if size > args.max_bytes:
        raise SystemExit(f"larger than {args.max_bytes} bytes")


if __name__ == "__main__":
    main()
