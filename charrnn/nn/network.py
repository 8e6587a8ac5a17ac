"""What all networks have in common: recurrent layers of one kind, and matrices above them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from charrnn.arrays import Array, Batch, Ids
from charrnn.nn import cells, head, initializers
from charrnn.nn.noise import LayerNoise, Noise, mask, zoneout_mask
from charrnn.nn.parameters import Parameters, Shapes
from charrnn.nn.stack import Stack, State
from charrnn.nn.workspace import Workspaces


@dataclass(frozen=True, kw_only=True)
class Network:
    """Says what a network is: sizes and names, and no numbers. The numbers, `params`, are handed to every method.

    Raises ValueError for what does not go together.
    """

    cell: str = "lstm"
    hidden_size: int = 128
    num_layers: int = 1
    activation: str = "tanh"
    bidirectional: bool = False
    """Whether each layer reads from the end as well: such a network sees what comes."""
    embedding_size: int | None = None
    """E, where symbols choose vectors that the first layer reads; None where they choose rows of its W."""
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

    def stack_over(self, symbols: int, *, bidirectional: bool, side_size: int = 0, place: str = "") -> Stack:
        """Returns recurrent layers that read ids below `symbols`."""
        return Stack(
            cells.build(self.cell, self.activation),
            symbols,
            self.hidden_size,
            self.num_layers,
            self.initial_state == "learned",
            self.layer_norm,
            bidirectional,
            {name: p for name, p in (("h", self.zoneout_h), ("c", self.zoneout_c)) if p},
            self.embedding_size,
            side_size,
            place,
        )

    # --- what each network says of itself ---

    @property
    def stacks(self) -> list[Stack]:
        """The recurrent layers, in the order in which they read."""
        raise NotImplementedError

    @property
    def above(self) -> Shapes:
        """Name and shape of each parameter that is in none of the recurrent layers."""
        raise NotImplementedError

    @property
    def init_above(self) -> dict[str, str]:
        """For the parameters above, by the name of an initializer, another one that takes its place."""
        return {}

    # --- what follows for all ---

    @cached_property
    def shapes(self) -> Shapes:
        """Name and shape of each parameter, in the order of the flat vector."""
        named: Shapes = {}
        for stack in self.stacks:
            named |= stack.shapes()
        return named | self.above

    @property
    def blocks(self) -> tuple[str, ...]:
        """Names of the H-wide blocks of a layer's weights: its gates."""
        return tuple(self.stacks[0].cell.gates)

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
        for stack in self.stacks:
            stack.init_params(params, rng, init, init_scale, forget_bias)
        init = self.init_above.get(init, init)
        fill, fill_bias = initializers.build(init), initializers.build_bias(init)
        for name in self.above:
            if name.endswith(".W"):
                fill(rng, params[name], 0, init_scale)
            elif name.endswith(".b"):
                fill_bias(rng, params[name], len(params[f"{name[:-1]}W"]), init_scale)
        return params

    @property
    def is_noisy(self) -> bool:
        """Whether training draws anything."""
        drawn = self.dropout, self.recurrent_dropout, self.zoneout_h, self.zoneout_c
        return any(drawn) or self.initial_state == "random"

    def layer_noise(self, stack: Stack, rng: np.random.Generator, ids: Ids, dtype: npt.DTypeLike) -> Noise:
        """Draws what is random in each layer of a stack, in one batch of training, in which it reads `ids (T, B)`."""
        (T, B), H = ids.shape, self.hidden_size
        drawn = []
        for prefix in stack.prefixes:
            one = LayerNoise()
            if self.dropout and not prefix.endswith("reverse."):
                steps = T if self.dropout_per == "step" else 1
                one.output_mask = mask(rng, (steps, B, stack.output_size), self.dropout, dtype)
            if self.recurrent_dropout:
                one.candidate_mask = mask(rng, (T, B, H), self.recurrent_dropout, dtype)
                one.kept = 1 - self.recurrent_dropout
            for name, probability in stack.zoneout.items():
                one.zoneout[name] = zoneout_mask(rng, (T, B, H), probability, dtype)
            if self.initial_state == "random":
                for name in stack.cell.state:
                    one.start[name] = rng.normal(0, self.state_noise, (B, H)).astype(dtype)
            drawn.append(one)
        return drawn

    def batch_noise(self, rng: np.random.Generator, batch: Batch, dtype: npt.DTypeLike) -> Noise:
        """Draws what is random in all layers of the network, stack by stack, for one batch."""
        return self.layer_noise(self.stacks[-1], rng, batch.x, dtype)

    def noise_of_seed(self, seed: int, batch: Batch, dtype: npt.DTypeLike, rows: slice = slice(None)) -> Noise | None:
        """Draws what is random in a batch from a generator of its own, and returns the part of it that is of some rows.

        So each of several processes can draw the same, and keep what is its own.
        """
        if not self.is_noisy:  # a generator takes longer to make than a step of one row
            return None
        drawn = self.batch_noise(np.random.default_rng(seed), batch, dtype)
        return [layer.rows(rows) for layer in drawn]

    @property
    def splits_units(self) -> bool:
        """Whether several processes can share the units of its layers, each some of them (`nn.tensor_parallel`)."""
        return False

    @property
    def step_product(self) -> int:
        """Multiplications of one row's step in one layer: what tells whether a second thread is worth it."""
        return len(self.blocks) * self.hidden_size**2

    @property
    def numbers_per_step(self) -> int:
        """About how many numbers one row's step keeps until the backward pass."""
        cell = self.stacks[0].cell
        of_a_layer = (2 * len(cell.gates) + len(cell.state)) * self.hidden_size
        return self.num_layers * of_a_layer + 2 * self.hidden_size + self.num_outputs

    @property
    def num_outputs(self) -> int:
        """How many answers there are to choose from."""
        raise NotImplementedError

    def predict(self, params: dict[str, Array], batch: Batch, noise: Noise | None = None) -> Array:
        """Returns the logits of all answers in `batch`: in the shape of `batch.y`, and over all there are to choose."""
        raise NotImplementedError

    # --- where nothing goes from batch to batch ---

    def loss(
        self, params: dict[str, Array], batch: Batch, state: State, noise: Noise | None = None
    ) -> tuple[Any, State]:
        """Returns the mean nats of the answers in `batch`, by the forward pass alone, and `state` as it is."""
        nats = head.nats(self.predict(params, batch, noise), batch.y)
        if batch.weights is not None:
            nats *= batch.weights
        return nats.sum() / batch.answers, state

    @property
    def state_size(self) -> int:
        """S, numbers that each row carries from batch to batch: none, where every row is an item of its own."""
        return 0

    def zero_state(self, batch_size: int, dtype: npt.DTypeLike = np.float32) -> State:
        """Returns the state that the first batch begins from: an empty list where batches hand nothing on."""
        return []
