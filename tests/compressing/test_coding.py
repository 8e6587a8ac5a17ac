"""Symbols coded by a model, in rows: both sides agree, and a model that computes otherwise is noticed."""

from __future__ import annotations

import numpy as np
import pytest

from charrnn.compressing import coding
from charrnn.compressing.coding import Arrangement, Misread, Receiver, Sender
from charrnn.compressing.predictor import PATIENCE, TOTAL, Predictor, Unchanged
from charrnn.judging.dynamic import Adaptation, Adapting
from charrnn.nn.model import CharLM
from charrnn.nn.parameters import Parameters

V = 7


@pytest.fixture(params=["lstm", "gru"])
def model(request):
    """A small network, with weights that are large enough to expect something."""
    model = CharLM(V, cell=request.param, hidden_size=5, num_layers=2)
    params = model.init_params(np.random.default_rng(1))
    params.vector *= 3
    return model, params


def learner(model, params, learns):
    return Adaptation(model, params, Adapting(segment=6, rate=0.05)) if learns else Unchanged(params)


def sent(arrangement, ids, model, learns=False):
    sender = Sender(arrangement, Predictor(model[0], learner(*model, learns), arrangement.rows, [0]))
    sender.run(arrangement.table(ids), lambda done: None)
    return sender.coder.finish()


def received(arrangement, data, model, learns=False):
    table = np.zeros((arrangement.steps, arrangement.rows), np.int64)
    receiver = Receiver(arrangement, Predictor(model[0], learner(*model, learns), arrangement.rows, [0]), data)
    told = []
    receiver.run(table, told.append)
    assert told[-1] == arrangement.symbols
    return arrangement.ids(table)


@pytest.mark.parametrize("learns", [False, True])
@pytest.mark.parametrize("escapes", [False, True])
@pytest.mark.parametrize(("count", "rows"), [(1, 1), (50, 1), (50, 3), (61, 5), (7, 7)])
def test_symbols_come_back(model, count, rows, escapes, learns):
    rng = np.random.default_rng(count)
    ids = rng.integers(0, V, count)
    if escapes:
        strange = rng.random(count) < 0.4
        ids[strange] = V + rng.integers(0, 256, strange.sum())
    arrangement = Arrangement(count, rows, V, escapes)
    data = sent(arrangement, ids, model, learns)
    assert np.array_equal(received(arrangement, data, model, learns), ids)


def test_a_row_of_the_table_is_a_piece_of_the_file():
    arrangement = Arrangement(8, 3, V, False)
    table = arrangement.table(np.arange(8))
    assert table.T.tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 0]]
    assert arrangement.ids(table).tolist() == list(range(8))


def test_what_a_model_expects_is_shared_out_in_whole_numbers(model):
    predictor = Predictor(model[0], Unchanged(model[1]), 3, [0])
    counts = predictor.counts()
    assert counts.min() >= 1
    assert (counts.sum(axis=1) == TOTAL).all()
    costs = [predictor.nats(np.full(3, symbol))[0] for symbol in range(V)]
    assert np.allclose(counts[0] / TOTAL, np.exp(-np.array(costs)), atol=1e-7)


@pytest.mark.parametrize("weight", [np.nan, np.inf, 1e38])
@pytest.mark.filterwarnings("error")
def test_weights_that_have_exploded_code_nevertheless(model, weight):
    params = Parameters(model[1].shapes, np.full_like(model[1].vector, weight))
    ids = np.arange(30) % V
    arrangement = Arrangement(30, 2, V, False)
    data = sent(arrangement, ids, (model[0], params))
    assert np.array_equal(received(arrangement, data, (model[0], params)), ids)


def test_what_is_no_symbol_is_as_if_it_had_not_stood_there(model):
    """A row of two goes on, and the other waits."""
    rng = np.random.default_rng(4)
    one, two = (Predictor(model[0], Unchanged(model[1]), rows, [0]) for rows in (1, 2))
    waiting = np.array([True, False])
    for symbol in rng.integers(0, V, 9):
        before = two.counts()[1]
        two.read(np.array([symbol, 3]), waiting)
        one.read(np.array([symbol]))
        assert np.allclose(two.counts()[0], one.counts()[0], rtol=1e-4)
        assert np.array_equal(two.counts()[1], before)
    two.read(np.array([1, 2]))
    fresh = Predictor(model[0], Unchanged(model[1]), 1, [0])
    fresh.read(np.array([2]))
    assert np.allclose(two.counts()[1], fresh.counts()[0], rtol=1e-4)


def test_a_row_that_expects_nothing_right_is_brought_back(model):
    """It begins again behind the opening; the other row goes on."""
    predictor = Predictor(model[0], Unchanged(model[1]), 2, [0, 3])
    for _ in range(PATIENCE):
        counts = predictor.counts()
        predictor.read(np.array([counts[0].argmax(), counts[1].argmin()]))
    fresh = Predictor(model[0], Unchanged(model[1]), 2, [0, 3])
    fresh.read(predictor._last)
    assert np.allclose(predictor.counts()[1], fresh.counts()[1], rtol=1e-4)
    assert not np.allclose(predictor.counts()[0], fresh.counts()[0], rtol=1e-4)


def test_a_model_that_learns_never_reads_ahead(model):
    """The counts before a symbol are the same, whatever comes from there on."""
    ids = np.random.default_rng(2).integers(0, V, 40)
    other = ids.copy()
    other[23:] = (other[23:] + 1) % V

    def counts(ids):
        predictor = Predictor(model[0], learner(*model, True), 1, [0])
        for symbol in ids:
            yield predictor.counts()
            predictor.read(np.array([symbol]))

    same = [np.array_equal(a, b) for a, b in zip(counts(ids), counts(other), strict=True)]
    assert all(same[:24])
    assert not any(same[24:])


def test_a_model_that_learns_expects_more_of_what_recurs(model):
    ids = np.tile([1, 4, 2, 2, 5], 60)
    arrangement = Arrangement(len(ids), 1, V, False)
    assert len(sent(arrangement, ids, model, True)) < 0.7 * len(sent(arrangement, ids, model))


def test_another_model_is_noticed_by_the_next_check(model, monkeypatch):
    monkeypatch.setattr(coding, "CHECK_EVERY", 16)
    ids = np.random.default_rng(2).integers(0, V, 200)
    arrangement = Arrangement(200, 1, V, False)
    data = sent(arrangement, ids, model)
    assert np.array_equal(received(arrangement, data, model), ids)
    other = Parameters(model[1].shapes, model[1].vector * 1.01)
    with pytest.raises(Misread) as caught:
        received(arrangement, data, (model[0], other))
    assert caught.value.symbols <= 64
