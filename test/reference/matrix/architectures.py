"""Small random models of the architectures that users have, each with inputs that show all of it.

Weights are normal with variance 1/fan_in, embeddings with variance 1, norms near 1, biases small: activations are
of ordinary size, so that an error divided by a value's RMS means something.
"""
from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import torch
import transformers as hf

VOCABULARY, WIDTH, INNER, LAYERS, HEADS, GROUPS, LENGTH = 96, 32, 64, 2, 4, 2, 64
IDS = {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}
GROUPED = {
    "vocab_size": VOCABULARY, "hidden_size": WIDTH, "intermediate_size": INNER, "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS, "num_key_value_heads": GROUPS, "max_position_embeddings": LENGTH,
    "tie_word_embeddings": False, "head_dim": 16, **IDS,  # fused attention wants heads of 16
}
EXPERTS = {"num_experts_per_tok": 2, "output_router_logits": False}


@dataclass(frozen=True)
class Architecture:
    name: str
    kind: str  # 'decoder', 'encoder' or 'image'
    make: Callable[[], torch.nn.Module]


ARCHITECTURES = [
    Architecture("gpt2", "decoder", lambda: hf.GPT2LMHeadModel(hf.GPT2Config(
        vocab_size=VOCABULARY, n_positions=LENGTH, n_embd=WIDTH, n_layer=LAYERS, n_head=HEADS, **IDS))),
    Architecture("llama", "decoder", lambda: hf.LlamaForCausalLM(hf.LlamaConfig(**GROUPED))),
    Architecture("gpt-neox", "decoder", lambda: hf.GPTNeoXForCausalLM(hf.GPTNeoXConfig(
        vocab_size=VOCABULARY, hidden_size=WIDTH, intermediate_size=INNER, num_hidden_layers=LAYERS,
        num_attention_heads=HEADS, max_position_embeddings=LENGTH, rotary_pct=0.5, tie_word_embeddings=False, **IDS))),
    Architecture("qwen2", "decoder", lambda: hf.Qwen2ForCausalLM(hf.Qwen2Config(**GROUPED))),
    Architecture("qwen3", "decoder", lambda: hf.Qwen3ForCausalLM(hf.Qwen3Config(**GROUPED))),
    Architecture("gemma", "decoder", lambda: hf.GemmaForCausalLM(hf.GemmaConfig(**{**GROUPED, "tie_word_embeddings": True}))),
    Architecture("gemma2", "decoder", lambda: hf.Gemma2ForCausalLM(hf.Gemma2Config(
        **{**GROUPED, "tie_word_embeddings": True}, query_pre_attn_scalar=16, sliding_window=4))),
    Architecture("mixtral", "decoder", lambda: hf.MixtralForCausalLM(hf.MixtralConfig(**GROUPED, **EXPERTS, num_local_experts=3))),
    Architecture("qwen3-moe", "decoder", lambda: hf.Qwen3MoeForCausalLM(hf.Qwen3MoeConfig(
        **GROUPED, **EXPERTS, num_experts=3, moe_intermediate_size=WIDTH, norm_topk_prob=True))),
    Architecture("bert", "encoder", lambda: hf.BertForMaskedLM(hf.BertConfig(
        vocab_size=VOCABULARY, hidden_size=WIDTH, intermediate_size=INNER, num_hidden_layers=LAYERS,
        num_attention_heads=HEADS, max_position_embeddings=LENGTH))),
    Architecture("t5-encoder", "encoder", lambda: hf.T5EncoderModel(hf.T5Config(
        vocab_size=VOCABULARY, d_model=WIDTH, d_kv=8, d_ff=INNER, num_layers=LAYERS, num_heads=HEADS,
        feed_forward_proj="gated-gelu", is_encoder_decoder=False, use_cache=False))),
    Architecture("vit", "image", lambda: hf.ViTForImageClassification(hf.ViTConfig(
        hidden_size=WIDTH, intermediate_size=INNER, num_hidden_layers=LAYERS, num_attention_heads=HEADS,
        image_size=16, patch_size=4, num_labels=5))),
]


def make(architecture: Architecture) -> torch.nn.Module:
    """The model with its weights, always the same ones."""
    torch.manual_seed(zlib.crc32(architecture.name.encode()))
    model = architecture.make().eval()
    offset = 0 if architecture.name.startswith("gemma") else 1  # Gemma's norms add 1 themselves
    embeddings = {id(m.weight) for m in model.modules() if isinstance(m, torch.nn.Embedding)}
    columns = {id(m.weight) for m in model.modules() if isinstance(m, hf.pytorch_utils.Conv1D)}
    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.dim() == 1:
                p.copy_((0 if name.endswith("bias") else offset) + 0.2 * torch.randn_like(p))
            elif id(p) in embeddings or p.dim() == 3:  # ViT's class token and positions have three axes
                p.normal_(0, 1 if VOCABULARY in p.shape or p.dim() == 3 else 0.5)
            else:
                p.normal_(0, (p.shape[0] if id(p) in columns else p[0].numel()) ** -0.5)
        if architecture.name == "t5-encoder":  # it doesn't divide by the root of the head's size
            for block in model.encoder.block:
                block.layer[0].SelfAttention.q.weight.mul_(8**-0.5)
    return model


def inputs(architecture: Architecture) -> list[dict[str, torch.Tensor]]:
    """Two forward passes' inputs, batches of one row."""
    generator = torch.Generator().manual_seed(11)
    if architecture.kind == "image":
        return [{"pixel_values": torch.randn(1, 3, 16, 16, generator=generator)} for _ in range(2)]
    ids = [torch.randint(1, VOCABULARY, (1, length), generator=generator) for length in (9, 4)]
    if architecture.name != "bert":
        return [{"input_ids": row} for row in ids]
    segments = [torch.zeros_like(ids[0]), torch.tensor([[0, 0, 1, 1]])]
    return [{"input_ids": row, "token_type_ids": segment} for row, segment in zip(ids, segments)]
