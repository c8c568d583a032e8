"""The exporters: optimum's TorchScript one, PyTorch's TorchScript one where optimum has none, and PyTorch's dynamo one."""
from __future__ import annotations

import json
import shutil
import tempfile
import types
from pathlib import Path

import onnx
import torch
from optimum.exporters.onnx import onnx_export_from_model
from optimum.exporters.onnx.model_patcher import sdpa_mask_without_vmap
from transformers.cache_utils import DynamicCache
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS

from .architectures import Architecture, inputs

BY_OPTIMUM = {"decoder": "text-generation", "bert": "fill-mask", "vit": "image-classification"}
FEED_AXES = {
    "input_ids": {0: "batch", 1: "sequence"},
    "attention_mask": {0: "batch", 1: "past_and_sequence"},
    "position_ids": {0: "batch", 1: "sequence"},
    "token_type_ids": {0: "batch", 1: "sequence"},
    "pixel_values": {0: "batch"},
}


def torchscript(architecture: Architecture, model: torch.nn.Module, folder: Path, cache: bool) -> None:
    task = BY_OPTIMUM.get(architecture.name) or BY_OPTIMUM.get(architecture.kind)
    if task is None or architecture.name == "mixtral":
        return plain(architecture, model, folder, cache, dynamo=False)
    with tempfile.TemporaryDirectory() as scratch:
        onnx_export_from_model(
            model, scratch, task=task + ("-with-past" if cache else ""), do_validation=False, monolith=True
        )
        keep(model, Path(scratch), folder)


def dynamo(architecture: Architecture, model: torch.nn.Module, folder: Path, cache: bool) -> None:
    plain(architecture, model, folder, cache, dynamo=True)


# torch.export wants each input named in the signature.
def decoder_cache(self, input_ids, attention_mask, position_ids, past: list[tuple[torch.Tensor, torch.Tensor]]):
    """forward() with the key/value cache as plain tensors."""
    cache = DynamicCache(config=self.config)
    for layer, (key, value) in zip(cache.layers, past):
        layer.lazy_initialization(key)
        layer.keys, layer.values = key, value
    result = type(self).forward(
        self, input_ids=input_ids, attention_mask=attention_mask, position_ids=position_ids,
        past_key_values=cache, use_cache=True,
    )
    return result.logits, [(layer.keys, layer.values) for layer in cache.layers]


def decoder(self, input_ids, attention_mask, position_ids):
    return type(self).forward(
        self, input_ids=input_ids, attention_mask=attention_mask, position_ids=position_ids, use_cache=False
    ).logits


def bert(self, input_ids, token_type_ids, attention_mask):
    return type(self).forward(self, input_ids, attention_mask, token_type_ids)[0]


def encoder(self, input_ids, attention_mask):
    return type(self).forward(self, input_ids, attention_mask)[0]


def image(self, pixel_values):
    return type(self).forward(self, pixel_values)[0]


def all_experts(self, hidden_states):
    """A mixture's forward() with a loop over all experts, as optimum patches it: one over those hit can't be exported."""
    flat = hidden_states.reshape(-1, hidden_states.shape[-1])
    router_logits = self.gate(flat)
    weights, chosen = torch.topk(router_logits.softmax(1, dtype=torch.float), self.top_k, dim=-1)
    weights = (weights / weights.sum(dim=-1, keepdim=True)).to(flat.dtype)
    total = torch.zeros_like(flat)
    for number, expert in enumerate(self.experts):
        token, slot = torch.where(chosen == number)
        total = total.index_add(0, token, expert(flat[token]) * weights[token, slot, None])
    return total.reshape(hidden_states.shape), router_logits


FORWARDS = {"decoder": decoder, "bert": bert, "encoder": encoder, "image": image}


