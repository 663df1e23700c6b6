"""What a plan takes, for people: memory and hours of cards, disk, the cheapest way to run it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from xstilts import cost as costs
from xstilts import sizes
from xstilts.cards import (
    CARDS,
    MOST_CARDS,
    OPTIMISER_BYTES,
    PREDICTION_SHARE,
    TRAINING_SHARE,
    training_hours,
)
from xstilts.report import screen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.table import Table

    from xstilts.cost import Cost


def show(found: Cost, keep: str) -> None:
    """Print what a plan takes."""
    told = parameters(found)
    trained = f" ({_trained(found.rank)})" if found.rank else ""
    title = f"{found.model}: what this plan takes, from its shape and row counts{trained}"
    screen.show(told, "", _memory(found), *_setups(found), "", title, _settings(found))
    screen.show(*lines(found, keep), "")


def parameters(found: Cost) -> str:
    """How many there are, of what is used and of the whole model."""
    encoder = (
        f"{found.parameters / 1e6:,.0f} M parameters are used, the encoder with its embeddings "
        f"({found.embeddings / 1e6:,.0f} M)"
    )
    if found.whole_parameters == found.parameters:
        return f"{found.model}: {encoder}"
    published = f", published as {found.published}" if found.published else ""
    whole = f"the whole model has {found.whole_parameters / 1e6:,.0f} M{published}"
    if found.text2text:
        return (
            f"{found.model}: {whole}, and all of it is trained from text to text; memory and hours "
            f"below are those of the encoder with heads, and text to text takes more"
        )
    return f"{found.model}: {encoder}; {whole}"


def _memory(found: Cost) -> Table:
    table = screen.grid("GiB of a card", ">cards", ">fp32", ">bf16")
    for one in found.memory:
        shared = ", sharded (FSDP2)" if one.cards > 1 else ""
        sizes_ = (f"{one.gib[name]:,.1f}" for name in sizes.PRECISIONS)
        table.add_row(_trained(one.rank) + shared, f"{one.cards}", *sizes_)
    return table


def _trained(rank: int) -> str:
    return f"adapters of rank {rank} (lora)" if rank else "everything"


def _setups(found: Cost) -> Iterator[str]:
    """The smallest set-ups, one line a size of card."""
    yield f"with one sequence of {found.length} tokens a micro-batch; a set-up leaves a tenth free"
    for gib in dict.fromkeys(one.gib for one in found.setups):
        told = [
            f"{_trained(one.rank)} in {one.precision}: "
            + (_counted(one.cards) if one.cards else f"not on {MOST_CARDS}")
            for one in found.setups
            if one.gib == gib
        ]
        yield f"smallest on cards of {gib:g} GB: {'; '.join(told)}"


def _counted(cards: int) -> str:
    return f"{cards} card{'s' if cards > 1 else ''}"


def _settings(found: Cost) -> Table:
    table = screen.grid(
        "card", "precision", ">cards a stage", ">micro-batch, tokens", ">card-hours"
    )
    for one in found.settings:
        hours = "does not fit" if math.isinf(one.hours) else rounded(one.hours)
        row = (one.card, one.precision, str(one.cards or "-"), f"{one.micro_batch:,}", hours)
        table.add_row(*row)
    return table


def rounded(number: float) -> str:
    """To whole numbers, and small ones to two digits that say something."""
    return f"{number:,.0f}" if number >= 10 or not number else f"{float(f'{number:.2g}'):g}"


def _size(number: float) -> str:
    return f"{number / 2**40:.2f} TiB" if number >= 2**40 else f"{number / 2**30:.1f} GiB"


def lines(found: Cost, keep: str) -> list[str]:
    """The sums, the assumptions, and the cheapest settings."""
    disk = {name: _size(size) for name, size in found.disk_bytes.items()}
    told = [
        (
            f"{found.stages:,} training runs, {found.optimiser_steps:,} optimiser steps, "
            f"{rounded(found.training_tokens / 1e9)} G tokens; predictions "
            f"{rounded(found.prediction_tokens / 1e9)} G tokens"
        ),
        (
            f"disk: {disk[keep]} with --keep {keep} (all {disk['all']}, intermediates "
            f"{disk['intermediates']}, none {disk['none']})"
        ),
        f"assumed: {TRAINING_SHARE:.0%} of a card's peak in training, "
        f"{PREDICTION_SHARE:.0%} in prediction, {OPTIMISER_BYTES} bytes moved for a "
        "trained parameter and step; nothing else, so that it is a floor; tokens of a unit "
        + ", ".join(f"{name} {size}" for name, size in costs.TOKENS.items()),
    ]
    if found.unknown:
        told.append(f"left out, as nobody has counted their rows: {', '.join(found.unknown)}")
    best = next((one for one in found.settings if one.cards), None)
    if best is not None:
        shape = sizes.ARCHITECTURES[found.model.rpartition("/")[2]]
        card = CARDS[best.card]
        path = training_hours(*found.longest, shape, card, best.precision, found.rank)
        variants = f":{best.precision}" * (best.precision != "fp32") + ":lora" * bool(found.rank)
        recipe = f" --recipe NAME{variants}" if variants else ""
        devices = f" --devices {best.cards}" if best.cards > 1 else ""
        told.append(
            f"cheapest: {best.card}, --engine slurm or ray{devices}{recipe} --keep intermediates: "
            f"{rounded(best.hours)} card-hours; up to {found.widest:,} stages side by side, "
            f"{rounded(path / best.cards)} hours at least"
        )
    return told
