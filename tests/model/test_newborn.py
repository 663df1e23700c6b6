"""New encoders: what is taken over, and what a masked LM guesses before its first step."""

from __future__ import annotations

import numpy as np
import torch

from xstilts.model.newborn import new_encoder
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
