"""A model without any training: it begins with chance and learns from the file itself, as both sides read it.

This is what `lstm-compress` (Byron Knoll) does with a file; what it learns from earlier passages again is ours. A run
that trains makes many passes over its text, and here there is one. So each update learns from the segment that was just
read and from some earlier ones, drawn by chance with a seed: the decoder has read them too, and draws the same.
"""

from __future__ import annotations

import numpy as np

from charrnn.arrays import Array, Batch
from charrnn.config.resolve import Setting
from charrnn.config.schema import Config
from charrnn.nn.model import CharLM
from charrnn.nn.numerics import overflow_allowed
from charrnn.nn.parameters import Parameters
from charrnn.nn.stack import State
from charrnn.optim import clipping, optimizers, schedules
from charrnn.optim.schedules import Position

RECIPE = {
    "model.hidden_size": 192,
    "model.dropout": 0.4,
    "train.batch_size": 4,
    "train.seq_length": 20,
    "train.seed": 1,
    "optim.learning_rate": 1e-2,
    "optim.schedule": "linear",
    "optim.min_learning_rate": 2e-3,
    "optim.clip_norm": 1.0,
}
"""What is chosen where a configuration does not say otherwise; measured on harbour and alice29."""

UPDATES = 2
"""How many steps are taken after each segment, each with other earlier ones beside it."""

MOST_EARLIER = 1 << 14
"""Segments from which earlier ones are drawn: the last so many."""


def recipe() -> list[Setting]:
    """Returns the settings that a configuration is laid over."""
    return [Setting(key, value, "the recipe for files") for key, value in RECIPE.items()]


class FromScratch:
    """Holds weights that begin with chance, and learn. The configuration says what, from how much, and how fast.

    Of its keys, those of the model and the optimizer count, and of training `seq_length`, `batch_size`, how many
    segments an update learns from, and `seed`.
    """

    def __init__(self, model: CharLM, config: Config, segments: int) -> None:
        """`segments` is how many there will be, by which the learning rate goes down."""
        self.model, self._config, self._segments = model, config, max(1, segments)
        self._rng = np.random.default_rng(config.train.seed)
        m = config.model
        self._params = model.init_params(self._rng, config.train.dtype, m.init, m.init_scale, m.forget_bias)
        self._matrices = [array for array in self._params.values() if array.ndim == 2]
        self._grads = Parameters.zeros(model.shapes, config.train.dtype)
        self._optimizer, self._schedule = optimizers.build(config.optim), schedules.build(config.optim)
        self._slots = self._optimizer.init(self._params.vector)
        self._earlier: list[tuple[Array, Array, State]] = []
        """What was read in each segment, what came, both (T, B), and the state before it."""
        self._done = 0

    @property
    def params(self) -> Parameters:
        """The weights as they are now."""
        return self._params

    @property
    def segment(self) -> int:
        """T, after how many symbols it is to learn."""
        return self._config.train.seq_length

    def learn(self, batch: Batch, state: State) -> None:
        """Takes steps down the gradient of this segment, (T, B), and of as many earlier rows as there is room for."""
        new = batch.x.copy(), batch.y.copy(), state
        for _ in range(UPDATES):
            self._update(*self._with_earlier(new))
        if len(self._earlier) < MOST_EARLIER:
            self._earlier.append(new)
        else:
            self._earlier[self._done % MOST_EARLIER] = new
        self._done += 1

    def _update(self, rows: Batch, before: State) -> None:
        """Takes one step down the gradient of `rows`, before which the layers were so; passes over one that is none."""
        optim, noise = self._config.optim, None
        if self.model.is_noisy:
            noise = self.model.noise_of_seed(int(self._rng.integers(2**63)), rows, self._params.vector.dtype)
        self.model.loss_and_grads(self._params, rows, before, self._grads, noise)
        size = clipping.norm(self._grads.vector)
        rate = self._schedule(Position(self._done, 0, self._done / self._segments, 0))
        if np.isfinite(size):
            with overflow_allowed():
                self._optimizer.update(self._grads.vector, self._slots, rate, size)
                optimizers.decay_weights(self._matrices, rate, optim)
                self._params.vector -= self._grads.vector

    def _with_earlier(self, new: tuple[Array, Array, State]) -> tuple[Batch, State]:
        """Returns a segment beside earlier rows as one batch, and the state before each of its rows."""
        B = new[0].shape[1]
        room = self._config.train.batch_size - B
        parts = [new]
        if self._earlier and room > 0:
            for drawn in self._rng.integers(0, len(self._earlier) * B, room).tolist():
                x, y, state = self._earlier[drawn // B]
                row = slice(drawn % B, drawn % B + 1)
                parts.append((x[:, row], y[:, row], [{k: s[row] for k, s in layer.items()} for layer in state]))
        x, y = (np.concatenate([part[k] for part in parts], axis=1) for k in (0, 1))
        states = [part[2] for part in parts]
        joined = [
            {name: np.concatenate([s[k][name] for s in states]) for name in layer} for k, layer in enumerate(new[2])
        ]
        return Batch(x, y, np.zeros(x.shape[1], bool)), joined
