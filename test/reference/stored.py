"""What a module gave, as tensors to store. Apart from nnsight, which gives every object a `save` of its own."""
from __future__ import annotations

from typing import Any

import torch

Tensors = dict[str, torch.Tensor]


def tensors_of(value: Any) -> list[torch.Tensor]:
    """The tensors of a module's output, in order (a model output's cache and Nones left out)."""
    if isinstance(value, torch.Tensor):
        return [value]
    items = value.values() if hasattr(value, "values") and callable(value.values) else value
    return [v for v in items if isinstance(v, torch.Tensor)] if isinstance(value, (tuple, list, dict)) else []


def share(tensors: Tensors) -> tuple[Tensors, dict[str, str]]:
    """Keep one of equal tensors; name the others as aliases of it."""
    kept: Tensors = {}
    first: dict[tuple, str] = {}
    aliases: dict[str, str] = {}
    for name, tensor in tensors.items():
        key = (tensor.dtype, tuple(tensor.shape), tensor.contiguous().numpy().tobytes())
        if key in first:
            aliases[name] = first[key]
        else:
            first[key] = name
            kept[name] = tensor.contiguous()
    return kept, aliases
