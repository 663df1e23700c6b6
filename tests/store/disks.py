"""Disks that are full or say no."""

from __future__ import annotations

import os
import resource
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

from xstilts.errors import UserError


@contextmanager
def failing_at(call, number):
    """The call-th of the system calls that write fails with the given error."""
    passed = count(1)

    def wrapped(real):
        def fake(*args, **options):
            if real is originals["mkdir"] and Path(args[0]).is_dir():
                return real(*args, **options)  # a folder that stands takes no space
            if next(passed) == call:
                name = () if real is originals["fsync"] else (os.fspath(args[0]),)
                raise OSError(number, os.strerror(number), *name)
            return real(*args, **options)

        return fake

    originals = {name: getattr(os, name) for name in ("fsync", "mkdir", "rename", "replace")}
    with pytest.MonkeyPatch.context() as patch:
        for name, real in originals.items():
            patch.setattr(os, name, wrapped(real))
        yield lambda: next(passed) > call


def complaint(act, store):
    try:
        act(store)
    except UserError as error:
        return str(error)
    return ""


@contextmanager
def largest_file(size):
    """The kernel itself refuses to write beyond `size` bytes into any file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
