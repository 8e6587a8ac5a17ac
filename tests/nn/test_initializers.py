"""Where the weights begin."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from charrnn.nn import INITIALIZERS, initializers
from charrnn.nn.model import CharLM

V, H, L = 90, 64, 2


@pytest.fixture
def model(cell):
    return CharLM(V, hidden_size=H, num_layers=L, **cell)


def gate_blocks(model, params, layer):
    """The gates' columns of W, each (Z, H)."""
    return np.split(params[f"layers.{layer}.W"], len(model.stack.cell.gates), axis=1)


def assert_normal(sample, std):
    error = 5 * std / np.sqrt(2 * sample.size)  # five standard errors
    assert abs(sample.std() - std) < error
    assert abs(sample.mean()) < 2 * error
    assert np.abs(sample).max() > 2.5 * std  # a normal sample has tails


def assert_uniform(sample, bound):
    assert np.abs(sample).max() <= bound
    assert sample.min() < -0.97 * bound
    assert sample.max() > 0.97 * bound
    assert abs(sample.std() - bound / np.sqrt(3)) < 0.05 * bound


def test_he_divides_by_the_root_of_half_the_fan(model, rng):
    params = model.init_params(rng, init="he")
    for layer, D in enumerate([V, H]):
        for block in gate_blocks(model, params, layer):
            assert_normal(block[:H], np.sqrt(2 / (H + D)))
            assert_normal(block[H:], np.sqrt(2 / (H + D)))
    assert_normal(params["head.W"], np.sqrt(2 / V))


def test_uniform_stays_within_its_scale_and_fills_it(model, rng):
    params = model.init_params(rng, np.float64, init="uniform", init_scale=0.3)
    for layer in range(L):
        for block in gate_blocks(model, params, layer):
            assert_uniform(block, 0.3)
    assert_uniform(params["head.W"], 0.3)


def test_glorot_takes_each_gate_for_a_matrix_of_its_own(model, rng):
    params = model.init_params(rng, np.float64, init="glorot")
    for layer, D in enumerate([V, H]):
        for block in gate_blocks(model, params, layer):
            assert_uniform(block, np.sqrt(6 / (H + D + H)))
    assert_uniform(params["head.W"], np.sqrt(6 / (H + V)))


def test_orthogonal_makes_the_states_rows_of_each_gate_orthogonal(model, rng):
    params = model.init_params(rng, np.float64, init="orthogonal")
    for layer, D in enumerate([V, H]):
        for block in gate_blocks(model, params, layer):
            np.testing.assert_allclose(block[:H] @ block[:H].T, np.eye(H), atol=1e-13)
            assert_uniform(block[H:], np.sqrt(6 / (H + D + H)))


def test_orthogonal_prefers_no_direction(rng):
    """A QR decomposition alone does: its first reflection gives the first element one sign."""
    Q = np.empty((2, 2))
    drawn = []
    for _ in range(1000):
        initializers.orthogonal(rng, Q, 2, 0.0)
        drawn.append(Q.copy())
    np.testing.assert_allclose(np.mean(drawn, axis=0), 0, atol=5 * np.sqrt(0.5 / 1000))


def test_identity_keeps_the_state_and_draws_the_rest_as_glorot_does(model, rng):
    params = model.init_params(rng, np.float64, init="identity")
    for layer, D in enumerate([V, H]):
        for block in gate_blocks(model, params, layer):
            np.testing.assert_array_equal(block[:H], np.eye(H))
            assert_uniform(block[H:], np.sqrt(6 / (H + D + H)))
    assert_uniform(params["head.W"], np.sqrt(6 / (H + V)))


def test_a_relu_that_begins_with_the_identity_keeps_its_state_for_ever(rng):
    """What Le, Jaitly and Hinton 2015 want it for: of what is not disturbed, nothing vanishes and nothing explodes."""
    model = CharLM(V, cell="rnn", hidden_size=H, activation="relu")
    params = model.init_params(rng, np.float64, init="identity")
    params["layers.0.W"][H:] = 0  # what is read is not to disturb
    state = [{"h": rng.uniform(0, 1, (2, H))}]
    _, final = model.forward(params, np.zeros((100, 2), int), state)
    np.testing.assert_array_equal(final[0]["h"], state[0]["h"])


