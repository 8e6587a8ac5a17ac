"""Every registered cell learns, and learns as it did when its loss curve was written down."""

from __future__ import annotations

import numpy as np
import pytest

from charrnn.nn.cells import CELLS
from charrnn.nn.model import CharLM
from charrnn.nn.parameters import Parameters
from charrnn.training import optim

SENTENCE = "She sells sea shells; the shells she sells are sea shells.\n"


def encode(text):
    characters = sorted(set(text))
    return np.array([characters.index(c) for c in text]), len(characters)


def losses(model, params, optimizer, learning_rate, windows, masks=lambda: None):
    """The loss before each update; the state is carried from window to window."""
    slots, grads, state = optimizer.init(params.vector), Parameters.zeros(params.shapes, params.vector.dtype), None
    for x, y, starts in windows:
        state = state or model.zero_state(x.shape[1], params.vector.dtype)
        loss, state = model.loss_and_grads(params, x, y, state, grads, starts, masks())
        optimizer.update(grads.vector, slots, learning_rate)
        params.vector -= grads.vector
        yield float(loss)


@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_memorises_a_sentence(cell, rng):
    ids, vocab_size = encode(SENTENCE)
    model = CharLM(vocab_size, cell, hidden_size=32)
    window = ids[:-1, None], ids[1:, None], np.array([True])
    optimizer = optim.chain(optim.clip_by_norm(1.0), optim.adam())
    params = model.init_params(rng, init="orthogonal")
    curve = list(losses(model, params, optimizer, 0.01, [window] * 200))
    assert curve[0] > 0.8 * np.log(vocab_size)
    assert curve[-1] < 0.05


# fmt: off
CURVES = {
    "rnn": [2.91886045327, 2.54482799075, 2.22878859928, 2.36699496518, 2.18160112995,
            1.81600369159, 2.01025515455, 1.77155426208, 1.55738704003, 1.80676861677],
    "gru": [2.57903309666, 2.485240674, 2.39631409455, 2.36264919296, 2.21205595043,
            2.21083386909, 2.08528518017, 2.18076181764, 1.97143450285, 1.9974471678],
    "lstm": [2.48651462292, 2.42633809021, 2.4295048454, 2.32184602592, 2.3479878196,
             2.40179535962, 2.14875419424, 2.28563847273, 2.12213597344, 2.27797545876],
}
# fmt: on


@pytest.mark.parametrize("cell", CELLS)
def test_the_loss_curve_is_the_stored_one(cell, rng):
    """Two layers, dropout, a learned state, streams of which one begins anew, clipping and Adam."""
    ids, vocab_size = encode(SENTENCE)
    model = CharLM(vocab_size, cell, hidden_size=12, num_layers=2, dropout=0.2, initial_state="learned")
    params = model.init_params(rng, np.float64)
    T, B = 8, 3
    windows = []
    for k in range(10):
        positions = (np.arange(T)[:, None] + np.array([0, 17, 41]) + k * T) % (len(ids) - 1)
        windows.append((ids[positions], ids[positions + 1], np.array([k == 0, k == 0, k % 3 == 0])))
    optimizer = optim.chain(optim.clip_by_norm(0.5), optim.adam())
    curve = losses(model, params, optimizer, 0.02, windows, lambda: model.masks(rng, T, B, np.float64))
    np.testing.assert_allclose(list(curve), CURVES[cell], rtol=1e-9)
