"""What a batch says of itself."""

import numpy as np
import pytest

from charrnn.arrays import Batch

X = np.zeros((4, 3), int)
STARTS = np.array([True, False, True])


@pytest.mark.parametrize(
    ("weights", "answers", "chars"),
    [
        (None, 12, 12),
        (np.ones((4, 3)), 12, 12),
        # One answer a row, at its last step, and a row that is empty: what stands before an answer is read.
        (np.array([[0, 1, 0], [0, 0, 0], [1, 0, 0], [0, 0, 0]]), 2, 4),
        # Answers that count for more or less than one, and padding behind them.
        (np.array([[0.5, 1, 0], [2, 0, 0], [0, 0, 0.25], [0, 0, 0]]), 3.75, 6),
        (np.array([1.0, 0.0, 1.0]), 2, 12),
    ],
)
def test_padding_is_neither_an_answer_nor_a_symbol(weights, answers, chars):
    batch = Batch(X, X if weights is None else np.zeros(weights.shape, int), STARTS, weights)
    assert (batch.answers, batch.chars) == (answers, chars)


@pytest.mark.parametrize("weights", [None, np.arange(12.0).reshape(4, 3), np.array([1.0, 0.0, 2.0])])
def test_the_rows_of_a_batch_add_up_to_it(weights):
    batch = Batch(X, X if weights is None else np.zeros(weights.shape, int), STARTS, weights)
    parts = [batch.rows(slice(0, 2)), batch.rows(slice(2, 3))]
    assert [len(part.starts) for part in parts] == [2, 1]
    assert sum(part.answers for part in parts) == batch.answers
    assert sum(part.chars for part in parts) == batch.chars
