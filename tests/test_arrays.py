"""What a batch says of itself."""

import numpy as np
import pytest

from charrnn.arrays import Batch

X = np.zeros((4, 3), int)
STARTS = np.array([True, False, True])


LENGTHS = np.array([3, 0, 1])


@pytest.mark.parametrize(
    ("weights", "answers"),
    [
        (None, 12),
        (np.ones((4, 3)), 12),
        # One answer a row, at its last step, and a row that is empty.
        (np.array([[0, 1, 0], [0, 0, 0], [1, 0, 0], [0, 0, 0]]), 2),
        # Answers that count for more or less than one, and padding behind them.
        (np.array([[0.5, 1, 0], [2, 0, 0], [0, 0, 0.25], [0, 0, 0]]), 3.75),
        (np.array([1.0, 0.0, 1.0]), 2),
    ],
)
def test_padding_is_no_answer(weights, answers):
    assert Batch(X, X if weights is None else np.zeros(weights.shape, int), STARTS, weights).answers == answers


@pytest.mark.parametrize(
    ("more", "chars"),
    [
        ({}, 12),
        ({"lengths": LENGTHS}, 4),
        ({"source": X[:2]}, 18),
        ({"lengths": LENGTHS, "source": X[:2], "source_lengths": np.array([1, 2, 2])}, 9),
    ],
)
def test_padding_is_no_symbol(more, chars):
    assert Batch(X, X, STARTS, **more).chars == chars


WHOLE = {"lengths": LENGTHS, "labels": LENGTHS, "source": X[:2], "source_lengths": LENGTHS}


@pytest.mark.parametrize("weights", [None, np.arange(12.0).reshape(4, 3), np.array([1.0, 0.0, 2.0])])
@pytest.mark.parametrize("more", [{}, WHOLE])
def test_the_rows_of_a_batch_add_up_to_it(weights, more):
    batch = Batch(X, X if weights is None else np.zeros(weights.shape, int), STARTS, weights, **more)
    parts = [batch.rows(slice(0, 2)), batch.rows(slice(2, 3))]
    assert [part.num_rows for part in parts] == [2, 1]
    assert {len(array[..., 0]) for part in parts for array in part if array is not None and array.ndim > 1} <= {2, 4}
    assert sum(part.answers for part in parts) == batch.answers
    assert sum(part.chars for part in parts) == batch.chars