@pytest.mark.parametrize("init", [name for name in INITIALIZERS if name != "identity"])
def test_no_two_gates_or_layers_begin_alike(model, rng, init):
    params = model.init_params(rng, init=init)
    blocks = [block[:H] for layer in range(L) for block in gate_blocks(model, params, layer)]
    for one, other in itertools.combinations(blocks, 2):
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.1


@pytest.mark.parametrize("init", INITIALIZERS)
def test_the_generator_alone_decides(model, init):
    first, again, other = (model.init_params(np.random.default_rng(seed), init=init) for seed in (1, 1, 2))
    assert first.vector.tobytes() == again.vector.tobytes()
    for name in ("layers.0.W", "layers.1.W", "head.W"):
        drawn = slice(H if init == "identity" and name != "head.W" else 0, None)
        assert (first[name][drawn] != other[name][drawn]).mean() > 0.99


def test_a_name_that_is_no_initializer_is_told():
    with pytest.raises(ValueError, match="init 'glorto' is not one of he, uniform, glorot"):
        initializers.build("glorto")


def begins_at_zero(params, apart_from):
    """Whether all vectors do, apart from one block of the layers' biases, which is returned for each layer."""
    for name, array in params.items():
        if array.ndim == 2:
            continue
        rest = array.copy()
        if name.startswith("layers.") and name.endswith(".b") and apart_from is not None:
            block = rest.reshape(-1, H)[apart_from]
            yield block.copy()
            block[...] = 0
        np.testing.assert_array_equal(rest, 0, err_msg=name)


DRAW_BIASES = ("uniform", "torch")
ALL_BUT_THOSE = [name for name in INITIALIZERS if name not in DRAW_BIASES]


FORGETTING = {"lstm_nfg": (None, 0), "lstm_cifg": (0, -1.7), "lstm_nig": (0, 1.7)} | dict.fromkeys(
    ("lstm", "lstm_peephole", "lstm_nog", "lstm_niaf", "lstm_noaf", "lstm_fgr"), (1, 1.7)
)
"""Which block of an LSTM's bias begins at what, where the forget bias is 1.7: coupled gates know i = 1 - f alone."""


@pytest.mark.parametrize("init", ALL_BUT_THOSE)
def test_vectors_begin_at_zero_but_for_the_bias_of_an_lstms_forget_gate(cell, rng, init):
    model = CharLM(V, hidden_size=H, num_layers=L, initial_state="learned", **cell)
    gate, value = FORGETTING.get(model.cell, (None, 0))
    assert (model.cell in FORGETTING) == model.cell.startswith("lstm")
    blocks = list(begins_at_zero(model.init_params(rng, init=init, forget_bias=1.7), gate))
    assert len(blocks) == (0 if gate is None else L)
    for block in blocks:
        np.testing.assert_array_equal(block, np.float32(value))


def test_the_gain_of_a_layer_norm_begins_at_one(rng):
    params = CharLM(V, hidden_size=H, num_layers=L, layer_norm=True, bidirectional=True).init_params(rng)
    gains = [array for name, array in params.items() if name.endswith(".gain")]
    assert len(gains) == 2 * L
    for gain in gains:
        np.testing.assert_array_equal(gain, 1)


def test_the_matrix_between_gates_begins_as_the_recurrent_rows_do(rng):
    """All nine of its blocks (H, H) are recurrent, so that each is orthogonal where these are."""
    model = CharLM(V, cell="lstm_fgr", hidden_size=H, num_layers=L)
    R = model.init_params(rng, np.float64, init="orthogonal")["layers.1.R"]
    for row, column in itertools.product(range(3), repeat=2):
        block = R[row * H : (row + 1) * H, column * H : (column + 1) * H]
        np.testing.assert_allclose(block @ block.T, np.eye(H), atol=1e-13)
    assert_uniform(model.init_params(rng, np.float64, init="uniform", init_scale=0.3)["layers.1.R"], 0.3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_parameters_have_the_dtype_asked_for(model, rng, dtype):
    params = model.init_params(rng, dtype)
    assert params.vector.dtype == dtype
    assert all(array.dtype == dtype for array in params.values())
