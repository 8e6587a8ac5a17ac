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
    "rnn": [2.76174282659, 2.71522684785, 2.25972167718, 2.30060577178, 2.18939897844,
            1.95261847444, 2.02905692553, 2.12588189384, 1.94293095407, 1.89295100657],
    "gru": [2.57460488087, 2.47870651156, 2.41627487977, 2.29277491082, 2.18791271308,
            2.15543578196, 2.0495795007, 2.2471949387, 1.90333171111, 2.06755063643],
    "gru_reset_before": [2.56858985725, 2.48217322334, 2.41635334764, 2.31144817131, 2.20805140541,
                         2.18003222896, 2.0809493875, 2.23494437815, 1.91847122108, 2.06121177254],
    "mgu": [2.53095320151, 2.52298282009, 2.44354933583, 2.2764164532, 2.31970685243,
            2.22379604424, 2.18531658699, 2.19321611856, 1.95078791047, 2.13008992494],
    "lstm": [2.4640381581, 2.42359965904, 2.47316749861, 2.21241892122, 2.37326478799,
             2.2419734208, 2.04645021004, 2.36487732392, 2.12566889201, 2.13307923669],
    "lstm_peephole": [2.4640381581, 2.42363600236, 2.4747649801, 2.20774003136, 2.37624292381,
                      2.24628107865, 2.04400221073, 2.37333900047, 2.12933948496, 2.13166415338],
    "lstm_cifg": [2.48899088492, 2.44082860519, 2.40105199508, 2.35638905318, 2.27068698746,
                  2.20256861187, 2.15927833741, 2.3706490633, 1.93900235691, 2.21707702161],
    "lstm_nfg": [2.54966461246, 2.5244230058, 2.36649738681, 2.26608590026, 2.27402066986,
                 2.20765772261, 2.19044045956, 2.42413861564, 1.98649713295, 2.18147902104],
    "lstm_nig": [2.53846682117, 2.36663542981, 2.46092238145, 2.2624299058, 2.32317993475,
                 2.13316476483, 2.12361320974, 2.46267638316, 1.99091937815, 2.25841855482],
    "lstm_nog": [2.60834056521, 2.61159734075, 2.6071733104, 2.35245346044, 2.45464711921,
                 2.22281545051, 2.08630454511, 2.43916187077, 2.07556257087, 2.15607374221],
    "lstm_niaf": [2.46124526272, 2.42279259805, 2.48673436123, 2.19848310279, 2.38697785114,
                  2.24500555026, 2.03129837855, 2.36859925923, 2.12575094149, 2.13573796288],
    "lstm_noaf": [2.46358935418, 2.42727420346, 2.49025306972, 2.21463006342, 2.4442561678,
                  2.28513849617, 2.10938256309, 2.41435380452, 2.18136034525, 2.13588531351],
    "lstm_fgr": [2.49479373767, 2.42375020329, 2.37117050668, 2.37193001927, 2.12198479257,
                 2.12287231214, 2.03643390006, 2.21766831451, 2.00774095797, 2.18958993467],
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
