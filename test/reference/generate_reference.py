"""What PyTorch generates, token by token: greedily, and with nnsight adding a vector at every step.

    python test/reference/generate_reference.py --checkpoint DIR --out FILE.json [--block N]

The vector is `4 sin(i)` for element i, added to the output of block N at all positions of each step. The end of text doesn't
end a generation.
"""
from __future__ import annotations

import argparse
import importlib.metadata
import json
import re
from pathlib import Path

import torch
from nnsight import LanguageModel
from transformers import AutoModelForCausalLM, AutoTokenizer

PROMPTS = [
    "The Eiffel Tower is in the city of",
    "The capital of France is",
    "When Mary and John went to the store, John gave a drink to",
]
NEW_TOKENS = 64
PACKAGES = ["nnsight", "torch", "transformers"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--block", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(1)
    tokenizer = AutoTokenizer.from_pretrained(args.checkpoint)
    model = AutoModelForCausalLM.from_pretrained(args.checkpoint, dtype=torch.float32).eval()
    tokenizer.model_input_names = ["input_ids", "attention_mask"]
    # No end: the generation goes on through the end of text.
    model.generation_config.eos_token_id = None
    model.generation_config.pad_token_id = 0
    lm = LanguageModel(model, tokenizer=tokenizer)
    gpt2 = hasattr(model, "transformer")
    block = (lm.transformer.h if gpt2 else lm.model.layers)[args.block]
    vector = (4 * torch.sin(torch.arange(model.config.hidden_size, dtype=torch.float64))).float()
    options = {"max_new_tokens": NEW_TOKENS, "do_sample": False}
    found = []
    for prompt in PROMPTS:
        ids = tokenizer(prompt, return_tensors="pt").input_ids
        with torch.no_grad():
            plain = model.generate(ids, attention_mask=torch.ones_like(ids), **options)
        with lm.generate(prompt, **options) as tracer:
            with tracer.iter[0:NEW_TOKENS]:
                output = block.output
                (output[0] if isinstance(output, tuple) else output)[:] += vector
            steered = lm.generator.output.save()
        count = ids.shape[1]
        found.append({"prompt": prompt, "ids": ids[0].tolist(), "tokens": plain[0, count:].tolist(),
                      "text": tokenizer.decode(plain[0, count:], clean_up_tokenization_spaces=False),
                      "steered": steered[0, count:].tolist()})
    data = {"block": args.block, "generations": found,
            "versions": {name: importlib.metadata.version(name) for name in PACKAGES}}
    text = json.dumps(data, indent=1, ensure_ascii=False)
    # Ids in one line each.
    text = re.sub(r"\[[\d,\s]+\]", lambda ids: json.dumps(json.loads(ids[0])), text)
    args.out.write_text(text + "\n")
    for each in found:
        print(each["tokens"] != each["steered"], repr(each["text"][:60]))


if __name__ == "__main__":
    main()
