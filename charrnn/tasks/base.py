"""The contract of a task: it turns data into batches, and says which network reads them and what a good answer is.

Training, resuming, saving and metrics know what stands here and nothing else, so they serve every task alike. A task
knows nothing of them: it is handed plain values, and has no part in when something happens.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, Self

import numpy as np
import numpy.typing as npt

from charrnn.arrays import Array, Batch
from charrnn.nn.noise import Noise
from charrnn.nn.options import ModelConfig
from charrnn.nn.parameters import Parameters, Shapes
from charrnn.nn.stack import State
from charrnn.text.options import DataConfig

if TYPE_CHECKING:  # workers import this module, and would take megabytes for what only the first process needs
    from charrnn.text.corpus import Library

Scores = dict[str, float]
"""How good a model is, by the names that a task gives; `nats`, mean nats per answer, is always among them."""


class Examples(Protocol):
    """Data as read: what it is beyond these three, its task alone knows."""

    @property
    def name(self) -> str:
        """Where it came from, as a user would name it."""

    @property
    def size(self) -> int:
        """How many bytes it is."""

    @property
    def sha256(self) -> str:
        """The sum of those bytes: a resumed run must find the same."""


class Batches(Protocol):
    """The part of the examples that is trained on."""

    def __len__(self) -> int:
        """Returns how many batches an epoch has."""

    def batch(self, iteration: int) -> Batch:
        """Returns the batch of an update, counted over all epochs from 0: for the same number always the same."""


class Part(Protocol):
    """A part of the examples that is judged on; what it holds, its task alone knows."""

    def __len__(self) -> int:
        """Returns how many answers are judged."""


class Split(NamedTuple):
    """The examples of a run. A part that the configuration leaves out is None."""

    train: Batches
    validation: Part | None
    test: Part | None


class Window(NamedTuple):
    """How much of the examples an update reads."""

    batch_size: int
    """B, rows side by side."""
    seq_length: int
    """T, steps through which a gradient reaches back."""


class Symbols(NamedTuple):
    """Which axis of a parameter belongs to symbols."""

    axis: int
    start: int
    """Where on the axis the first of them is."""
    names: list[object]
    """The symbols, in their order there; weights follow them from one vocabulary to another."""


class Model(Protocol):
    """A network: sizes and names, and no numbers, which are handed to every method. `CharLM` is one."""

    @property
    def shapes(self) -> Shapes:
        """Name and shape of each parameter."""

    @property
    def num_parameters(self) -> int:
        """P, all numbers that are learnt."""

    @property
    def blocks(self) -> tuple[str, ...]:
        """Names of the blocks of a layer's weights: where they differ, weights of the same shape mean other things."""

    @property
    def is_noisy(self) -> bool:
        """Whether training draws anything."""

    @property
    def state_size(self) -> int:
        """S, numbers that a row carries from batch to batch."""

    @property
    def step_product(self) -> int:
        """Multiplications of one row's step in one layer."""

    @property
    def numbers_per_step(self) -> int:
        """How many numbers one row's step leaves for its way back, about."""

    def init_params(
        self, rng: np.random.Generator, dtype: npt.DTypeLike, init: str, init_scale: float, forget_bias: float
    ) -> Parameters:
        """Returns new parameters."""

    def zero_state(self, batch_size: int, dtype: npt.DTypeLike) -> State:
        """Returns what is carried from batch to batch, before the first; an empty list where nothing is."""

    def noise_of_seed(self, seed: int, batch: Batch, dtype: npt.DTypeLike, rows: slice = ...) -> Noise | None:
        """Returns what is random in some rows of a batch; for the same seed always the same."""

    def loss_and_grads(
        self,
        params: dict[str, Array],
        batch: Batch,
        state: State,
        grads: dict[str, Array],
        noise: Noise | None = None,
        dstate: State | None = None,
        count: float | None = None,
    ) -> tuple[float, State]:
        """Returns the loss in nats per answer and the final state; writes the gradients to `grads`."""


class Task(Protocol):
    """What is learnt. An instance knows the symbols that its examples are told in, and no numbers."""

    measure: ClassVar[str]
    """The score that the best checkpoint is best by."""
    higher_is_better: ClassVar[bool]
    """Whether more of it is better."""
    invitation: ClassVar[str]
    """What can be done with a run when it is trained, and the command for it, as in `let it write: charrnn sample`."""

    @classmethod
    def read(cls, library: Library, source: str, data: DataConfig) -> Any:
        """Reads the Examples at `source`. Raises DataError that says where they are wrong."""

    @classmethod
    def of(cls, examples: Any) -> Self:
        """Returns the task with the symbols of these examples. Raises DataError where nothing can be learnt."""

    def split(self, examples: Any, data: DataConfig, window: Window, most: int | None) -> Split:
        """Cuts the examples in three; an evaluation takes at most `most` answers of the validation part.

        Raises DataError where they are too few, or have symbols that the task does not know.
        """

    def describe(self, split: Split) -> str:
        """Returns what a user is told of the examples in the first line."""

    def facts(self) -> dict[str, Any]:
        """Returns what `charrnn info` says of the task, as JSON."""

    def model(self, config: ModelConfig) -> Model:
        """Returns the network. Raises ConfigError for one that cannot learn this."""

    def judge(self, model: Any, params: dict[str, Array], part: Any, stop: Callable[[], bool]) -> Scores:
        """Returns how good the model is on a part. Raises EvaluationStopped where `stop()` is true meanwhile."""

    def explain(self, model: Any, params: dict[str, Array], split: Split, iteration: int, state: State) -> list[Any]:
        """Returns what is in each row of a training batch and how bad it is, as JSON: for a look at what diverged."""

    def symbols(self, model: Any) -> dict[str, Symbols]:
        """Returns, for each parameter with an axis of symbols, which it is."""

    def to_meta(self) -> dict[str, Any]:
        """Returns what a checkpoint keeps of the task, as JSON."""

    @classmethod
    def from_meta(cls, meta: dict[str, Any], data: DataConfig) -> Self:
        """Returns the task that `to_meta` told. Raises ValueError, with what is wrong, where it can be none."""
