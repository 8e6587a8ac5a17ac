"""What `charrnn gradcheck` checks: a configured architecture, built small, in float64, under hard conditions."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from charrnn.arrays import Array, Batch
from charrnn.judging import gradcheck
from charrnn.judging.gradcheck.check import SMALLEST, Oracle, Row, check
from charrnn.nn import head
from charrnn.nn.model import CharLM
from charrnn.nn.noise import Noise
from charrnn.nn.parameters import Parameters
from charrnn.nn.stack import State

SEQ_LENGTH, BATCH_SIZE, VOCAB_SIZE, HIDDEN_SIZE = 4, 4, 6, 4
DRAWS = 30
"""How often conditions are drawn at most, until every parameter is put to a test."""


def small(model: CharLM) -> CharLM:
    """Returns the same architecture with few units and characters: a wrong gradient is wrong at every size."""
    return dataclasses.replace(model, vocab_size=VOCAB_SIZE, hidden_size=HIDDEN_SIZE)


def check_model(model: CharLM, oracle: str = "finite-difference", seed: int = 0) -> list[Row]:
    """Returns a row for every parameter, and for the initial state, of `model` over one random batch.

    The weights are random with standard deviation 0.5, the state that comes in is random and not zero, two rows begin
    a text unless texts begin with zeros, masks and noise are drawn once, and the objective adds random multiples of
    the final state to the loss, so that every path of the backward pass carries something. A draw that leaves some
    parameter's gradients too small to judge, such as one of dead rectifiers, is drawn anew, at most `DRAWS` times.
    Raises ValueError if the oracle declines the model.
    """
    judge = gradcheck.load(oracle)
    if reason := judge.declines(model):
        raise ValueError(reason)
    for draw in range(DRAWS):
        subject = Subject.draw(model, judge.dtype, seed + draw)
        gradients = subject.gradients()
        if all(np.abs(gradient).max() >= SMALLEST for gradient in gradients.values()):
            break
    compared = subject.arrays()
    if judge.knows_loss:
        compared, gradients = ({"loss": subject.loss} | named for named in (compared, gradients))
    return check(subject.objective, compared, gradients, judge.oracle(subject))


@dataclass
class Subject:
    """Holds a model, and one random batch with all else that its gradients depend on."""

    model: CharLM
    params: Parameters
    batch: Batch
    state: State
    noise: Noise | None
    cotangent: State
    """What the objective multiplies the final state by."""
    loss: Array = field(default_factory=lambda: np.zeros(()))
    """What `gradients` found the loss to be: a number, ()."""

    @classmethod
    def draw(cls, model: CharLM, dtype: Any, seed: int) -> Subject:
        """Returns a subject that is random in every part."""
        rng = np.random.default_rng(seed)
        T, B = SEQ_LENGTH, BATCH_SIZE
        params = Parameters.zeros(model.shapes, dtype)
        params.vector[...] = rng.normal(0, 0.5, params.vector.shape)
        ids, targets = rng.integers(model.vocab_size, size=(2, T, B))
        state, cotangent = _random_state(model, rng, 0.5, dtype), _random_state(model, rng, 1.0, dtype)
        starts = (np.arange(B) % 2 == 1) & (model.initial_state != "zero")
        weights = rng.uniform(0.5, 1.5, (T, B)) * (rng.random((T, B)) < 0.75)  # a quarter of it is padding
        batch = Batch(ids, targets, starts, weights)
        return cls(model, params, batch, state, model.noise(rng, T, B, dtype), cotangent)

    def objective(self) -> Any:
        """Returns the loss and multiples of the final state, by the forward pass alone: it judges the backward pass."""
        x, y, starts, weights = self.batch
        logits, final = self.model.forward(self.params, x, self.state, starts, self.noise)
        extra = sum((c[k] * f[k]).sum() for c, f in zip(self.cotangent, final, strict=True) for k in f)
        return (head.nats(logits, y) * weights).sum() / self.batch.answers + extra

    def arrays(self) -> dict[str, Array]:
        """Returns all that `objective` is differentiated by."""
        return {**self.params, **named(self.state)}

    def gradients(self) -> dict[str, Array]:
        """Returns the gradients of `objective` by backpropagation through time: these are what is judged."""
        grads = Parameters.zeros(self.model.shapes, self.params.vector.dtype)
        dstate = [{name: d.copy() for name, d in layer.items()} for layer in self.cotangent]
        self.loss[...], _ = self.model.loss_and_grads(self.params, self.batch, self.state, grads, self.noise, dstate)
        return {**grads, **named(dstate)}


@dataclass(frozen=True)
class Judge:
    """Knows the derivatives of a subject's objective in a way that shares nothing with its backward pass."""

    oracle: Callable[[Subject], Oracle]
    dtype: Any = np.float64
    """What the subject must be drawn in."""
    declines: Callable[[CharLM], str] = lambda model: ""
    """Why it cannot judge a model, in one line; empty if it can."""
    knows_loss: bool = False
    """Whether it computes the loss by itself, too."""


def all_at_once(subject: Subject, found: dict[str, Array]) -> Oracle:
    """Returns an oracle for which all derivatives (and the loss, if it knows that) are computed already, by name."""
    names = {id(array): name for name, array in ({"loss": subject.loss} | subject.arrays()).items()}
    return lambda loss, array, where: float(found[names[id(array)]][where])


def _random_state(model: CharLM, rng: np.random.Generator, std: float, dtype: Any) -> State:
    return [
        {name: rng.normal(0, std, zero.shape).astype(dtype) for name, zero in layer.items()}
        for layer in model.zero_state(BATCH_SIZE, dtype)
    ]


def named(state: State) -> dict[str, Array]:
    """Returns the arrays of a state, or their gradients, by name: `state.0.h`, ..."""
    return {f"state.{i}.{name}": array for i, layer in enumerate(state) for name, array in layer.items()}
