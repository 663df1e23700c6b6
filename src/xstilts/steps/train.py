"""The train step: one stage, from its parent's weights to its own.

The state after n optimiser steps is a function of the inputs alone: order, masks and dropout are
functions of (seed, step, example), the learning rate of the step. So a run that was killed goes on
from its last resume point and ends bit for bit where it would have ended.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from xstilts.errors import UserError
from xstilts.failpoints import failpoint
from xstilts.formats import controls
from xstilts.identity import fingerprint, stream_seed
from xstilts.model import adapters, heads, vocabulary
from xstilts.model.compiled import compile_blocks
from xstilts.recipes import EVEN
from xstilts.steps import blame, checkpoint, optimizers, stage, state, tracking
from xstilts.steps.ahead import Ahead
from xstilts.steps.batches import collate, even_units, group_by_budget, step_units
from xstilts.steps.selection import Selection
from xstilts.steps.stage_model import StageModel
from xstilts.steps.team import Team, layers, whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from xstilts.model.encoder import Encoder
    from xstilts.model.tokenizer import LoadedTokenizer
    from xstilts.steps.batches import MicroBatch
    from xstilts.steps.checkpoint import Weights
    from xstilts.steps.desk import Desk, ResumePoints
    from xstilts.steps.stage import StageTask

READ_EVERY = 20  # steps of a GPU between two looks at what it computed


class Stopped(KeyboardInterrupt):
    """Several processes were told to stop, and kept a resume point together."""


def train(
    inputs: Mapping[str, Any],
    parent: Weights,
    out: Path,
    resume: ResumePoints,
    desk: Desk,
) -> dict[str, Any]:
    """Run a stage and write its folder (``checkpoint.save`` and ``curve.parquet``).

    Args:
        inputs: the step's identity, see ``plan``.
        parent: folder (or hub name) and hub revision of the encoder to start from.
        out: an empty folder.
        resume: keeps and gives back the state of an unfinished run.
        desk: rows, device, progress.

    Returns:
        steps, planned_steps (of the whole schedule), units, tokens, seconds, loss (mean of the last
        tenth), what was selected, and whether rows were packed.

    Raises:
        UserError: if the loss or the gradient stops being a number, with the batch's rows and the
            parameter to blame; nothing is written then.
    """
    return _Run(inputs, parent, resume, desk).complete(out)


class _Run:
    """One stage under way."""

    def __init__(
        self,
        inputs: Mapping[str, Any],
        parent: Weights,
        resume: ResumePoints,
        desk: Desk,
    ) -> None:
        self.inputs, self.resume, self.desk, self.parent = inputs, resume, desk, parent
        self.options = inputs["options"]
        # Stages alike but for their parent, or for noise in their rows, see the same order and
        # masks: differences are paired.
        items = [{k: v for k, v in item.items() if k != "noise"} for item in inputs["items"]]
        same = fingerprint([items, self.options])
        self.seed = stream_seed(inputs["seed"], same)
        self.device = torch.device(desk.device)
        encoder, self.tokenizer = self._load()
        self.tasks = stage.prepare(inputs, self.tokenizer, desk, self.seed)
        self.accelerator = _accelerator(self.device, self.options["precision"], desk)
        self.team = Team(desk.layout, self.device)
        self.team.check(self.tasks)
        self.schedule = stage.schedule(
            self.tasks, self.options, inputs["max_steps"], stream_seed(self.seed, "schedule")
        )
        share = inputs.get("pause", 1.0)  # of its schedule, after which a short run stops
        self.end = math.ceil(share * len(self.schedule))
        self.selection = (
            Selection(self.tasks, inputs["source"], self.options, self.tokenizer, desk)
            if inputs["selection"]
            else None
        )
        self.model = self._new_model(encoder)
        self.copy: StageModel | None = None  # put together from shards
        parts = layers(encoder.network)
        if self.device.type == "cuda":
            compile_blocks(parts, self.device)
        self.wrapped = self.team.wrapped(self.model, self.accelerator, parts)
        self.optimizer = optimizers.build(self.model, self.options, sharded=desk.layout == "fsdp2")
        self.step, self.tokens, self.seconds = 0, 0, 0.0
        self.losses = np.zeros(len(self.schedule))
        # Of the newest steps: which, and [loss, gradient norm].
        self.unread: list[tuple[int, torch.Tensor]] = []
        # What is no number must be known before the step, where no kernel leaves it out.
        guarded = isinstance(self.optimizer, torch.optim.AdamW) and desk.layout != "fsdp2"
        waits = self.device.type == "cpu" or not guarded
        self.read_every = 1 if waits else READ_EVERY
        self.ahead = self.device.type != "cpu"  # whose cores would be taken from the step itself
        self.settled = True  # parameters, step and selection are those of one moment
        self.kept = time.monotonic()  # the newest resume point
        self.keep_now = self.stop_now = False  # after this step, as all processes agreed
        self._restore()

    def complete(self, out: Path) -> dict[str, Any]:
        """Train what is left, then write the folder."""
        self.model.train()
        if self.desk.tracking:
            tracking.begin(self.accelerator, self.desk.tracking, self.inputs)
        started = self.kept = time.monotonic()
        # Not kept in self, which would be a circle that holds the model after its stage.
        given = Ahead(self._given, self.end) if self.ahead else self._given
        try:
            while self.step < self.end and not self._selected_early():
                self._optimise(*given(self.step))
                self.step += 1
                self._select()
                self.settled = True
                self.desk.progress(self.step, len(self.schedule), self.tokens)
                if self.keep_now or self.stop_now:
                    self._keep(self.seconds + time.monotonic() - started)
                    self.kept = time.monotonic()
                if self.stop_now:
                    raise Stopped
        except Stopped:
            raise
        except KeyboardInterrupt:
            if self.settled:
                self._keep(self.seconds + time.monotonic() - started)
            raise
        self._read()
        self.seconds += time.monotonic() - started
        if self.desk.tracking:
            tracking.end(self.accelerator)
        self.model = self._whole()
        if self.selection and self.selection.best:
            self.model.load_state_dict(self.selection.best, strict=False)
        self.optimizer.state.clear()  # its memory is wanted for the embeddings that were left out
        if self.team.first:
            self._mend()
            self._write(out)
        tail = self.losses[: self.step][-max(self.step // 10, 1) :]
        return {
            "steps": self.step,
            "planned_steps": len(self.schedule),
            "units": {t.task.name: len(t.encoded) for t in self.tasks},
            "tokens": self.tokens,
            "seconds": round(self.seconds, 3),
            "loss": float(tail.mean()),
            "selected": self.selection.report() if self.selection else None,
            "packed": self.model.encoder.packed,
        }

    def _load(self) -> tuple[Any, LoadedTokenizer]:
        """What the stage starts from: an encoder, or a whole encoder-decoder, and its tokenizer."""
        whole_ = self.options.get("text2text", False)
        return (checkpoint.load_whole if whole_ else checkpoint.load)(*self.parent)

    def _batch(self, step: int) -> tuple[StageTask, NDArray[np.int64], int]:
        """The task of a step, its units, and the seed of what is drawn in it."""
        index, local = self.schedule.task[step], int(self.schedule.local[step])
        task = self.tasks[index]
        order = stream_seed(self.seed, "order", int(index))
        size = task.item["batch"]
        if self.options.get("batches") == EVEN and task.format != "retrieval":
            units = even_units(order, task.encoded, size, local)
        else:
            units = step_units(order, len(task.encoded), size, local)
        return task, units, stream_seed(self.seed, "step", step)

    def _micros(self, task: StageTask, units: NDArray[np.int64], seed: int) -> Iterator[MicroBatch]:
        groups = group_by_budget(task.encoded.tokens_of(units), self.desk.token_budget)
        if task.format == "retrieval":  # every answer of the step is a candidate of every query
            groups = [np.arange(len(units))]
        for group in groups:
            chosen = units[group]
            yield collate(task.format, task.encoded, chosen, seed=seed, tokenizer=self.tokenizer)

    def _given(self, step: int) -> tuple[StageTask, int, list[MicroBatch], MicroBatch]:
        """A step's task, its seed, and this process's micro-batches, where a GPU can fetch them.

        And one to run for nothing while others run theirs: of a small step this process may have
        none.
        """
        task, units, seed = self._batch(step)
        mine = self.team.share(units, task.encoded.tokens_of(units))
        micros = list(self._micros(task, mine, seed))
        spare = micros[0] if micros else next(self._micros(task, units[:1], seed))
        if self.device.type == "cuda":
            micros, spare = [micro.pinned() for micro in micros], spare.pinned()
        return task, seed, micros, spare

    def _loss(self, model: nn.Module, task: StageTask, micro: MicroBatch) -> torch.Tensor:
        """The summed loss of a micro-batch."""
        with self.accelerator.autocast():
            loss: torch.Tensor = model(task.task.name, task.format, micro.to(self.device))
        return loss

    def _optimise(
        self, task: StageTask, seed: int, micros: list[MicroBatch], spare: MicroBatch
    ) -> None:
        torch.manual_seed(seed)  # for whatever an unpacked architecture draws by itself
        targets, tokens = self._agree(micros)
        for group in self.optimizer.param_groups:
            group["lr"] = self._rate(self.step)
        total = torch.zeros((), device=self.device)
        rounds = self.team.most(len(micros))  # of all processes, which run equally many
        for place in range(rounds):
            idle = place >= len(micros)
            with self.team.micro_batch(self.wrapped, self.accelerator, last=place == rounds - 1):
                loss = self._loss(self.wrapped, task, spare if idle else micros[place]) / targets
                # Processes' gradients are averaged, and their sum is meant.
                self.accelerator.backward(loss * (0 if idle else self.team.size))
            if not idle:
                total += loss.detach()
        total = self.team.summed(total)
        norm = self.accelerator.clip_grad_norm_(self.model.parameters(), self.options["clip"])
        told = torch.stack([total, whole(norm)])
        self.unread.append((self.step, told))
        if len(self.unread) >= self.read_every:
            self._read()
        # One number that is none spoils all parameters: then the kernel leaves them as they are.
        if self.read_every > 1:  # else it was read just now
            self.optimizer.found_inf = (~told.isfinite().all()).float()  # type: ignore[attr-defined]
        self.settled = False
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.tokens += tokens
        if self.desk.tracking:
            rate = self.optimizer.param_groups[0]["lr"]
            curves = {"learning_rate": rate, "tokens": self.tokens}
            curves[f"loss/{task.task.name}"] = total.item()
            self.accelerator.log(curves, step=self.step)

    def _agree(self, micros: list[MicroBatch]) -> tuple[float, int]:
        """Targets and tokens of the whole step; and what to do after it, in all processes alike."""
        due = time.monotonic() - self.kept >= self.desk.checkpoint_seconds
        targets, tokens, keep, stop = self.team.total(
            sum(micro.count() for micro in micros),
            sum(len(micro.batch.ids) for micro in micros),
            due and self.team.first,
            self.desk.stopping(),
        )
        self.keep_now, self.stop_now = bool(keep), bool(stop)
        return targets, int(tokens)

    def _whole(self) -> StageModel:
        """The model as one process has it; where it is sharded, a copy in the first process."""
        if self.desk.layout != "fsdp2":
            return self.model
        parameters = self.team.parameters(self.model)
        if self.team.first:
            if self.copy is None:
                encoder, _ = self._load()
                self.copy = self._new_model(encoder)
            self.copy.load_state_dict(parameters, strict=False)
        return self.copy or self.model

    def _read(self) -> None:
        """Fetch the losses of the newest steps from the device.

        It waits for the device, so on a GPU it is done now and then, and always before anything is
        kept, selected or written.

        Raises:
            UserError: at the first step whose loss or gradient is no number. Nothing after it
                counts: it is not kept, and that step itself changed no parameter.
        """
        if not self.unread:
            return
        steps, told = zip(*self.unread, strict=True)
        for step, values in zip(steps, torch.stack(told).tolist(), strict=True):
            self.losses[step] = values[0]
            for name, value in zip(("loss", "gradient norm"), values, strict=True):
                if not math.isfinite(value):
                    raise UserError(self._refusal(name, value, step))
        self.unread = []

    def _refusal(self, name: str, value: float, step: int) -> str:
        task, units, seed = self._batch(step)

        def losses(some: NDArray[np.int64]) -> Iterator[torch.Tensor]:
            micros = self._micros(task, some, seed)
            return (self._loss(self.model, task, micro) for micro in micros)

        parameter = blame.parameter(self.model, losses(units))
        alone = task.format != "retrieval"  # there, answers are told apart from each other
        bad = [u for u in units if alone and not all(map(blame.is_number, losses(np.array([u]))))]
        rows = stage.training_rows(task.item, self.inputs["source"], self.desk)
        if task.format in ("mlm", "spans"):
            rows = list(controls.lines(rows))
        ids = dict.fromkeys(rows[owner].id for owner in task.encoded.owner[bad or units])
        names = [one.task.name for one in self.tasks]
        among = f", in the stage {' + '.join(names)}" if len(names) > 1 else ""
        return (
            f"{name} is {value} at step {step + 1} of {len(self.schedule)} "
            f"({task.task.name}{among}), rows {blame.listed(list(ids))}, {parameter}: lower the "
            "recipe's learning rate, or look at these rows and at the weights it starts from"
        )

    def _new_model(self, encoder: Any) -> StageModel:
        """What the stage trains, at its start."""
        self.cut = self._cut(encoder)
        if lora := self.options.get("lora"):
            adapters.add(encoder, lora, stream_seed(self.seed, "lora"))
        model = StageModel(encoder, self._new_heads(encoder))
        # Shards are moved one by one, and what is put together from them is large.
        return model if self.desk.layout == "fsdp2" else model.to(self.device)

    def _cut(self, encoder: Encoder) -> vocabulary.Cut | None:
        """Leave out the embeddings that the stage cannot see; masked LM sees all of them."""
        if not encoder.packed or any(one.format == "mlm" for one in self.tasks):
            return None
        rows = [one.encoded for one in self.tasks] + (
            self.selection.encoded if self.selection else []
        )
        size = int(encoder.config.vocab_size)
        return vocabulary.Cut(
            encoder,
            vocabulary.seen((one.ids if one.kinds is None else one.kinds for one in rows), size),
        )

    def _rate(self, step: int) -> float:
        """The learning rate of a step."""
        share = optimizers.share_of_peak(step, len(self.schedule), self.options)
        rate: float = self.options["learning_rate"] * share
        return rate

    def _mend(self) -> None:
        """Put back the embeddings that were left out, as they are after the steps that count."""
        if self.cut is None:
            return
        if self.options.get("lora"):  # frozen, they do not decay either
            self.cut.mend(1.0)
            return
        chosen = self.selection.report()["step"] if self.selection else self.step
        rates = np.array([self._rate(step) for step in range(chosen)])
        self.cut.mend(float(np.prod(1.0 - rates * self.options["weight_decay"])))

    def _select(self) -> None:
        last = self.step == self.end
        if self.selection and (self.step % self.options["select_every"] == 0 or last):
            self._read()
            self.selection.consider(self.step, self._whole(), self.team)
            self.model.train()
            if self.copy is not None:
                self.copy.cpu()  # its place is wanted for the step

    def _selected_early(self) -> bool:
        return self.selection is not None and self.selection.out_of_patience

    def _new_heads(self, encoder: Encoder) -> dict[str, nn.Module]:
        made = {}
        for task in self.tasks:
            torch.manual_seed(stream_seed(self.seed, "head", task.task.name))
            head = heads.build(task.format, len(task.task.labels), encoder)
            if head is not None:
                made[task.task.name] = head
        return made

    def _keep(self, seconds: float) -> None:
        """Keep everything the next steps depend on."""
        self._read()
        tensors = state.snapshot(self.model, self.optimizer, keep=self.team.first)
        tensors["losses"] = torch.from_numpy(self.losses)
        about: dict[str, Any] = {"tokens": self.tokens, "seconds": seconds}
        if self.selection:
            about["selection"] = self.selection.report()
            tensors |= {f"best/{name}": t for name, t in self.selection.best.items()}
        if self.team.first:
            self.resume.save(self.step, tensors, about)

    def _restore(self) -> None:
        with self.accelerator.main_process_first():  # which drops what is damaged
            found = self.resume.load()
        if found is None:
            return
        tensors, about, step = found
        if not state.fits(self.model, tensors):
            self.desk.note("its resume point is of another version and was left aside")
            return
        self.step = step
        self.desk.note(f"resumed at step {self.step:,} of {len(self.schedule):,}")
        self.tokens, self.seconds = about["tokens"], about["seconds"]
        self.losses = tensors["losses"].numpy()
        state.restore(self.model, self.optimizer, tensors)
        if self.selection:
            best = {n[len("best/") :]: t for n, t in tensors.items() if n.startswith("best/")}
            self.selection.restore(about["selection"], best if self.team.first else {})

    def _write(self, out: Path) -> None:
        import pyarrow as pa
        from pyarrow import parquet

        if self.options.get("lora"):
            adapters.merge(self.model.encoder)
        task_heads = dict(self.model.heads.items())
        # Raw text of a task has no head, and may stand beside the task itself.
        with_heads = [t for t in self.tasks if t.format not in ("mlm", "spans")]
        labels = {t.task.name: (t.format, t.task.labels) for t in with_heads}
        checkpoint.save(out, self.model.encoder, self.tokenizer, task_heads, labels)
        steps = np.arange(self.step)
        names = [t.task.name for t in self.tasks]
        curve = pa.table(
            {
                "step": steps,
                "task": [names[i] for i in self.schedule.task[: self.step]],
                "loss": self.losses[: self.step],
                "learning_rate": [self._rate(int(step)) for step in steps],
            }
        )
        parquet.write_table(curve, out / "curve.parquet")
        failpoint("curve.saved")


def _accelerator(device: torch.device, precision: str, desk: Desk) -> Any:
    from accelerate import Accelerator, DistributedDataParallelKwargs
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state(reset_partial_state=True)  # noqa: SLF001 (one a stage)
    # The model is put on its device by us: Accelerate would move it to the first GPU of all.
    options: dict[str, Any] = {"cpu": device.type == "cpu", "device_placement": False}
    options["mixed_precision"] = "bf16" if precision == "bf16" else "no"
    if desk.layout == "ddp":  # a step runs one of the heads
        replicas = DistributedDataParallelKwargs(
            find_unused_parameters=True, gradient_as_bucket_view=True
        )
        options["kwargs_handlers"] = [replicas]
    if (to := desk.tracking) is not None:
        to.folder.mkdir(parents=True, exist_ok=True)
        options |= {"log_with": to.name, "project_dir": to.folder}
    return Accelerator(**options)
