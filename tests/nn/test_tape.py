"""The tape: which memory is behind its names, and that it is read back once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import charrnn.nn.tape
from charrnn.nn import unroll
from charrnn.nn.cells import CELLS, build
from charrnn.nn.layer_norm import NormalizedTape
from charrnn.nn.layout import Layout, split
from charrnn.nn.model import CharLM
from charrnn.nn.tape import Tape

T, B, H = 5, 3, 4
LAYOUT = Layout(scales=(1, 1, 1), parts=(2, 1), state=("h",), saved=("p",), partials=(3, 1), product="gated")


@pytest.fixture
def tape():
    """Of three gates, in parts of two and one, on its way back."""
    tape = Tape(LAYOUT, T, B, H, np.float64)
    tape.begin_forward({"W": np.ones((H + 2, 3 * H)), "b": np.ones(3 * H)}, reads_ids=True)
    tape.begin_backward(np.arange((H + 2) * 3 * H).reshape(H + 2, 3 * H))
    return tape


def test_widths_cut_an_array_into_neighbours():
    one, two, last = split(np.arange(8).reshape(4, 2), (1, 2, 1))
    assert (one.tolist(), two.tolist(), last.tolist()) == ([0, 1], [[2, 3], [4, 5]], [6, 7])


@pytest.mark.parametrize("cell", CELLS)
def test_the_parts_of_a_cell_are_its_gates_in_their_order(cell):
    kind = build(cell)
    assert "".join(kind.parts or kind.gates) == "".join(kind.gates)
    assert sum(kind.layout.parts) == len(kind.gates)


def test_the_views_of_a_step_are_of_the_gradient_at_that_step(tape):
    tape.da[...] = np.arange(tape.da.size).reshape(tape.da.shape)
    for t in range(T):
        r, z, n = np.split(tape.da[t], 3, axis=-1)
        np.testing.assert_array_equal(tape.da_gates[t], [r, z, n])
        rz, alone = tape.da_parts[t]
        np.testing.assert_array_equal(rz, [r, z])
        np.testing.assert_array_equal(alone, n)
        for columns, expected in zip(tape.da_columns[t], (np.concatenate([r, z], axis=-1), n), strict=True):
            np.testing.assert_array_equal(columns, expected)
            assert np.shares_memory(columns, tape.da)


@pytest.fixture
def in_chunks_of_two(monkeypatch):
    """Makes partial derivatives be computed for two steps at a time, as if no more fitted into the cache."""
    monkeypatch.setattr(charrnn.nn.tape, "IN_CACHE", 2 * B * H)


def test_the_partial_derivatives_of_several_steps_are_found_at_each(in_chunks_of_two, tape):
    for t in reversed(range(T)):
        three, one = tape.partials_of(slice(t, t + 1))
        assert (three.shape, one.shape) == ((3, 1, B, H), (1, B, H))
        three[...], one[...] = 7 + t, 8 + t
        assert (tape.partials[t][0] == 7 + t).all()
        assert (tape.partials[t][1] == 8 + t).all()
    three, one = tape.partials_of(slice(2, 4))
    assert (three.shape, one.shape) == ((3, 2, B, H), (2, B, H))


def test_a_gradient_in_chunks_is_that_of_all_steps_at_once(cell, window, assert_same, request):
    model = CharLM(7, hidden_size=H, **cell)
    at_once = window(model, T=T, B=B).results()
    request.getfixturevalue("in_chunks_of_two")
    assert_same(window(replace(model), T=T, B=B).results(), at_once)


def test_the_transpose_is_that_of_the_columns_of_each_part(tape):
    W_h = np.arange(H * 3 * H).reshape(H, 3 * H)
    for found, expected in zip(tape.W_hT_parts, (W_h[:, : 2 * H].T, W_h[:, 2 * H :].T), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_gradients_have_memory_of_their_own_only_where_they_differ(tape):
    assert tape.dxW is tape.da
    assert not np.shares_memory(tape.dhW, tape.da)
    lstm = build("lstm").layout
    for kind, apart in ((Tape, False), (NormalizedTape, True)):
        plain = kind(lstm, T, B, H, np.float64)
        params = {"W": np.ones((H + 2, 4 * H)), "b": np.ones(4 * H), "gain": np.ones(4 * H)}
        plain.begin_forward(params, reads_ids=True)
        plain.begin_backward(params["W"])
        assert plain.dhW is plain.dxW
        assert np.shares_memory(plain.dhW, plain.da) != apart


def test_a_tape_is_read_back_once_for_each_forward_pass(rng):
    cell = build("gru")
    tape = Tape(cell.layout, T, B, H, np.float64)
    params = {name: rng.normal(size=shape) for name, shape in unroll.shapes(cell, 2, H, False).items()}
    grads = {name: np.empty_like(array) for name, array in params.items()}
    zero = {"h": np.zeros((B, H))}
    ids, dh = rng.integers(2, size=(T, B)), rng.normal(size=(T, B, H))

    def backward():
        unroll.backward(cell, params, dh, {"h": np.zeros((B, H))}, tape, grads)
        return {name: grad.copy() for name, grad in grads.items()}

    with pytest.raises(RuntimeError, match="read back once"):
        backward()
    unroll.forward(cell, params, ids, zero, np.zeros(B, bool), tape)
    first = backward()
    with pytest.raises(RuntimeError, match="read back once"):
        backward()
    unroll.forward(cell, params, ids, zero, np.zeros(B, bool), tape)
    np.testing.assert_equal(backward(), first)
