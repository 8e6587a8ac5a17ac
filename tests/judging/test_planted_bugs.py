"""The tester is tested: each bug, once planted, must fail the check, at the parameters that it spoils and no others."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import reference
from architectures import KINDS, fits

from charrnn.judging.gradcheck.subject import check_model
from charrnn.nn import cells, unroll
from charrnn.nn.cells.base import Cell
from charrnn.nn.cells.gru import GRU
from charrnn.nn.cells.lstm import LSTM
from charrnn.nn.cells.lstm_variants import LSTMVariant
from charrnn.nn.layer_norm import NormalizedTape
from charrnn.nn.model import CharLM
from charrnn.nn.stack import Stack
from charrnn.nn.tape import Tape

V, H = 5, 3


@pytest.fixture
def kind(cell) -> Cell:
    """The cell in which a bug is planted."""
    return cells.build(cell["cell"], cell["activation"])


def that_can_have(option):
    """The kinds of network for which an option is."""
    return pytest.mark.parametrize("cell", [pytest.param(k, id=n) for n, k in KINDS.items() if fits(k["cell"], option)])


def failing(**architecture) -> set[str]:
    return {row.name for row in check_model(CharLM(V, hidden_size=H, **architecture)) if not row.ok}


def recurrent(cell: Cell, *others: str, layer: str = "0") -> set[str]:
    """Names of all that the gradient at the gates of a layer reaches, and others."""
    return {f"layers.{layer}.{name}" for name in ("W", "b", *cell.vectors, *cell.matrices)} | set(others)


def states(cell: Cell, *entries: int) -> set[str]:
    """Names of the states that come in."""
    return {f"state.{k}.{name}" for k in entries or (0,) for name in cell.state}


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


def with_states(monkeypatch, cell, name, change):
    """Lets `param_grads` see states of that name that `change` has made of the right ones."""
    right = type(cell).param_grads

    def wrong(self, params, tape, grads):
        states = tape.state
        tape.state = states | {name: change(states[name])}
        right(self, params, tape, grads)
        tape.state = states

    monkeypatch.setattr(type(cell), "param_grads", wrong)


def without_first(rows):
    return np.concatenate([np.zeros_like(rows[:1]), rows[1:]])


def test_without_a_bug_nothing_fails(cell):
    assert failing(**cell) == set()


@pytest.mark.parametrize(
    ("cell", "name"),
    [
        pytest.param(kind, name, id=f"{title}-{name}")
        for title, kind in KINDS.items()
        for name in reference.STATE_KEYS[kind["cell"]]
    ],
)
def test_the_gradient_of_a_state_is_not_carried_back(cell, name, kind, monkeypatch):
    after(monkeypatch, type(kind), "step_backward", lambda self, params, tape, t, dstate: dstate[name].fill(0))
    assert failing(**cell) == recurrent(kind) | states(kind)


def test_dw_h_uses_the_state_after_the_step(cell, kind, monkeypatch):
    with_states(monkeypatch, kind, "h", lambda h: np.concatenate([h[1:], h[-1:]]))
    assert failing(**cell) == {"layers.0.W"}


def test_dw_h_skips_the_first_step(cell, kind, monkeypatch):
    with_states(monkeypatch, kind, "h", without_first)
    assert failing(**cell) == {"layers.0.W"}


def test_the_first_step_is_not_backpropagated(cell, kind, monkeypatch):
    def bug(self, params, tape, grads):
        tape.da[0] = 0
        tape.dhW[0] = 0

    before(monkeypatch, type(kind), "param_grads", bug)
    assert failing(**cell) == recurrent(kind)


def test_db_is_zero(cell, monkeypatch):
    after(monkeypatch, unroll, "backward", lambda *arguments: arguments[5]["b"].fill(0))
    assert failing(**cell) == {"layers.0.b"}


@pytest.fixture
def tapes(monkeypatch):
    """Those of the window at hand."""
    found, make = [], Stack.tapes

    def remember(self, *arguments):
        found[:] = make(self, *arguments)
        return found

    monkeypatch.setattr(Stack, "tapes", remember)
    return found


def test_a_bug_in_a_lower_layer_is_not_blamed_on_the_one_above(cell, kind, tapes, monkeypatch):
    def bug(cell, params, tape, t, dstate):
        dstate["h"] *= 0.99 if tape is tapes[0] else 1

    after(monkeypatch, unroll, "step_backward", bug)
    assert failing(num_layers=2, **cell) == recurrent(kind) | states(kind)


@pytest.mark.parametrize("cell", [KINDS["gru-tanh"], KINDS["lstm-tanh"]], ids=["gru", "lstm"])
def test_a_lower_layer_does_not_hear_of_the_reverse_one_above(cell, kind, tapes, monkeypatch):
    def bug(this, params, dh, dstate, tape, grads, dx):
        if tape is tapes[3]:
            dx.fill(0)

    after(monkeypatch, unroll, "backward", bug)
    expected = recurrent(kind) | recurrent(kind, layer="0.reverse") | states(kind, 0, 1)
    assert failing(num_layers=2, bidirectional=True, **cell) == expected


def test_the_dropout_mask_is_not_applied_backward(cell, kind, monkeypatch):
    right = Stack.backward

    def wrong(self, params, dh, dstate, tapes, noise, grads):
        undropped = [dataclasses.replace(layer, output_mask=None) for layer in noise]
        right(self, params, dh, dstate, tapes, undropped, grads)

    monkeypatch.setattr(Stack, "backward", wrong)
    expected = recurrent(kind) | recurrent(kind, layer="1") | states(kind, 0, 1)
    assert failing(num_layers=2, dropout=0.3, **cell) == expected


@that_can_have("recurrent_dropout")
def test_the_candidates_mask_is_not_applied_backward(cell, kind, monkeypatch):
    def bug(this, params, dh, dstate, tape, grads, dx):
        tape.noise = dataclasses.replace(tape.noise, candidate_mask=None)

    before(monkeypatch, unroll, "backward", bug)
    assert failing(recurrent_dropout=0.4, **cell) == recurrent(kind) | states(kind)


@pytest.mark.parametrize(
    ("cell", "option"),
    [
        pytest.param(kind, option, id=f"{title}-{option}")
        for title, kind in KINDS.items()
        for option in ("zoneout_h", "zoneout_c")
        if fits(kind["cell"], option)
    ],
)
def test_what_stays_old_in_zoneout_is_not_carried_back(cell, option, kind, monkeypatch):
    def wrong(this, params, tape, t, dstate):
        for name, z in tape.noise.zoneout.items():
            dstate[name] *= 1 - z[t]
        this.step_backward(params, tape, t, dstate)

    monkeypatch.setattr(unroll, "step_backward", wrong)
    assert failing(**cell, **{option: 0.4}) == recurrent(kind) | states(kind)


@that_can_have("layer_norm")
@pytest.mark.parametrize("forgotten", ["by the mean", "by the root"])
def test_a_layer_norm_forgets_how_its_result_depends_on_a_sum(cell, forgotten, kind, monkeypatch):
    def wrong(self, t, dh):
        dn, n = self.da_blocks[t] * self.gain, self.n[t]
        by_mean, by_root = dn.mean(axis=-1, keepdims=True), n * (dn * n).mean(axis=-1, keepdims=True)
        self.dhW_blocks[t][...] = (dn - (by_root if forgotten == "by the mean" else by_mean)) * self.root[t]
        Tape.backward_state_product(self, t, dh)

    monkeypatch.setattr(NormalizedTape, "backward_state_product", wrong)
    assert failing(layer_norm=True, **cell) == recurrent(kind, "layers.0.gain") | states(kind)


@that_can_have("layer_norm")
def test_the_gradient_of_a_layer_norms_gain_is_zero(cell, monkeypatch):
    after(monkeypatch, NormalizedTape, "own_grads", lambda self, grads: grads["gain"].fill(0))
    assert failing(layer_norm=True, **cell) == {"layers.0.gain"}


def test_a_learned_state_gets_gradient_from_every_row(cell, kind, monkeypatch):
    right = unroll.backward

    def wrong(this, params, dh, dstate, tape, grads, dx):
        every, starts = {name: d.copy() for name, d in dstate.items()}, tape.starts
        gates, tape.starts = tape.a.copy(), np.ones_like(starts)
        right(this, params, dh, every, tape, from_all := {name: grad.copy() for name, grad in grads.items()}, None)
        tape.a[...], tape.starts, tape.is_recorded = gates, starts, True
        right(this, params, dh, dstate, tape, grads, dx)
        for name in kind.state:
            grads[f"{name}0"][...] = from_all[f"{name}0"]

    monkeypatch.setattr(unroll, "backward", wrong)
    learned = {f"layers.{layer}.{name}0" for layer in (0, 1) for name in kind.state}
    assert failing(num_layers=2, initial_state="learned", **cell) == learned


@pytest.mark.parametrize("initial_state", ["random", "learned"])
def test_the_given_state_keeps_the_gradient_of_a_row_that_begins_a_text(cell, initial_state, kind, monkeypatch):
    def bug(this, params, dh, dstate, tape, grads, dx):
        for d in dstate.values():
            d[tape.starts] = 0.1

    after(monkeypatch, unroll, "backward", bug)
    assert failing(initial_state=initial_state, **cell) == states(kind)


def test_the_head_forgets_its_bias(cell, monkeypatch):
    after(monkeypatch, CharLM, "loss_and_grads", lambda *arguments: arguments[4]["head.b"].fill(0))
    assert failing(**cell) == {"head.b"}


def test_one_coordinate_is_wrong_and_the_check_points_at_it(cell, monkeypatch):
    def bug(*arguments):
        arguments[5]["W"][7, 2] += 1e-3

    after(monkeypatch, unroll, "backward", bug)
    (row,) = [row for row in check_model(CharLM(V, hidden_size=H, **cell)) if not row.ok]
    assert (row.name, row.where) == ("layers.0.W", (7, 2))
    assert row.analytic - row.oracle == pytest.approx(1e-3, rel=1e-3)


def test_a_gradient_is_not_a_number(cell, monkeypatch):
    def bug(*arguments):
        arguments[5]["W"][0, 0] = np.nan

    after(monkeypatch, unroll, "backward", bug)
    assert failing(**cell) == {"layers.0.W"}


def test_the_lstms_do_uses_c_for_tanh_c(monkeypatch):
    right = LSTM.step_backward

    def wrong(self, params, tape, t, dstate):
        dh, o = dstate["h"].copy(), tape.a[t, 3]
        right(self, params, tape, t, dstate)
        tape.da[t, :, 3 * tape.hidden_size :] = dh * tape.state["c"][t + 1] * o * (1 - o)
        tape.backward_state_product(t, dstate["h"])

    monkeypatch.setattr(LSTM, "step_backward", wrong)
    assert failing(cell="lstm") == recurrent(LSTM()) | states(LSTM())


def test_the_gru_drops_the_gradient_of_its_second_bias(monkeypatch):
    after(monkeypatch, GRU, "param_grads", lambda self, params, tape, grads: grads["b_hn"].fill(0))
    assert failing(cell="gru") == {"layers.0.b_hn"}


def test_the_gru_swaps_z_and_its_complement_in_the_backward_pass(monkeypatch):
    def swap(self, params, tape, t, dstate):
        tape.a[t, 1] = 1 - tape.a[t, 1]

    before(monkeypatch, GRU, "step_backward", swap)
    after(monkeypatch, GRU, "step_backward", swap)
    assert failing(cell="gru") == recurrent(GRU()) | states(GRU())


def test_the_gradient_of_peepholes_drops_the_first_c(monkeypatch):
    peephole = cells.build("lstm_peephole")
    with_states(monkeypatch, peephole, "c", without_first)
    assert failing(cell="lstm_peephole") == {"layers.0.p_i", "layers.0.p_f"}


def test_the_output_gates_peephole_looks_at_the_c_before_the_step(monkeypatch):
    def bug(self, params, tape, grads):
        c, H = tape.state["c"][:-1], tape.hidden_size
        grads["p_o"][...] = (tape.da[:, :, 3 * H :] * c).sum(axis=(0, 1))

    after(monkeypatch, LSTMVariant, "param_grads", bug)
    assert failing(cell="lstm_peephole") == {"layers.0.p_o"}


def test_the_gradient_between_gates_is_transposed(monkeypatch):
    def bug(self, params, tape, grads):
        grads["R"][...] = grads["R"].T.copy()

    after(monkeypatch, LSTMVariant, "param_grads", bug)
    assert failing(cell="lstm_fgr") == {"layers.0.R"}
