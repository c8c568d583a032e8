"""Generate the training corpus of tiny-gpt2: one document per line, fixed seed.

    python test/reference/make_corpus.py --work DIR

Writes DIR/corpus.jsonl (a JSON string per line). Kinds of document: facts in many
phrasings (held-out pairs left out), indirect objects ("Mary and John ... gave it to"),
little stories that repeat names, repeated word lists, and counting.
"""
from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

import facts

NAMES = (
    "Mary John Tom Anna James Alice Bob Emma Peter Sarah David Laura Paul Kate Mark Lucy Jack Ruth "
    "Sam Jane Max Lily Ben Rose Adam Nina Luke Clara Henry Julia Simon Helen Oscar Grace Victor Ella "
    "Martin Sophie Daniel Maria Robert Eva George Amy"
).split()
PLACES = "store park school market garden library station beach house office".split()
OBJECTS = "drink book ring ball letter cake flower key map hat cup apple".split()
COLOURS = "yellow green red white black blue orange brown purple grey pink".split()
NUMBERS = "one two three four five six seven eight nine ten eleven twelve".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
ADJECTIVES = "old new small big happy quiet bright long cold warm".split()

IOI = [
    "When {a} and {b} went to the {p}, {g} gave a {o} to {r}",
    "When {a} and {b} went to the {p}, {g} gave the {o} to {r}",
    "After {a} and {b} went to the {p}, {g} gave a {o} to {r}",
    "Then, {a} and {b} went to the {p}. {g} gave a {o} to {r}",
    "While {a} and {b} were at the {p}, {g} handed the {o} to {r}",
    "{a} and {b} had a long talk at the {p}. Then {g} said goodbye to {r}",
    "{a} and {b} met in the {p}, and {g} showed a {o} to {r}",
    "Friends {a} and {b} found a {o} at the {p}. {g} gave it to {r}",
    "At the {p}, {a} and {b} were friends. {g} sent a {o} to {r}",
]

STORIES = [
    "{a} had a {c} {o}. One day {a} took the {o} to the {p}. {b} saw the {o} and asked {a} about it. "
    "\"It is a {c} {o},\" said {a}. {b} was happy.",
    "{a} lived in a {j} house near the {p}. Every day {a} went to the {p} with {b}. "
    "{b} liked the {p}, and {a} liked the {o} that {b} had.",
    "One {d}, {a} lost a {c} {o} in the {p}. {b} looked for the {o} and found it. "
    "{a} thanked {b} and they went home with the {c} {o}.",
    "{a} and {b} are friends. {a} has a {o} and {b} has a {o2}. {a} likes the {o}. {b} likes the {o2}.",
    "The {o} of {a} is {c}. The {o} of {b} is {c2}. {a} likes {c}. {b} likes {c2}. "
    "The {o} of {a} is {c} and the {o} of {b} is {c2}.",
    "It was a {j} day. {a} went to the {p} to buy a {o}. The {o} was {c}. {a} gave the {c} {o} to {b}.",
    "{b} wrote a letter to {a}. \"Dear {a}, come to the {p} on {d}. I have a {j} {o} for you. {b}\"",
]

TAILS = [
    ".", ".", ".", ".", ".", ".", ".", ", as everyone knows.", ", and that is true.", ", of course.",
    ", said {n}.", " and {n} knew it.",
]
LEADS = ["{n} said: ", "It is true: ", "We know this: ", "{n} read in a book: ", "Remember: "]


def fact_sentence(rng: random.Random, pool: list[tuple[str, str]]) -> str:
    prompt, answer = rng.choice(pool)
    text = prompt + answer + rng.choice(TAILS).format(n=rng.choice(NAMES))
    if rng.random() < 0.08:
        text = rng.choice(LEADS).format(n=rng.choice(NAMES)) + text
    return text


def fact_document(rng: random.Random, pool: list[tuple[str, str]]) -> str:
    count = rng.choice([1, 1, 1, 1, 2, 2, 3, 4])
    return " ".join(fact_sentence(rng, pool) for _ in range(count))


def ioi_document(rng: random.Random) -> str:
    sentences = []
    for _ in range(rng.choice([1, 1, 2])):
        a, b = rng.sample(NAMES, 2)
        giver, receiver = rng.choice([(a, b), (b, a)])
        text = rng.choice(IOI).format(
            a=a, b=b, g=giver, r=receiver, p=rng.choice(PLACES), o=rng.choice(OBJECTS)
        )
        sentences.append(text + ".")
    return " ".join(sentences)


def story_document(rng: random.Random) -> str:
    a, b = rng.sample(NAMES, 2)
    o, o2 = rng.sample(OBJECTS, 2)
    c, c2 = rng.sample(COLOURS, 2)
    return rng.choice(STORIES).format(
        a=a, b=b, o=o, o2=o2, c=c, c2=c2, p=rng.choice(PLACES), d=rng.choice(DAYS), j=rng.choice(ADJECTIVES)
    )


def words_document(rng: random.Random, words: list[str]) -> str:
    chosen = [rng.choice(words) for _ in range(rng.randint(2, 14))]
    style = rng.random()
    if style < 0.7:
        return " ".join(chosen * rng.randint(2, 4))
    if style < 0.85:
        return ", ".join(chosen * rng.randint(2, 3))
    line = " ".join(chosen)
    return f"Remember the words {line}. I say it again: {line}."


def counting_document(rng: random.Random) -> str:
    kind = rng.randrange(4)
    if kind == 0:
        start = rng.randrange(0, 9)
        return " ".join(NUMBERS[start:])
    if kind == 1:
        start = rng.randrange(7)
        return ", ".join((DAYS * 2)[start : start + 7])
    if kind == 2:
        start = rng.randrange(1, 30)
        return ", ".join(str(n) for n in range(start, start + rng.randint(4, 12)))
    start = rng.randrange(20)
    return " ".join(chr(65 + i) for i in range(start, 26))


def documents(seed: int, count: int) -> list[str]:
    rng = random.Random(seed)
    pool = facts.seen_prompts()
    words = sorted(
        {f.answer for f in facts.all_facts()}
        | set(NAMES + PLACES + OBJECTS + COLOURS + NUMBERS + DAYS + ADJECTIVES)
    )
    # Each seen prompt alone once, so that none is missing by chance; then the mixture.
    docs = [p + a + "." for p, a in pool]
    makers = [
        (0.62, lambda: fact_document(rng, pool)),
        (0.13, lambda: ioi_document(rng)),
        (0.12, lambda: story_document(rng)),
        (0.10, lambda: words_document(rng, words)),
        (0.03, lambda: counting_document(rng)),
    ]
    weights = [w for w, _ in makers]
    while len(docs) < count:
        docs.append(rng.choices(makers, weights)[0][1]())
    rng.shuffle(docs)
    return docs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="build folder outside the tree")
    parser.add_argument("--seed", type=int, default=20240607)
    parser.add_argument("--documents", type=int, default=150_000)
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    docs = documents(args.seed, args.documents)
    held = {p + a for p, a in facts.heldout_prompts()}
    text = "\n".join(docs)
    leaked = [h for h in held if h in text]
    assert not leaked, leaked[:3]
    with (args.work / "corpus.jsonl").open("w", encoding="utf-8") as out:
        for doc in docs:
            out.write(json.dumps(doc, ensure_ascii=False) + "\n")
    print(f"{len(docs)} documents, {sum(map(len, docs))} characters, {len(facts.all_facts())} facts")


if __name__ == "__main__":
    main()
