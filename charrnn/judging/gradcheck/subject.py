"""What `charrnn gradcheck` checks: a configured architecture, built small, in float64, under hard conditions."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from charrnn.arrays import Array, Batch, Ids
from charrnn.judging import gradcheck
from charrnn.judging.gradcheck.check import SMALLEST, Oracle, Row, check
from charrnn.nn.model import CharLM
from charrnn.nn.noise import Noise
from charrnn.nn.options import ModelConfig
from charrnn.nn.parameters import Parameters
from charrnn.nn.stack import State

SEQ_LENGTH, BATCH_SIZE, VOCAB_SIZE, HIDDEN_SIZE = 4, 4, 6, 4
DrawBatch = Callable[[np.random.Generator], Batch]
STD = 0.5
"""Standard deviation of the weights."""
GROWTH = 1.4
"""What that is multiplied by after ten draws."""
DRAWS = 30
"""How often conditions are drawn at most, until every parameter is put to a test."""


def small(config: ModelConfig) -> ModelConfig:
    """Returns the same architecture with few units: a wrong gradient is wrong at every size."""
    return dataclasses.replace(config, hidden_size=HIDDEN_SIZE)


def random_batch(model: CharLM, rng: np.random.Generator) -> Batch:
    """Returns a batch of which a quarter is padding; two rows begin a text, unless texts begin with zeros."""
    shape = SEQ_LENGTH, BATCH_SIZE
    x, y = rng.integers(model.vocab_size, size=(2, *shape))
    starts = (np.arange(BATCH_SIZE) % 2 == 1) & (model.initial_state != "zero")
    return Batch(x, y, starts, rng.uniform(0.5, 1.5, shape) * (rng.random(shape) < 0.75))


def random_lengths(rng: np.random.Generator, symbols: int, longest: int = SEQ_LENGTH) -> tuple[Ids, Ids]:
    """Returns rows of unlike length, the longest not the first: ids (T, B), with symbols in the padding, and (B,)."""
    lengths = rng.permutation([longest, *rng.integers(1, longest, size=BATCH_SIZE - 1)])
    return rng.integers(symbols, size=(longest, BATCH_SIZE)), lengths


def check_model(
    model: Any, oracle: str = "finite-difference", seed: int = 0, draw: DrawBatch | None = None
) -> list[Row]:
    """Returns a row for every parameter of `model`, and for the state that comes in, over one random batch.

    `draw` draws that batch; for a `CharLM`, `random_batch` does. The weights are random with standard deviation `STD`,
    the state that comes in is random and not zero, masks and noise are drawn once, and the objective adds random
    multiples of the final state to the loss, so that every path of the backward pass carries something. The state that
    comes in is left out where every row begins anew. A draw that leaves some gradients too small to judge, such as one
    of dead rectifiers, is drawn anew, at most `DRAWS` times, and after ten with larger weights, without which hardly
    anything comes through attention. Raises ValueError if the oracle declines the model.
    """
    judge = gradcheck.load(oracle)
    if reason := judge.declines(model):
        raise ValueError(reason)
    for attempt in range(DRAWS):
        one = Subject.draw(model, judge.dtype, seed + attempt, draw, STD * GROWTH ** (attempt // 10))
        found = one.gradients()
        is_hard = all(np.abs(gradient).max() >= SMALLEST for gradient in found.values())
        if is_hard or not attempt:  # the first, unless another is better
            subject, gradients = one, found
        if is_hard:
            break
    compared = subject.arrays()
    if judge.knows_loss:
        compared, gradients = ({"loss": subject.loss} | named for named in (compared, gradients))
    return check(subject.objective, compared, gradients, judge.oracle(subject))


@dataclass
class Subject:
    """Holds a model, and one random batch with all else that its gradients depend on."""

    model: Any
    params: Parameters
    batch: Batch
    state: State
    noise: Noise | None
    cotangent: State
    """What the objective multiplies the final state by."""
    loss: Array = field(default_factory=lambda: np.zeros(()))
    """What `gradients` found the loss to be: a number, ()."""

    @classmethod
    def draw(cls, model: Any, dtype: Any, seed: int, draw: DrawBatch | None = None, std: float = STD) -> Subject:
        """Returns a subject that is random in every part, with weights of standard deviation `std`."""
        rng = np.random.default_rng(seed)
        params = Parameters.zeros(model.shapes, dtype)
        params.vector[...] = rng.normal(0, std, params.vector.shape)
        batch = draw(rng) if draw else random_batch(model, rng)
        zero = model.zero_state(batch.num_rows, dtype)
        state, cotangent = _random_state(zero, rng, 0.5), _random_state(zero, rng, 1.0)
        noise = model.noise_of_seed(int(rng.integers(2**63)), batch, dtype)
        return cls(model, params, batch, state, noise, cotangent)

    def objective(self) -> Any:
        """Returns the loss and multiples of the final state, by the forward pass alone: it judges the backward pass."""
        loss, final = self.model.loss(self.params, self.batch, self.state, self.noise)
        if not self.carries:
            return loss
        return loss + sum((c[k] * f[k]).sum() for c, f in zip(self.cotangent, final, strict=True) for k in f)

    @property
    def carries(self) -> bool:
        """Whether rows go on from a batch before, and in one after it."""
        return self.batch.starts is not None

    def arrays(self) -> dict[str, Array]:
        """Returns all that `objective` is differentiated by."""
        return {**self.params, **self._handed_on(self.state)}

    def gradients(self) -> dict[str, Array]:
        """Returns the gradients of `objective` by backpropagation through time: these are what is judged."""
        grads = Parameters.zeros(self.model.shapes, self.params.vector.dtype)
        dstate = [{name: d.copy() for name, d in layer.items()} for layer in self.cotangent]
        self.loss[...], _ = self.model.loss_and_grads(self.params, self.batch, self.state, grads, self.noise, dstate)
        return {**grads, **self._handed_on(dstate)}

    def _handed_on(self, state: State) -> dict[str, Array]:
        return {} if self.batch.starts is None or self.batch.starts.all() else named(state)


@dataclass(frozen=True)
class Judge:
    """Knows the derivatives of a subject's objective in a way that shares nothing with its backward pass."""

    oracle: Callable[[Subject], Oracle]
    dtype: Any = np.float64
    """What the subject must be drawn in."""
    declines: Callable[[Any], str] = lambda model: ""
    """Why it cannot judge a model, in one line; empty if it can."""
    knows_loss: bool = False
    """Whether it computes the loss by itself, too."""


def all_at_once(subject: Subject, found: dict[str, Array]) -> Oracle:
    """Returns an oracle for which all derivatives (and the loss, if it knows that) are computed already, by name."""
    names = {id(array): name for name, array in ({"loss": subject.loss} | subject.arrays()).items()}
    return lambda loss, array, where: float(found[names[id(array)]][where])


def _random_state(zero: State, rng: np.random.Generator, std: float) -> State:
    return [{name: rng.normal(0, std, z.shape).astype(z.dtype) for name, z in layer.items()} for layer in zero]


def named(state: State) -> dict[str, Array]:
    """Returns the arrays of a state, or their gradients, by name: `state.0.h`, ..."""
    return {f"state.{i}.{name}": array for i, layer in enumerate(state) for name, array in layer.items()}
