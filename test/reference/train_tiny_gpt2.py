"""Train tiny-gpt2 (tokenizer and weights) on the generated corpus, on the CPU.

    python test/reference/train_tiny_gpt2.py --work DIR [--steps N]

Reads DIR/corpus.jsonl, writes DIR/checkpoint (a Hugging Face GPT2LMHeadModel folder with
its tokenizer) and DIR/metrics.json. Rows start with a document at position 0; a share of
the rows is a random token sequence repeated, which rewards induction heads.
"""
from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

import facts
import make_corpus
from evaluate_tiny_gpt2 import measure

EOT = "<|endoftext|>"


def train_tokenizer(docs: list[str], vocab: int) -> PreTrainedTokenizerFast:
    """Byte-level BPE like GPT-2's. Answers and names are repeated so that each becomes one token."""
    answers = sorted({f.answer for f in facts.all_facts()} | set(make_corpus.NAMES + make_corpus.COLOURS))
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
    tok.train_from_iterator(docs[:30_000] + [" " + " ".join(answers)] * 2_000, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tok,
        bos_token=EOT,
        eos_token=EOT,
        unk_token=EOT,
        model_max_length=256,
        model_input_names=["input_ids", "attention_mask"],  # GPT-2 would add token_type_ids to its embeddings
        add_prefix_space=False,
        clean_up_tokenization_spaces=False,
    )


class Rows:
    """Draws training rows: packed documents (always from a document's start) or repeated random tokens."""

    def __init__(self, docs: list[list[int]], eot: int, vocab: int, seed: int) -> None:
        self.docs, self.eot, self.vocab = docs, eot, vocab
        self.rng = np.random.default_rng(seed)

    def _text(self, length: int) -> np.ndarray:
        row: list[int] = []
        while len(row) < length + 1:
            row += self.docs[self.rng.integers(len(self.docs))] + [self.eot]
        return np.array(row[: length + 1])

    def batch(self, tokens: int, repeat_share: float) -> tuple[torch.Tensor, torch.Tensor]:
        length = int(self.rng.choice([32, 64, 128, 256], p=[0.45, 0.3, 0.15, 0.1]))
        count = tokens // length
        rows = np.stack([self._text(length) for _ in range(count)])
        labels = rows.copy()
        for i in range(int(round(count * repeat_share))):
            period = int(self.rng.integers(4, length // 2 + 1))
            once = self.rng.integers(1, self.vocab, period)
            rows[i] = np.resize(once, length + 1)
            labels[i] = rows[i]
            labels[i, : period + 1] = -100  # the first pass cannot be predicted
        return torch.from_numpy(rows[:, :-1]), torch.from_numpy(labels[:, 1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="build folder outside the tree")
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--tokens", type=int, default=3072, help="tokens per step")
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--vocab", type=int, default=1536)
    parser.add_argument("--lr", type=float, default=2.5e-3)
    parser.add_argument("--repeat-share", type=float, default=0.2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)

    docs = [json.loads(line) for line in (args.work / "corpus.jsonl").open(encoding="utf-8")]
    tokenizer = train_tokenizer(docs, args.vocab)
    encoded = [e.ids for e in tokenizer.backend_tokenizer.encode_batch(docs)]
    total = sum(map(len, encoded))
    answers = sorted({f.answer for f in facts.all_facts()})
    split = [a for a in answers if len(tokenizer.encode(" " + a)) > 1]
    print(f"{len(docs)} documents, {total} tokens; {len(split)} of {len(answers)} answers are several tokens: {split}")

    model = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=len(tokenizer),
            n_positions=256,
            n_embd=args.width,
            n_layer=args.layers,
            n_head=args.heads,
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
    )
    print(f"{sum(p.numel() for p in model.parameters())} parameters", flush=True)
    decay = [p for p in model.parameters() if p.dim() > 1]
    plain = [p for p in model.parameters() if p.dim() <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": decay, "weight_decay": 0.05}, {"params": plain, "weight_decay": 0.0}],
        lr=args.lr,
        betas=(0.9, 0.98),
        fused=True,
    )
    rows = Rows(encoded, tokenizer.eos_token_id, len(tokenizer), args.seed)
    warmup = min(150, args.steps // 4)
    start = time.time()
    for step in range(args.steps):
        if step < warmup:
            rate = (step + 1) / warmup
        else:
            rate = 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * (step - warmup) / (args.steps - warmup)))
        for group in optimizer.param_groups:
            group["lr"] = args.lr * rate
        inputs, labels = rows.batch(args.tokens, args.repeat_share)
        hidden = model.transformer(input_ids=inputs, use_cache=False).last_hidden_state
        keep = labels.reshape(-1) != -100
        logits = model.lm_head(hidden.reshape(-1, args.width)[keep])
        loss = torch.nn.functional.cross_entropy(logits, labels.reshape(-1)[keep])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % 50 == 0 or step == args.steps - 1:
            print(f"step {step} loss {loss.item():.4f} {time.time() - start:.0f} s", flush=True)
        if step % 500 == 499:
            model.eval()
            print("  ", json.dumps(measure(model, tokenizer)), flush=True)
            model.train()
    model.eval()
    metrics = {
        "steps": args.steps,
        "tokens_per_step": args.tokens,
        "seconds": round(time.time() - start),
        "final_loss": round(loss.item(), 4),
        "corpus_documents": len(docs),
        "corpus_tokens": total,
        "answers": len(answers),
        "answers_of_several_tokens": split,
        **measure(model, tokenizer),
    }
    model.save_pretrained(args.work / "checkpoint")
    tokenizer.save_pretrained(args.work / "checkpoint")
    (args.work / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    print(json.dumps(metrics, indent=2))


if __name__ == "__main__":
    main()
