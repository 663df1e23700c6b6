"""Identity: equal inputs have equal names. Everything stored is named by a hash made here."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

ID_HEX_DIGITS = 20  # 80 bits: no collision to fear below 10^11 steps


def canonical_json(value: Any) -> str:
    """JSON text that is equal for equal values: sorted keys, no spaces, floats by ``repr``.

    Raises:
        TypeError: if the value holds anything but JSON's own types.
        ValueError: for NaN or infinity, which are not JSON.
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def fingerprint(value: Any) -> str:
    """The identity of a JSON value: the first 20 hexadecimal digits of the SHA-256 of it."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:ID_HEX_DIGITS]


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@cache
def _sha256_of(path: Path, _size: int, _mtime_ns: int) -> str:
    return file_sha256(path)


def known_sha256(path: Path) -> str:
    """The same, read once for as long as neither size nor time of change differs."""
    about = path.stat()
    return _sha256_of(path, about.st_size, about.st_mtime_ns)


def stream_seed(*parts: str | int) -> int:
    """A 63-bit seed for one random stream, a pure function of what names the stream."""
    digest = hashlib.sha256(canonical_json(list(parts)).encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1
