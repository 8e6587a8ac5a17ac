"""Named arrays that are views of one vector."""

from __future__ import annotations

import numpy as np
import pytest
import reference

from charrnn.nn.model import CharLM
from charrnn.nn.parameters import Parameters

SHAPES = {"W": (3, 4), "b": (4,), "scale": (), "V": (2, 2, 2)}


def test_the_arrays_follow_each_other_in_the_vector():
    params = Parameters(SHAPES, np.arange(25.0))
    assert list(params) == list(SHAPES)
    assert {name: array.shape for name, array in params.items()} == SHAPES
    np.testing.assert_array_equal(np.concatenate([array.ravel() for array in params.values()]), np.arange(25.0))


def test_a_change_of_the_vector_is_a_change_of_the_arrays_and_back(rng):
    params = Parameters.zeros(SHAPES, np.float64)
    params.vector[...] = rng.normal(size=25)
    np.testing.assert_array_equal(params["b"], params.vector[12:16])
    params["V"][1, 0, 1] = 7.5
    assert params.vector[17 + 5] == 7.5
    assert all(np.shares_memory(array, params.vector) for array in params.values())


@pytest.mark.parametrize("size", [24, 26])
def test_a_vector_that_does_not_fit_is_refused(size):
    with pytest.raises(ValueError, match=r"25|reshape"):
        Parameters(SHAPES, np.zeros(size))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
def test_zeros_have_the_dtype_asked_for(dtype):
    params = Parameters.zeros(SHAPES, dtype)
    assert params.vector.dtype == dtype
    assert not params.vector.any()


def test_a_models_parameters_are_named_by_layer_and_shaped_by_gate(architecture):
    H, model = 4, CharLM(7, hidden_size=4, num_layers=2, **architecture)
    kind, G = model.stack.cell, len(reference.GATES[model.cell])
    own = {name: tuple(n * H for n in blocks) for name, blocks in reference.EXTRA_PARAMS.get(model.cell, {}).items()}
    if model.layer_norm:
        own["gain"] = (G * H,)
    if model.initial_state == "learned":
        own |= {f"{name}0": (H,) for name in kind.state}
    directions = ("", "reverse.") if model.bidirectional else ("",)
    width, expected = H * len(directions), {}
    for layer, D in enumerate([7, width]):
        for direction in directions:
            named = {"W": (H + D, G * H), "b": (G * H,)} | own
            expected |= {f"layers.{layer}.{direction}{name}": shape for name, shape in named.items()}
    assert model.shapes == expected | {"head.W": (width, 7), "head.b": (7,)}
    assert list(model.shapes)[-2:] == ["head.W", "head.b"]
