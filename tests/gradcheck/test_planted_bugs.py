"""The tester is tested: each bug, once planted, must fail the check, at the parameters that it spoils and no others."""

from __future__ import annotations

import numpy as np
import pytest

from charrnn.gradcheck.subject import check_model, small
from charrnn.nn import cells, unroll
from charrnn.nn.cells.base import Cell, Tape
from charrnn.nn.cells.gru import GRU
from charrnn.nn.cells.lstm import LSTM
from charrnn.nn.model import CharLM
from charrnn.nn.stack import Stack


@pytest.fixture
def kind(cell) -> type[Cell]:
    """The class of the cell in which a bug is planted."""
    return type(cells.build(name=cell["cell"], activation=cell["activation"]))


def failing(**architecture) -> set[str]:
    return {row.name for row in check_model(small(CharLM(9, **architecture))) if not row.ok}


def recurrent(cell: Cell, *others: str, layer: int = 0) -> set[str]:
    """Names of all that the gradient at the gates of a layer reaches, and others."""
    return {f"layers.{layer}.{name}" for name in ("W", "b", *cell.vectors)} | set(others)


def after(monkeypatch, owner, name, bug):
    """Runs `bug` with the arguments of `owner.name`, after it."""
    right = getattr(owner, name)

    def wrong(*arguments):
        result = right(*arguments)
        bug(*arguments)
        return result

    monkeypatch.setattr(owner, name, wrong)


def before(monkeypatch, owner, name, bug):
    """Runs `bug` with the arguments of `owner.name`, before it."""
    right = getattr(owner, name)

    def wrong(*arguments):
        bug(*arguments)
        return right(*arguments)

    monkeypatch.setattr(owner, name, wrong)


def with_previous_states(monkeypatch, kind, change):
    """Lets `param_grads` see states h that `change` has made of the right ones."""
    right = kind.param_grads

    def wrong(self, params, tape, grads):
        states = tape.state
        tape.state = states | {"h": change(states["h"])}
        right(self, params, tape, grads)
        tape.state = states

    monkeypatch.setattr(kind, "param_grads", wrong)


def test_without_a_bug_nothing_fails(cell):
    assert failing(**cell) == set()


def test_dh_is_not_carried_back(cell, kind, monkeypatch):
    after(monkeypatch, kind, "step_backward", lambda self, params, tape, t, dstate: dstate["h"].fill(0))
    assert failing(**cell) == recurrent(kind, *(f"state.0.{name}" for name in kind.state))


def test_dw_h_uses_the_state_after_the_step(cell, kind, monkeypatch):
    with_previous_states(monkeypatch, kind, lambda h: np.concatenate([h[1:], h[-1:]]))
    assert failing(**cell) == {"layers.0.W"}


def test_dw_h_skips_the_first_step(cell, kind, monkeypatch):
    with_previous_states(monkeypatch, kind, lambda h: np.concatenate([np.zeros_like(h[:1]), h[1:]]))
    assert failing(**cell) == {"layers.0.W"}


def test_the_first_step_is_not_backpropagated(cell, kind, monkeypatch):
    def bug(self, params, tape, grads):
        tape.da[0] = 0
        tape.dp[0] = 0

    before(monkeypatch, kind, "param_grads", bug)
    assert failing(**cell) == recurrent(kind)


def test_db_is_zero(cell, monkeypatch):
    after(monkeypatch, unroll, "backward", lambda *arguments: arguments[5]["b"].fill(0))
    assert failing(**cell) == {"layers.0.b"}


def test_a_bug_in_a_lower_layer_is_not_blamed_on_the_one_above(cell, kind, monkeypatch):
    def bug(self, t, dh):
        dh *= 0.99 if self is tapes[0] else 1

    tapes, make = [], Stack.tapes

    def remember(self, *arguments):
        tapes[:] = make(self, *arguments)
        return tapes

    monkeypatch.setattr(Stack, "tapes", remember)
    after(monkeypatch, Tape, "backward_state_product", bug)
    assert failing(num_layers=2, **cell) == recurrent(kind, *(f"state.0.{name}" for name in kind.state))


