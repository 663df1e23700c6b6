"""Attacks: a few edits, found for one model, after which it answers wrongly.

Four small pieces, each by itself: the *goal* (`goal`: the right answer is no longer the best), the
*constraint* (`constraint`: how many edits and queries, where two edits clash), the *transformation*
(`transformation`: the slips of a finger that the perturbations know) and the *search* (`search`:
greedy, beam; guided by gradients or not). `victim` asks the model, many texts at a time; `step`
makes a predict step of it.

After Morris et al. 2020 (TextAttack), which has the four; Ebrahimi et al. 2018 (HotFlip) is the
source of the first-order estimate.
"""

from typing import Literal

# Raised by hand whenever an attack finds something else for the same inputs.
VERSION = 2
SEED = 1
Name = Literal["greedy", "beam", "gradient"]
FORMATS = ("classification", "multiple_choice")  # those with one right answer among a few
EDITS, QUERIES = 4, 60  # of an example
