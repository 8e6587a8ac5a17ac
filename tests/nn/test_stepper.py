"""A model one step at a time computes what it computes over a window."""

from __future__ import annotations

import numpy as np
import pytest

from charrnn.nn.model import CharLM
from charrnn.nn.parameters import Parameters
from charrnn.nn.stepper import Stepper


@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("batch_size", [1, 3])
def test_step_by_step_equals_one_forward_pass(causal, batch_size, num_layers, rng):
    model = CharLM(7, hidden_size=5, num_layers=num_layers, **causal)
    params = Parameters.zeros(model.shapes, np.float64)
    params.vector[...] = rng.normal(0, 0.5, params.vector.size)
    ids = rng.integers(7, size=(6, batch_size))
    starts = np.ones(batch_size, bool)
    expected, _ = model.forward(params, ids, model.zero_state(batch_size, np.float64), starts)
    stepper = Stepper(model, params, batch_size)
    for row, logits in zip(ids, expected, strict=True):
        np.testing.assert_allclose(stepper.step(row), logits, rtol=0, atol=1e-12)


def test_a_model_that_reads_both_ways_cannot_be_stepped_through_a_text(rng):
    model = CharLM(5, cell="gru", hidden_size=3, bidirectional=True)
    with pytest.raises(ValueError, match="bidirectional"):
        Stepper(model, model.init_params(rng), 1)
