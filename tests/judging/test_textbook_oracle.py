"""The textbook as an oracle: it agrees with every right cell, and knows a wrong one that has exact gradients."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from charrnn.judging import gradcheck
from charrnn.judging.gradcheck import textbook
from charrnn.judging.gradcheck.subject import Subject, check_model
from charrnn.nn import head, unroll
from charrnn.nn.cells import CELLS
from charrnn.nn.model import CharLM

V, H = 5, 3


def failing(oracle, **architecture):
    return {row.name for row in check_model(CharLM(V, hidden_size=H, **architecture), oracle) if not row.ok}


def test_it_agrees_on_every_architecture_to_rounding(architecture):
    rows = check_model(CharLM(V, hidden_size=H, num_layers=2, **architecture), "textbook")
    assert [row for row in rows if not (row.ok and row.error < 1e-11)] == []
    assert rows[0].name == "loss"


def test_what_is_compared_beside_the_loss_is_all_that_finite_differences_compare(architecture):
    model = CharLM(V, hidden_size=H, **architecture)
    loss, *rows = check_model(model, "textbook")
    shapes = {name: array.shape for name, array in Subject.draw(model, float, 0).arrays().items()}
    assert {row.name: row.shape for row in rows} == shapes
    assert loss.checked == 1
    assert all(row.checked == np.prod(row.shape) for row in rows)


def as_another_cell(monkeypatch, swap):
    """Lets the engine compute, forward and backward, with parameters that `swap`, its own inverse, has changed."""
    forward, backward = unroll.forward, unroll.backward

    def swapped_backward(cell, params, dh, dstate, tape, grads, dx):
        swapped = {name: np.empty_like(grad) for name, grad in grads.items()}
        backward(cell, swap(params), dh, dstate, tape, swapped, dx)
        for name, grad in swap(swapped).items():
            grads[name][...] = grad

    monkeypatch.setattr(
        unroll, "forward", lambda cell, params, *rest, **more: forward(cell, swap(params), *rest, **more)
    )
    monkeypatch.setattr(unroll, "backward", swapped_backward)


def in_order(order):
    """A change of parameters that puts the blocks of W and b into another order."""

    def change(arrays):
        blocks = {name: np.split(arrays[name], len(order), axis=-1) for name in ("W", "b")}
        return arrays | {name: np.concatenate([blocks[name][k] for k in order], axis=-1) for name in blocks}

    return change


@pytest.mark.parametrize(
    ("cell", "order"),
    [
        ("lstm", (3, 1, 2, 0)),
        ("lstm", (1, 0, 2, 3)),
        ("lstm_peephole", (3, 1, 2, 0)),
        ("lstm_fgr", (0, 3, 2, 1)),
        ("lstm_cifg", (2, 1, 0)),
        ("lstm_nog", (1, 0, 2)),
        ("gru", (1, 0, 2)),
        ("gru_reset_before", (1, 0, 2)),
        ("mgu", (1, 0)),
    ],
)
def test_gates_exchanged_forward_and_backward_are_seen_by_it_alone(cell, order, monkeypatch):
    as_another_cell(monkeypatch, in_order(order))
    assert failing("finite-difference", cell=cell) == set()
    assert failing("complex-step", cell=cell) == set()
    assert failing("textbook", cell=cell) >= {"loss", "layers.0.W", "layers.0.b", "head.W", "state.0.h"}


def test_a_minimal_gated_unit_with_f_and_1_minus_f_exchanged_is_seen(monkeypatch):
    def negate(arrays):
        """1 - sigmoid(a) is sigmoid(-a)."""
        return arrays | {
            name: np.concatenate([-f, n], axis=-1)
            for name in ("W", "b")
            for f, n in [np.split(arrays[name], 2, axis=-1)]
        }

    as_another_cell(monkeypatch, negate)
    assert failing("finite-difference", cell="mgu") == set()
    assert failing("textbook", cell="mgu") >= {"loss", "layers.0.W", "layers.0.b"}


@pytest.mark.parametrize("cell", CELLS)
def test_a_bug_of_the_backward_pass_alone_is_seen_and_the_loss_is_right(cell, monkeypatch):
    right = unroll.step_backward

    def wrong(this, params, tape, t, dstate):
        right(this, params, tape, t, dstate)
        dstate["h"] *= 0.99

    monkeypatch.setattr(unroll, "step_backward", wrong)
    found = failing("textbook", cell=cell)
    assert found >= {"layers.0.W", "layers.0.b", "state.0.h"}
    assert not found & {"loss", "head.W", "head.b"}


def test_a_loss_that_is_not_the_one_whose_gradient_is_taken_is_seen_by_it_alone(monkeypatch):
    right = head.cross_entropy_
    monkeypatch.setattr(head, "cross_entropy_", lambda *arguments: 2 * right(*arguments))
    assert failing("finite-difference", cell="lstm") == set()
    assert failing("textbook", cell="lstm") == {"loss"}


@dataclasses.dataclass(frozen=True)
class WithSomethingNew(CharLM):
    """A model with an option that the textbook was never told of."""

    attention: bool = False


def test_what_it_does_not_know_is_declined_and_named():
    assert [row for row in check_model(WithSomethingNew(V), "textbook") if not row.ok] == []
    with pytest.raises(ValueError, match="the textbook does not know attention True"):
        check_model(WithSomethingNew(V, attention=True), "textbook")


def test_a_cell_that_it_does_not_have_is_declined_and_named(monkeypatch):
    monkeypatch.setitem(textbook.KNOWN, "cell", ("rnn",))
    with pytest.raises(ValueError, match="the textbook does not know cell 'lstm'"):
        check_model(CharLM(V), "textbook")


@pytest.mark.parametrize("name", gradcheck.ORACLES)
def test_every_oracle_of_the_table_is_there(name):
    judge = gradcheck.load(name)
    assert judge.declines(CharLM(V)) == ""


def test_an_oracle_that_is_not_there_is_named():
    with pytest.raises(ValueError, match="no oracle 'delphi'"):
        gradcheck.load("delphi")
