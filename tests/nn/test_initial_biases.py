"""Where biases and embeddings begin, with the initializers that draw them."""

from __future__ import annotations

import numpy as np
import pytest

from charrnn.nn import INITIALIZERS, initializers
from charrnn.nn.classifier import Classifier
from charrnn.nn.encoder_decoder import EncoderDecoder
from charrnn.nn.model import CharLM
from charrnn.nn.parameters import Parameters

V, H, L = 90, 400, 2
R = 0.3
"""The range of `uniform`."""
K = 1 / np.sqrt(H)
"""That of PyTorch's layers of H units."""
OPENED = {"lstm_nfg": {}, "lstm_cifg": {"i": -1}} | {
    f"lstm{kind}": {"f": 1} for kind in ("", "_peephole", "_nig", "_nog", "_niaf", "_noaf", "_fgr")
}
"""To the bias of which gate of an LSTM the forget bias is added, and with which sign."""


def drawn(model, rng, init, forget_bias=0.0) -> Parameters:
    return model.init_params(rng, np.float64, init=init, init_scale=R, forget_bias=forget_bias)


def assert_one_draw(sample, bound):
    """Uniform in [-bound, bound], by its range and its first two moments."""
    assert np.abs(sample).max() <= bound
    assert sample.min() < -0.9 * bound
    assert sample.max() > 0.9 * bound
    error = 5 * bound / np.sqrt(3 * sample.size)
    assert abs(sample.mean()) < error
    assert abs(sample.std() - bound / np.sqrt(3)) < error / np.sqrt(2)


def assert_two_draws(sample, bound):
    """The sum of two such: it reaches twice as far, and seldom does."""
    assert np.abs(sample).max() <= 2 * bound
    assert np.abs(sample).max() > 1.5 * bound
    error = 5 * bound * np.sqrt(2 / 3 / sample.size)
    assert abs(sample.mean()) < error
    assert abs(sample.std() - bound * np.sqrt(2 / 3)) < error / np.sqrt(2)


def blocks_of(model, params):
    """Of each layer and gate: its name, and its block of the bias."""
    for prefix in model.stack.prefixes:
        yield from zip(model.stack.cell.gates, params[f"{prefix}b"].reshape(-1, H), strict=True)


def test_uniform_draws_each_bias_from_its_range(cell, rng):
    model = CharLM(V, hidden_size=H, num_layers=L, **cell)
    params = drawn(model, rng, "uniform")
    for _, block in blocks_of(model, params):
        assert_one_draw(block, R)
    for vector in state_biases(model, params):
        assert_one_draw(vector, R)
    assert_one_draw(params["head.b"], R)


def test_a_layer_of_torch_has_the_sum_of_two_biases(cell, rng):
    model = CharLM(V, hidden_size=H, num_layers=L, **cell)
    params = drawn(model, rng, "torch")
    for gate, block in blocks_of(model, params):
        if model.cell == "gru" and gate == "n":
            assert_one_draw(block, K)  # its other one is b_hn
        else:
            assert_two_draws(block, K)
    found = list(state_biases(model, params))
    assert len(found) == (L if model.cell == "gru" else 0)
    for vector in found:
        assert_one_draw(vector, K)


def state_biases(model, params):
    return [params[prefix + name] for prefix in model.stack.prefixes for name in model.stack.cell.state_biases]


def test_torch_draws_a_layer_by_its_units_and_the_output_layer_by_its_rows(cell, rng):
    model = CharLM(V, hidden_size=64, num_layers=L, bidirectional=True, **cell)
    params = drawn(model, rng, "torch")
    for prefix in model.stack.prefixes:
        assert_one_draw(params[f"{prefix}W"][:64], 1 / 8)
        assert_one_draw(params[f"{prefix}W"][64:], 1 / 8)
        for name in model.stack.cell.matrices:
            assert_one_draw(params[prefix + name], 1 / 8)
    assert_one_draw(params["head.W"], 1 / np.sqrt(2 * 64))
    assert np.abs(params["head.b"]).max() <= 1 / np.sqrt(2 * 64)


def test_torch_begins_the_output_layer_as_its_linear_layers(rng):
    params = drawn(Classifier(V, 300, hidden_size=H), rng, "torch")
    assert_one_draw(params["head.W"], K)
    assert_one_draw(params["head.b"], K)


@pytest.mark.parametrize("init", ["uniform", "torch"])
def test_the_forget_bias_is_added_to_what_is_drawn(cell, init):
    model = CharLM(V, hidden_size=H, num_layers=L, **cell)
    at_zero, at_seven = (drawn(model, np.random.default_rng(3), init, forget_bias=value) for value in (0, 7))
    opened = OPENED.get(model.cell, {})
    assert (model.cell in OPENED) == model.cell.startswith("lstm")
    for (gate, before), (_, after) in zip(blocks_of(model, at_zero), blocks_of(model, at_seven), strict=True):
        np.testing.assert_allclose(after - before, 7 * opened.get(gate, 0), atol=1e-12)


@pytest.mark.parametrize(("init", "bound_of"), [("uniform", lambda rows: R), ("torch", lambda rows: 1 / np.sqrt(rows))])
def test_what_stands_above_the_layers_draws_its_biases_too(rng, init, bound_of):
    model = EncoderDecoder(V, V, hidden_size=H, bidirectional=True, attention="additive")
    params = drawn(model, rng, init)
    for name, rows in (("context", 2 * H), ("attention.output", 3 * H)):
        assert params[f"{name}.W"].shape == (rows, H)
        assert_one_draw(params[f"{name}.W"], bound_of(rows))
        assert_one_draw(params[f"{name}.b"], bound_of(rows))
    np.testing.assert_array_equal(params["attention.v"], 0)


@pytest.mark.parametrize("init", ["uniform", "torch"])
def test_peepholes_and_learned_states_begin_at_zero_even_so(rng, init):
    model = CharLM(V, cell="lstm_peephole", hidden_size=H, num_layers=L, initial_state="learned")
    params = drawn(model, rng, init)
    found = [name for name in params if name.split(".")[-1] in ("p_i", "p_f", "p_o", "h0", "c0")]
    assert len(found) == 5 * L
    for name in found:
        np.testing.assert_array_equal(params[name], 0, err_msg=name)


@pytest.mark.parametrize("init", INITIALIZERS)
def test_embeddings_begin_with_a_length_of_one_or_as_the_initializer_has_them(rng, init):
    E = 25
    vectors = drawn(CharLM(V, hidden_size=H, embedding_size=E), rng, init)["embedding"]
    if init == "uniform":
        return assert_one_draw(vectors, R)
    std = 1 if init == "torch" else 1 / np.sqrt(E)
    assert abs(vectors.std() - std) < 5 * std / np.sqrt(2 * vectors.size)
    assert np.abs(vectors).max() > 2.5 * std  # a normal sample has tails
    return None


def test_no_two_biases_begin_alike(rng):
    params = drawn(CharLM(H, cell="gru", hidden_size=H, num_layers=L), rng, "torch")
    vectors = [v for name, b in params.items() if b.ndim == 1 for v in b.reshape(-1, H)]
    assert len(vectors) == 4 * L + 1
    correlations = np.corrcoef(vectors) - np.eye(len(vectors))
    assert np.abs(correlations).max() < 5 / np.sqrt(H)


def test_an_initializer_that_has_nothing_to_say_of_biases_leaves_them_at_zero(rng):
    b = np.ones(3)
    initializers.build_bias("glorot")(rng, b, 3, R)
    np.testing.assert_array_equal(b, 0)
