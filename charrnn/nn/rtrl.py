"""Real-time recurrent learning (Williams and Zipser 1989): the gradient carried forward in time, beside the state.

With s the state of all layers, theta the parameters and J = ds/dtheta, a step s' = F(s, theta) and its loss n(s, theta)
give

    dn/dtheta  = @n/@theta + @n/@s @ J
    J'         = @F/@theta + @F/@s @ J                where @ in front is a partial derivative

Nothing goes back in time, so no batch truncates it; but J has as many columns as there are parameters, and each step
multiplies it. The partial derivatives of a step are taken from the forward pass alone, by the complex step (see
`oracles.complex_step`): what judges a backward pass shares nothing with it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from charrnn.arrays import Array, Batch
from charrnn.nn import head
from charrnn.nn.model import CharLM
from charrnn.nn.noise import Noise
from charrnn.nn.parameters import Parameters
from charrnn.nn.stack import State

TINY = 1e-30


class Step(NamedTuple):
    """Holds what is given to one step of a batch."""

    ids: Array
    """The symbols that are read: (1, B)."""
    targets: Array
    """What should come out: (B,)."""
    starts: Array
    """Which rows begin a text: bools (B,)."""
    lengths: Array | None
    """0 for the rows that have ended before this step and 1 for others, (B,); None where none has."""
    labels: Array | None
    """What each row is told: (B,)."""
    noise: Noise | None


@dataclass
class Sensitivity:
    """Holds how the state depends on the parameters: `J (B, S, P)`, for S numbers in a row's state and P parameters.

    It is changed in place from step to step, and may be carried from batch to batch as the state is.
    """

    model: CharLM
    J: Array

    @classmethod
    def zero(cls, model: CharLM, batch_size: int) -> Sensitivity:
        """Returns the sensitivity of a state that no parameter has had a part in: zero."""
        return cls(model, np.zeros(shape(model, batch_size)))

    def loss_and_grads(
        self,
        params: Parameters,
        batch: Batch,
        state: State,
        grads: Parameters,
        noise: Noise | None = None,
        dfinal: State | None = None,
    ) -> tuple[float, State, State]:
        """Returns a batch's mean nats, its final state, and the gradient of `state`; writes the others to `grads`.

        As `CharLM.loss_and_grads`, but for J: where that is not zero, the gradient reaches back into earlier batches.
        """
        T, B = batch.x.shape
        weights = np.ones((T, B)) if batch.weights is None else batch.weights
        s = _columns(state).astype(complex)
        S, P = s.shape[1], params.vector.size
        theta = Parameters(params.shapes, params.vector.astype(complex))
        from_start = np.broadcast_to(np.eye(S), (B, S, S)).copy()  # ds/ds0
        total, d_theta, d_start = 0.0, np.zeros(P), np.zeros((B, S))
        for t in range(T):
            drawn = noise and [layer.step(t) for layer in noise]
            starts = np.full(B, t == 0) if batch.starts is None else batch.starts & (t == 0)
            lengths = None if batch.lengths is None else (batch.lengths > t).astype(int)
            at = Step(batch.x[t : t + 1], batch.y[t], starts, lengths, batch.labels, drawn)
            dF_ds, dn_ds, dF_dtheta, dn_dtheta = self._partials(theta, s, at)
            dn_ds *= weights[t][:, None]
            d_theta += weights[t] @ dn_dtheta + np.einsum("bs,bsp->p", dn_ds, self.J)
            d_start += np.einsum("bs,bsu->bu", dn_ds, from_start)
            self.J[...] = dF_dtheta + dF_ds @ self.J
            from_start = dF_ds @ from_start
            s, nats = self._step(theta, s, at)
            total += float(weights[t] @ nats.real)
        d_theta /= batch.answers
        d_start /= batch.answers
        if dfinal is not None:
            d_theta += np.einsum("bs,bsp->p", _columns(dfinal).real, self.J)
            d_start += np.einsum("bs,bsu->bu", _columns(dfinal).real, from_start)
        grads.vector[...] = d_theta
        return total / batch.answers, _state_of(s.real, state), _state_of(d_start, state)

    def gradients(self, params: Parameters) -> Callable[[Batch, State, Parameters, int], tuple[float, State]]:
        """Returns `loss_and_grads` as the training loop calls it: with a batch, its state, where to write, and a seed.

        The rows of a batch must be the same streams each time, as J is carried along with their state.
        """

        def compute(batch: Batch, state: State, grads: Parameters, seed: int) -> tuple[float, State]:
            noise = self.model.noise_of_seed(seed, batch, np.float64)
            loss, final, _ = self.loss_and_grads(params, batch, state, grads, noise)
            dtype = params.vector.dtype
            return loss, [{name: array.astype(dtype) for name, array in layer.items()} for layer in final]

        return compute

    def _step(self, theta: Parameters, s: Array, at: Step) -> tuple[Array, Array]:
        """Returns the state (B, S) after a step, and the nats (B,) of its character."""
        before = _state_of(s, self.model.zero_state(1))
        beside = {"lengths": at.lengths, "labels": at.labels}
        logits, final = self.model.forward(theta, at.ids, before, at.starts, at.noise, **beside)
        return _columns(final), head.nats(logits[0], at.targets)

    def _partials(self, theta: Parameters, s: Array, at: Step) -> tuple[Array, Array, Array, Array]:
        """Returns dF/ds (B, S, S), dn/ds (B, S), dF/dtheta (B, S, P) and dn/dtheta (B, P)."""
        (B, S), P = s.shape, theta.vector.size
        dF_ds, dn_ds, dF_dtheta, dn_dtheta = (
            np.empty((B, S, S)),
            np.empty((B, S)),
            np.zeros((B, S, P)),
            np.zeros((B, P)),
        )
        for j in range(S):
            s[:, j] += TINY * 1j
            after, nats = self._step(theta, s, at)
            dF_ds[:, :, j], dn_ds[:, j] = after.imag / TINY, nats.imag / TINY
            s[:, j] = s[:, j].real
        for p in np.flatnonzero(self._read(theta, at.ids)):
            theta.vector[p] += TINY * 1j
            after, nats = self._step(theta, s, at)
            dF_dtheta[:, :, p], dn_dtheta[:, p] = after.imag / TINY, nats.imag / TINY
            theta.vector[p] = theta.vector[p].real
        return dF_ds, dn_ds, dF_dtheta, dn_dtheta

    def _read(self, theta: Parameters, ids: Array) -> Array:
        """Returns which parameters a step reads, (P,): all but the first layer's rows for other characters."""
        read = Parameters(theta.shapes, np.ones(theta.vector.size, bool))
        for name, first in self.model.stack.symbol_rows.items():
            rows = read[name][first : first + self.model.vocab_size]
            rows[...] = False
            rows[np.unique(ids)] = True
        return read.vector


