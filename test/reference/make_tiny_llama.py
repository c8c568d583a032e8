"""Make the tiny-llama fixture: random seeded weights, exported to ONNX by PyTorch's dynamo exporter.

    python test/reference/make_tiny_llama.py --work DIR [--out test/fixtures/tiny-llama]

Writes DIR/tiny-llama (checkpoint and tokenizer) and the ONNX model folder, and checks that
ONNX logits agree with PyTorch. Nodes keep their scopes in metadata_props
(pkg.torch.onnx.name_scopes, pkg.torch.onnx.class_hierarchy).
"""
from __future__ import annotations

import argparse
import shutil
import types
from pathlib import Path

import onnx
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from optimum.exporters.onnx.model_patcher import sdpa_mask_without_vmap
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from transformers.cache_utils import DynamicCache
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS

import make_corpus
from export_tiny_gpt2 import KEPT, check

EOT = "<|endoftext|>"


def make_tokenizer(vocab: int) -> PreTrainedTokenizerFast:
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tok.decoder = decoders.ByteLevel()
    tok.post_processor = processors.ByteLevel(trim_offsets=False)
    trainer = trainers.BpeTrainer(
        vocab_size=vocab,
        special_tokens=[EOT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tok.train_from_iterator(make_corpus.documents(3, 8_000), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tok, bos_token=EOT, eos_token=EOT, unk_token=EOT, model_max_length=128,
        model_input_names=["input_ids", "attention_mask"],
        add_prefix_space=False, clean_up_tokenization_spaces=False,
    )


def make_model(vocab: int, seed: int) -> LlamaForCausalLM:
    """Normal weights of variance 1/fan_in (embeddings of variance 1), norms near 1: activations of ordinary size."""
    torch.manual_seed(seed)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=vocab, hidden_size=48, intermediate_size=96, num_hidden_layers=3,
            num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=128,
            tie_word_embeddings=False, bos_token_id=0, eos_token_id=0,
        )
    ).eval()
    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.dim() == 1:
                p.copy_(1 + 0.2 * torch.randn_like(p))
            elif "embed" in name:
                p.normal_(0, 1)
            else:
                p.normal_(0, p.shape[1] ** -0.5)
                if "q_proj" in name:
                    p.mul_(2)  # attention that is not close to uniform
    return model


def flat_forward(self, input_ids, attention_mask, position_ids, past: list[tuple[torch.Tensor, torch.Tensor]]):
    """forward() with the key/value cache as plain tensors, for torch.export."""
    cache = DynamicCache(config=self.config)
    for layer, (key, value) in zip(cache.layers, past):
        layer.lazy_initialization(key)
        layer.keys, layer.values = key, value
    result = type(self).forward(
        self,
        input_ids=input_ids,
        attention_mask=attention_mask,
        position_ids=position_ids,
        past_key_values=cache,
        use_cache=True,
    )
    return result.logits, [(layer.keys, layer.values) for layer in cache.layers]


def export(model: LlamaForCausalLM, out: Path) -> None:
    # The same mask without torch.vmap, which torch.export cannot follow for dynamic sizes.
    ALL_MASK_ATTENTION_FUNCTIONS.register("sdpa", sdpa_mask_without_vmap)
    config = model.config
    heads = config.num_key_value_heads
    width = config.hidden_size // config.num_attention_heads
    batch, sequence, past = 2, 5, 3
    layers = range(config.num_hidden_layers)
    inputs = {
        "input_ids": torch.ones(batch, sequence, dtype=torch.int64),
        "attention_mask": torch.ones(batch, past + sequence, dtype=torch.int64),
        "position_ids": torch.arange(past, past + sequence).expand(batch, -1).contiguous(),
        "past": [(torch.zeros(batch, heads, past, width), torch.zeros(batch, heads, past, width)) for _ in layers],
    }
    shapes = {
        "input_ids": {0: "batch", 1: "sequence"},
        "attention_mask": {0: "batch", 1: "past_and_sequence"},
        "position_ids": {0: "batch", 1: "sequence"},
        "past": [({0: "batch", 2: "past"}, {0: "batch", 2: "past"}) for _ in layers],
    }
    caches = [f"{i}.{kind}" for i in layers for kind in ("key", "value")]
    model.forward = types.MethodType(flat_forward, model)
    program = torch.onnx.export(
        model,
        (),
        kwargs=inputs,
        dynamic_shapes=shapes,
        input_names=["input_ids", "attention_mask", "position_ids", *(f"past_key_values.{c}" for c in caches)],
        output_names=["logits", *(f"present.{c}" for c in caches)],
        opset_version=18,
        dynamo=True,
        optimize=True,
        external_data=False,
    )
    del model.forward
    program.save(str(out / "model.onnx"))


def drop_build_details(onnx_file: Path) -> None:
    """Remove stack traces (file paths of the building machine) and texts of the FX graph from every node."""
    dropped = {"pkg.torch.onnx.stack_trace", "pkg.torch.onnx.fx_node", "namespace"}
    proto = onnx.load(onnx_file)
    for node in proto.graph.node:
        kept = [(p.key, p.value) for p in node.metadata_props if p.key not in dropped]
        del node.metadata_props[:]
        for key, value in kept:
            node.metadata_props.add(key=key, value=value)
    onnx.checker.check_model(proto)
    onnx.save(proto, onnx_file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="build folder outside the tree (gets the checkpoint)")
    parser.add_argument("--out", type=Path, default=Path("test/fixtures/tiny-llama"))
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--vocab", type=int, default=384)
    args = parser.parse_args()
    torch.set_num_threads(1)
    tokenizer = make_tokenizer(args.vocab)
    model = make_model(len(tokenizer), args.seed)
    checkpoint = args.work / "tiny-llama"
    args.out.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(checkpoint)
    tokenizer.save_pretrained(checkpoint)
    for name in KEPT:
        if (checkpoint / name).exists():
            shutil.copyfile(checkpoint / name, args.out / name)
    ids = torch.tensor([tokenizer.encode("The Eiffel Tower is in the city of")])
    with torch.no_grad():
        states = model(ids, output_hidden_states=True)
    rms = [round(h.pow(2).mean().sqrt().item(), 2) for h in (*states.hidden_states, states.logits)]
    export(model, args.out)
    drop_build_details(args.out / "model.onnx")
    worst = check(args.out / "model.onnx", LlamaForCausalLM.from_pretrained(checkpoint).eval(), len(tokenizer))
    size = sum(f.stat().st_size for f in args.out.iterdir())
    print(f"RMS of hidden states and logits {rms}")
    print(f"largest relative difference of logits {worst:.2e}; {size / 1e3:.0f} KB in {args.out}")


if __name__ == "__main__":
    main()
