"""The store: finished steps, written once and named by their identity.

``<root>/steps/<first two digits>/<id>/`` is one finished step: its files and ``step.json``, the
marker with the step's record and the checksum of every file. It appears by one rename, so what
exists is complete; checksums are verified on read, so what is read is what was written. Records
are permanent. Weights may be evicted: the marker then says so, and everything made from them
stays valid. ``work/<id>/`` holds resume points (`store.work`), ``tmp/`` scratch (`disk.scratch`),
``leases/`` says who is doing what (`disk.leases`), ``status/`` how far they are (`store.statuses`).
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from xstilts.disk import leases
from xstilts.disk.files import (
    ask_anew,
    disk_errors,
    is_plain,
    make_folder,
    sync,
    sync_up,
    write_marker,
)
from xstilts.disk.scratch import alone, remove, scratch
from xstilts.errors import UserError
from xstilts.failpoints import failpoint
from xstilts.store import upkeep
from xstilts.store.records import MARKER, Corrupt, Finished, checked_id, read_record, seal_step
from xstilts.store.work import WorkArea

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

__all__ = ["Corrupt", "Finished", "Store", "WorkArea"]

RECORD_KEYS = {"kind", "inputs", "provenance", "result", "evictable"}


class Store:
    """Finished steps under one folder, which several processes may share.

    Attributes:
        root: the folder, absolute; made by the first write.

    Raises:
        UserError: if a file stands at `root`.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self._verified: set[tuple[Path, int, int]] = set()
        with disk_errors("opening it", self.root):
            if self.root.exists() and not self.root.is_dir():
                raise UserError(
                    f'store: "{root}" is a file; allowed: a folder, or a name that is still free; '
                    "next: move the file or choose another folder for the store"
                )

    def __getstate__(self) -> dict[str, Any]:
        """It travels between processes without what it has verified."""
        return self.__dict__ | {"_verified": set()}

    def folder(self, step_id: str) -> Path:
        """Where a step's finished files are, or will be."""
        return self.root / "steps" / checked_id(step_id)[:2] / step_id

    def has(self, step_id: str) -> bool:
        """Whether a step is finished; cheap, no checksum is verified."""
        return (self.folder(step_id) / MARKER).is_file()

    def sound(self, step_id: str) -> bool:
        """Whether a step is finished and its record as written; cheap from the second time."""
        try:
            marker = self.folder(step_id) / MARKER
            entry = marker.lstat()
            state = (marker, entry.st_ino, entry.st_mtime_ns)
            if state not in self._verified:
                self.record(step_id)
                self._verified.add(state)
        except (Corrupt, FileNotFoundError, NotADirectoryError):
            return False
        return True

    def record(self, step_id: str) -> dict[str, Any]:
        """A finished step's ``step.json``, its own checksum verified.

        Raises:
            Corrupt: if it is damaged or missing in the step's folder.
            UserError: if the step is not finished, or cannot be read.
        """
        folder = self.folder(step_id)
        if not os.path.lexists(folder):
            raise UserError(
                f'store: step {step_id} is not finished in "{self.root}"; next: run its study'
            )
        with disk_errors(f"reading step {step_id}", self.root):
            return read_record(folder)

    def open(self, step_id: str) -> Finished:
        """A finished step. Raises what `record` raises."""
        return Finished(step_id, self.folder(step_id), self.record(step_id), self._verified)

    @contextmanager
    def writing(self, step_id: str) -> Iterator[Path]:
        """A fresh folder in which to write a step's files before `finish`; gone afterwards.

        Raises:
            UserError: disk full or not writable, here or in the block.
        """
        checked_id(step_id)
        with disk_errors(f"writing step {step_id}", self.root), scratch(self.root, step_id) as box:
            (box / "step").mkdir()
            yield box / "step"

    def finish(self, step_id: str, folder: Path, record: Mapping[str, Any]) -> Finished:
        """Make a step's files, all at once, part of the store, forced to the disk.

        Where the step is there already, ours is dropped and theirs returned, except: what is
        damaged in a way that hides its record is replaced, and evicted files are brought back.

        Args:
            step_id: the step's identity.
            folder: what `writing` gave, inside its block, with all files written.
            record: JSON values for kind, inputs, provenance, result, and evictable, the names of
                the files that may be evicted.

        Raises:
            UserError: disk full or not writable; whatever was finished before still is.
        """
        assert folder.parent.parent == self.root / "tmp", folder
        assert folder.parent.name.startswith(f"{checked_id(step_id)}."), folder
        assert record.keys() == RECORD_KEYS, sorted(record)
        with disk_errors(f"finishing step {step_id}", self.root):
            files = seal_step(folder)
            assert set(record["evictable"]) <= files.keys(), record["evictable"]
            created = datetime.now(UTC).isoformat(timespec="seconds")
            ours = {**record, "id": step_id, "created": created, "files": files, "evicted": []}
            write_marker(folder / MARKER, ours, folder.parent)
            with alone(self.root):
                theirs = self._intact(step_id)
                if theirs is None:
                    self._place(step_id, folder)
                elif theirs["evicted"]:
                    self._restore(step_id, folder, theirs, ours)
        return self.open(step_id)

    def adopt(self, folder: Path, record: Mapping[str, Any]) -> str:
        """Make a step that another store finished part of this one, with its record as it is.

        Args:
            folder: what `writing` gave, inside its block, with all files that are not evicted.
            record: what the other store's ``step.json`` says.

        Returns:
            ``added``, ``kept`` where it is there already, or ``restored`` where it is there and
            its evicted files were brought back.

        Raises:
            Corrupt: if a file is not what the record says; its folder is the one that was given.
            UserError: if the step is there already with other files; or as `finish`.
        """
        step_id = checked_id(record["id"])
        with disk_errors(f"merging step {step_id}", self.root):
            sealed = seal_step(folder)
            for name in record["files"].keys() - record["evicted"]:
                if sealed.pop(name, None) != record["files"][name]:
                    raise Corrupt(folder, name, "is missing or has other bytes than were written")
            assert not sealed, sealed
            write_marker(folder / MARKER, dict(record), folder.parent)
            with alone(self.root):
                outcome = self.would_adopt(record)
                if outcome == "added":
                    self._place(step_id, folder)
                elif outcome == "restored":
                    self._restore(step_id, folder, self.record(step_id), dict(record))
        return outcome

    def would_adopt(self, record: Mapping[str, Any]) -> str:
        """What `adopt` would return for a record, before any file is copied.

        Raises:
            UserError: if the step is there already with other files.
        """
        step_id = checked_id(record["id"])
        if (theirs := self._intact(step_id)) is None:
            return "added"
        mine, other = theirs["files"], record["files"]
        if names := [n for n in {**mine, **other} if mine.get(n) != other.get(n)]:
            raise UserError(
                f"store: step {step_id} ({record['kind']}) is there already with another "
                f'"{names[0]}": the same work gave other bytes, as it may on another machine; '
                "next: take that step and what was made from it from one of the two stores only"
            )
        return "kept" if record["evicted"] or not theirs["evicted"] else "restored"

    def _intact(self, step_id: str) -> dict[str, Any] | None:
        try:
            return self.record(step_id) if self.has(step_id) else None
        except Corrupt:
            return None

    def _place(self, step_id: str, folder: Path) -> None:
        place = self.folder(step_id)
        make_folder(place.parent)
        failpoint("finish.rename")
        try:
            folder.rename(place)
        except OSError:
            if self._intact(step_id) is not None:
                return  # another's while this process was away; or ours, and the word of it lost
            if not os.path.lexists(place):
                raise
            remove(place, self.root, step_id)  # debris of damage
            folder.rename(place)
        failpoint("finish.renamed")
        sync_up(place.parent, self.root)

    def _restore(
        self, step_id: str, folder: Path, theirs: dict[str, Any], ours: dict[str, Any]
    ) -> None:
        """Bring evicted files back from a redone step; the record stays the first one's.

        Training again elsewhere need not give the same bytes, so `restored` tells whose they are.
        """
        place = self.folder(step_id)
        files = {name: ours["files"][name] for name in theirs["evicted"]}
        if theirs["kind"] == "predict" and files != {n: theirs["files"][n] for n in files}:
            raise UserError(
                f"store: step {step_id} (predict) was made again with other bytes than those that "
                "its scores are of, as it may be on another machine; next: merge a pack that holds "
                "its predictions, or run the study into a store of its own"
            )
        for name in files:
            if not is_plain((place / name).parent):
                raise Corrupt(place, name, "is not a plain file of the store")
            (folder / name).replace(place / name)
            failpoint("restore.moved")
            sync((place / name).parent)
        restored = {"created": ours["created"], "provenance": ours["provenance"]}
        body = {**theirs, "files": theirs["files"] | files, "evicted": [], "restored": restored}
        write_marker(place / MARKER, body, folder.parent)

    def whole(self, step_id: str) -> bool:
        """Whether none of a finished step's files was evicted. Raises what `record` raises."""
        return not self.record(step_id)["evicted"]

    def evict(self, step_id: str) -> int:
        """Remove a finished step's evictable files and say so in its marker.

        Returns:
            The bytes freed.

        Raises:
            Corrupt, UserError: as `record`; or the disk is not writable.
        """
        doing = f"evicting files of step {step_id}"
        with disk_errors(doing, self.root), scratch(self.root, step_id) as box, alone(self.root):
            body = self.record(step_id)
            if body["evicted"] != body["evictable"]:
                body["evicted"] = body["evictable"]
                write_marker(self.folder(step_id) / MARKER, body, box)
            failpoint("evict.marked")
            return sum(size for _, size in upkeep.drop_evicted(self.folder(step_id), body))

    def discard(self, step_id: str) -> None:
        """Remove a step, damaged or not, so that it is redone; nothing happens where it is absent.

        Raises:
            UserError: if the disk is not writable.
        """
        if not os.path.lexists(self.folder(step_id)):
            return
        with disk_errors(f"discarding step {step_id}", self.root), alone(self.root):
            remove(self.folder(step_id), self.root, step_id)

    def discard_damaged(self, step_id: str) -> bool:
        """Remove a step if any of its files is damaged, so that it is redone.

        Returns:
            Whether it was; another process may have redone it meanwhile.

        Raises:
            UserError: if the disk is not writable.
        """
        with disk_errors(f"discarding step {step_id}", self.root), alone(self.root):
            damaged = bool(upkeep.verify_step(self.folder(step_id)))
            if damaged:
                remove(self.folder(step_id), self.root, step_id)
        return damaged

    def lease(self, step_id: str) -> leases.Lease | None:
        """The right to do a step, to be released; None while another process is doing it.

        Raises:
            UserError: if the disk is not writable.
        """
        with disk_errors(f"taking the lease of step {step_id}", self.root):
            lease = leases.take(self.root, checked_id(step_id))
            if lease is not None and not self.has(step_id):
                try:  # who had it before may have finished the step on another machine
                    ask_anew(self.folder(step_id).parent)
                except OSError:
                    lease.release()
                    raise
            return lease

    def holder(self, step_id: str) -> leases.Holder | None:
        """The living process that is doing a step, if there is one."""
        return leases.holder(self.root, checked_id(step_id))

    def outlived(self, step_id: str, pause: Callable[[], object]) -> bool:
        """Whether the lease of a step is free, once its holder had time to give a sign of life."""
        return leases.outlived(self.root, step_id, pause)

    def work(self, step_id: str) -> WorkArea:
        """The resume points of a step that is not finished yet."""
        return WorkArea(self.root, checked_id(step_id))

    def ls(self) -> Iterator[upkeep.Listed]:
        """Every finished step, by id; a damaged one has the kind "damaged"."""
        return upkeep.ls(self.root)

    def verify(self) -> list[Corrupt]:
        """Read every byte of every finished step; return what is wrong, one entry a file."""
        return upkeep.verify(self.root)

    def gc(self, *, dry_run: bool = False) -> upkeep.Freed:
        """Remove what dead processes left and the work areas of finished steps.

        Args:
            dry_run: say what would be removed, and remove nothing.

        Raises:
            UserError: if the disk is not writable.
        """
        with disk_errors("removing leftovers", self.root):
            return upkeep.gc(self.root, dry_run=dry_run)
