"""Seconds as people say them."""

from __future__ import annotations


def said(seconds: float) -> str:
    """Such as ``12 s``, ``3 min 05 s``, ``4 h 39 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