class Sized(Protocol):
    """Is a network, as far as its sizes go."""

    @property
    def state_size(self) -> int:
        """S, numbers in one row of a state."""

    @property
    def num_parameters(self) -> int:
        """P, all numbers that are learnt."""


def shape(model: Sized, batch_size: int) -> tuple[int, int, int]:
    """Returns the shape of J: (B, S, P)."""
    return batch_size, model.state_size, model.num_parameters


def seconds_of_iteration(model: CharLM, seq_length: int, batch_size: int) -> float:
    """Estimates how long RTRL takes for one batch: a step forward for each number of the state and each parameter."""
    B, S, P = shape(model, batch_size)
    one_step = 1e-4 + 8e-9 * B * P
    return seq_length * ((S + P) * one_step + 2e-9 * B * S * S * P)


def _columns(state: State) -> Array:
    """Returns all arrays of a state side by side: (B, S)."""
    return np.concatenate([array for layer in state for array in layer.values()], axis=1)


def _state_of(columns: Array, like: State) -> State:
    """Returns the state whose columns these are: the reverse of `_columns`, with the names and widths of `like`."""
    found: State = []
    start = 0
    for layer in like:
        entry = {}
        for name, array in layer.items():
            entry[name] = columns[:, start : start + array.shape[1]].copy()
            start += array.shape[1]
        found.append(entry)
    return found
