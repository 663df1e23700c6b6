"""Pretrained encoders by name: one of ours, a local Hugging Face folder, or one on the hub."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path

from xstilts import sizes
from xstilts.errors import UserError, first_line
from xstilts.identity import file_sha256, fingerprint

SHIPPED = Path(__file__).parent / "encoders"  # those that come with xstilts: docs/encoder.md
LOG = "pretraining"  # .json: how one of ours was made
# What of a folder makes the model: a README may change without making another one.
_SUFFIXES = (".safetensors", ".bin", ".json", ".model", ".txt")
# Modules of a checkpoint that are no part of its encoder, by what architectures call them.
_NOT_ENCODER = re.compile(
    r"(^|\.)(pooler|head|heads|decoder|classifier|qa_outputs|cls|lm_head|position_ids|"
    r"(lm|mask|generator|discriminator)_predictions)(\.|$)"
)


@dataclass(frozen=True)
class Model:
    """A pretrained encoder.

    Attributes:
        name: as the user wrote it.
        location: the folder, or the name on the hub.
        revision: the commit on the hub; None for a folder.
        fingerprint: its identity.
    """

    name: str
    location: Path | str
    revision: str | None
    fingerprint: str

    @property
    def architecture(self) -> sizes.Architecture | None:
        """Its shape, from its folder or its name; None where neither tells."""
        config = Path(self.location) / "config.json"
        if not config.is_file():
            return sizes.known(self.name)
        try:
            return sizes.of_config(json.loads(config.read_text(encoding="utf-8")))
        except ValueError:  # whoever loads the model says what is wrong
            return None


class UnreachableError(UserError):
    """A model of the hub that cannot be had now."""


def named(name: str) -> Model:
    """A published model by its name alone, where only its shape matters; others as ``find``.

    Raises:
        UserError: as ``find``.
    """
    if sizes.known(name) is None or Path(name).is_dir():
        return find(name)
    return Model(name, name, None, fingerprint(["nominal", name]))


def find(name: str) -> Model:
    """The model of that name: one of ours, else a folder if there is one, else the hub.

    Raises:
        UserError: if it is none of these.
    """
    if name in shipped():
        return _local(name, SHIPPED / name)
    folder = Path(name).expanduser().absolute()  # workers elsewhere have other folders of work
    if folder.is_dir():
        return _local(name, folder)
    if name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise UserError(f'no model folder "{name}": give a folder with config.json, or a hub name')
    return _on_hub(name)


def shipped() -> list[str]:
    """Names of the encoders that come with xstilts."""
    return sorted(path.parent.name for path in SHIPPED.glob("*/config.json"))


def parameters(model: Model, *, whole: bool = False) -> int | None:
    """Parameters of a model's encoder with its embeddings, without pooler, heads and decoder.

    Counted in the headers of its weights; of a model on the hub known by its shape, if it is.

    Args:
        model: any.
        whole: all of an encoder-decoder.
    """
    files = sorted(Path(model.location).glob("*.safetensors"))
    if not files:
        shape = sizes.known(model.name)
        if shape is None:
            return None
        return shape.whole_parameters if whole else shape.encoder_parameters
    from safetensors import SafetensorError, safe_open

    shapes: dict[str, list[int]] = {}
    try:
        for file in files:
            with safe_open(file, "np") as opened:
                shapes |= {name: opened.get_slice(name).get_shape() for name in opened.keys()}  # noqa: SIM118
    except (SafetensorError, OSError):
        return None  # whoever opens the model says what is wrong with it
    if "shared.weight" in shapes:  # T5's table, which some files have once more
        for stack in ("encoder", "decoder"):
            shapes.pop(f"{stack}.embed_tokens.weight", None)
    counted = (shape for name, shape in shapes.items() if whole or not _NOT_ENCODER.search(name))
    return sum(math.prod(shape) for shape in counted)


def _local(name: str, folder: Path) -> Model:
    if not (folder / "config.json").is_file():
        raise UserError(f'"{name}" has no config.json: it is not a Hugging Face model folder')
    files = sorted(p for p in folder.iterdir() if p.suffix in _SUFFIXES and p.stem != LOG)
    suffixes = {path.suffix for path in files}
    if ".bin" in suffixes and ".safetensors" not in suffixes:
        raise UserError(
            f'"{name}" has its weights in a pickle (.bin), which can run code and is never read: '
            "save the model with save_pretrained, which writes model.safetensors"
        )
    if ".safetensors" not in suffixes:
        raise UserError(
            f'"{name}" has no weights (model.safetensors): the checkpoint is incomplete'
        )
    try:
        hashes = {path.name: file_sha256(path) for path in files}
    except OSError as error:
        raise UserError(f"cannot read {error.filename}: {error.strerror}") from None
    return Model(name, folder, None, fingerprint(hashes))


def _on_hub(name: str) -> Model:
    try:
        from huggingface_hub import HfApi

        commit = HfApi().model_info(name, timeout=20).sha
    except Exception as error:  # noqa: BLE001 - the hub's client raises many kinds
        line = first_line(error)
        raise UnreachableError(
            f'no folder "{name}" here and it cannot be had from the hub ({line:.120}): '
            "give --model FOLDER, or go online"
        ) from None
    return Model(name, name, commit, fingerprint([name, commit]))
