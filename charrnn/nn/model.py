"""The character-level language model: ids -> stack of recurrent layers -> output layer -> loss, and back."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from charrnn.arrays import Array, Batch
from charrnn.nn import cells, head, initializers
from charrnn.nn.noise import LayerNoise, Noise, mask, zoneout_mask
from charrnn.nn.numerics import overflow_allowed
from charrnn.nn.parameters import Parameters, Shapes
from charrnn.nn.stack import Stack, State
from charrnn.nn.workspace import Workspace, Workspaces


@dataclass(frozen=True)
class CharLM:
    """Says what the network is: sizes and names, and no numbers. The numbers, `params`, are handed to every method.

    Raises ValueError for what does not go together.
    """

    vocab_size: int
    cell: str = "lstm"
    hidden_size: int = 128
    num_layers: int = 1
    activation: str = "tanh"
    bidirectional: bool = False
    """Whether each layer reads the text from its end as well: such a model sees what comes, and predicts no text."""
    layer_norm: bool = False
    initial_state: str = "zero"
    """What a row that begins a text starts from: "zero", "learned", or in training "random", and else zero."""
    state_noise: float = 0.1
    """Standard deviation of a random initial state."""
    dropout: float = 0.0
    dropout_per: str = "step"
    """What one mask is for: "step" or "window"."""
    recurrent_dropout: float = 0.0
    zoneout_h: float = 0.0
    zoneout_c: float = 0.0
    _workspaces: Workspaces = field(default_factory=Workspaces, init=False, repr=False, compare=False)
    """Memory that passes work in and leave nothing in. So two threads may not use one model at once."""

    def __post_init__(self) -> None:
        kind = cells.build(self.cell, self.activation)
        if self.initial_state not in ("zero", "random", "learned"):
            raise ValueError(f"initial_state {self.initial_state!r} is not 'zero', 'random' or 'learned'")
        if self.dropout_per not in ("step", "window"):
            raise ValueError(f"dropout_per {self.dropout_per!r} is not 'step' or 'window'")
        if self.layer_norm and kind.product != "added":
            raise ValueError(
                f"layer_norm is not for {self.cell}, whose product does not simply add; choose another cell"
            )
        if self.recurrent_dropout and not kind.has_candidate:
            raise ValueError(f"recurrent_dropout is not for {self.cell}, which has no candidate; choose a gated cell")
        if self.zoneout_c and "c" not in kind.state:
            raise ValueError(f"zoneout_c is not for {self.cell}, which has no state c; use zoneout_h")

    @cached_property
    def stack(self) -> Stack:
        """The recurrent layers."""
        return Stack(
            cells.build(self.cell, self.activation),
            self.vocab_size,
            self.hidden_size,
            self.num_layers,
            self.initial_state == "learned",
            self.layer_norm,
            self.bidirectional,
            {name: p for name, p in (("h", self.zoneout_h), ("c", self.zoneout_c)) if p},
        )

    @cached_property
    def shapes(self) -> Shapes:
        """Name and shape of each parameter, in the order of the flat vector."""
        of_head = head.shapes(self.stack.output_size, self.vocab_size)
        return self.stack.shapes() | {f"head.{k}": shape for k, shape in of_head.items()}

    @property
    def blocks(self) -> tuple[str, ...]:
        """Names of the H-wide blocks of a layer's weights: its gates."""
        return tuple(self.stack.cell.gates)

    @property
    def input_weights(self) -> list[str]:
        """Names of the parameters that have a row for each symbol, below the H rows that meet the state."""
        return [f"{prefix}W" for prefix in self.stack.prefixes if prefix.startswith("layers.0.")]

    @cached_property
    def num_parameters(self) -> int:
        """P, all numbers that are learnt; counted without allocating any."""
        return sum(math.prod(shape) for shape in self.shapes.values())

    def init_params(
        self,
        rng: np.random.Generator,
        dtype: npt.DTypeLike = np.float32,
        init: str = "he",
        init_scale: float = 0.08,
        forget_bias: float = 1.0,
    ) -> Parameters:
        """Returns new parameters. `init` names the initializer, `init_scale` is r of "uniform" (see `initializers`)."""
        params = Parameters.zeros(self.shapes, dtype)
        self.stack.init_params(params, rng, init, init_scale, forget_bias)
        initializers.build(init)(rng, params["head.W"], 0, init_scale)
        return params

    def zero_state(self, batch_size: int, dtype: npt.DTypeLike = np.float32) -> State:
        """Returns a state of zeros for `batch_size` rows."""
        return self.stack.zero_state(batch_size, dtype)

    @property
    def is_noisy(self) -> bool:
        """Whether training draws anything."""
        drawn = self.dropout, self.recurrent_dropout, self.zoneout_h, self.zoneout_c
        return any(drawn) or self.initial_state == "random"

    def noise(
        self,
        rng: np.random.Generator,
        seq_length: int,
        batch_size: int,
        dtype: npt.DTypeLike = np.float32,
    ) -> Noise | None:
        """Draws what is random in one batch of training, which is (T, B); None where nothing is."""
        if not self.is_noisy:
            return None
        T, B, H = seq_length, batch_size, self.hidden_size
        drawn = []
        for prefix in self.stack.prefixes:
            one = LayerNoise()
            if self.dropout and not prefix.endswith("reverse."):
                steps = T if self.dropout_per == "step" else 1
                one.output_mask = mask(rng, (steps, B, self.stack.output_size), self.dropout, dtype)
            if self.recurrent_dropout:
                one.candidate_mask = mask(rng, (T, B, H), self.recurrent_dropout, dtype)
                one.kept = 1 - self.recurrent_dropout
            for name, probability in self.stack.zoneout.items():
                one.zoneout[name] = zoneout_mask(rng, (T, B, H), probability, dtype)
            if self.initial_state == "random":
                for name in self.stack.cell.state:
                    one.start[name] = rng.normal(0, self.state_noise, (B, H)).astype(dtype)
            drawn.append(one)
        return drawn

    def noise_of_seed(self, seed: int, batch: Batch, dtype: npt.DTypeLike, rows: slice = slice(None)) -> Noise | None:
        """Draws what is random in a batch from a generator of its own, and returns the part of it that is of some rows.

        So each of several processes can draw the same, and keep what is its own.
        """
        if not self.is_noisy:  # a generator takes longer to make than a step of one row
            return None
        T, B = batch.x.shape
        drawn = self.noise(np.random.default_rng(seed), T, B, dtype)
        return drawn and [layer.rows(rows) for layer in drawn]

    @property
    def state_size(self) -> int:
        """S, numbers in one row of a state."""
        return self.stack.state_size

    @property
    def step_product(self) -> int:
        """Multiplications of one row's step in one layer: what tells whether a second thread is worth it."""
        return len(self.stack.cell.gates) * self.hidden_size**2

    @property
    def numbers_per_step(self) -> int:
        """About how many numbers one row's step keeps until the backward pass."""
        of_a_layer = (2 * len(self.stack.cell.gates) + len(self.stack.cell.state)) * self.hidden_size
        return self.num_layers * of_a_layer + 2 * self.hidden_size + self.vocab_size

    def forward(
        self,
        params: dict[str, Array],
        ids: Array,
        state: State,
        starts: Array | None = None,
        noise: Noise | None = None,
    ) -> tuple[Array, State]:
        """Returns logits (T, B, V) for the character after each of `ids (T, B)`, and the state after the last.

        The ids must be below V; this is not checked. Rows b with `starts[b]` begin a text: their state is the initial
        one, whatever `state` says. The final state is new memory, the caller's to keep.
        """
        space = self._workspaces.get(self.stack, self.vocab_size, ids, params["head.b"].dtype)
        with overflow_allowed():
            h = self._forward(params, ids, state, starts, noise, space)
            logits = head.affine(h, params["head.W"], params["head.b"])
        return logits.reshape(*ids.shape, -1), self._final_state(space)

    def loss(
        self, params: dict[str, Array], batch: Batch, state: State, noise: Noise | None = None
    ) -> tuple[Any, State]:
        """Returns the mean nats of the answers in `batch` and the final state, by the forward pass alone.

        The loss has the type of the parameters, and is complex where they are. It shares no line with that of
        `loss_and_grads`, which it judges.
        """
        logits, final = self.forward(params, batch.x, state, batch.starts, noise)
        nats = head.nats(logits, batch.y)
        if batch.weights is not None:
            nats *= batch.weights
        return nats.sum() / batch.answers, final

    def loss_and_grads(
        self,
        params: dict[str, Array],
        batch: Batch,
        state: State,
        grads: dict[str, Array],
        noise: Noise | None = None,
        dstate: State | None = None,
        *,
        count: float | None = None,
    ) -> tuple[float, State]:
        """Returns the mean nats of the answers in `batch` and the final state; writes the gradients to `grads`.

        `dstate`, where given, is the gradient of the final state (zero in truncated BPTT) and becomes that of `state`.
        `count` is how many answers the mean is over, where these rows are only a part of a batch.
        """
        ids, weights = batch.x, batch.weights
        space = self._workspaces.get(self.stack, self.vocab_size, ids, params["head.b"].dtype)
        if dstate is None:
            dstate = space.zero_dstate()
        with overflow_allowed():
            h = self._forward(params, ids, state, batch.starts, noise, space)
            logits = head.affine(h, params["head.W"], params["head.b"], out=space.logits)
            flat = None if weights is None else weights.ravel().astype(logits.dtype)
            loss = head.cross_entropy_(logits, batch.y.ravel(), batch.answers if count is None else count, flat)
            head.affine_backward(h, params["head.W"], logits, grads["head.W"], grads["head.b"], dx=space.dh)
            dh = space.dh.reshape(*ids.shape, -1)
            self.stack.backward(params, dh, dstate, space.tapes, noise or space.mean_noise, grads)
        return loss, self._final_state(space)

    def _forward(
        self,
        params: dict[str, Array],
        ids: Array,
        state: State,
        starts: Array | None,
        noise: Noise | None,
        space: Workspace,
    ) -> Array:
        """Returns the output of the stack, in rows: (T*B, H or 2H)."""
        T, B = ids.shape
        if starts is None:
            starts = np.zeros(B, bool)
        h = self.stack.forward(params, ids, state, starts, space.tapes, noise or space.mean_noise)
        return h.reshape(T * B, -1)

    @staticmethod
    def _final_state(space: Workspace) -> State:
        return [{name: rows[-1].copy() for name, rows in tape.state.items()} for tape in space.tapes]
