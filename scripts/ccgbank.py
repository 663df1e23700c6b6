"""From a licensed copy of CCGbank (LDC2005T13) to the three files of task ``ccg``.

    python scripts/ccgbank.py ccgbank_1_1/data/AUTO "$XSTILTS_MIRROR/ccg"

Sections 02 to 21 become ``ccg.train``, section 00 ``ccg.dev``; ``tags_to_id.json`` numbers the
supertags of all sections, in the order of the alphabet.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

LEAF = re.compile(r"<L (\S+) \S+ \S+ (\S+) \S+>")  # category, two parts of speech, word, arguments
SPLITS = {"ccg.train": range(2, 22), "ccg.dev": (0,)}


def sentences(section: Path) -> list[tuple[list[str], list[str]]]:
    """Words and supertags of every derivation of a section, file after file."""
    found = []
    for path in sorted(section.glob("*.auto")):
        for line in path.read_text(encoding="utf-8").splitlines():
            if not line.startswith("ID="):
                leaves = LEAF.findall(line)
                found.append(([word for _, word in leaves], [tag for tag, _ in leaves]))
    return found


def convert(auto: Path, out: Path) -> dict[str, int]:
    """Write the three files; returns how many sentences and supertags there are."""
    sections = {int(path.name): sentences(path) for path in sorted(auto.iterdir()) if path.is_dir()}
    tags = sorted({tag for found in sections.values() for _, row in found for tag in row})
    out.mkdir(parents=True, exist_ok=True)
    (out / "tags_to_id.json").write_text(json.dumps({tag: n for n, tag in enumerate(tags)}))
    counts = {"supertags": len(tags)}
    for name, numbers in SPLITS.items():
        rows = [row for number in numbers for row in sections.get(number, [])]
        lines = (f"{' '.join(words)}\t{' '.join(row)}\n" for words, row in rows)
        (out / name).write_text("".join(lines), encoding="utf-8")
        counts[name] = len(rows)
    return counts


if __name__ == "__main__":
    print(convert(Path(sys.argv[1]), Path(sys.argv[2])))
