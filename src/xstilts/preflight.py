"""Everything that can be checked before the first second of training.

Rows of all data that the remaining steps will read are parsed to the last one. The pretrained
models are loaded as the steps will load them, and one sequence of the greatest length goes through
each. Disk and memory are compared with what the steps will need.
"""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from statistics import median_low
from typing import TYPE_CHECKING, Any, TypeVar

from xstilts import datafiles, footprint, hardware, leakage
from xstilts.engines.groups import is_intermediate
from xstilts.errors import UserError
from xstilts.sizes import WEIGHT_BYTES
from xstilts.steps import tracking

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from xstilts.engines import Bench
    from xstilts.formats.examples import Example
    from xstilts.model.tokenizer import LoadedTokenizer
    from xstilts.models import Model
    from xstilts.plan import Plan, Step
    from xstilts.sources import Split
    from xstilts.tasks import Catalogue
    from xstilts.tasks.base import Data, Task

T = TypeVar("T")
# A resume point holds weights and two moments; two are kept beside the result, and a third is
# written before the oldest goes.
RESUME_BYTES = 3 * 3 * WEIGHT_BYTES
CROWDED = 1.25  # threads that want to run, to a core: from here on they wait for each other


def check(plan: Plan, steps: Sequence[Step], bench: Bench, *, elsewhere: bool = False) -> list[str]:
    """Check all that the remaining steps will need.

    Args:
        plan: the whole plan.
        steps: those still to be run.
        bench: store, rows, device.
        elsewhere: other machines do the work: this one's devices and memory say nothing.

    Returns:
        What to know before it begins: data that changed, evaluation text among the rows that
        are trained on, and cores that others use.

    Raises:
        UserError: naming the first thing that is wrong.
    """
    if not steps:
        return []
    if bench.track:
        tracking.check(bench.track)
    if not elsewhere:
        hardware.check(bench.device, bench.devices)
    if lora := _lora(steps):
        from xstilts.model import adapters

        adapters.check_installed()
    masked_lm = any(_is_masked_lm(item, bench) for step in steps for item in _items(step))
    if longest := _longest(steps):  # scores are made of predictions alone
        opened = _opened_whole if any(step.as_text for step in steps) else _opened
        began = _began_with(plan, steps)
        sizes = {
            root: opened(model, longest, lora, masked_lm=masked_lm) for root, model in began.items()
        }
        if trained := [step for step in steps if step.kind == "train"]:
            usual = max(sizes.values())
            kept = [sizes.get(plan.root(step), usual) for step in _kept(plan, trained)]
            largest = max(sizes.get(plan.root(step), usual) for step in trained)
            _check_disk(largest, sum(kept), plan.keep, bench.store.root)
            if not elsewhere:
                _check_memory(largest, bench, frozen=bool(lora))
    with bench.store.writing(steps[0].id):
        pass  # the store can be written to
    read: set[tuple[str, Split, str]] = set()

    def examples(task: Task, data: Data, split: Split, language: str) -> list[Example]:
        read.add((task.name, split, language))
        return bench.sources.examples(task, data, split, language)

    asked = leakage.pairs(plan, bench.catalogue, {step.id for step in steps})
    leaks = leakage.compare(asked, bench.store.root, examples, bench.catalogue)
    for task_name, source, split, language in sorted(set(_splits(steps, bench))):
        if (task_name, split, language) not in read:
            task = bench.catalogue.get(task_name)
            examples(task, bench.catalogue.data(task_name, source), split, language)
    told = [*datafiles.changed(plan.contents, bench.store.root), *leakage.told(leaks)]
    datafiles.remember(plan.contents, bench.store.root)
    if not elsewhere and bench.device == "cpu" and not bench.threads:
        told += _crowded(_running())
    return told


def _began_with(plan: Plan, steps: Sequence[Step]) -> Mapping[str, Model]:
    """The pretrained models to open.

    Of others, as of a large one whose part came in a pack, nothing is asked here. What goes on from
    an import is taken to be like the plan's own, which it is compared with.
    """
    if any(plan.root(step) not in plan.models for step in steps if step.kind == "train"):
        return plan.models
    return plan.began_with(step for step in steps if step.kind != "score")


def _items(step: Step) -> Iterator[dict[str, Any]]:
    """The items that a training step reads, with those whose steps it only counts."""
    for item in step.inputs["items"] if step.kind == "train" else ():
        yield item
        if "steps_of" in item:
            yield item["steps_of"]


