"""A process that measures nothing: what queries took is made up, so that answers can be checked."""

from __future__ import annotations

from xstilts.steps import isolated
from xstilts.steps.loadgen import Answered, Query

ROUNDS = 60


def isolated_process(job, out, _progress):
    """As `measure._isolated`; B takes 0.8 of A's time where it has fewer layers, else as long."""
    (first, *others) = job["sides"].items()
    if job["memory"]:
        name, side = first
        return {"peak_bytes": 300 if "drop" not in side["serve"] else 200, "before_bytes": 100}
    if job["scenario"]["name"] == "server":
        return {"queries_per_s": dict.fromkeys(job["sides"], 10.0)}
    codes, found = list(job["rows"]), []
    for number in range(ROUNDS):
        for name, side in [first, *others]:
            jitter = 1 + 0.001 * ((number * 7 + len(name)) % 5)
            seconds = jitter * (0.8 if "drop" in side["serve"] else 1.0)
            answered = Answered(0.1 * seconds, 0.8 * seconds, 0.1 * seconds, 10, 40)
            found.append(Query(number, name, codes[number % len(codes)], 1, answered))
    isolated.write(found, out)
    return {}
