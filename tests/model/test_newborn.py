"""New encoders: what is taken over, and what a masked LM guesses before its first step."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from xstilts.model.newborn import new_encoder, new_encoder_decoder
from xstilts.model.packing import Batch
from xstilts.pretraining import Pretraining

CONFIG = Pretraining(
    name="toy", model={"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
)


def test_rows_that_are_given_are_taken_at_the_length_of_random_ones():
    given = np.zeros((10, 16), np.float32)
    given[7, 3] = 5.0
    table = new_encoder(CONFIG, 10, given, np.ones(10, np.int64)).backbone.get_input_embeddings()
    row = torch.zeros(16)
    row[3] = 0.02 * 4  # the standard deviation of the initialisation times the root of 16
    torch.testing.assert_close(table.weight[7].detach(), row)
    assert (table.weight[8] != 0).any()  # not given: random


def test_the_first_guess_is_the_tokens_frequencies():
    counts = np.array([0, 0, 0, 0, 0, 99, 49, 9, 4, 0])
    encoder = new_encoder(CONFIG, 10, None, counts)
    logits = encoder.network.get_output_embeddings().bias
    torch.testing.assert_close(logits.softmax(0).detach(), torch.tensor((counts + 1) / 171).float())


@pytest.mark.parametrize(("architecture", "scale"), [("t5", 0.25), ("mt5", 1.0), ("umt5", 0.25)])
def test_a_new_t5_has_logits_of_about_one_whatever_it_scales(architecture, scale):
    """16 wide: embeddings of T5 have length 4, and its decoder's states are divided by 4."""
    torch.manual_seed(1)
    config = CONFIG.model_copy(
        update={"model": CONFIG.model.model_copy(update={"model_type": architecture})}
    )
    given = np.zeros((10, 16), np.float32)
    given[7, 3] = 5.0
    made = new_encoder_decoder(config, 50, given).eval()
    assert made.scale == scale
    table = made.network.get_input_embeddings().weight.detach()
    length = 1.0 if scale == 1.0 else 4.0
    assert float(table.norm(dim=1).mean()) == pytest.approx(length, rel=0.1)
    assert (
        float(table[7, 3])
        == pytest.approx(float(table[7].norm()))
        == pytest.approx(length, rel=0.1)
    )
    ids = torch.arange(9, 49)
    batch = Batch(ids, torch.zeros_like(ids), (20, 20))
    assert float(made(batch, batch).detach().std()) == pytest.approx(1.0, abs=0.25)
