"""Full and forbidden disks: one line says what happened and where, and nothing is lost."""

from __future__ import annotations

import errno
import re
from itertools import count
from pathlib import Path

import pytest

from store.disks import complaint, failing_at, largest_file
from store.steps import A, B, C, finish, strays, tensors_at
from xstilts.disk.files import disk_errors
from xstilts.errors import UserError
from xstilts.store import Store


def finish_b(store):
    finish(store, B)


def evict_a(store):
    store.evict(A)


def restore_c(store):
    finish(store, C)


def save_point(store):
    store.work(B).save(3, tensors_at(3), {})


@pytest.mark.parametrize("act", [finish_b, evict_a, restore_c, save_point])
def test_a_disk_that_fills_up_at_any_call_loses_nothing(tmp_path, act):
    for call in count(1):
        store = Store(tmp_path / str(call))
        finish(store, A)
        finish(store, C)
        store.evict(C)
        for step in (1, 2):
            store.work(B).save(step, tensors_at(step), {})
        with failing_at(call, errno.ENOSPC) as failed:
            said = complaint(act, store)
            if not failed():
                break
        expected = (
            f'No space left on device, at "{store.root}.*nothing finished was lost; next: free'
        )
        assert re.search(expected, said)
        assert "\n" not in said
        assert strays(store) == []
        assert store.verify() == []
        assert store.has(A)
        assert store.has(C)
        assert store.work(B).load(pytest.fail)[2] in {2, 3}
        act(store)
        assert store.verify() == []
    assert call > 4


def test_the_kernel_refuses_a_payload(store):
    with largest_file(500), pytest.raises(UserError, match=f"writing step {A}: File too large"):
        finish(store, A)
    assert strays(store) == []


def test_the_kernel_refuses_a_marker(store):
    with largest_file(100), pytest.raises(UserError, match=f"finishing step {A}: File too large"):
        finish(store, A, {"w": b""}, evictable=["w"])
    assert strays(store) == []


def test_the_kernel_refuses_a_resume_point(store):
    with largest_file(100), pytest.raises(UserError, match="optimiser step 7: File too large"):
        store.work(A).save(7, tensors_at(7), {})
    assert store.work(A).load() is None
    assert strays(store) == []


def test_a_file_where_the_store_should_be(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r'file" is a file; allowed: a folder.*next: move'):
        Store(tmp_path / "file")
    with pytest.raises(UserError, match=r"Not a directory.*next: a file stands"):
        finish(Store(tmp_path / "file" / "below"), A)


ACTS = {
    "finish": lambda store: finish(store, A),
    "save": lambda store: store.work(A).save(1, tensors_at(1), {}),
    "load": lambda store: store.work(A).load(),
    "clear": lambda store: store.work(A).clear(),
    "evict": lambda store: store.evict(B),
    "discard": lambda store: store.discard(B),
    "gc": lambda store: store.gc(),
}


@pytest.mark.parametrize(
    ("place", "refused"),
    [
        ("tmp", {"finish", "save", "evict", "discard", "gc"}),
        ("work", {"save", "clear"}),
        (f"work/{A}", {"save", "load"}),
        ("steps", {"finish", "evict"}),
        (f"steps/{A[:2]}", {"finish"}),
        ("leases", {"finish", "evict", "discard", "gc"}),
    ],
)
def test_what_stands_in_the_way_is_named_in_one_line(tmp_path, place, refused):
    for name, act in ACTS.items():
        store = Store(tmp_path / name)
        finish(store, B)
        store.work(B).save(1, tensors_at(1), {})  # for gc to remove
        path = store.root / place
        if path.is_dir():
            path.rename(tmp_path / f"{name} moved away")
        path.unlink(missing_ok=True)
        path.parent.mkdir(exist_ok=True)
        path.touch()
        said = complaint(act, store)
        assert bool(said) == (name in refused), (name, said)
        assert "\n" not in said
        if said and "is not finished" not in said:
            assert "needed; move it or choose another folder" in said


def test_a_folder_made_twice_is_a_mistake_of_the_program(store):
    with pytest.raises(FileExistsError), store.writing(A) as folder:
        folder.mkdir()


def test_a_store_that_may_not_be_written(tmp_path):
    store = Store(tmp_path / "none" / "store")
    with failing_at(1, errno.EACCES), pytest.raises(UserError, match=r"Permission denied.*make it"):
        finish(store, A)


@pytest.mark.parametrize(
    "error",
    [
        PermissionError(errno.EACCES, "no", "/elsewhere/file"),
        PermissionError(errno.EPERM, "no"),
        FileNotFoundError(errno.ENOENT, "no", "/store/file"),
        ValueError("could not read (os error 13)"),
        ValueError("other"),
    ],
)
def test_errors_that_are_not_the_stores_pass_through(error):
    with pytest.raises(type(error)) as caught, disk_errors("x", Path("/store")):
        raise error
    assert caught.value is error
