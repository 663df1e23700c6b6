"""``xstilts pretrain``: an encoder of one's own from a cleaned corpus."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from xstilts.cli.options import STORE, Device, StoreFolder, Threads
from xstilts.plain import plain


def pretrain(
    config: Annotated[Path, typer.Argument(help="A YAML file, as in docs/pretraining.md.")],
    corpus: Annotated[
        Path | None, typer.Option("--corpus", help="Folder with text/ and parallel.jsonl.")
    ] = None,
    shards: Annotated[
        str | None, typer.Option("--shards", help="Step in the store that holds its shards.")
    ] = None,
    store: StoreFolder = STORE,
    device: Device = "auto",
    threads: Threads = 0,
) -> int:
    """Train a tokenizer and an encoder; print the folder it lies in. Resumable."""
    from xstilts import pretraining
    from xstilts.cli import asked
    from xstilts.engines import pretrain as engine
    from xstilts.errors import UserError
    from xstilts.report.watch import watcher

    given = corpus if corpus is not None else shards
    if given is None:
        raise UserError("give --corpus FOLDER (from `xstilts corpus`), or --shards STEP")
    declared = pretraining.load(config)
    bench = asked.bench(store, None, device, threads)
    with watcher() as watch:
        finished = engine.pretrain(declared, given, bench, watch)
        result = finished.record["result"]
        watch.say(f"{result['steps']:,} steps, {result['tokens']:,} tokens, loss {result['loss']}")
    sys.stdout.write(f"{finished.folder}\n")
    return 0


def corpus(
    raw: Annotated[Path, typer.Argument(help="Folder of sources: <source>/<language>.txt, ...")],
    out: Annotated[Path, typer.Argument(help="A folder that does not exist yet.")],
    microworld: Annotated[
        int, typer.Option(min=0, help="Generated lines to add in each of ten languages.")
    ] = 0,
) -> int:
    """Clean, deduplicate and decontaminate raw text, against the files of XSTILTS_MIRROR."""
    from xstilts.corpus import build
    from xstilts.errors import UserError
    from xstilts.sources import Sources
    from xstilts.sources.mirror import check

    mirror = Sources.from_environment().mirror
    if mirror is None:
        raise UserError(
            "set XSTILTS_MIRROR: the corpus is compared with the evaluation files there"
        )
    check(mirror)
    build(raw, mirror, out, lambda line: sys.stderr.write(f"{plain(line)}\n"), microworld)
    sys.stdout.write(f"{out}\n")
    return 0
