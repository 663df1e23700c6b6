"""Megabytes of text perturbed a second, by perturbation and language, on one core.

    python benchmarks/perturb.py FOLDER

FOLDER holds one UTF-8 text file a language, named by its code: ``hi.txt``. Each text is perturbed
at severity 0.1; processor time, the best of three runs, so that caches are warm and other work on
the machine does not count.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from xstilts import perturb
from xstilts.errors import UserError
from xstilts.perturb.edits import apply, draw
from xstilts.perturb.lexicons import find
from xstilts.perturb.validity import applicable

if TYPE_CHECKING:
    from xstilts.perturb.base import Perturbation

SEVERITY, RUNS, LINES = 0.1, 3, 5000


def main(folder: Path) -> None:
    """Print a line for each perturbation of each text."""
    for path in sorted(folder.glob("*.txt")):
        language = path.stem
        lines = path.read_text(encoding="utf-8").splitlines()[:LINES]
        for name in perturb.PERTURBATIONS:
            if name == "distractor" or not applicable(name, language)[0]:
                continue
            try:
                lexicon = find(language) if name == "code_switch" else None
                rate = megabytes_per_second(lines, perturb.get(name, lexicon), language)
            except UserError as error:
                print(f"{language:4} {name:14} {error}")
                continue
            print(f"{language:4} {name:14} {rate:6.2f} MB/s", flush=True)


def megabytes_per_second(lines: list[str], perturbation: Perturbation, language: str) -> float:
    """Megabytes of UTF-8 a second, in the best run."""
    size = sum(len(line.encode()) for line in lines) / 1e6
    best = float("inf")
    for _ in range(RUNS):
        start = time.process_time()
        for line in lines:
            apply(line, draw(line, perturbation, SEVERITY, 1, language))
        best = min(best, time.process_time() - start)
    return size / best


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python benchmarks/perturb.py FOLDER (hi.txt, ru.txt, ...)")
    main(Path(sys.argv[1]))
