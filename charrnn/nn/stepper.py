"""Networks one step at a time, for sampling and decoding: the same cells as in training, on batches of one step."""

from __future__ import annotations

import numpy as np

from charrnn.arrays import Array, Ids
from charrnn.nn import unroll
from charrnn.nn.model import CharLM
from charrnn.nn.numerics import overflow_allowed
from charrnn.nn.stack import Stack


class StackStepper:
    """Holds the state of recurrent layers, of `batch_size` rows; all that a step needs is allocated here, once."""

    def __init__(self, stack: Stack, params: dict[str, Array], batch_size: int, side: Array | None = None) -> None:
        """Begins from the initial state. `params` must not change afterwards: scaled copies are kept.

        `side` is what the first layer reads at every step. Raises ValueError for layers that read from the end as well,
        which have no next step.
        """
        if stack.bidirectional:
            raise ValueError("a bidirectional model reads a whole text, and cannot be stepped through one")
        dtype = params[f"{stack.prefixes[0]}W"].dtype
        self.cell = stack.cell
        self.tapes = stack.tapes(1, batch_size, dtype)
        self.layers = [stack.layer_params(params, prefix) for prefix in stack.prefixes]
        self.embedding = params[stack.embedding] if stack.embedding_size else None
        self.x = np.empty((1, batch_size), np.intp)
        self.tapes[0].side = side
        for tape, p, noise in zip(self.tapes, self.layers, stack.mean_noise(), strict=True):
            tape.noise = noise
            tape.begin_forward(p, reads_ids=tape is self.tapes[0] and self.embedding is None)
            with overflow_allowed():
                unroll.multiply_side(tape)
            for name, rows in tape.state.items():
                rows[1] = p.get(f"{name}0", 0)
        # What a step needs, found once: the state before it and after it, and each layer with what it reads.
        self.carried = [(rows[0], rows[1]) for tape in self.tapes for rows in tape.state.values()]
        first = self.x if self.embedding is None else np.empty((1, batch_size, self.embedding.shape[1]), dtype)
        outputs = [tape.state["h"][1:] for tape in self.tapes]
        self.layers_and_inputs = list(zip([first, *outputs[:-1]], self.layers, self.tapes, strict=True))
        self.h: Array = outputs[-1][0]

    def step(self, ids: Ids) -> Array:
        """Reads `ids (B,)` and returns the top layer's state, (B, H), which is overwritten by the next step."""
        self.x[0] = ids
        if self.embedding is not None:
            np.take(self.embedding, self.x, axis=0, out=self.layers_and_inputs[0][0], mode="clip")
        with overflow_allowed():
            for before, after in self.carried:
                np.copyto(before, after)
            for x, p, tape in self.layers_and_inputs:
                unroll.multiply_input(x, tape)
                unroll.step(self.cell, p, tape, 0)
        return self.h

    @property
    def state(self) -> dict[str, Array]:
        """The state after the last step, (B, H) by layer and name as in `0.h`: what the next step begins with.

        These are the arrays themselves; what is written to them is the state.
        """
        names = [f"{layer}.{name}" for layer, tape in enumerate(self.tapes) for name in tape.state]
        return {name: after for name, (_, after) in zip(names, self.carried, strict=True)}

    def hold(self, rows: Array) -> None:
        """Takes the last step back in some rows, bools (B,), whose state is then what it was before."""
        for before, after in self.carried:
            after[rows] = before[rows]

    def choose(self, rows: Ids) -> None:
        """Puts into each row b the state of row `rows[b]`: so that a beam can go on from the best."""
        for _, after in self.carried:
            after[...] = after[rows]


class Stepper:
    """Moves a language model on by a character, for each of `batch_size` texts."""

    def __init__(self, model: CharLM, params: dict[str, Array], batch_size: int, labels: Ids | None = None) -> None:
        """Begins from the model's initial state. `params` must not change afterwards: scaled copies are kept.

        `labels (B,)` are what each row is told. Raises ValueError for a model that reads the text from its end as well.
        """
        self.layers = StackStepper(model.stack, params, batch_size, labels)
        self.W, self.b = params["head.W"], params["head.b"]
        self.logits = np.empty((batch_size, model.num_outputs), self.b.dtype)

    def step(self, ids: Ids) -> Array:
        """Reads `ids (B,)` and returns logits (B, V) for what follows them; these are overwritten by the next step."""
        h = self.layers.step(ids)
        with overflow_allowed():
            np.matmul(h, self.W, out=self.logits)
            return np.add(self.logits, self.b, out=self.logits)

    def hold(self, rows: Array) -> None:
        """Takes the last step back in some rows, bools (B,); what their logits are is then nobody's business."""
        self.layers.hold(rows)
