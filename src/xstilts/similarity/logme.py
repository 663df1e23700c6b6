"""LogME: how well labels follow from states by a linear model, all such models weighed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SOURCE = "You et al. 2021 (2102.11005), LogME, algorithm 1"
_ROUNDS = 100
_CLOSE = 1e-6  # relative change of alpha / beta that ends the iteration


def logme(states: NDArray, labels: NDArray[np.int64]) -> float:
    """The logarithm of the maximum evidence a row, the mean over one-hot labels.

    You et al. 2021: y = F w + noise with w ~ N(0, 1/alpha) and noise ~ N(0, 1/beta); the evidence
    p(y | F, alpha, beta) is maximised over both by MacKay's fixed point, in the basis of F's
    singular vectors.

    Args:
        states: F, ``[n, D]``.
        labels: classes ``[n]``; classes that no row or every row has are left out.

    Raises:
        ValueError: if all rows have one class: there is nothing to tell apart.
    """
    present = [label for label in np.unique(labels) if 0 < (labels == label).sum() < len(labels)]
    if not present:
        raise ValueError("LogME needs rows of at least two classes")
    left, singular, _ = np.linalg.svd(states.astype(np.float64), full_matrices=False)
    return float(np.mean([_evidence(left, singular**2, labels == one) for one in present]))


def _evidence(left: NDArray, squared: NDArray, labels: NDArray) -> float:
    """For one column of 0 and 1, the log evidence over the number of rows.

    Args:
        left: left singular vectors ``[n, r]``.
        squared: squared singular values ``[r]``.
        labels: ``[n]``.
    """
    y = labels.astype(np.float64)
    rows, width = left.shape[0], len(squared)
    along = (left.T @ y) ** 2  # of y's length, by direction
    outside = max(float(y @ y - along.sum()), 0.0)
    alpha = beta = 1.0
    for _ in range(_ROUNDS):
        before = alpha / beta
        effective = float((beta * squared / (alpha + beta * squared)).sum())
        weights = float((beta**2 * squared * along / (alpha + beta * squared) ** 2).sum())
        residual = float((along * (alpha / (alpha + beta * squared)) ** 2).sum()) + outside
        alpha = effective / max(weights, 1e-12)
        beta = max(rows - effective, 1e-12) / max(residual, 1e-12)
        if abs(alpha / beta - before) <= _CLOSE * before:
            break
    weights = float((beta**2 * squared * along / (alpha + beta * squared) ** 2).sum())
    residual = float((along * (alpha / (alpha + beta * squared)) ** 2).sum()) + outside
    evidence = (
        rows * np.log(beta)
        + width * np.log(alpha)
        - rows * np.log(2 * np.pi)
        - beta * residual
        - alpha * weights
        - np.log(alpha + beta * squared).sum()
    )
    return float(evidence) / 2 / rows


def gain(one: tuple[NDArray, NDArray], two: tuple[NDArray, NDArray]) -> float | None:
    """LogME under one encoder minus that under another; states and labels of the same rows.

    None where all rows have one label, as the first ones of a file sorted by label do.
    """
    if len(np.unique(one[1])) < 2:
        return None
    return logme(*one) - logme(*two)
