"""Members that share the units of a network compute together what one does alone: here threads, that they may fail."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from charrnn.arrays import Batch
from charrnn.nn import tensor_parallel, tiles
from charrnn.nn.cells import CELLS
from charrnn.nn.model import CharLM
from charrnn.nn.parameters import Parameters
from charrnn.nn.partner import Partner
from charrnn.nn.tensor_parallel import Section

T, B, V = 5, 6, 11
SPLITTING = [name for name in CELLS if CharLM(V, cell=name).splits_units]
OPTIONS = {
    "two layers": {"num_layers": 2},
    "an embedding": {"embedding_size": 5},
    "an embedding and two layers": {"num_layers": 2, "embedding_size": 3},
    "noise": {"num_layers": 2, "dropout": 0.3, "recurrent_dropout": 0.2, "zoneout_h": 0.2, "zoneout_c": 0.1},
    "a mask for all steps": {"num_layers": 2, "dropout": 0.3, "dropout_per": "window"},
    "a learned state": {"initial_state": "learned", "num_layers": 2},
    "a random state": {"initial_state": "random"},
    "an embedding of one number, which not all have a part of": {"embedding_size": 1},
    "labels": {"labels": 3},
    "other answers": {"outputs": 4},
}


class Group:
    """Runs the sections of all members at once, each in a thread, on arrays that all see."""

    def __init__(self, model, params, members):
        self.model, self.members = model, members
        self.grads = Parameters.zeros(model.shapes, params.vector.dtype)
        self.grads.vector[...] = np.nan  # whatever is not written shows
        self.barrier = threading.Barrier(members)
        self.lock, self.arrays = threading.Lock(), {}
        self.sections = [
            Section(model, params, self.grads, Partner(number, members, self.barrier.wait, self.shared))
            for number in range(members)
        ]

    def shared(self, layout):
        with self.lock:
            if str(layout) not in self.arrays:
                self.arrays[str(layout)] = [np.full(shape, np.nan, dtype) for shape, dtype in layout]
            return self.arrays[str(layout)]

    def loss_and_grads(self, batch, state, noise):
        answers = [None] * self.members

        def work(number):
            try:
                answers[number] = self.sections[number].loss_and_grads(batch, state, noise, batch.answers)
            except BaseException:
                self.barrier.abort()
                raise

        threads = [threading.Thread(target=work, args=(number,)) for number in range(self.members)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        final = [
            {name: np.concatenate([after[k][name] for _, after in answers], axis=1) for name in entry}
            for k, entry in enumerate(answers[0][1])
        ]
        return sum(loss for loss, _ in answers), final


def batch_of(model, rng):
    x, y = rng.integers(min(V, model.num_outputs), size=(2, T, B))
    labels = rng.integers(model.labels, size=B) if model.labels else None
    return Batch(x, y, np.array([True, False, False, True, False, True]), labels=labels)


def assert_members_agree(model, rng, members, dtype=np.float64, tolerance=1e-12, batch=None):
    params = Parameters.zeros(model.shapes, dtype)
    params.vector[...] = rng.normal(0, 0.4, params.vector.size)
    batch = batch or batch_of(model, rng)
    state = [
        {name: rng.normal(size=zero.shape).astype(dtype) for name, zero in entry.items()}
        for entry in model.zero_state(B, dtype)
    ]
    group = Group(model, params, members)
    grads = Parameters.zeros(model.shapes, dtype)
    for seed in (1, 2):  # the second time with what the first has left
        noise = model.noise_of_seed(seed, batch, dtype)
        loss, final = model.loss_and_grads(params, batch, state, grads, noise)
        found, together = group.loss_and_grads(batch, [] if batch.starts is None else state, noise)
        assert found == pytest.approx(loss, rel=tolerance)
        np.testing.assert_allclose(group.grads.vector, grads.vector, rtol=0, atol=tolerance)
        if batch.starts is not None:
            for entry, expected in zip(together, final, strict=True):
                for name, array in expected.items():
                    np.testing.assert_allclose(entry[name], array, rtol=0, atol=tolerance)


@pytest.mark.parametrize("members", [2, 3])
@pytest.mark.parametrize("cell", SPLITTING)
def test_members_compute_what_one_does(cell, members, rng):
    assert_members_agree(CharLM(V, cell=cell, hidden_size=7, num_layers=2), rng, members)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_members_compute_what_one_does_with(options, cell, rng):
    if cell == "gru":
        options = {name: value for name, value in options.items() if name != "zoneout_c"}
    assert_members_agree(CharLM(V, cell=cell, hidden_size=6, **options), rng, 2)


def test_members_compute_what_one_does_of_items_of_unlike_length(rng):
    model = CharLM(V, hidden_size=5, num_layers=2)
    x, y = rng.integers(V, size=(2, T, B))
    lengths = np.array([5, 1, 3, 5, 2, 4])
    weights = (np.arange(T)[:, None] < lengths).astype(float)
    assert_members_agree(model, rng, 2, batch=Batch(x, y, None, weights, lengths))


def test_members_compute_what_one_does_in_tiles(rng, monkeypatch):
    monkeypatch.setattr(tiles, "_kernels_are_fast", lambda: True)
    small = {"WITHOUT_A_COPY": 50, "COLUMNS": 2, "LEAST_COLUMNS": 2, "MOST_INNER": 8, "LEAST_ROWS": 2}
    for name, value in small.items():
        monkeypatch.setattr(tiles, name, value)
    model = CharLM(V, hidden_size=8, num_layers=2)
    assert_members_agree(model, rng, 2, np.float32, 1e-6)


@pytest.mark.parametrize("options", [{}, {"embedding_size": 4}], ids=["symbols", "an embedding"])
def test_members_multiply_the_input_of_a_few_steps_at_a_time(options, rng, monkeypatch):
    monkeypatch.setattr(tensor_parallel, "IN_CACHE", 1)
    monkeypatch.setattr(tensor_parallel, "LEAST_ROWS_OF_INPUT", 2 * B)  # two steps, so that the last is alone
    assert T % 2
    assert_members_agree(CharLM(V, hidden_size=6, num_layers=2, **options), rng, 2)


def test_one_row_is_shared_too(rng):
    model = CharLM(V, hidden_size=6, num_layers=2)
    x, y = rng.integers(V, size=(2, T, 1))
    params = Parameters.zeros(model.shapes, np.float64)
    params.vector[...] = rng.normal(0, 0.4, params.vector.size)
    batch, grads = Batch(x, y, np.array([False])), Parameters.zeros(model.shapes, np.float64)
    state = [{name: rng.normal(size=zero.shape) for name, zero in e.items()} for e in model.zero_state(1, np.float64)]
    group = Group(model, params, 2)
    loss, _ = model.loss_and_grads(params, batch, state, grads)
    assert group.loss_and_grads(batch, state, None)[0] == pytest.approx(loss, rel=1e-12)
    np.testing.assert_allclose(group.grads.vector, grads.vector, rtol=0, atol=1e-12)


def test_what_has_no_single_product_in_one_direction_is_not_split():
    assert not CharLM(V, bidirectional=True).splits_units
    assert not CharLM(V, layer_norm=True).splits_units
    assert not CharLM(V, cell="gru_reset_before").splits_units
    assert {"lstm", "gru", "rnn"} <= set(SPLITTING)