def plain(architecture: Architecture, model: torch.nn.Module, folder: Path, cache: bool, dynamo: bool) -> None:
    """torch.onnx.export itself."""
    # The same mask without torch.vmap, which torch.export cannot follow for dynamic sizes.
    ALL_MASK_ATTENTION_FUNCTIONS.register("sdpa", sdpa_mask_without_vmap)
    feeds = example(architecture, past=3 if cache else 0)
    axes = {name: dict(FEED_AXES[name]) for name in feeds}
    if not cache and "attention_mask" in axes:
        axes["attention_mask"][1] = "sequence"
    names, outputs = list(feeds), ["last_hidden_state" if architecture.name == "t5-encoder" else "logits"]
    kwargs, shapes = dict(feeds), dict(axes)
    if cache:
        config = model.config
        layers = range(config.num_hidden_layers)
        heads = getattr(config, "num_key_value_heads", config.num_attention_heads)
        width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        kwargs["past"] = [tuple(torch.zeros(2, heads, 3, width, dtype=model.dtype) for _ in range(2)) for _ in layers]
        shapes["past"] = [({0: "batch", 2: "past"}, {0: "batch", 2: "past"}) for _ in layers]
        caches = [f"{i}.{kind}" for i in layers for kind in ("key", "value")]
        names += [f"past_key_values.{c}" for c in caches]
        outputs += [f"present.{c}" for c in caches]
    for module in model.modules():
        if type(module).__name__.endswith("SparseMoeBlock"):
            module.forward = types.MethodType(all_experts, module)
    forward = decoder_cache if cache else FORWARDS.get(architecture.name, FORWARDS[architecture.kind])
    model.forward = types.MethodType(forward, model)
    try:
        with tempfile.TemporaryDirectory() as scratch:
            target = Path(scratch) / "model.onnx"
            if dynamo:
                program = torch.onnx.export(
                    model, (), kwargs=kwargs, dynamic_shapes=shapes, input_names=names, output_names=outputs,
                    opset_version=18, dynamo=True, optimize=True, external_data=False, verbose=False,
                )
                program.save(str(target))
            else:
                dynamic = {**axes, **{n: {0: "batch", 2: "past"} for n in names if n.startswith("past_key")},
                           **{n: {0: "batch", 2: "past_and_sequence"} for n in outputs if n.startswith("present")}}
                torch.onnx.export(
                    model, tuple(kwargs.values()), str(target), dynamic_axes=dynamic, input_names=names,
                    output_names=outputs, opset_version=18, dynamo=False,
                )
            keep(model, Path(scratch), folder)
    finally:
        del model.forward


def example(architecture: Architecture, past: int) -> dict[str, torch.Tensor]:
    """What a model is traced with: batches of two."""
    feeds = inputs(architecture)[0]
    feeds = {name: torch.cat([tensor, tensor]) for name, tensor in feeds.items()}
    if architecture.kind == "image":
        return feeds
    batch, sequence = feeds["input_ids"].shape
    feeds["attention_mask"] = torch.ones(batch, past + sequence, dtype=torch.int64)
    if architecture.kind == "decoder":
        feeds["position_ids"] = torch.arange(past, past + sequence).expand(batch, -1).contiguous()
    return feeds


def keep(model: torch.nn.Module, scratch: Path, folder: Path) -> None:
    """Moves the ONNX file with its external data, and writes the configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in scratch.iterdir():
        if ".onnx" in file.name:
            shutil.move(file, folder / file.name)
    drop_build_details(folder / "model.onnx")
    config = {**model.config.to_dict(), "architectures": [type(model).__name__]}
    config.pop("_name_or_path", None)
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def drop_build_details(file: Path) -> None:
    """Removes stack traces, which have file paths of the building machine."""
    proto = onnx.load(file)
    for node in proto.graph.node:
        kept = [(p.key, p.value) for p in node.metadata_props if p.key.startswith("pkg.torch.onnx.") and p.key.endswith(("name_scopes", "class_hierarchy"))]
        del node.metadata_props[:]
        for key, value in kept:
            node.metadata_props.add(key=key, value=value)
        node.doc_string = ""
    del proto.graph.value_info[:]
    onnx.save(proto, file)
