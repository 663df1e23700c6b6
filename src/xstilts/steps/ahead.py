"""The next step's batch, made in a thread while a GPU computes this step's."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

T = TypeVar("T")


class Ahead(Generic[T]):
    """Makes what each step needs, one step ahead of its being asked for.

    Args:
        make: what a step needs: a function of the step alone, which draws from no global stream.
        end: the step after the last.
    """

    def __init__(self, make: Callable[[int], T], end: int) -> None:
        self._make, self._end = make, end
        self._thread = ThreadPoolExecutor(1, "xstilts next step")
        self._coming: tuple[int, Future[T]] | None = None

    def __call__(self, step: int) -> T:
        """What a step needs; steps asked for in another order are made on the spot."""
        coming, self._coming = self._coming, None
        ready = coming[1] if coming and coming[0] == step else None
        found = ready.result() if ready else self._make(step)
        if step + 1 < self._end:
            self._coming = (step + 1, self._thread.submit(self._make, step + 1))
        return found
