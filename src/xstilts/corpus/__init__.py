"""The pretraining corpus: raw text in many layouts -> clean lines and aligned rows.

What is in it, what was removed and why: docs/corpus.md.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from itertools import chain
from typing import TYPE_CHECKING, Any

from xstilts.corpus import evaluation, read
from xstilts.corpus import generated as made
from xstilts.corpus.dictionaries import dictionaries
from xstilts.corpus.licences import sources
from xstilts.corpus.overlap import Overlap
from xstilts.corpus.sieve import Sieve
from xstilts.disk.whole import whole
from xstilts.errors import UserError
from xstilts.failpoints import failpoint

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from pathlib import Path
    from typing import TextIO


def build(
    corpus: Path,
    mirror: Path,
    out: Path,
    progress: Callable[[str], object] = lambda _: None,
    generated: int = 0,
) -> dict[str, Any]:
    """Clean, deduplicate and decontaminate all raw text that the licences allow.

    Writes ``text/<language>.txt``, a sentence or short paragraph a line; ``parallel.jsonl``, a
    segment a row, ``{"en": ..., "de": ..., "source": ...}``, of at least two languages, its sides
    not in ``text/``; ``dictionary.jsonl``, words and phrases alike; and ``report.json``. Equal
    input gives equal bytes.

    Args:
        corpus: a folder of sources, each ``<source>/<language>.txt`` or ``parallel*.tsv``.
        mirror: the folder of the datasets' original files, as in ``XSTILTS_MIRROR``.
        out: a folder that does not exist yet.
        progress: is told what has been done, a line at a time.
        generated: lines of the microworld to add in each of its languages, and as many rows.

    Returns:
        the report. ``text``, ``parallel`` and ``dictionary``: language -> source -> counts:
        ``lines`` and ``bytes`` read (a cell of a row is a line), ``split`` for those gained by
        splitting, ``kept`` lines and ``kept_bytes``, and the lines dropped by reason, so that
        lines + split are the kept and the dropped. ``rows``: source -> parallel rows and
        dictionary entries kept. ``overlap``: evaluation set -> the ``texts`` it has here, the
        lines that repeat a ``sentence`` of it, those that repeat a ``gram``. ``sources`` and
        ``excluded``: source -> origin, licence, flags.

    Raises:
        UserError: if a folder is missing, ``out`` exists, a source or language is unknown, the
            mirror has nothing to decontaminate against, or a file is broken.
    """
    for folder in (corpus, mirror):
        if not folder.is_dir():
            raise UserError(f"no folder {folder}: it holds the raw text; see docs/corpus.md")
    if out.exists():
        raise UserError(f"{out} exists: choose another folder, or remove it")
    overlap = Overlap({name: evaluation.texts(mirror, name) for name in evaluation.SETS})
    if not any(overlap.texts.values()):
        raise UserError(f"{mirror} has no evaluation file to compare with: is it the mirror?")
    progress(f"{sum(overlap.texts.values()):,} evaluation texts")

    with whole(out) as part:
        (part / "text").mkdir(parents=True)
        sieve = Sieve(overlap)
        running = chain(read.text(corpus, mirror), made.text(generated))
        met = _write_text(running, sieve, part / "text", progress)
        failpoint("corpus.text")
        rows = _write_rows(
            chain(read.parallel(corpus, mirror), made.parallel(generated)),
            sieve.rows,
            part / "parallel.jsonl",
            progress,
        ) | _write_rows(dictionaries(mirror), sieve.entries, part / "dictionary.jsonl", progress)
        report = {
            "text": _nested(sieve.text),
            "parallel": _nested(sieve.parallel),
            "dictionary": _nested(sieve.dictionary),
            "rows": {name: count for name, count in rows.items() if count},
            "overlap": {
                name: {"texts": overlap.texts[name], **counts}
                for name, counts in sieve.repeats.items()
            },
            "sources": _licences(met | rows.keys(), excluded=False),
            "excluded": _licences(met | rows.keys(), excluded=True),
        }
        written = json.dumps(report, indent=1, ensure_ascii=False) + "\n"
        (part / "report.json").write_text(written, encoding="utf-8")
    return report


def _write_text(
    found: Iterable[tuple[str, str, Iterable[str]]],
    sieve: Sieve,
    folder: Path,
    progress: Callable[[str], object],
) -> set[str]:
    """Write ``<language>.txt``; returns the sources met, allowed or not."""
    met = set()
    files: dict[str, TextIO] = {}
    with ExitStack() as stack:
        for name, code, lines in found:
            source = sources()[name]
            met.add(name)
            if source.excluded:
                continue
            if code not in files:
                path = folder / f"{code}.txt"
                files[code] = stack.enter_context(path.open("w", encoding="utf-8", newline="\n"))
            only_sentences = "fragments" in source.flags
            for line in sieve.lines(lines, code, name, only_sentences=only_sentences):
                files[code].write(line + "\n")
            progress(f"{name} {code}: {sieve.text[code, name]['kept']:,} lines")
    return met


def _write_rows(
    found: Iterable[tuple[str, Iterable[read.Row]]],
    worth_keeping: Callable[[Iterable[read.Row], str], Iterator[read.Row]],
    path: Path,
    progress: Callable[[str], object],
) -> dict[str, int]:
    """Write rows; returns the sources met, allowed or not, and their rows kept."""
    kept: dict[str, int] = {}
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for name, rows in found:
            kept.setdefault(name, 0)
            if sources()[name].excluded:
                continue
            for row in worth_keeping(rows, name):
                file.write(json.dumps({**row, "source": name}, ensure_ascii=False) + "\n")
                kept[name] += 1
            progress(f"{name}: {kept[name]:,} rows")
    return kept


def _nested(counts: Mapping[tuple[str, str], Counter[str]]) -> dict[str, dict[str, dict[str, int]]]:
    """Language -> source -> counts, sorted; what was never counted is left out."""
    nested: dict[str, dict[str, dict[str, int]]] = {}
    for (code, name), mine in sorted(counts.items()):
        if mine["lines"]:
            nested.setdefault(code, {})[name] = {key: n for key, n in sorted(mine.items()) if n}
    return nested


def _licences(names: Collection[str], *, excluded: bool) -> dict[str, dict[str, Any]]:
    return {
        name: {"origin": one.origin, "licence": one.licence, "flags": sorted(one.flags)}
        for name, one in sources().items()
        if name in names and one.excluded is excluded
    }
