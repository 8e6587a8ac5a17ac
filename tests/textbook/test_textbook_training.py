"""The textbook's page of training: that it learns, and that it learns as the engine does."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from charrnn import textbook
from charrnn.arrays import Batch
from charrnn.nn.cells import CELLS
from charrnn.nn.model import CharLM
from charrnn.nn.parameters import Parameters
from charrnn.optim import optimizers
from charrnn.optim.options import OptimConfig
from charrnn.textbook.train import Learner

SENTENCE = "the quick brown fox jumps over the lazy dog. "


@pytest.mark.parametrize("cell", CELLS)
def test_it_memorises_one_sentence(cell):
    learner = Learner(SENTENCE, hidden_size=48, cell=textbook.build(cell))
    losses = list(itertools.islice(learner.losses(), 400))
    assert losses[0] > 2.5
    assert max(losses[-2:]) < 0.05


def test_what_was_memorised_is_what_it_writes():
    learner = Learner(SENTENCE, hidden_size=48)
    list(itertools.islice(learner.losses(), 400))
    assert learner.sample(len(SENTENCE) - 1, first="t") == SENTENCE


def engine_params(model, learner, cell):
    """The learner's weights, in the engine's names and side by side."""
    params, gates = Parameters.zeros(model.shapes, np.float64), textbook.CELLS[cell][2].split()
    for name in model.shapes:
        short = name.removeprefix("layers.0.")
        if name.startswith("head."):
            params[name][...] = learner.p[f"{name[-1]}_y"]
        elif short in ("W", "b"):
            params[name][...] = np.concatenate([learner.p[f"{short}_{gate}"] for gate in gates], axis=-1)
        else:
            params[name][...] = learner.p[short]
    return params


@pytest.mark.parametrize("clip_norm", [5.0, 0.3])
@pytest.mark.parametrize("cell", CELLS)
def test_ten_updates_are_those_of_the_engine(cell, clip_norm):
    H, T = 6, 8
    learner = Learner(SENTENCE, H, T, clip_norm=clip_norm, cell=textbook.build(cell))
    model = CharLM(len(set(SENTENCE)), cell=cell, hidden_size=H)
    params, grads = engine_params(model, learner, cell), Parameters.zeros(model.shapes, np.float64)
    optimizer = optimizers.build(OptimConfig("adagrad", clip_norm=clip_norm, eps=1e-10))
    slots, state = optimizer.init(params.vector), model.zero_state(1, np.float64)
    norms, losses, starts = [], learner.losses(), itertools.cycle(range(0, len(SENTENCE) - 1, T))
    for start in itertools.islice(starts, 10):  # one window is shorter than the others, and the text begins anew
        if start == 0:
            state = model.zero_state(1, np.float64)
        window = learner.ids[start : start + T + 1, None]
        loss, state = model.loss_and_grads(params, Batch(window[:-1], window[1:], np.zeros(1, bool)), state, grads)
        norms.append(np.linalg.norm(grads.vector))
        optimizer.update(grads.vector, slots, 0.1)
        params.vector -= grads.vector
        assert next(losses) == pytest.approx(loss, rel=1e-11)
    for name, expected in engine_params(model, learner, cell).items():
        np.testing.assert_allclose(params[name], expected, rtol=1e-9, atol=1e-12, err_msg=name)
    assert (max(norms) > clip_norm) == (clip_norm < 1)


def test_a_seed_decides_everything():
    runs = [(list(itertools.islice(learner.losses(), 5)), learner.sample(20, "t")) for learner in map(fresh, (0, 0, 1))]
    assert runs[0] == runs[1]
    assert runs[0][0] != runs[2][0]


def fresh(seed):
    return Learner(SENTENCE, 8, seed=seed)


@pytest.mark.parametrize("text", ["", "a"])
def test_a_text_with_nothing_to_predict_is_refused(text):
    with pytest.raises(ValueError, match="two characters"):
        Learner(text)


def test_a_text_of_one_window_and_of_two_characters_is_learnt():
    assert list(itertools.islice(Learner("ab").losses(), 50))[-1] < 0.05
    assert list(itertools.islice(Learner("abcd", seq_length=3).losses(), 100))[-1] < 0.05
