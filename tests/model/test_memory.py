"""Memory handed back to the system: the values stay, wherever they lie."""

from __future__ import annotations

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from xstilts.model.memory import page_out


@pytest.mark.parametrize("rows", [1, 5000])  # less than a page of its own, and many
def test_values_stay(tmp_path, rows):
    made = torch.arange(rows * 3, dtype=torch.float32).view(rows, 3)
    save_file({"some": torch.ones(7), "table": made}, tmp_path / "weights")
    with safe_open(tmp_path / "weights", "pt") as file:
        mapped = file.get_tensor("table")
    expected = made.clone()
    for tensor in (made, mapped):
        page_out(tensor)
        assert torch.equal(tensor, expected)
    mapped += 1  # its own pages now, no longer the file's
    page_out(mapped)
    assert torch.equal(mapped, expected + 1)
