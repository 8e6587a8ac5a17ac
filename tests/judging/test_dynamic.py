"""Dynamic evaluation: it learns from what has been scored, and from nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from charrnn.arrays import Batch
from charrnn.judging.dynamic import EPS, Adaptation, Adapting, evaluate_dynamically, nats_dynamically
from charrnn.judging.evaluation import CONTEXT, evaluate, nats_of_characters
from charrnn.nn.model import CharLM
from charrnn.nn.parameters import Parameters
from charrnn.text.streams import side_by_side, split_columns

V = 6


@pytest.fixture
def model():
    """A network of float64, with weights as they are drawn."""
    model = CharLM(V, hidden_size=7)
    return model, model.init_params(np.random.default_rng(1), np.float64)


def text(n, seed=1):
    return np.random.default_rng(seed).integers(0, V, n)


@pytest.mark.parametrize("place", [1, 9, 10, 57, 58, 99])
def test_no_character_is_used_before_it_is_scored(model, place):
    """Changing one changes its own score and later ones, and no earlier one by a single bit."""
    ids, other = text(100), text(100)
    other[place] = (other[place] + 1) % V
    how = Adapting(segment=10, rate=0.01)
    one, two = (list(nats_dynamically(*model, side_by_side(each, 0, 100), how)) for each in (ids, other))
    assert one[: place - 1] == two[: place - 1]
    assert one[place - 1] != two[place - 1]
    if place < 90:  # what is in the last segment is learnt from too late
        assert one[90:] != two[90:]


@pytest.mark.parametrize("segment", [1, 7, 50, 1000])
def test_without_a_rate_it_is_the_loss_of_one_pass(model, segment):
    streams = side_by_side(text(300), 0, 300)
    how = Adapting(segment, rate=0.0)
    assert list(nats_dynamically(*model, streams, how)) == pytest.approx(nats_of_characters(*model, streams), rel=1e-9)


def test_a_text_that_repeats_itself_is_learnt(model):
    streams = side_by_side(np.tile([1, 4, 2, 2, 5], 100), 0, 500)
    before = evaluate(*model, streams)
    assert evaluate_dynamically(*model, streams, Adapting(segment=10, rate=0.02)) < 0.7 * before


def test_the_weights_that_are_given_stay_as_they_are(model):
    before = model[1].vector.copy()
    evaluate_dynamically(*model, side_by_side(text(100), 0, 100), Adapting(rate=0.1))
    assert np.array_equal(model[1].vector, before)


def test_pieces_that_touch_are_read_as_one(model):
    """A part that an evaluation would read in several rows."""
    ids = text(3000)
    streams = side_by_side(ids, 0, 3000)
    assert streams.batch_size > 1
    assert len(list(nats_dynamically(*model, streams, Adapting()))) == 2999


def test_pieces_apart_are_read_in_their_order_after_what_precedes_them(model):
    """A validation part in columns: before each piece there is text, which is read and not learnt from."""
    part = split_columns(text(4000), (0.5, 0.5, 0), 4, 50).validation
    still = list(nats_dynamically(*model, part, Adapting(segment=30, rate=0.0)))
    assert part.context.min() > CONTEXT
    assert still == pytest.approx(nats_of_characters(*model, part), abs=1e-4)
    learning = list(nats_dynamically(*model, part, Adapting(segment=30, rate=0.01)))
    assert learning[:30] == still[:30]
    assert learning[30:60] != still[30:60]


def test_a_step_is_that_of_the_equations(model):
    how = Adapting(segment=12, rate=0.03, decay=0.2)
    network, first = model
    adaptation = Adaptation(network, first, how)
    w, squares, state = first.vector.copy(), 0.0, network.zero_state(1, np.float64)
    for n in (1, 2, 3):
        ids = text(13, seed=n)[:, None]
        batch = Batch(ids[:-1], ids[1:], np.zeros(1, bool))
        grads = Parameters.zeros(first.shapes, np.float64)
        network.loss_and_grads(Parameters(first.shapes, w), batch, state, grads)
        g = grads.vector
        squares = squares + g**2
        r = np.sqrt(squares / n)
        share = np.minimum(1, how.decay * r / r.mean())
        w = w - how.rate * g / (r + EPS * r.mean()) + (first.vector - w) * share
        adaptation.learn(batch, state)
        assert adaptation.params.vector == pytest.approx(w, rel=1e-9)


def test_a_gradient_that_is_no_number_is_passed_over(model):
    network, first = model
    adaptation = Adaptation(network, first, Adapting())
    adaptation.params["head.b"][0] = np.nan
    before = adaptation.params.vector.copy()
    ids = text(13)[:, None]
    adaptation.learn(Batch(ids[:-1], ids[1:], np.zeros(1, bool)), network.zero_state(1, np.float64))
    assert np.array_equal(adaptation.params.vector, before, equal_nan=True)
