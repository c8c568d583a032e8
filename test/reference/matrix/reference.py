"""Every module's input and output in PyTorch, by forward hooks, as a safetensors file.

Names are `nnsight_reference.py`'s: `p<N>/<path>/input`, `p<N>/<path>/output[.<I>]`, and `p<N>//output` for the whole
model. Also `p<N>/feed/<name>`. Metadata are JSON: `prompts` (their feeds), `modules`, `aliases`, `versions`.
"""
from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path

import torch
from safetensors.torch import save_file

from stored import share, tensors_of

PACKAGES = ["torch", "transformers", "safetensors"]


def first_tensor(args: tuple, kwargs: dict) -> torch.Tensor | None:
    """The first activation, as nnsight's `.input`: positional arguments before keywords."""
    return next((v for v in (*args, *kwargs.values()) if isinstance(v, torch.Tensor)), None)


def watch(model: torch.nn.Module, feeds: dict[str, torch.Tensor]) -> dict[str, tuple[torch.Tensor | None, list[torch.Tensor]]]:
    """Each called module's input and outputs, of its first call."""
    found: dict = {}
    taken: dict = {}
    handles = []
    for path, module in model.named_modules():
        def before(_, args, kwargs, path=path):
            value = first_tensor(args, kwargs)
            taken.setdefault(path, None if value is None else value.detach().clone())

        def after(_, args, kwargs, output, path=path):
            found.setdefault(path, (taken[path], [t.detach().clone() for t in tensors_of(output)]))

        handles.append(module.register_forward_pre_hook(before, with_kwargs=True))
        handles.append(module.register_forward_hook(after, with_kwargs=True))
    with torch.no_grad():
        model(**feeds)
    for handle in handles:
        handle.remove()
    return found


def is_identity(value: tuple[torch.Tensor | None, list[torch.Tensor]]) -> bool:
    taken, given = value
    return taken is not None and len(given) > 0 and torch.equal(taken, given[0])


def write(model: torch.nn.Module, passes: list[dict[str, torch.Tensor]], out: Path) -> dict[str, tuple[float, float]]:
    """Writes the file; gives the least and largest RMS of the modules' outputs."""
    tensors: dict[str, torch.Tensor] = {}
    seen: dict[str, list] = {}
    for n, feeds in enumerate(passes):
        for name, tensor in feeds.items():
            tensors[f"p{n}/feed/{name}"] = tensor
        for path, value in watch(model, feeds).items():
            seen.setdefault(path, []).append(value)
            if value[0] is not None:
                tensors[f"p{n}/{path}/input"] = value[0]
            for i, output in enumerate(value[1]):
                tensors[f"p{n}/{path}/output" + (f".{i}" if i else "")] = output
    modules = [
        {
            "path": path,
            "class": type(module).__name__,
            "called": path in seen,
            "identity": path in seen and all(map(is_identity, seen[path])),
            # Other names of the same module: tied embeddings.
            "also": [p for p, m in model.named_modules(remove_duplicate=False) if m is module and p != path],
        }
        for path, module in model.named_modules()
    ]
    kept, aliases = share(tensors)
    facts = {
        "prompts": [{"feeds": list(feeds)} for feeds in passes],
        "modules": modules,
        "aliases": aliases,
        "versions": {p: metadata.version(p) for p in PACKAGES},
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    save_file(kept, out, {k: json.dumps(v) for k, v in facts.items()})
    out.chmod(0o644)
    rms = [v[1][0].float().pow(2).mean().sqrt().item() for values in seen.values() for v in values if v[1]]
    return min(rms), max(rms)