def _is_masked_lm(item: dict[str, Any], bench: Bench) -> bool:
    return item["control"] == "text" or bench.catalogue.get(item["task"]).format == "mlm"


def _splits(steps: Sequence[Step], bench: Bench) -> Iterator[tuple[str, Any, Any, str]]:
    for step in steps:
        inputs = step.inputs
        if step.kind == "predict":
            split = inputs.get("split", "evaluate")
            yield inputs["task"], inputs["source"], split, inputs["language"]
            yield from beside(inputs, bench.catalogue)
        if step.kind == "probe":
            yield inputs["task"], inputs["source"], "train", "en"
        if step.kind == "measure":
            for language in inputs["languages"]:
                yield inputs["task"], inputs["source"], "evaluate", language
        for item in _items(step):
            for language in item["languages"]:
                yield item["task"], inputs["source"], "train", language
        for item in inputs["items"] if step.kind == "train" and inputs["selection"] else ():
            if not _is_masked_lm(item, bench):
                yield item["task"], inputs["source"], "select", "en"


def beside(inputs: Mapping[str, Any], tasks: Catalogue) -> Iterator[tuple[str, Any, Any, str]]:
    """The candidates of a prediction, and what thresholds and layers are chosen on.

    Yields:
        task, source, split and language.
    """
    data = tasks.data(inputs["task"], inputs["source"])
    pool = data.pool_languages if inputs.get("pool") else ()
    tune = data.tune_languages if inputs.get("tune") else ()
    own = (inputs["language"],)
    for split, there, codes in (
        ("pool", inputs.get("pool"), pool or own),
        ("tune", inputs.get("tune"), tune or own),
        ("tune_pool", inputs.get("tune") and data.tune_pool, tune or own),
    ):
        for code in codes if there else ():
            yield inputs["task"], inputs["source"], split, code


def _longest(steps: Sequence[Step]) -> int:
    """The most tokens that a sequence of these steps can have."""
    trained = [item["max_length"] for step in steps for item in _items(step)]
    limits = [step.inputs["limits"] for step in steps if "limits" in step.inputs]
    return max([*trained, *(limit["max_length"] for limit in limits)], default=0)


def _lora(steps: Sequence[Step]) -> list[str]:
    """The modules that stages put adapters on; empty where none does."""
    trained = (step.inputs.get("options", {}) for step in steps if step.kind == "train")
    return next((list(one["lora"]["targets"]) for one in trained if "lora" in one), [])


def _opened(model: Model, longest: int, lora: list[str], *, masked_lm: bool) -> int:
    """Load a pretrained model and put one sequence through it; returns its parameters.

    Raises:
        UserError: if a file is broken, or the model cannot do what the steps ask of it.
    """
    import torch

    from xstilts.model import adapters
    from xstilts.model.packing import Batch
    from xstilts.steps import checkpoint

    encoder, tokenizer = _loaded(model, checkpoint.load)
    if lora:
        adapters.adapted(encoder, lora)
    _check_vocabulary(model, encoder, tokenizer)
    if masked_lm and not (encoder.has_masked_lm and tokenizer.mask_id >= 0):
        raise UserError(
            f"model {model.name} has no masked-LM head or no mask token: take mlm and text(...) "
            "off the paths, or give --model another one"
        )
    other = 0 if encoder.config.pad_token_id else 1  # any piece but padding
    ids = torch.full((longest,), other)
    try:
        with torch.inference_mode():
            encoder.eval()(Batch(ids, torch.zeros_like(ids), (longest,)))
    except (IndexError, RuntimeError, ValueError):
        most = getattr(encoder.config, "max_position_embeddings", "fewer")
        raise UserError(
            f"model {model.name} cannot take sequences of {longest} tokens (it has {most} "
            "positions): take another recipe or model"
        ) from None
    return sum(parameter.numel() for parameter in encoder.parameters())


