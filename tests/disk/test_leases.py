"""Leases: one holder at a time among real processes, and the dead are succeeded."""

from __future__ import annotations

import os
import signal
import time
import traceback
from contextlib import contextmanager

import pytest

from xstilts.disk import leases, owners
from xstilts.disk.leases import held, holder, sweep, take
from xstilts.store import Store

NAME = "a" * 20
ELSEWHERE = "0123456789ab-77-5"  # the mark of a process on another machine


def lease_file(root, name, mark, host="far"):
    """What the process with that mark leaves when it takes a lease."""
    file = root / "leases" / f"{name}.{mark}.0123456789abcdef"
    file.parent.mkdir(exist_ok=True)
    file.write_text(host)
    return file


def in_child(act):
    """Fork; the child's number."""
    if pid := os.fork():
        return pid
    try:
        act()
        os._exit(0)
    except BaseException:  # noqa: BLE001 (never back into the parent's code)
        traceback.print_exc()
        os._exit(1)


def status(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@contextmanager
def living_holder(root):
    """Another process that holds the lease until it is killed."""
    ready, told = os.pipe()

    def hold():
        assert take(root, NAME)
        os.write(told, b"x")
        signal.pause()

    pid = in_child(hold)
    os.read(ready, 1)
    try:
        yield pid
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(ready)
        os.close(told)


def files(root):
    return sorted((root / "leases").iterdir())


def test_one_holder_at_a_time(tmp_path):
    lease = take(tmp_path, NAME)
    assert lease.stands()
    assert take(tmp_path, NAME) is None  # not even this process again
    assert holder(tmp_path, NAME) == (os.uname().nodename, os.getpid())
    other = take(tmp_path, "b" * 20)
    lease.release()
    assert (lease.stands(), other.stands()) == (False, True)
    assert holder(tmp_path, NAME) is None
    take(tmp_path, NAME).release()
    assert files(tmp_path) == [other.path]


def test_a_living_process_keeps_its_lease_and_a_dead_one_loses_it(tmp_path):
    with living_holder(tmp_path) as pid:
        assert take(tmp_path, NAME) is None
        assert holder(tmp_path, NAME).pid == pid
        # However long it has been silent: it may be stopped, or the machine asleep.
        os.utime(files(tmp_path)[0], (0, 0))
        assert take(tmp_path, NAME) is None
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # dead, and nobody has buried it yet
        lease = take(tmp_path, NAME)
    assert files(tmp_path) == [lease.path]
    lease.release()
    assert files(tmp_path) == []


def test_a_process_with_the_number_of_a_dead_one_is_another(tmp_path):
    machine, pid, began = owners.mark().split("-")
    lease_file(tmp_path, NAME, f"{machine}-{pid}-{int(began) + 1}")
    assert holder(tmp_path, NAME) is None
    lease = take(tmp_path, NAME)
    assert files(tmp_path) == [lease.path]


def test_of_another_machine_the_heartbeat_tells(tmp_path):
    file = lease_file(tmp_path, NAME, ELSEWHERE)
    assert take(tmp_path, NAME) is None
    assert holder(tmp_path, NAME) == ("far", 77)
    quiet = time.time() - owners.LIMIT_SECONDS
    os.utime(file, (quiet + 60, quiet + 60))
    assert take(tmp_path, NAME) is None
    os.utime(file, (quiet - 1, quiet - 1))
    assert holder(tmp_path, NAME) is None
    take(tmp_path, NAME).release()
    assert files(tmp_path) == []


def test_the_heart_beats_while_something_is_held_and_in_a_forked_child_too(tmp_path, monkeypatch):
    monkeypatch.setattr(owners, "BEAT_SECONDS", 0.02)

    def beats():
        lease = take(tmp_path, NAME)
        os.utime(lease.path, (0, 0))
        until = time.monotonic() + 20
        while not lease.path.stat().st_mtime and time.monotonic() < until:
            time.sleep(0.01)
        assert lease.path.stat().st_mtime
        lease.release()

    owners._heart.__init__()  # its thread may have begun another, longer, pause
    beats()
    assert status(in_child(beats)) == 0


def test_who_was_taken_for_dead_finds_out_and_harms_nobody(tmp_path, monkeypatch):
    mine, path = take(tmp_path, NAME), files(tmp_path)[0]
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(owners, "lives", lambda _mark, held: held != path)
        other = take(tmp_path, NAME)
    assert (mine.stands(), other.stands()) == (False, True)
    assert not leases.all_stand([other, mine])
    mine.release()
    assert other.stands()
    assert leases.all_stand([other])
    other.release()
    assert files(tmp_path) == []


def test_a_lease_that_says_not_whose_it_is_is_nobodys(tmp_path):
    """Leases of another form, such as an older release's."""
    (tmp_path / "leases").mkdir()
    (tmp_path / "leases" / f"{NAME}.1").write_text(f"{owners.mark()} here\n")
    assert holder(tmp_path, NAME) is None
    take(tmp_path, NAME).release()
    assert files(tmp_path) == []


def test_two_that_take_it_at_once_give_way_to_each_other(tmp_path, monkeypatch):
    """Both have made their file before either lists them; one of them is there first next time."""
    pauses = []

    def at_once(_name):
        monkeypatch.setattr(leases, "failpoint", lambda _name: None)
        other = lease_file(tmp_path, NAME, ELSEWHERE)

        def pause(seconds):
            pauses.append(seconds)
            assert files(tmp_path) == [other]  # ours is gone
            other.unlink()

        monkeypatch.setattr(leases.time, "sleep", pause)

    monkeypatch.setattr(leases, "failpoint", at_once)
    lease = take(tmp_path, NAME)
    assert files(tmp_path) == [lease.path]
    assert len(pauses) == 1


def test_what_is_left_of_who_was_killed_while_taking_it_is_a_dead_ones(tmp_path, monkeypatch):
    monkeypatch.setattr(leases, "failpoint", lambda _name: os.kill(os.getpid(), signal.SIGKILL))
    assert status(in_child(lambda: take(tmp_path, NAME))) == -signal.SIGKILL
    monkeypatch.undo()
    assert len(files(tmp_path)) == 1
    assert holder(tmp_path, NAME) is None
    take(tmp_path, NAME).release()
    assert files(tmp_path) == []


def test_many_processes_killed_at_random_are_never_two_inside(tmp_path):
    """Each enters again and again; who finds another inside says so. Some die inside."""
    inside, log = tmp_path / "inside", os.open(tmp_path / "log", os.O_CREAT | os.O_WRONLY)

    def visit(number):
        for turn in range(40):
            with held(tmp_path, NAME):
                if inside.exists() and owners.lives(inside.read_text(), inside):
                    os.write(log, b"two inside\n")
                inside.write_text(owners.mark())
                os.write(log, b"visit\n")
                if number % 2 and turn == 5 + number:
                    os.kill(os.getpid(), signal.SIGKILL)
                inside.unlink()

    children = [in_child(lambda number=number: visit(number)) for number in range(6)]
    assert [status(pid) for pid in children] == [0, -9] * 3
    lines = (tmp_path / "log").read_text().splitlines()
    assert set(lines) == {"visit"}
    assert len(lines) == 3 * 40 + (7 + 9 + 11)
    assert len(sweep(tmp_path, dry_run=False)) <= 1  # the last one killed may have no successor
    assert files(tmp_path) == []


def test_what_cannot_be_listed_is_not_free(tmp_path, monkeypatch):
    def denied(_folder):
        raise PermissionError(13, "Permission denied", str(tmp_path / "leases"))

    monkeypatch.setattr(leases.os, "listdir", denied)
    with pytest.raises(PermissionError):
        take(tmp_path, NAME)
    monkeypatch.undo()
    assert files(tmp_path) == []


def test_an_interruption_while_it_is_taken_leaves_nothing(tmp_path, monkeypatch):
    def interrupted(_name):
        raise KeyboardInterrupt

    monkeypatch.setattr(leases, "failpoint", interrupted)
    with pytest.raises(KeyboardInterrupt):
        take(tmp_path, NAME)
    assert files(tmp_path) == []


def test_a_lease_whose_file_cannot_be_removed_is_given_back_all_the_same(tmp_path, monkeypatch):
    lease = take(tmp_path, NAME)

    def refused(_path, missing_ok=False):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(type(lease.path), "unlink", refused)
    lease.release()
    monkeypatch.undo()
    assert files(tmp_path) == [lease.path]
    assert holder(tmp_path, NAME) is None
    take(tmp_path, NAME).release()
    assert files(tmp_path) == []


def test_a_holder_elsewhere_is_waited_for_until_it_gives_a_sign_or_is_silent_too_long(tmp_path):
    file = lease_file(tmp_path, NAME, ELSEWHERE)
    with pytest.MonkeyPatch.context() as clock:  # it falls silent
        clock.setattr(owners, "silent_seconds", lambda _file: next(seconds))
        seconds = iter([100.0, 170.0, owners.LIMIT_SECONDS])
        assert leases.outlived(tmp_path, NAME, lambda: None)
    os.utime(file)
    assert not leases.outlived(tmp_path, NAME, lambda: os.utime(file, (time.time() - 30,) * 2))
    assert leases.outlived(tmp_path, NAME, file.unlink)
    mine = take(tmp_path, NAME)
    assert not leases.outlived(tmp_path, NAME, pytest.fail)  # the kernel knows that this one lives
    mine.release()
    assert leases.outlived(tmp_path, NAME, pytest.fail)


def test_gc_removes_the_leases_of_the_dead_only(tmp_path):
    store = Store(tmp_path)
    assert status(in_child(lambda: store.lease("b" * 20))) == 0
    with living_holder(tmp_path):
        (dead,) = (tmp_path / "leases").glob(f"{'b' * 20}.*")
        assert store.gc(dry_run=True).paths == (dead,)
        assert dead.exists()
        assert store.gc().paths == (dead,)
        assert [file.name.split(".")[0] for file in files(tmp_path)] == [NAME]
