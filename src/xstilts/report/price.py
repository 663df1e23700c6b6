"""What a plan takes, for people: hours of cards, disk, and the cheapest way to run it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from xstilts import cost as costs
from xstilts import sizes
from xstilts.report import screen

if TYPE_CHECKING:
    from xstilts.cost import Cost


def show(found: Cost, keep: str) -> None:
    """Print what a plan takes."""
    from rich.table import Table

    table = Table(title=f"{found.model}: what this plan takes, from its shape and row counts")
    for name in ("card", "precision", "cards a stage", "micro-batch, tokens", "card-hours"):
        table.add_column(name, justify="left" if name in ("card", "precision") else "right")
    for one in found.settings:
        hours = "does not fit" if math.isinf(one.hours) else f"{one.hours:,.0f}"
        row = (one.card, one.precision, str(one.cards or "-"), f"{one.micro_batch:,}", hours)
        table.add_row(*row)
    screen.show(table, *lines(found, keep))


def lines(found: Cost, keep: str) -> list[str]:
    """The sums, the assumptions, and the cheapest settings."""
    disk = {name: f"{size / 2**40:.2f} TiB" for name, size in found.disk_bytes.items()}
    told = [
        (
            f"{found.parameters / 1e6:,.0f} M parameters; {found.stages:,} training runs, "
            f"{found.optimiser_steps:,} optimiser steps, {found.training_tokens / 1e9:,.1f} G "
            f"tokens; predictions {found.prediction_tokens / 1e9:,.1f} G tokens"
        ),
        (
            f"disk: {disk[keep]} with --keep {keep} (all {disk['all']}, intermediates "
            f"{disk['intermediates']}, none {disk['none']})"
        ),
        f"assumed: {costs.TRAINING_SHARE:.0%} of a card's peak in training, "
        f"{costs.PREDICTION_SHARE:.0%} in prediction, {costs.OPTIMISER_BYTES} bytes moved for a "
        "parameter and step; nothing else, so that it is a floor; tokens of a unit "
        + ", ".join(f"{name} {size}" for name, size in costs.TOKENS.items()),
    ]
    if found.unknown:
        told.append(f"left out, as nobody has counted their rows: {', '.join(found.unknown)}")
    best = next((one for one in found.settings if one.cards), None)
    if best is not None:
        shape = sizes.ARCHITECTURES[found.model.rpartition("/")[2]]
        card = costs.CARDS[best.card]
        wall = costs.training_hours(*found.longest, shape, card, best.precision) / best.cards
        recipe = f" --recipe NAME:{best.precision}" if best.precision != "fp32" else ""
        devices = f" --devices {best.cards}" if best.cards > 1 else ""
        told.append(
            f"cheapest: {best.card}, --engine slurm or ray{devices}{recipe} --keep intermediates: "
            f"{best.hours:,.0f} card-hours; up to {found.widest:,} stages side by side, "
            f"{wall:,.1f} hours at least"
        )
    return told
