"""A device beside the CPU on a machine that has none: what would be mixed up on a GPU is seen here.

Tensors on ``card:0`` lie in this machine's memory and go through the CPU's kernels, so that numbers
are the CPU's to the bit; but an operation that is given tensors of both refuses, as CUDA does, and
what has to come from there by ``.cpu()`` comes by nothing else. What asks for CUDA by name stays
unseen: kernels, streams, page-locked memory.

As a program, ``python card.py DATA MODEL OUT`` runs small studies of every kind here and there, and
prints the scores and losses of both as JSON. It is one because a process has at most one such
device, which is made before anything else is imported. Not among them: measurements, which have
processes of their own.
"""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import overrides
from torch.overrides import TorchFunctionMode
from torch.utils import _python_dispatch
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map_only
from torch.utils.backend_registration import (
    _DummyBackendModule,
    _setup_privateuseone_for_python_backend,
)

_aten = torch.ops.aten
_MOVES = {_aten.copy_.default, _aten._to_copy.default}
_BY_PLACE = {_aten.index.Tensor, _aten.index_put_.default, _aten._index_put_impl_.default}
_SWAPPED = _aten._has_compatible_shallow_copy_type.default


class Card(torch.Tensor):
    """A tensor there.

    Attributes:
        held: the tensor here that has its values.
    """

    @staticmethod
    def __new__(cls, held):
        return torch.Tensor._make_wrapper_subclass(
            cls,
            held.size(),
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=DEVICE,
        )

    def __init__(self, held):
        self.held = held

    def __tensor_flatten__(self):  # so that modules move in place, and tied weights stay tied
        return ["held"], None

    @staticmethod
    def __tensor_unflatten__(inner, _about, _size, _stride):
        return Card(inner["held"])

    @classmethod
    def __torch_dispatch__(cls, func, _types, args=(), kwargs=None):
        return _run(func, args, kwargs or {})


def _run(func, args, kwargs):
    leaves = tree_leaves((args, kwargs))
    there = [one for one in leaves if isinstance(one, Card)]
    if func is _SWAPPED:  # else ``Module.to`` would put the values of one kind into the other
        return not there
    if there and func not in _MOVES:
        here = [one for one in leaves if isinstance(one, torch.Tensor) and type(one) is not Card]
        # Of a tensor there, places may be told from here.
        told = args[1] if func in _BY_PLACE else ()
        mixed = any(one.dim() for one in here if all(one is not place for place in told))
        if mixed or (told and type(args[0]) is not Card):
            raise RuntimeError(f"{func}: expected all tensors to be on the same device")
    asked = kwargs.get("device")
    goes_there = bool(there) if asked is None else torch.device(asked).type == DEVICE.type
    if func is _aten.copy_.default:
        goes_there = type(args[0]) is Card
    inner_args, inner_kwargs = tree_map_only(Card, lambda one: one.held, (args, kwargs))
    if asked is not None:
        inner_kwargs["device"] = torch.device("cpu")
    out = func(*inner_args, **inner_kwargs)
    if not goes_there:
        return out
    out = tree_map_only(torch.Tensor, Card, out)
    return return_and_correct_aliasing(func, args, kwargs, out) if there else out


class _Dispatched(TorchDispatchMode):
    """Tensors that are made there."""

    def __torch_dispatch__(self, func, _types, args=(), kwargs=None):
        return _run(func, args, kwargs or {})


