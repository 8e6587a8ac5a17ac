"""The networks of tasks against a reference that knows their equations, and of padding and batches nothing."""

from __future__ import annotations

import numpy as np
import pytest
import task_reference
from task_networks import NETWORKS, batch_of, items_of, network, of_row, random_params

from charrnn.nn.decoding import decode
from charrnn.nn.encoder_decoder import EncoderDecoder
from charrnn.nn.parameters import Parameters

OPTIONS = {
    "gru": {"cell": "gru"},
    "lstm of two layers": {"cell": "lstm", "num_layers": 2, "initial_state": "learned"},
    "peepholes embedded": {"cell": "lstm_peephole", "embedding_size": 4},
    "rnn normalized": {"cell": "rnn", "layer_norm": True, "num_layers": 2, "embedding_size": 2},
}
LENGTHS = [(3, 4), (1, 6), (5, 0), (2, 1)]
STEP = float(np.cbrt(np.finfo(np.float64).eps))

every_network = pytest.mark.parametrize("name", NETWORKS)
every_option = pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)


def drawn(name, options, lengths=tuple(LENGTHS)):
    rng = np.random.default_rng(0)
    model = network(name, **options)
    items = items_of(model, list(lengths), rng)
    return model, random_params(model, rng), items, batch_of(model, items, rng, padding=2, empty=1)


@every_option
@every_network
def test_a_network_computes_what_its_equations_say(name, options):
    model, params, items, batch = drawn(name, options)
    grads = Parameters.zeros(model.shapes, np.float64)
    loss, _ = model.loss_and_grads(params, batch, [], grads)
    assert loss == pytest.approx(task_reference.loss(model, params, items), rel=1e-12)
    assert model.loss(params, batch, [])[0] == pytest.approx(loss, rel=1e-12)
    logits = model.predict(params, batch)
    for b, item in enumerate(items):
        expected = np.stack(task_reference.logits(model, params, item))
        got = of_row(model, logits, b, len(item.x)).reshape(expected.shape)
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-12)


@every_option
@every_network
def test_its_gradients_are_those_of_the_equations(name, options):
    """At the largest coordinate of each parameter, and at two others."""
    model, params, items, batch = drawn(name, options, LENGTHS[:2])
    params.vector *= 2  # so that no gradient is too small to judge
    grads = Parameters.zeros(model.shapes, np.float64)
    model.loss_and_grads(params, batch, [], grads)
    rng = np.random.default_rng(1)
    for key, grad in grads.items():
        assert np.abs(grad).max() > 1e-5, key
        for k in {int(np.abs(grad).argmax()), *rng.integers(grad.size, size=2).tolist()}:
            array, where = params[key], np.unravel_index(k, grad.shape)
            here, found = array[where], []
            for x in (here + STEP, here - STEP):
                array[where] = x
                found.append(task_reference.loss(model, params, items))
            array[where] = here
            derivative = (found[0] - found[1]) / (2 * STEP)
            assert grad[where] == pytest.approx(derivative, rel=1e-6, abs=1e-8), (key, where)


@pytest.mark.parametrize("name", [name for name in NETWORKS if name.startswith("classify")])
def test_a_text_without_a_character_is_classified_by_the_initial_state(name):
    model, params, (item,), batch = drawn(name, {"cell": "lstm", "initial_state": "learned"}, [(0, 0)])
    np.testing.assert_allclose(
        model.predict(params, batch)[0], task_reference.logits(model, params, item)[0], rtol=1e-12
    )


@every_option
@pytest.mark.parametrize("name", [name for name, (kind, _) in NETWORKS.items() if kind is EncoderDecoder])
def test_greedy_answers_are_those_of_the_equations(name, options):
    model, params, items, batch = drawn(name, options)
    params.vector *= 2
    answers = decode(model, params, batch, np.full(batch.num_rows, 5))
    for b, item in enumerate(items):
        symbols, log_probability = task_reference.greedy(model, params, item.source, 5)
        assert answers.symbols[b, 0, : answers.lengths[b, 0]].tolist() == symbols
        assert answers.log_probabilities[b, 0] == pytest.approx(log_probability, rel=1e-12)
