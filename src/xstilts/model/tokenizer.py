"""The tokenizer of a model's folder, and what hiding tokens needs to know of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from xstilts.errors import UserError, first_line
from xstilts.failpoints import failpoint

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from tokenizers import Tokenizer


# What transformers calls the special tokens of XLM-R, which ours are named after.
SPECIAL_NAMES = {
    "bos_token": "<s>",
    "cls_token": "<s>",
    "pad_token": "<pad>",
    "eos_token": "</s>",
    "sep_token": "</s>",
    "unk_token": "<unk>",
    "mask_token": "<mask>",
}


MOST_SENTINELS = 100  # T5's


@dataclass(frozen=True)
class LoadedTokenizer:
    """A tokenizer in the three forms the work needs.

    Attributes:
        backend: the ``tokenizers`` tokenizer, without truncation or padding.
        mask_id: the mask token; -1 where there is none.
        special: bool ``[V]``, which ids are special tokens.
        hugging_face: the transformers object, for saving.
        sentinels: the ids of what stands for a span that was left out (T5), in order; often none.
    """

    backend: Tokenizer
    mask_id: int
    special: NDArray[np.bool_]
    hugging_face: Any
    sentinels: tuple[int, ...] = ()

    def text(self, ids: Sequence[int]) -> str:
        """The text of some tokens, special ones left out."""
        if self.backend.decoder is not None:
            return self.backend.decode(ids)
        names = [str(self.backend.id_to_token(one)) for one in ids if not self.special[one]]
        return "".join(names).replace("▁", " ").strip()

    def save(self, folder: Path) -> None:
        """Write the tokenizer's files beside a model."""
        self.hugging_face.save_pretrained(folder)
        failpoint("tokenizer.saved")


def load(folder: Path | str, revision: str | None = None) -> LoadedTokenizer:
    """The tokenizer of a folder, or of a model on the hub.

    Raises:
        UserError: if there is none, or only a slow one, or one without a vocabulary.
    """
    try:
        found = AutoTokenizer.from_pretrained(folder, revision=revision, trust_remote_code=False)
    except Exception as error:  # transformers raises many kinds for a broken folder
        raise UserError(
            f"cannot load the tokenizer of {folder}: {first_line(error):.120}"
        ) from error
    loaded = _of(found)
    if loaded is None:
        raise UserError(f"the tokenizer of {folder} has no fast form: convert it to tokenizer.json")
    if loaded.special.all():  # where there are no tokenizer files, transformers makes an empty one
        raise UserError(f"the tokenizer of {folder} has no vocabulary: tokenizer.json is missing")
    return loaded


def wrap(tokenizer: Tokenizer) -> LoadedTokenizer:
    """A tokenizer of one's own, with the special tokens of XLM-R."""
    loaded = _of(PreTrainedTokenizerFast(tokenizer_object=tokenizer, **SPECIAL_NAMES))
    assert loaded is not None
    return loaded


def _of(found: Any) -> LoadedTokenizer | None:
    """The three forms of a transformers tokenizer; None where it has no fast one."""
    backend = getattr(found, "backend_tokenizer", None)
    if backend is None:
        return None
    backend.no_truncation()
    backend.no_padding()
    special = np.zeros(max(len(found), backend.get_vocab_size(with_added_tokens=True)), bool)
    special[list(found.all_special_ids)] = True
    sentinels = _sentinels(backend)
    special[list(sentinels)] = True
    mask = found.mask_token_id
    return LoadedTokenizer(backend, -1 if mask is None else mask, special, found, sentinels)


def _sentinels(backend: Tokenizer) -> tuple[int, ...]:
    """The ids of T5's sentinels; mT5's have the mark of a word's start before them."""
    names = (f"<extra_id_{number}>" for number in range(MOST_SENTINELS))
    ids = [backend.token_to_id(name) or backend.token_to_id(f"▁{name}") for name in names]
    return tuple(one for one in ids if one is not None)


def with_sentinels(given: LoadedTokenizer) -> LoadedTokenizer:
    """The tokenizer with T5's sentinels after its last token, if it has none; no id changes."""
    if given.sentinels:
        return given
    from tokenizers import AddedToken

    names = [f"<extra_id_{number}>" for number in range(MOST_SENTINELS)]
    made = [AddedToken(name, special=True, normalized=False) for name in names]
    given.hugging_face.add_tokens(made, special_tokens=True)
    loaded = _of(given.hugging_face)
    assert loaded is not None
    return loaded