class _Called(TorchFunctionMode):
    """The same for what is made, or read, beneath the dispatcher."""

    def __torch_function__(self, func, _types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if func is torch.tensor and kwargs.get("device") is not None:
            device = kwargs.pop("device")
            return func(*args, **kwargs).to(device)
        if func is torch.Tensor.tolist and type(args[0]) is Card:
            return args[0].held.tolist()
        return func(*args, **kwargs)


class _Module(_DummyBackendModule):
    def get_amp_supported_dtype(self):
        return [torch.bfloat16]


class _NoGrad(torch.no_grad):
    """In place of inference mode, in which operations come here before they are taken apart."""

    def __new__(cls, _mode=True):
        return super().__new__(cls)

    def __init__(self, _mode=True):
        super().__init__()


# Before the first gradient of the process: the engine counts devices then.
_setup_privateuseone_for_python_backend("card", backend_module=_Module())
DEVICE = torch.device("card:0")


@contextmanager
def card():
    """While it lasts, tensors can be made there; models are read here, as they always are."""
    from transformers import PreTrainedModel

    read = PreTrainedModel.from_pretrained.__func__

    def read_here(cls, *args, **kwargs):
        with overrides._pop_mode_temporarily(), _python_dispatch._pop_mode_temporarily():
            return read(cls, *args, **kwargs)

    PreTrainedModel.from_pretrained = classmethod(read_here)
    try:
        with _Dispatched(), _Called():
            yield
    finally:
        PreTrainedModel.from_pretrained = classmethod(read)


def _studies(data, model, out):
    """A plan of every kind of stage, by name."""
    import small_tasks
    import tiny_encoder
    from xstilts.recipes import Lora
    from xstilts.study import Options

    def encoder(architecture, **more):
        folder = out / architecture
        folder.mkdir()
        texts = small_tasks.texts()
        return tiny_encoder.make(folder, texts, vocabulary=250, architecture=architecture, **more)

    def plan(model, *paths, recipe, **study):
        options = Options(max_steps=3, max_eval_rows=4, attack_rows=3)
        made = small_tasks.recipe(**recipe)
        return small_tasks.plan(data, model, *paths, recipe=made, options=options, **study)

    mt5 = encoder("mt5")
    return {
        "heads": plan(
            *(model, "s_nli + s_tags + s_text@0.3 > s_squad | s_xquad", "s_choice | s_choice"),
            *("s_nli | s_xnli", "s_tags | s_tatoeba"),
            recipe={"select_every": 2},
            perturbations=["keyboard@0.2"],
            attacks=["greedy", "gradient"],
        ),
        "kept": plan(model, "s_nli > s_choice", recipe={}, analyses=("order",)),
        "padded": plan(
            encoder("deberta-v2", relative_attention=True, pos_att_type=["p2c", "c2p"]),
            *("s_nli + s_tags | s_xnli, s_tags", "s_text | s_tatoeba"),
            recipe={},
        ),
        "t5": plan(mt5, "s_nli | s_xnli", "s_tatoeba", recipe={"optimizer": "adafactor"}),
        "text": plan(mt5, "s_nli + s_squad | s_xnli, s_xquad", recipe={"text2text": True}),
        "adapters": plan(model, "s_nli | s_xnli", recipe={"lora": Lora(rank=2)}),
    }


def _made(data, plan, store, device):
    """What every step of a plan made on a device: a stage's loss, or scores."""
    import small_tasks
    from xstilts.engines import Silent
    from xstilts.engines.local import LocalEngine

    bench = small_tasks.bench(data, store, device=device)
    ran = LocalEngine().run(plan, bench, Silent())
    failed = {plan.steps[one].label: why for one, why in ran.failures.items()}
    made = {plan.steps[one].label: _numbers(bench.store.record(one)["result"]) for one in ran.done}
    return {"failed": failed, "made": made}


def _numbers(result):
    if isinstance(result, list):
        return [row["value"] for row in result]
    return result.get("loss", 0.0)


def _probed(data, model, device):
    """The arrays of every feature, in the place of what steps make."""
    import small_tasks
    from xstilts.similarity import FEATURES
    from xstilts.steps import probe

    limits = {"max_length": 64, "max_query_length": 8, "doc_stride": 16}
    about = {"task": "s_nli", "source": "files", "rows": 6, "limits": limits, "seed": 1}
    jobs = [{**about, "feature": name} for name in FEATURES]
    desk = small_tasks.desk(data, device=device)
    found = {}
    for number, arrays, _ in probe.probe(jobs, (model, None), desk):
        found[jobs[number]["feature"]] = [float(abs(one).sum()) for one in arrays.values()]
    return {"failed": {}, "made": found}


def _main(data, model, out):
    torch.inference_mode = _NoGrad  # before anything is decorated with it
    found = {}
    for name, plan in _studies(data, model, out).items():
        found[name] = [_made(data, plan, out / name / "here", "cpu")]
        with card():
            found[name].append(_made(data, plan, out / name / "there", str(DEVICE)))
    found["probes"] = [_probed(data, model, "cpu")]
    with card():
        found["probes"].append(_probed(data, model, str(DEVICE)))
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    _main(*map(Path, sys.argv[1:]))
