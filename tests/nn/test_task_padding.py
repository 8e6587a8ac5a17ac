"""The law of padding for the networks of tasks: an item comes to the same, whatever else is in its batch."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from task_networks import NETWORKS, K, V, batch_of, deviations, items_of, network, of_row, random_params, results

from charrnn.nn.decoding import decode
from charrnn.nn.encoder_decoder import EncoderDecoder

TINY = 1e-12
OPTIONS = {
    "gru": {"cell": "gru"},
    "lstm of two layers": {"cell": "lstm", "num_layers": 2},
    "learned": {"cell": "lstm_peephole", "initial_state": "learned"},
    "normalized": {"cell": "rnn", "layer_norm": True, "embedding_size": 2},
    "embedded": {"cell": "lstm", "embedding_size": 4, "initial_state": "learned", "num_layers": 2},
}
UNEQUAL = [(3, 4), (1, 6), (5, 1), (2, 0)]
DECODERS = sorted(name for name, (kind, _) in NETWORKS.items() if kind is EncoderDecoder)

lengths_of_items = st.lists(st.tuples(st.integers(1, 6), st.integers(0, 6)), min_size=1, max_size=5)
seeds = st.integers(0, 2**32 - 1)


@given(
    name=st.sampled_from(sorted(NETWORKS)),
    options=st.sampled_from(sorted(OPTIONS)),
    lengths=lengths_of_items,
    padding=st.integers(0, 4),
    empty=st.integers(0, 3),
    seed=seeds,
)
@example("transduce-dot-both", "embedded", UNEQUAL, 0, 0, 0)
def test_a_batch_is_the_sum_of_its_items_however_they_are_padded(name, options, lengths, padding, empty, seed):
    model = network(name, **OPTIONS[options])
    assert max(deviations(model, lengths, padding, empty, seed).values()) < TINY


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("name", NETWORKS)
def test_so_is_one_of_every_network(name, options):
    assert max(deviations(network(name, **options), UNEQUAL).values()) < TINY


@pytest.mark.parametrize("name", [name for name in NETWORKS if name.startswith("classify")])
def test_a_text_without_a_character_is_an_item_like_others(name):
    assert max(deviations(network(name, initial_state="learned"), [(0, 0), (3, 0), (0, 0)]).values()) < TINY


@given(name=st.sampled_from(sorted(NETWORKS)), lengths=lengths_of_items, seed=seeds)
def test_the_order_of_the_items_does_not_matter(name, lengths, seed):
    rng = np.random.default_rng(seed)
    model = network(name, num_layers=2)
    params, items = random_params(model, rng), items_of(model, lengths, rng)
    order = rng.permutation(len(items))
    loss, grads, logits = results(model, params, batch_of(model, items, rng))
    loss_moved, grads_moved, moved = results(model, params, batch_of(model, [items[i] for i in order], rng))
    assert loss_moved == pytest.approx(loss, abs=TINY)
    np.testing.assert_allclose(grads_moved, grads, rtol=0, atol=TINY)
    for b, i in enumerate(order):
        n = len(items[i].x)
        np.testing.assert_allclose(of_row(model, moved, b, n), of_row(model, logits, i, n), rtol=0, atol=TINY)


@pytest.mark.parametrize("name", NETWORKS)
def test_lengths_of_full_rows_are_no_lengths_bit_for_bit(name, rng):
    model = network(name, cell="lstm", num_layers=2)
    params = random_params(model, rng)
    batch = batch_of(model, items_of(model, [(4, 3)] * 3, rng), rng)
    found = [results(model, params, one) for one in (batch, batch._replace(lengths=None, source_lengths=None))]
    assert found[0][0] == found[1][0]
    assert found[0][1].tobytes() == found[1][1].tobytes()
    assert found[0][2].tobytes() == found[1][2].tobytes()


@pytest.mark.parametrize("name", NETWORKS)
def test_the_parts_of_a_batch_add_up_to_it(name, rng):
    model = network(name)
    params = random_params(model, rng)
    batch = batch_of(model, items_of(model, UNEQUAL, rng), rng, padding=1, empty=1)
    loss, grads, _ = results(model, params, batch)
    parts = [results(model, params, batch.rows(rows)) for rows in (slice(0, 1), slice(1, 3), slice(3, 5))]
    assert sum(part[0] for part in parts) == pytest.approx(loss, abs=TINY)
    np.testing.assert_allclose(sum(part[1] for part in parts), grads, rtol=0, atol=TINY)


@given(
    name=st.sampled_from(DECODERS),
    sources=st.lists(st.integers(0, 6), min_size=1, max_size=4),
    beam=st.integers(1, 4),
    padding=st.integers(0, 3),
    empty=st.integers(0, 2),
    seed=seeds,
)
def test_what_is_decoded_for_a_source_does_not_depend_on_its_batch(name, sources, beam, padding, empty, seed):
    rng = np.random.default_rng(seed)
    model = network(name, cell="lstm")
    params = random_params(model, rng)
    items = items_of(model, [(1, n) for n in sources], rng)
    longest = rng.integers(0, 6, len(items) + empty)
    together = decode(model, params, batch_of(model, items, rng, padding, empty), longest, beam)
    for b, item in enumerate(items):
        alone = decode(model, params, batch_of(model, [item], rng), longest[b : b + 1], beam)
        probable = np.isfinite(alone.log_probabilities[0])
        for got, expected in zip(together[1:4], alone[1:4], strict=True):
            np.testing.assert_allclose(got[b][probable], expected[0][probable], rtol=0, atol=TINY)
        for n in np.flatnonzero(probable):
            steps = alone.lengths[0, n]
            assert together.symbols[b, n, :steps].tolist() == alone.symbols[0, n, :steps].tolist()
        if model.looks:
            seen, steps = alone.looks[0], alone.lengths[0, 0] + 1
            np.testing.assert_allclose(together.looks[b, :steps, : seen.shape[1]], seen[:steps], rtol=0, atol=TINY)
            assert not together.looks[b, :steps, max(1, len(item.source)) :].any()


def test_the_networks_are_hard():
    assert V != K
    assert {name.split("-")[0] for name in NETWORKS} == {"classify", "tag", "generate", "transduce"}
