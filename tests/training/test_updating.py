"""An update of the flat vector, whole or in parts: what decays, and that no part's end is seen."""

from __future__ import annotations

import numpy as np
import pytest

from charrnn.nn.model import CharLM
from charrnn.nn.parameters import Parameters
from charrnn.optim.options import OptimConfig
from charrnn.training.updating import Updater, UpdateStep

MODEL = CharLM(7, cell="lstm_peephole", hidden_size=5, initial_state="learned")


@pytest.mark.parametrize("parts", [1, 2, 7, 40])
def test_matrices_decay_and_vectors_do_not_however_they_are_cut(parts, rng):
    optim = OptimConfig(name="sgd", weight_decay=0.1)
    params = Parameters.zeros(MODEL.shapes, np.float64)
    params.vector[...] = rng.normal(size=params.vector.size)
    before, N = {name: array.copy() for name, array in params.items()}, params.vector.size
    for k in range(parts):
        part = slice(N * k // parts, N * (k + 1) // parts)
        Updater(optim, params, np.zeros(N), [], None, part).update(UpdateStep(0.5, 0.0, 0, 1))
    for name, array in params.items():
        np.testing.assert_allclose(array, before[name] * (0.95 if array.ndim == 2 else 1), rtol=1e-12, err_msg=name)
    assert {array.ndim for array in params.values()} == {1, 2}
