"""Every registered cell learns, and learns as it did when its loss curve was written down."""

from __future__ import annotations

import numpy as np
import pytest

from charrnn.arrays import Batch
from charrnn.nn.cells import CELLS
from charrnn.nn.model import CharLM
from charrnn.nn.parameters import Parameters
from charrnn.optim import optimizers
from charrnn.optim.options import OptimConfig

SENTENCE = "She sells sea shells; the shells she sells are sea shells.\n"


def encode(text):
    characters = sorted(set(text))
    return np.array([characters.index(c) for c in text]), len(characters)


def losses(model, params, optimizer, learning_rate, windows, noise=lambda: None):
    """The loss before each update; the state is carried from window to window."""
    slots, grads, state = optimizer.init(params.vector), Parameters.zeros(params.shapes, params.vector.dtype), None
    for x, y, starts in windows:
        state = state or model.zero_state(x.shape[1], params.vector.dtype)
        loss, state = model.loss_and_grads(params, Batch(x, y, starts), state, grads, noise())
        optimizer.update(grads.vector, slots, learning_rate)
        params.vector -= grads.vector
        yield float(loss)


@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_memorises_a_sentence(cell, rng):
    ids, vocab_size = encode(SENTENCE)
    model = CharLM(vocab_size, cell=cell, hidden_size=32)
    window = ids[:-1, None], ids[1:, None], np.array([True])
    optimizer = optimizers.build(OptimConfig(clip_norm=1.0))
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
    "gru_reset_before": [2.57332876899, 2.49026758181, 2.38817290829, 2.3591532142, 2.24492001695,
                         2.23068398156, 2.10183542571, 2.20381812971, 1.9899134005, 1.99025989109],
    "mgu": [2.48347491116, 2.54823469612, 2.43025715729, 2.32804380566, 2.26738411741,
            2.14369569162, 2.21532377377, 2.34840491962, 1.94694088718, 2.03406648984],
    "lstm": [2.48651462292, 2.42633809021, 2.4295048454, 2.32184602592, 2.3479878196,
             2.40179535962, 2.14875419424, 2.28563847273, 2.12213597344, 2.27797545876],
    "lstm_peephole": [2.48651462292, 2.42664389736, 2.42954146153, 2.32126682049, 2.34940149951,
                      2.40880423695, 2.14252941579, 2.28900581489, 2.12590310484, 2.28473761428],
    "lstm_cifg": [2.48881607667, 2.44287354932, 2.41978539651, 2.36051548678, 2.30320439918,
                  2.24283295091, 2.15626935723, 2.29301356309, 1.95054258187, 2.21675417161],
    "lstm_nfg": [2.53249454839, 2.53785356895, 2.47994773867, 2.35876479556, 2.31442915932,
                 2.36388959226, 2.23307131694, 2.27735808779, 2.16644093047, 2.26119387791],
    "lstm_nig": [2.53832637902, 2.49191780599, 2.51864838796, 2.47233346078, 2.21606685492,
                 2.29970539338, 2.21046916027, 2.35962279073, 1.99078546154, 2.26952789244],
    "lstm_nog": [2.64275290319, 2.73933481094, 2.56521362949, 2.33891969638, 2.31619325045,
                 2.15820085937, 2.15538195555, 2.31637907085, 2.07186921662, 2.07897696832],
    "lstm_niaf": [2.48536735833, 2.42260865125, 2.43014916194, 2.32298129217, 2.36287511179,
                  2.42366735867, 2.15381062954, 2.28834947204, 2.12460389622, 2.2816166955],
    "lstm_noaf": [2.48761818164, 2.42580441841, 2.43155014696, 2.33250190543, 2.40508445446,
                  2.49408053868, 2.18352014017, 2.32684359448, 2.15741354145, 2.30691123374],
    "lstm_fgr": [2.49515925557, 2.48403038582, 2.40805990224, 2.37863365404, 2.10238342394,
                 2.19128937153, 2.12993244741, 2.349009528, 2.0231449763, 2.17748272934],
}
# fmt: on


@pytest.mark.parametrize("cell", CELLS)
def test_the_loss_curve_is_the_stored_one(cell, rng):
    """Two layers, dropout, a learned state, streams of which one begins anew, clipping and Adam."""
    ids, vocab_size = encode(SENTENCE)
    model = CharLM(vocab_size, cell=cell, hidden_size=12, num_layers=2, dropout=0.2, initial_state="learned")
    params = model.init_params(rng, np.float64)
    T, B = 8, 3
    windows = []
    for k in range(10):
        positions = (np.arange(T)[:, None] + np.array([0, 17, 41]) + k * T) % (len(ids) - 1)
        windows.append((ids[positions], ids[positions + 1], np.array([k == 0, k == 0, k % 3 == 0])))
    optimizer = optimizers.build(OptimConfig(clip_norm=0.5))
    curve = losses(model, params, optimizer, 0.02, windows, lambda: model.noise(rng, T, B, np.float64))
    np.testing.assert_allclose(list(curve), CURVES[cell], rtol=1e-9)
