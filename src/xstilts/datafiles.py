"""Data that is not what it was when this store last read it, by name.

Content is identity: rows of another content make other steps, and what was made of the old ones
stays. But nobody should train anew for hours because a file was saved by mistake, so the store
remembers what each file and each dataset of the hub held, and what has changed is told.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from xstilts import jsontext
from xstilts.disk.files import disk_errors
from xstilts.disk.whole import whole

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FILE = "data.json"  # in the store: place -> fingerprint of its content


def changed(contents: Mapping[str, str], store: Path) -> list[str]:
    """A line for every file or dataset that is not what it was.

    Args:
        contents: of a plan.
        store: its folder.
    """
    before = _read(store)
    return [
        f"changed: {place} is not what this store last read ({before[place][:12]}, now "
        f"{content[:12]}): steps that read it are made anew, older ones stay"
        for place, content in contents.items()
        if before.get(place, content) != content
    ]


def remember(contents: Mapping[str, str], store: Path) -> None:
    """Keep what was fingerprinted, beside what is known of other files.

    Raises:
        UserError: if the disk is full or the like.
    """
    before = _read(store)
    now = before | dict(contents)
    if now != before:
        with disk_errors("remembering data", store), whole(store / FILE) as part:
            part.write_text(json.dumps(now, ensure_ascii=False, indent=0), encoding="utf-8")


def _read(store: Path) -> dict[str, str]:
    try:
        found = jsontext.parse((store / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # not there, or broken: then nothing is known
    return found if isinstance(found, dict) else {}