def test_the_dropout_mask_is_not_applied_backward(cell, kind, monkeypatch):
    right = Stack.backward

    def wrong(self, params, dh, dstate, tapes, masks, grads):
        right(self, params, dh, dstate, tapes, None, grads)

    monkeypatch.setattr(Stack, "backward", wrong)
    states = {f"state.{layer}.{name}" for layer in (0, 1) for name in kind.state}
    assert failing(num_layers=2, dropout=0.3, **cell) == recurrent(kind, layer=0) | recurrent(kind, layer=1) | states


def test_a_learned_state_gets_gradient_from_every_row(cell, kind, monkeypatch):
    right = unroll.backward

    def wrong(this, params, dh, dstate, tape, grads, dx):
        every, starts = {name: d.copy() for name, d in dstate.items()}, tape.starts
        gates, tape.starts = tape.a.copy(), np.ones_like(starts)
        right(this, params, dh, every, tape, from_all := {name: grad.copy() for name, grad in grads.items()}, None)
        tape.a[...], tape.starts = gates, starts
        right(this, params, dh, dstate, tape, grads, dx)
        for name in kind.state:
            grads[f"{name}0"][...] = from_all[f"{name}0"]

    monkeypatch.setattr(unroll, "backward", wrong)
    learned = {f"layers.{layer}.{name}0" for layer in (0, 1) for name in kind.state}
    assert failing(num_layers=2, initial_state="learned", **cell) == learned


def test_the_given_state_keeps_the_gradient_of_a_row_that_begins_a_text(cell, kind, monkeypatch):
    def bug(this, params, dh, dstate, tape, grads, dx):
        for d in dstate.values():
            d[tape.starts] = 0.1

    after(monkeypatch, unroll, "backward", bug)
    assert failing(initial_state="learned", **cell) == {f"state.0.{name}" for name in kind.state}


def test_the_head_forgets_its_bias(cell, monkeypatch):
    after(monkeypatch, CharLM, "loss_and_grads", lambda *arguments: arguments[5]["head.b"].fill(0))
    assert failing(**cell) == {"head.b"}


def test_one_coordinate_is_wrong_and_the_check_points_at_it(cell, monkeypatch):
    def bug(*arguments):
        arguments[5]["W"][7, 2] += 1e-3

    after(monkeypatch, unroll, "backward", bug)
    (row,) = [row for row in check_model(small(CharLM(9, **cell))) if not row.ok]
    assert (row.name, row.where) == ("layers.0.W", (7, 2))
    assert row.analytic - row.oracle == pytest.approx(1e-3, rel=1e-3)


def test_a_gradient_is_not_a_number(cell, monkeypatch):
    def bug(*arguments):
        arguments[5]["W"][0, 0] = np.nan

    after(monkeypatch, unroll, "backward", bug)
    assert failing(**cell) == {"layers.0.W"}


def test_the_lstm_does_not_carry_dc_back(monkeypatch):
    after(monkeypatch, LSTM, "step_backward", lambda self, params, tape, t, dstate: dstate["c"].fill(0))
    assert failing(cell="lstm") == recurrent(LSTM, "state.0.h", "state.0.c")


def test_the_lstms_do_uses_c_for_tanh_c(monkeypatch):
    right = LSTM.step_backward

    def wrong(self, params, tape, t, dstate):
        dh, o = dstate["h"].copy(), tape.a[t, 3]
        right(self, params, tape, t, dstate)
        tape.da[t, :, 3 * tape.hidden_size :] = dh * tape.state["c"][t + 1] * o * (1 - o)
        tape.backward_state_product(t, dstate["h"])

    monkeypatch.setattr(LSTM, "step_backward", wrong)
    assert failing(cell="lstm") == recurrent(LSTM, "state.0.h", "state.0.c")


def test_the_gru_drops_the_gradient_of_its_second_bias(monkeypatch):
    after(monkeypatch, GRU, "param_grads", lambda self, params, tape, grads: grads["b_hn"].fill(0))
    assert failing(cell="gru") == {"layers.0.b_hn"}


def test_the_gru_swaps_z_and_its_complement_in_the_backward_pass(monkeypatch):
    def swap(self, params, tape, t, dstate):
        tape.a[t, 1] = 1 - tape.a[t, 1]

    before(monkeypatch, GRU, "step_backward", swap)
    after(monkeypatch, GRU, "step_backward", swap)
    assert failing(cell="gru") == recurrent(GRU, "state.0.h")
