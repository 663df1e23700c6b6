"""What latencies say: percentiles with intervals, rates, and whether two checkpoints are as fast.

No model is loaded here; what is measured comes as arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from xstilts.analysis.estimate import ALPHA, LEVEL

if TYPE_CHECKING:
    from numpy.typing import NDArray

MARGIN = 0.02  # equal is: within 2 %, declared before anything is measured

Answer = Literal["equal", "slower", "faster", "not known"]


@dataclass(frozen=True)
class Percentile:
    """One percentile.

    Attributes:
        share: which, as 0.9.
        value: in the unit of the values.
        low, high: the 95 % interval by order statistics; None where there are too few values.
    """

    share: float
    value: float
    low: float | None
    high: float | None


def percentile(values: NDArray[np.float64], share: float) -> Percentile:
    """A percentile and its distribution-free interval, from the binomial (Conover 1999, 3.2)."""
    from scipy import stats

    value = float(np.quantile(values, share, method="inverted_cdf"))
    interval = stats.quantile_test(values, q=value, p=share).confidence_interval(LEVEL)
    low, high = (None if np.isnan(end) else float(end) for end in interval)
    return Percentile(share, value, low, high)


@dataclass(frozen=True)
class Ratio:
    """How much longer one takes than the other, from paired measurements.

    Attributes:
        value: the geometric mean of the ratios; 1.02 is 2 % slower.
        low, high: the 90 % interval, which TOST at 5 % looks at; the ratio is equal within the
            margin where both ends are.
        p: of TOST, the greater of the two one-sided tests' (Schuirmann 1987), for "they differ by
            the margin or more".
        pairs: how many.
    """

    value: float
    low: float
    high: float
    p: float
    pairs: int

    @property
    def width(self) -> float:
        """How far the interval's farther end is from equality, as a share: 0.02 is 2 %."""
        return max(self.high, 1 / self.low) - 1

    @property
    def answer(self) -> Answer:
        """Equal within the margin, or surely outside 1, or not known."""
        if self.p < ALPHA:
            return "equal"
        if self.low > 1:
            return "slower"
        return "faster" if self.high < 1 else "not known"


def ratio(first: NDArray[np.float64], second: NDArray[np.float64]) -> Ratio:
    """How much longer the second takes: TOST on the logarithms of paired times.

    Logarithms make the margin symmetric: as slow as 1 + `MARGIN`, as fast as 1 / (1 + `MARGIN`).

    Args:
        first, second: seconds for the same query, ``[pairs]``; two pairs at least.
    """
    from scipy import stats

    logs = np.log(second) - np.log(first)
    bound = float(np.log1p(MARGIN))
    mean, pairs = float(logs.mean()), len(logs)
    error = float(logs.std(ddof=1)) / pairs**0.5
    if not error:  # an injected clock; a real one never ties everywhere
        exact = float(np.exp(mean))
        return Ratio(exact, exact, exact, float(abs(mean) >= bound), pairs)
    below, above = ((mean + side * bound) / error for side in (1, -1))
    p = max(float(stats.t.sf(below, pairs - 1)), float(stats.t.cdf(above, pairs - 1)))
    half = float(stats.t.ppf(1 - ALPHA, pairs - 1)) * error
    value, low, high = (float(np.exp(one)) for one in (mean, mean - half, mean + half))
    return Ratio(value, low, high, p, pairs)


def verdict(same: Ratio, other: Ratio | None) -> str:
    """The answer in words: nothing is said of two checkpoints by a machine that is too noisy.

    Nor is a difference called one that two copies of the same checkpoint may have as well.

    Args:
        same: of a checkpoint and itself.
        other: of two checkpoints.
    """
    if same.answer != "equal":
        return (
            f"machine too noisy: the same checkpoint twice differs by up to {_percent(same.width)} "
            f"(90 % interval), more than {_percent(MARGIN)}"
        )
    if other is None:
        return f"machine quiet enough: the same checkpoint twice is equal within {_percent(MARGIN)}"
    interval = change(other)
    if other.answer == "equal":
        return f"as fast, within {_percent(MARGIN)}: {interval}"
    nearest = max(other.low, 1 / other.high) - 1
    if other.answer == "not known" or nearest <= same.width:
        return f"not known, at most {_percent(other.width)} apart: {interval}"
    return f"{other.answer}: {interval}"


def change(found: Ratio) -> str:
    """How much longer, with the interval."""
    return f"{_change(found.value)} [{_change(found.low)}, {_change(found.high)}]"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _change(value: float) -> str:
    """1.02 as +2.0 %."""
    return f"{100 * (value - 1):+.1f} %"
