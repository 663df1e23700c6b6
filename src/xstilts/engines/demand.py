"""What a job asks of a machine: processors, devices, memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from xstilts import footprint, sizes

if TYPE_CHECKING:
    from xstilts.engines import Bench, Job
    from xstilts.plan import Plan

LIBRARIES_BYTES = 1.5e9  # of a process that has imported PyTorch and holds encoded data
SCORE_BYTES = 1e9


class Demand(NamedTuple):
    """Resources of one job on one machine.

    Attributes:
        cpus: cores.
        gpus: devices.
        memory_bytes: of the machine, not of its devices.
    """

    cpus: int
    gpus: int
    memory_bytes: int


def demand(plan: Plan, bench: Bench, job: Job) -> Demand:
    """What a job asks for, from the shape of the largest pretrained model of its steps."""
    steps = [plan.steps[one] for one in job.ids]
    first = steps[0]
    cpus = max(bench.threads, 1)
    if first.kind == "score":
        return Demand(1, 0, int(SCORE_BYTES))
    on_device = bench.device != "cpu"
    processes = bench.devices if first.kind == "train" else 1
    models = plan.began_with(steps).values()
    shapes = [shape for model in models if (shape := model.architecture)]
    parameters = max(
        (shape.whole_parameters if first.as_text else shape.encoder_parameters for shape in shapes),
        default=0,
    )
    # Weights once to load them, once to write them; of a stage the best ones so far, too, and with
    # them all that training keeps: in memory on a CPU, in a resume point on the way to the disk.
    trains = first.kind == "train"
    each = footprint.STATE_BYTES + sizes.WEIGHT_BYTES if trains else 2 * sizes.WEIGHT_BYTES
    if on_device:  # several all load it, the first one twice, which alone keeps and writes
        loaded = processes * sizes.WEIGHT_BYTES if processes > 1 else 0
        memory = processes * LIBRARIES_BYTES + (each + loaded) * parameters
    else:
        memory = processes * (LIBRARIES_BYTES + each * parameters)
    return Demand(processes * cpus, processes * int(on_device), int(memory))
