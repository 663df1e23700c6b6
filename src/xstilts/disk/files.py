"""Files that say when they are damaged, and disks that say so in one line.

Payload files are sealed by size and SHA-256 in a *marker*, a JSON file that carries its own
checksum and is written last: what has a marker is complete, and no byte of it changes unseen.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xstilts import jsontext
from xstilts.errors import UserError
from xstilts.failpoints import failpoint
from xstilts.identity import canonical_json, file_sha256

if TYPE_CHECKING:
    from collections.abc import Iterator

SEAL = "sha256_of_the_rest"
_FULL = (
    "free some space (`xstilts store gc` removes leftovers), then run again: it goes on from here"
)
_CLOSED = "make it writable or choose another folder for the store, then run again"
_WRITING = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}  # only a disk gives these
_NEXT_STEP = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: _FULL,
    errno.EACCES: _CLOSED,
    errno.EPERM: _CLOSED,
    errno.EROFS: _CLOSED,
    errno.ENOTDIR: "a file stands where a folder is needed; move it or choose another folder",
    errno.EISDIR: "a folder stands where a file is needed; move it or choose another folder",
    errno.EIO: "check the disk, then `xstilts store verify`",
}


@contextmanager
def disk_errors(doing: str, root: Path) -> Iterator[None]:
    """Turn what a disk can do to us into one line for the user.

    Args:
        doing: what was being done, for the message: "finishing step ...".
        root: the store. An error that names a file outside it passes through, and so does one
            that names no file, unless only writing can give it.

    Raises:
        UserError: disk full, over quota, not permitted, read-only, in the way, or failing.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        # safetensors wraps the system's error: "... No space left on device (os error 28)".
        wrapped = re.search(r"\(os error (\d+)\)", str(error))
        number = error.errno if isinstance(error, OSError) else wrapped and int(wrapped[1])
        named = isinstance(error, OSError) and error.filename
        place = Path(str(named or root))
        near = place.is_relative_to(root) or root.is_relative_to(place)
        ours = near if named else number in _WRITING
        if number not in _NEXT_STEP or not ours:
            raise
        message = (
            f'store: {doing}: {os.strerror(number)}, at "{place}"; nothing finished was lost; '
            f"next: {_NEXT_STEP[number]}"
        )
        raise UserError(message) from error


def make_folder(path: Path) -> None:
    """Make a folder of the store, and those above it, where they are not there yet.

    Raises:
        NotADirectoryError: if a file stands there; Python calls that a file that exists.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        number = errno.ENOTDIR
        raise NotADirectoryError(number, os.strerror(number), str(path)) from None


def ask_anew(folder: Path) -> None:
    """Forget what a network file system remembers of a folder, which it makes if need be.

    It may say for a minute that something is not there which another machine has just put there,
    but not after a change of the folder by this machine.
    """
    make_folder(folder)
    with tempfile.TemporaryFile(dir=folder):
        pass


def sync(path: Path) -> None:
    """Force a file's bytes, or a folder's entries, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_up(folder: Path, root: Path) -> None:
    """Force the entries of a folder, and of those above it down from the root, to the disk."""
    for above in (folder, *folder.parents):
        sync(above)
        if above == root:
            return


def is_plain(path: Path) -> bool:
    """Whether no symbolic link leads from the store to somewhere else on the way to this path."""
    return os.path.realpath(path) == str(path)


def seal_file(path: Path) -> dict[str, Any]:
    """Force a payload file to the disk; return its ``{"bytes", "sha256"}``.

    It also gets the rights of its folder: safetensors makes files that only their owner can read.
    """
    rights = path.parent.stat().st_mode & 0o666
    if path.stat().st_mode & 0o777 != rights:
        path.chmod(rights)
    failpoint("seal.fsync")
    sync(path)
    return {"bytes": path.stat().st_size, "sha256": file_sha256(path)}


def _not_there(path: Path) -> str | None:
    if is_plain(path) and path.is_file():
        return None
    return "is not a plain file of the store" if os.path.lexists(path) else "is missing"


def damage(folder: Path, name: str, sealed: dict[str, Any]) -> str | None:
    """What is wrong with a payload file, compared with what `seal_file` said of it; None if whole.

    Raises:
        OSError: if the file is there but cannot be read.
    """
    path = folder / name
    if problem := _not_there(path):
        return problem
    if (size := path.stat().st_size) != sealed["bytes"]:
        return f"has {size} bytes instead of {sealed['bytes']}"
    return None if file_sha256(path) == sealed["sha256"] else "has other bytes than were written"


def sealed_text(body: dict[str, Any]) -> bytes:
    """The bytes of a marker: its body as JSON, with the checksum of the body in it."""
    seal = hashlib.sha256(canonical_json(body).encode()).hexdigest()
    text = json.dumps({**body, SEAL: seal}, indent=1, sort_keys=True, ensure_ascii=False)
    return text.encode() + b"\n"


def write_marker(path: Path, body: dict[str, Any], scratch: Path) -> None:
    """Write a JSON file that carries its own checksum; it appears in its place whole or not at all.

    Args:
        path: where it is to stand; a marker already there is replaced.
        body: JSON types only.
        scratch: a folder from `scratch.scratch`, where it is written first.

    Raises:
        TypeError, ValueError: if the body is not JSON; NaN is not.
    """
    text = sealed_text(json.loads(canonical_json(body)))  # as it will be read: keys are text
    half = len(text) // 2
    temporary = scratch / "marker"
    with temporary.open("wb") as file:
        failpoint("marker.created")
        file.write(text[:half])
        file.flush()
        failpoint("marker.half")
        file.write(text[half:])
        file.flush()
        failpoint("marker.fsync")
        os.fsync(file.fileno())
    failpoint("marker.rename")
    temporary.replace(path)
    failpoint("marker.renamed")
    sync(path.parent)


def read_marker(path: Path) -> dict[str, Any]:
    """Read what `write_marker` wrote, without its checksum.

    Raises:
        ValueError: says what is wrong with it, if any byte is not as it was written.
        OSError: if the file is there but cannot be read.
    """
    if problem := _not_there(path):
        raise ValueError(problem)
    data = path.read_bytes()
    try:
        body = jsontext.parse(data)
        del body[SEAL]
        whole = sealed_text(body) == data
    except (ValueError, TypeError, KeyError):
        whole = False
    if not whole:
        raise ValueError("has other bytes than were written")
    return body
