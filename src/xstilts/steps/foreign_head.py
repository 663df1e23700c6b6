"""The head of a Hugging Face checkpoint as one of ours, so that it can be evaluated as it is.

What transformers computes from the first token, tanh of a square layer and then a linear one, is
what our head computes; BERT keeps the square layer in its pooler, XLM-R in the classifier. So the
logits are the same. The pooler moves into the head: further stages start without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xstilts.errors import UserError
from xstilts.model import heads

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from torch import Tensor, nn

    from xstilts.model.encoder import Encoder
    from xstilts.tasks.base import Task

_SQUARE = ("classifier.dense", "pre_classifier", "pooler.dense")
_OUTPUT = ("classifier.out_proj", "qa_outputs", "classifier")
# Whose square layer ends in tanh. DistilBERT's ends in ReLU, ELECTRA's and DeBERTa's in GELU.
TANH = frozenset({"bert", "roberta", "xlm-roberta", "xlm-roberta-xl", "camembert"})


def load(folder: Path, encoder: Encoder, task: Task, labels: Sequence[str]) -> nn.Module:
    """The checkpoint's head, its outputs in the order of the task's labels.

    Args:
        folder: with ``model.safetensors``, whole or in shards.
        encoder: its encoder, which loses its pooler where the head takes it.
        task: what the head answers.
        labels: of its outputs, in order; where none are given, config.json's.

    Raises:
        UserError: if there is no head, it is another format's or another kind of model's, or its
            labels are not the task's.
    """
    head = heads.build(task.format, len(task.labels), encoder)
    if head is None or not hasattr(head, "out"):  # a dual encoder's has a scale alone
        raise UserError(f"{task.name} ({task.format}) needs no head: import the encoder alone")
    kind = str(getattr(encoder.config, "model_type", ""))
    if hasattr(head, "dense") and kind not in TANH:
        raise UserError(
            f"{folder}: the head of a {kind} ends in another function than tanh and would answer "
            "otherwise here: import the encoder alone, and train its head"
        )
    tensors = _tensors(folder)
    names = {"out": _OUTPUT, "dense": _SQUARE} if hasattr(head, "dense") else {"out": _OUTPUT}
    state = {}
    for ours, theirs in names.items():
        found = next((name for name in theirs if _has(tensors, name)), None)
        if found is None:
            raise UserError(f"{folder} has no head for {task.name} ({task.format}): no {theirs[0]}")
        for part in ("weight", "bias"):
            state[f"{ours}.{part}"] = _get(tensors, f"{found}.{part}").float()
    if hasattr(head, "dense"):
        encoder.pooler = None
    if task.labels:
        order = _order(folder, encoder, task, labels, len(state["out.weight"]))
        state |= {name: state[name][order] for name in ("out.weight", "out.bias")}
    try:
        head.load_state_dict(state)
    except RuntimeError:
        shapes = ", ".join(f"{name} {tuple(one.shape)}" for name, one in sorted(state.items()))
        raise UserError(f"{folder}: the head is not one for {task.format} ({shapes})") from None
    return head


def _order(
    folder: Path, encoder: Encoder, task: Task, labels: Sequence[str], outputs: int
) -> list[int]:
    """Which of the checkpoint's outputs is each of the task's labels."""
    named = getattr(encoder.config, "id2label", None) or {}
    have = list(labels) or [str(named[number]) for number in sorted(named)]
    lower = [one.lower() for one in have]
    if len(have) != outputs or sorted(lower) != sorted(one.lower() for one in task.labels):
        raise UserError(
            f"{folder}: its {outputs} outputs are called {', '.join(have[:8]) or 'nothing'}; "
            f"{task.name} has {', '.join(task.labels[:8])}: give --labels, in the outputs' order"
        )
    return [lower.index(one.lower()) for one in task.labels]


def _has(tensors: Mapping[str, Tensor], name: str) -> bool:
    return any(_is(key, f"{name}.weight") for key in tensors)


def _get(tensors: Mapping[str, Tensor], name: str) -> Tensor:
    return next(tensor for key, tensor in tensors.items() if _is(key, name))


def _is(key: str, name: str) -> bool:
    return key == name or key.endswith(f".{name}")


def _tensors(folder: Path) -> dict[str, Tensor]:
    from safetensors.torch import load_file

    found: dict[str, Tensor] = {}
    for path in sorted(folder.glob("*.safetensors")):
        found |= load_file(path)
    return found
