"""xstilts: English intermediate-task training for zero-shot cross-lingual transfer.

>>> import xstilts                                                      # doctest: +SKIP
>>> xstilts.run("mnli > xnli", model="xlm-roberta-base").scores()       # doctest: +SKIP
"""

from typing import Any

from xstilts._version import __version__

__all__ = ["__version__", "run"]


def __getattr__(name: str) -> Any:
    """Load ``run`` when it is first asked for (PEP 562): importing xstilts stays light."""
    if name == "run":
        from xstilts.session import run

        return run
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