def _opened_whole(model: Model, longest: int, lora: list[str], *, masked_lm: bool) -> int:
    """As ``_opened``, of an encoder-decoder and what it writes.

    Raises:
        UserError: as ``_opened``; or where raw text is to be trained on without sentinels.
    """
    import torch

    from xstilts.model import adapters
    from xstilts.model.packing import Batch
    from xstilts.steps import checkpoint

    network: Any
    network, tokenizer = _loaded(model, checkpoint.load_whole)
    if lora:
        adapters.adapted(network, lora)
    _check_vocabulary(model, network, tokenizer)
    if masked_lm and not tokenizer.sentinels:
        raise UserError(
            f"model {model.name}: its tokenizer has no sentinels (<extra_id_0>): take mlm and "
            "text(...) off the paths, or give --model another one"
        )
    ids = torch.full((longest,), 1)
    with torch.inference_mode():
        network.eval()(Batch(ids, ids, (longest,)), Batch(ids[:2], ids[:2], (2,)))
    return sum(parameter.numel() for parameter in network.parameters())


def _loaded(
    model: Model, load: Callable[..., tuple[T, LoadedTokenizer]]
) -> tuple[T, LoadedTokenizer]:
    try:
        return load(model.location, model.revision)
    except UserError as error:
        raise UserError(
            f"{error}: the files are incomplete or broken; fetch them again, or give --model "
            "another folder"
        ) from None


def _check_vocabulary(model: Model, network: Any, tokenizer: LoadedTokenizer) -> None:
    vocabulary = int(network.config.vocab_size)
    if len(tokenizer.special) > vocabulary:
        raise UserError(
            f"model {model.name}: its tokenizer has {len(tokenizer.special):,} pieces, its "
            f"embeddings {vocabulary:,}: tokenizer.json is another model's"
        )


def _kept(plan: Plan, trained: Sequence[Step]) -> list[Step]:
    """The stages whose weights are on the disk at once: those that stay, and one under way."""
    if plan.keep == "all":
        return list(trained)
    stay = [one for one in trained if plan.keep != "none" and is_intermediate(plan, one)]
    return [*stay, *[one for one in trained if one not in stay][-1:]]


def _check_disk(parameters: int, kept: int, keep: str, root: Path) -> None:
    """Compare what is free with what is needed.

    Args:
        parameters: of the largest model that is trained, whose resume points are there meanwhile.
        kept: parameters of all stages that are there at once.
        keep, root: of the store.
    """
    needed = parameters * RESUME_BYTES + WEIGHT_BYTES * kept
    there = next(folder for folder in (root, *root.parents) if folder.exists())
    free = shutil.disk_usage(there).free
    if needed > free:
        hint = ", or --keep intermediates" if keep == "all" else ""
        raise UserError(
            f"the store {root} needs about {_gib(needed)} and has {_gib(free)} free: "
            f"free space, or give --store elsewhere{hint}"
        )


def _check_memory(parameters: int, bench: Bench, *, frozen: bool = False) -> None:
    """Several processes hold a model each on a CPU; on GPUs each may hold a part of one."""
    each = footprint.FROZEN_BYTES if frozen else footprint.STATE_BYTES  # adapters are few
    needed, free = each * parameters, _free_memory(bench.device)
    if bench.device == "cpu":
        needed *= bench.devices
    elif bench.layout != "ddp":
        needed //= bench.devices
    if free is not None and needed > free:
        raise UserError(
            f"training needs {_gib(needed)} of memory on {bench.device} and more for activations; "
            f"{_gib(free)} are free: take a smaller model or another machine"
        )


def _free_memory(device: str) -> int | None:
    """Bytes of memory that can be had, None where the system does not say."""
    if device != "cpu":
        import torch

        return int(torch.cuda.mem_get_info(device)[0])
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    fields = dict(line.split(":", 1) for line in lines)
    return int(fields["MemAvailable"].split()[0]) * 1024 if "MemAvailable" in fields else None


def _crowded(others: int) -> Iterator[str]:
    """A line where other work leaves too few cores: two runs of all threads take many times longer.

    Args:
        others: threads of other work that run now.
    """
    import torch

    cores, ours = os.cpu_count() or 1, torch.get_num_threads()
    if ours > 1 and others + ours > CROWDED * cores:
        yield (
            f"{others} other threads run on this machine's {cores} cores, and {ours} of this run "
            f"will wait for them: --threads {max(1, cores - others)} may be much faster"
        )


def _running() -> int:
    """The threads of the machine that run, without this one; 0 where the system does not say."""
    found = []
    for _ in range(5):
        try:
            now = Path("/proc/loadavg").read_text(encoding="ascii")
        except OSError:
            return 0
        found.append(int(now.split()[3].partition("/")[0]) - 1)
        time.sleep(0.01)
    return max(0, median_low(found))


def _gib(size: int) -> str:
    return f"{size / 2**30:.2f} GiB"
