"""What `charrnn gradcheck` checks: a configured architecture, built small, in float64, under hard conditions."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from charrnn.arrays import Array, Batch
from charrnn.judging.gradcheck.check import SMALLEST, Oracle, Row, check
from charrnn.judging.gradcheck.oracles import complex_step, finite_difference
from charrnn.nn import head
from charrnn.nn.model import CharLM
from charrnn.nn.noise import Noise
from charrnn.nn.parameters import Parameters
from charrnn.nn.rtrl import Sensitivity
from charrnn.nn.stack import State

SEQ_LENGTH, BATCH_SIZE, VOCAB_SIZE, HIDDEN_SIZE = 4, 4, 6, 4
DRAWS = 30
"""How often conditions are drawn at most, until every parameter is put to a test."""

ORACLES = ("finite-difference", "complex-step", "rtrl")


def small(model: CharLM) -> CharLM:
    """The same architecture with few units and characters: an error in a gradient does not depend on the size."""
    return dataclasses.replace(model, vocab_size=VOCAB_SIZE, hidden_size=HIDDEN_SIZE)


def check_model(model: CharLM, oracle: str = "finite-difference", seed: int = 0) -> list[Row]:
    """A row for every parameter, and for the initial state, of `model` over one random window.

    The weights are random with standard deviation 0.5, the state that comes in is random and not zero, two rows begin
    a text unless texts begin with zeros, masks and noise are drawn once, and the objective adds random multiples of
    the final state to the loss, so that every path of the backward pass carries something. A draw that leaves some
    parameter's gradients too small to judge, such as one of dead rectifiers, is drawn anew, at most `DRAWS` times.
    """
    for draw in range(DRAWS):
        subject = Subject.draw(model, np.complex128 if oracle == "complex-step" else np.float64, seed + draw)
        gradients = subject.gradients()
        if all(np.abs(gradient).max() >= SMALLEST for gradient in gradients.values()):
            break
    judge: dict[str, Oracle] = {"finite-difference": finite_difference, "complex-step": complex_step}
    return check(subject.objective, subject.arrays(), gradients, judge.get(oracle) or subject.forward_mode())


@dataclass
class Subject:
    """A model, and one random window of all that its gradients depend on."""

    model: CharLM
    params: Parameters
    batch: Batch
    state: State
    noise: Noise | None
    cotangent: State
    """What the objective multiplies the final state by."""

    @classmethod
    def draw(cls, model: CharLM, dtype: Any, seed: int) -> Subject:
        """Random in every part."""
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
        """The loss and the multiples of the final state: forward alone; the backward pass has no part in its judge."""
        x, y, starts, weights = self.batch
        logits, final = self.model.forward(self.params, x, self.state, starts, self.noise)
        extra = sum((c[k] * f[k]).sum() for c, f in zip(self.cotangent, final, strict=True) for k in f)
        return (head.nats(logits, y) * weights).sum() / self.batch.answers + extra

    def arrays(self) -> dict[str, Array]:
        """All that `objective` is differentiated by."""
        return {**self.params, **_named(self.state)}

    def gradients(self) -> dict[str, Array]:
        """By backpropagation through time."""
        grads = Parameters.zeros(self.model.shapes, self.params.vector.dtype)
        dstate = [{name: d.copy() for name, d in layer.items()} for layer in self.cotangent]
        self.model.loss_and_grads(self.params, self.batch, self.state, grads, self.noise, dstate)
        return {**grads, **_named(dstate)}

    def forward_mode(self) -> Oracle:
        """By real-time recurrent learning, all at once, as an oracle of single coordinates."""
        grads = Parameters.zeros(self.model.shapes, self.params.vector.dtype)
        sensitivity = Sensitivity.zero(self.model, BATCH_SIZE)
        window = self.params, self.batch, self.state, grads
        _, _, dstate = sensitivity.loss_and_grads(*window, self.noise, self.cotangent)
        found, names = {**grads, **_named(dstate)}, {id(array): name for name, array in self.arrays().items()}
        return lambda loss, array, where: float(found[names[id(array)]][where])


def _random_state(model: CharLM, rng: np.random.Generator, std: float, dtype: Any) -> State:
    return [
        {name: rng.normal(0, std, zero.shape).astype(dtype) for name, zero in layer.items()}
        for layer in model.zero_state(BATCH_SIZE, dtype)
    ]


def _named(state: State) -> dict[str, Array]:
    return {f"state.{i}.{name}": array for i, layer in enumerate(state) for name, array in layer.items()}
