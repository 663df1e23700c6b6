"""The work area of an unfinished step: the two newest points from which it can resume.

``work/<id>/point-<n>/`` holds ``tensors.safetensors`` and, written last, ``point.json``: the step
number, the caller's state and the checksum of the tensors. `n` counts saves, so the newest point is
the last one saved, whatever its step number. A kill at any instruction leaves the points as they
were before a save or as they are after it.
"""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, Any

from xstilts.disk.files import (
    damage,
    disk_errors,
    make_folder,
    read_marker,
    seal_file,
    sync_up,
    write_marker,
)
from xstilts.disk.scratch import remove, scratch
from xstilts.failpoints import failpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from torch import Tensor

MARKER = "point.json"
TENSORS = "tensors.safetensors"
_POINT = re.compile(r"point-(\d+)")


class WorkArea:
    """Resume points of one step; one process at a time writes here.

    Attributes:
        folder: ``<root>/work/<step id>``; made by the first `save`.
    """

    def __init__(self, root: Path, step_id: str) -> None:
        self.folder = root / "work" / step_id
        self._root = root
        self._id = step_id

    def save(self, step: int, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        """Write a resume point; then keep it and the one before it, and drop the rest.

        Args:
            step: optimiser steps done so far.
            tensors: any shapes, types and devices, no two sharing memory.
            state: JSON types only; NaN is not JSON.

        Raises:
            UserError: disk full or not writable; the points saved before are untouched.
        """
        from safetensors.torch import save_file

        doing = f"saving the resume point of step {self._id} at optimiser step {step}"
        with disk_errors(doing, self._root), scratch(self._root, self._id) as box:
            point = box / "point"
            point.mkdir()
            save_file({name: t.contiguous() for name, t in tensors.items()}, point / TENSORS)
            failpoint("work.saved")
            files = {TENSORS: seal_file(point / TENSORS)}
            body = {"id": self._id, "step": step, "state": dict(state), "files": files}
            write_marker(point / MARKER, body, box)
            make_folder(self.folder)
            earlier = self._points()
            number = max(earlier, default=0) + 1
            failpoint("work.rename")
            point.rename(self.folder / f"point-{number}")
            failpoint("work.renamed")
            sync_up(self.folder, self._root)
            for old in sorted(earlier)[:-1]:
                remove(earlier[old], self._root, self._id)

    def load(
        self, warn: Callable[[str], object] = warnings.warn
    ) -> tuple[dict[str, Tensor], dict[str, Any], int] | None:
        """The newest resume point whose checksums hold; damaged ones are reported and dropped.

        Args:
            warn: called with one line for each damaged point.

        Returns:
            Tensors on the CPU, state and step as given to `save`; None where no point is whole.

        Raises:
            UserError: if the disk cannot be read.
        """
        from safetensors.torch import load_file

        with disk_errors(f"loading the resume point of step {self._id}", self._root):
            for _, point in sorted(self._points().items(), reverse=True):
                try:
                    body = self._whole(point)
                except ValueError as problem:
                    warn(f'store: resume point "{point}": {problem}; dropped, using an older state')
                    remove(point, self._root, self._id)
                else:
                    return load_file(point / TENSORS), body["state"], body["step"]
        return None

    def clear(self) -> None:
        """Remove the work area; nothing happens where there is none."""
        with disk_errors(f"clearing the work area of step {self._id}", self._root):
            remove(self.folder, self._root, self._id)

    def _points(self) -> dict[int, Path]:
        found = self.folder.iterdir() if self.folder.exists() else ()
        return {int(match[1]): path for path in found if (match := _POINT.fullmatch(path.name))}

    def _whole(self, point: Path) -> dict[str, Any]:
        """The marker of a point.

        Raises:
            ValueError: says what is damaged.
        """
        try:
            body = read_marker(point / MARKER)
        except ValueError as error:
            raise ValueError(f"{MARKER} {error}") from None
        if problem := damage(point, TENSORS, body["files"][TENSORS]):
            raise ValueError(f"{TENSORS} {problem}")
        return body
