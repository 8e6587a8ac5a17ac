"""A model one step at a time, for sampling: the same cells as in training, on a batch of one step."""

from __future__ import annotations

import numpy as np

from charrnn.arrays import Array, Ids
from charrnn.nn import unroll
from charrnn.nn.model import CharLM
from charrnn.nn.numerics import overflow_allowed


class Stepper:
    """Holds a state of `batch_size` rows and moves it on by a character; all it needs is allocated here, once."""

    def __init__(self, model: CharLM, params: dict[str, Array], batch_size: int) -> None:
        """Begins from the model's initial state. `params` must not change afterwards: scaled copies are kept.

        Raises ValueError for a model that reads the text from its end as well, which has no next step.
        """
        if model.bidirectional:
            raise ValueError("a bidirectional model reads a whole text, and cannot be stepped through one")
        stack = model.stack
        dtype = params["head.b"].dtype
        self.cell = stack.cell
        self.tapes = stack.tapes(1, batch_size, dtype)
        self.layers = [stack.layer_params(params, prefix) for prefix in stack.prefixes]
        self.W, self.b = params["head.W"], params["head.b"]
        self.logits = np.empty((batch_size, model.vocab_size), dtype)
        self.x = np.empty((1, batch_size), np.intp)
        for tape, p, noise in zip(self.tapes, self.layers, stack.mean_noise(), strict=True):
            tape.noise = noise
            tape.begin_forward(p, reads_ids=tape is self.tapes[0])
            for name, rows in tape.state.items():
                rows[1] = p.get(f"{name}0", 0)
        # What a step needs, found once: the state before it and after it, and each layer with what it reads.
        self.carried = [(rows[0], rows[1]) for tape in self.tapes for rows in tape.state.values()]
        outputs = [tape.state["h"][1:] for tape in self.tapes]
        self.layers_and_inputs = list(zip([self.x, *outputs[:-1]], self.layers, self.tapes, strict=True))
        self.h = outputs[-1][0]

    def step(self, ids: Ids) -> Array:
        """Reads `ids (B,)` and returns logits (B, V) for what follows them; these are overwritten by the next step."""
        self.x[0] = ids
        with overflow_allowed():
            for before, after in self.carried:
                np.copyto(before, after)
            for x, p, tape in self.layers_and_inputs:
                unroll.multiply_input(x, tape)
                unroll.step(self.cell, p, tape, 0)
            np.matmul(self.h, self.W, out=self.logits)
            return np.add(self.logits, self.b, out=self.logits)
