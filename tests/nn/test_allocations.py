"""After the first window, the engine works in memory that it has."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from architectures import CAUSAL

from charrnn.arrays import Batch
from charrnn.nn import unroll
from charrnn.nn.cells import CELLS
from charrnn.nn.model import CharLM
from charrnn.nn.parameters import Parameters
from charrnn.nn.stepper import Stepper

T, B, V, H = 6, 1024, 20, 32  # many rows of few units: that is much memory for little work
OF_A_STATE = B * H * 4
"""Bytes of one (B, H) in float32: more than the 100 KB that NumPy borrows for loops over strided arrays of any size."""


def peak_of(work):
    """Bytes that are allocated at once, at most, while `work` runs."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        work()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


AT_ONCE = {name: chosen for name, chosen in CAUSAL.items() if name.endswith("everything")}
AT_ONCE = AT_ONCE | {f"{cell}-whole": {"cell": cell} for cell in CELLS}


@pytest.fixture(params=AT_ONCE.values(), ids=AT_ONCE)
def window(request, rng):
    """Computes loss and gradients of one window, with nothing and with all that can be switched on."""
    model = CharLM(V, hidden_size=H, num_layers=2, **request.param)
    params = model.init_params(rng)
    grads = Parameters.zeros(model.shapes, np.float32)
    x, y = rng.integers(V, size=(2, T, B)).astype(np.uint8)
    state, starts, noise = model.zero_state(B), np.arange(B) % 2 == 0, model.noise(rng, T, B)

    def compute():
        model.loss_and_grads(params, Batch(x, y, starts), state, grads, noise)

    compute.model = model
    return compute


def test_a_window_after_the_first_allocates_a_small_part_of_what_it_works_on(window):
    first, second, third = peak_of(window), peak_of(window), peak_of(window)
    assert first > 10 * T * OF_A_STATE  # the tapes
    of_final_state = sum(len(layer) for layer in window.model.zero_state(B)) * OF_A_STATE
    assert second < of_final_state + OF_A_STATE
    assert third == pytest.approx(second, abs=OF_A_STATE)  # and keeps none of it


@pytest.mark.parametrize("direction", ["step", "step_backward"])
def test_a_step_allocates_nothing(window, direction, monkeypatch):
    peaks, step = [], getattr(unroll, direction)
    window()
    monkeypatch.setattr(unroll, direction, lambda *arguments: peaks.append(peak_of(lambda: step(*arguments))))
    window()
    assert len(peaks) == 2 * T
    assert max(peaks) < OF_A_STATE


def test_a_tracked_step_is_seen_to_allocate_if_it_does(window, monkeypatch):
    kind = type(window.model.stack.cell)
    step = kind.step
    assert peak_of(lambda: np.ones((B, H), np.float32)) >= OF_A_STATE
    window()
    quiet = peak_of(window)
    kept = []
    monkeypatch.setattr(kind, "step", lambda *a: (kept.append(np.ones((B, H), np.float32)), step(*a)))
    assert peak_of(window) > quiet + (2 * T - 1) * OF_A_STATE


@pytest.mark.parametrize("cell", CELLS)
def test_the_network_computes_a_character_of_one_sample_without_allocating(cell, rng):
    model = CharLM(V, cell=cell, hidden_size=1024, num_layers=2)
    stepper, ids = Stepper(model, model.init_params(rng), 1), rng.integers(V, size=1)
    stepper.step(ids)
    assert peak_of(lambda: stepper.step(ids)) < 1024 * 4
