"""A checkpoint that answers in a given way: what predict steps, measurements and exports share."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch

from xstilts.corpus import scripts
from xstilts.errors import UserError
from xstilts.formats import text2text
from xstilts.model import shrink
from xstilts.model.padded import Padded
from xstilts.steps import forward, onnx
from xstilts.steps.batches import group_by_budget
from xstilts.steps.layers import retrieval_layer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from torch import nn

    from xstilts.formats.encoded import Encoded
    from xstilts.model.encoder import Encoder
    from xstilts.model.text_to_text import TextToText
    from xstilts.model.tokenizer import LoadedTokenizer
    from xstilts.scenario import Serving
    from xstilts.steps.desk import Desk
    from xstilts.tasks.base import Format, Task


class Server(Protocol):
    """Answers."""

    def outputs(self, encoded: Encoded) -> NDArray:
        """What the format decodes, as `forward.head_outputs`; of retrieval the vectors ``[S, H]``.

        Args:
            encoded: with the tokenizer's own ids.
        """


def _shaped(
    encoder: Encoder, tokenizer: LoadedTokenizer, serve: Serving, codes: Sequence[str]
) -> NDArray[np.int32] | None:
    """Take off an encoder what it is not to answer with; returns new ids where embeddings went."""
    if serve.drop:
        shrink.drop_layers(encoder, serve.drop)
    if not serve.vocabulary:
        return None
    shrink.without_masked_lm(encoder)
    keep, unknown = _pieces(tokenizer, int(encoder.config.vocab_size), codes)
    return shrink.trim_vocabulary(encoder, keep, unknown)


def _pieces(
    tokenizer: LoadedTokenizer, size: int, codes: Sequence[str]
) -> tuple[NDArray[np.bool_], int]:
    """Which pieces text in these languages can have: those without letters of other scripts."""
    backend = tokenizer.backend
    if '"ByteLevel"' in backend.to_str():
        raise UserError("vocabulary: the tokenizer's pieces are bytes, which have no script")
    unknown = tokenizer.hugging_face.unk_token_id
    if unknown is None:
        raise UserError("vocabulary: the tokenizer has no unknown piece to stand for the others")
    keep = np.zeros(size, bool)
    keep[np.flatnonzero(tokenizer.special[:size])] = True
    for piece, number in backend.get_vocab(with_added_tokens=False).items():
        found = [scripts.letters(piece, code) for code in dict.fromkeys(["en", *codes])]
        keep[number] |= any(own == letters for letters, own in found)
    return keep, int(unknown)


def server(
    loaded: tuple[Encoder, LoadedTokenizer],
    head: nn.Module | None,
    format_: Format,
    serve: Serving,
    desk: Desk,
    codes: Sequence[str] = (),
) -> Server:
    """What answers with a checkpoint.

    Args:
        loaded: encoder and tokenizer; the encoder is changed.
        head: None: vectors at the layer that counts in retrieval.
        format_: of the head.
        serve: how to answer.
        desk: where to compute.
        codes: the languages whose scripts keep their embeddings, where others do not.

    Raises:
        UserError: if it cannot answer so, or what it needs is not installed.
    """
    encoder, tokenizer = loaded
    new_ids = _shaped(encoder, tokenizer, serve, codes)
    found = _server(encoder, head, format_, serve, desk)
    return found if new_ids is None else _Renumbered(found, new_ids)


def _server(
    encoder: Encoder, head: nn.Module | None, format_: Format, serve: Serving, desk: Desk
) -> Server:
    if serve.backend == "torch":
        return _Packed(encoder, head, format_, serve, desk)
    module = Padded(encoder, head, format_, _layer(encoder)).eval()
    pad_id = int(encoder.config.pad_token_id or 0)
    if serve.backend == "compiled":
        return Rows(_compiled(module, serve, desk), format_, pad_id, desk)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        onnx.write(module.cpu(), path, int8=serve.precision == "int8")
        session = onnx.Session(path, torch.get_num_threads(), desk.device)
    return Rows(session, format_, pad_id, desk)


def _layer(encoder: Encoder) -> int:
    return retrieval_layer(int(encoder.config.num_hidden_layers))


class _Renumbered:
    """With fewer embeddings, whose ids are others."""

    def __init__(self, inner: Server, new_ids: NDArray[np.int32]) -> None:
        self.inner, self.new_ids = inner, new_ids

    def outputs(self, encoded: Encoded) -> NDArray:
        """See `Server`."""
        return self.inner.outputs(replace(encoded, ids=self.new_ids[encoded.ids]))


class _Packed:
    """As predict steps answer."""

    def __init__(
        self,
        encoder: Encoder,
        head: nn.Module | None,
        format_: Format,
        serve: Serving,
        desk: Desk,
    ) -> None:
        self.encoder, self.head, self.format, self.desk = encoder, head, format_, desk
        self.precision = serve.precision

    def outputs(self, encoded: Encoded) -> NDArray:
        """See `Server`."""
        with forward.precision(self.precision, self.desk):
            if self.head is None:
                layers = [_layer(self.encoder)]
                return forward.vectors(self.encoder, None, encoded, self.desk, layers)[0].numpy()
            if self.format == "retrieval":
                return forward.vectors(self.encoder, self.head, encoded, self.desk)[0].numpy()
            return forward.head_outputs(self.encoder, self.head, self.format, encoded, self.desk)


class Writer:
    """A model that answers from text to text, as predict steps have it write.

    Attributes:
        written: tokens of the newest answers, their ends included.
    """

    def __init__(
        self,
        loaded: tuple[TextToText, LoadedTokenizer],
        trained: Task,
        serve: Serving,
        desk: Desk,
    ) -> None:
        """Write what a task asks for.

        Args:
            loaded: model and tokenizer.
            trained: the task in whose words it answers.
            serve: how; with torch, and all of its layers and embeddings.
            desk: where to compute.
        """
        self.model, self.tokenizer = loaded
        self.most = text2text.most_tokens(trained, self.tokenizer.backend)
        self.precision, self.desk, self.written = serve.precision, desk, 0

    def outputs(self, encoded: Encoded) -> list[str]:
        """A text a unit, ``[U]``."""
        written = np.zeros(len(encoded), np.int64)
        with forward.precision(self.precision, self.desk):
            found = forward.generated(
                self.model, encoded, self.tokenizer, self.most, self.desk, written=written
            )
        self.written = int(written.sum())
        return found


def _compiled(module: Padded, serve: Serving, desk: Desk) -> Callable[..., NDArray[np.float32]]:
    device = torch.device(desk.device)
    program = torch.compile(module.to(device), dynamic=True)

    @torch.inference_mode()
    def run(*arrays: NDArray[np.int64]) -> NDArray[np.float32]:
        tensors = [torch.from_numpy(one).to(device) for one in arrays[: len(module.inputs)]]
        with forward.precision(serve.precision, desk):
            return program(*tensors).float().cpu().numpy()

    return run


class Rows:
    """Padded rows, sorted by length and cut by the token budget."""

    def __init__(
        self, run: Callable[..., NDArray[np.float32]], format_: Format, pad_id: int, desk: Desk
    ) -> None:
        self.run, self.format, self.pad_id, self.desk = run, format_, pad_id, desk

    def outputs(self, encoded: Encoded) -> NDArray:
        """See `Server`."""
        groups = group_by_budget(encoded.lengths, self.desk.token_budget)
        found = None
        by_token = self.format in ("tagging", "span")
        for group in groups:
            slices = encoded.slices(group)
            arrays = onnx.padded_arrays(
                [encoded.ids[one] for one in slices],
                [encoded.types[one] for one in slices],
                self.pad_id,
            )
            values = self._answers(self.run(*arrays))
            if found is None:
                size = len(encoded.ids) if by_token else len(encoded.lengths)
                shape = values.shape[2:] if by_token else values.shape[1:]
                found = np.zeros((size, *shape), values.dtype)
            if by_token:
                for row, one in enumerate(slices):
                    found[one] = values[row, : one.stop - one.start]
            else:
                found[group] = values
        assert found is not None
        return found

    def _answers(self, logits: NDArray[np.float32]) -> NDArray:
        if self.format == "tagging":
            return logits.argmax(-1)
        return logits[:, 0] if self.format == "multiple_choice" else logits
