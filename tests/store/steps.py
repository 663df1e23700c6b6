"""Steps that tests of the store write, look at and damage."""

from __future__ import annotations

import os
from pathlib import Path

A, B, C = "a" * 20, "b" * 20, "0123456789abcdef0123"
WEIGHTS = "model.safetensors"
CONTENT = {WEIGHTS: b"w" * 999, "predictions/sw.parquet": b"p" * 100, "empty.txt": b""}


def record(**change):
    whole = {
        "kind": "train",
        "inputs": {"parent": None, "rate": 1e-5},
        "provenance": {"host": "here"},
        "result": {"loss": 0.25},
        "evictable": [WEIGHTS],
    }
    return whole | change


def finish(store, step_id, content=CONTENT, **change):
    with store.writing(step_id) as folder:
        for name, data in content.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(data)
        return store.finish(step_id, folder, record(**change))


def strays(store):
    return sorted(store.root.glob("tmp/*"))


def check_whole(store, step_id):
    finished = store.open(step_id)
    for name, data in CONTENT.items():
        if name not in finished.record["evicted"]:
            assert finished.path(name).read_bytes() == data


def flip(path, at):
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def tensors_at(step):
    import torch

    return {"weight": torch.full((3, 2), float(step)).t(), "moment": torch.tensor(step)}


def replace_by_link(path):
    twin = path.parent.parent.parent / "twin"
    path.rename(twin)
    path.symlink_to(twin)


DAMAGE = {
    "first byte": lambda path: flip(path, 0),
    "a byte inside": lambda path: flip(path, path.stat().st_size // 2),
    "last byte": lambda path: flip(path, -1),
    "cut by one": lambda path: os.truncate(path, path.stat().st_size - 1),
    "empty": lambda path: os.truncate(path, 0),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"\n"),
    "deleted": Path.unlink,
    "a link to the same bytes": replace_by_link,
    "a folder": lambda path: (path.unlink(), path.mkdir(), (path / "x").touch()),
}
