"""Run the Python of docs/COMING-FROM-NNSIGHT.md, and compare what it prints with what the page shows.

    python test/reference/nnsight_page.py --checkpoint DIR

DIR is tiny-gpt2 as a checkpoint (checkpoint_from_onnx.py). The page's ```python blocks are one program; the ```text block
behind the TypeScript that follows one is what both languages print. Blocks marked ```py are not run: they want NDIF, or show
what Tracewire doesn't offer.
"""
from __future__ import annotations

import argparse
import importlib.metadata
import re
import subprocess
import sys
import tempfile
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs/COMING-FROM-NNSIGHT.md"
MARK = "\x04"


def pairs() -> list[tuple[str, str]]:
    """Each Python block, with the text that stands before the next one."""
    found: list[tuple[str, str]] = []
    for language, body in re.findall(r"^```(\w+)\n(.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S):
        if language == "python":
            found.append((body, ""))
        elif language == "py":
            found.append(("", ""))
        elif language == "text" and found and found[-1][0]:
            found[-1] = (found[-1][0], body)
    return [pair for pair in found if pair[0]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, required=True)
    checkpoint = parser.parse_args().checkpoint.resolve()
    blocks = pairs()
    program = f"CHECKPOINT = {str(checkpoint)!r}\n" + "".join(f"{code}print({MARK!r})\n" for code, _ in blocks)
    # nnsight reads the program's lines, so it has to be a file.
    with tempfile.NamedTemporaryFile("w", suffix=".py", encoding="utf-8") as file:
        file.write(program)
        file.flush()
        printed = subprocess.run([sys.executable, file.name], capture_output=True, text=True)
    if printed.returncode != 0:
        sys.exit(printed.stdout + printed.stderr)
    wrong = 0
    for (code, shown), got in zip(blocks, printed.stdout.split(f"{MARK}\n"), strict=False):
        if shown.strip() != got.strip():
            wrong += 1
            print(f"{code}\nprints\n{got}\nbut the page shows\n{shown}")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("nnsight", "torch", "transformers"))
    print(f"{len(blocks)} blocks, {wrong} print something else than the page. {versions}.")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
