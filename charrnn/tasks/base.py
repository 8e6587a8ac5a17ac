"""The contract of a task: it turns data into batches, and says which network reads them and what a good answer is.

What the trainer does with a task, in this order (`LanguageModel` is the example to read beside it):

    examples = Kind.read(library, sources, data)             the data, as they are
    task     = Kind.of(examples, data, batching)             knows the symbols of these examples
    split    = task.split(examples, data, batching)          a part to train on, one to validate on, one to test on
    model    = task.model(config)                            the network, without its numbers
    params   = model.init_params(...)                        its numbers
    batch    = split.train.batch(iteration)                  for each update, with the gradient of its loss:
    loss, state = model.loss_and_grads(params, batch, state, grads)
    scores   = task.judge(model, params, split.validation, stop)

Training, resuming, saving and metrics know what stands here and nothing else, so they serve every task alike. A task
knows nothing of them: it is handed plain values, and has no part in when something happens. What is written `Any` here
is of a type that the task chooses, and that nobody else looks into.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
"""How good a model is: numbers by the names that a task gives them. `nats`, mean nats per answer, is always there."""


ABILITIES = {
    "chance": "cuts its examples in parts by chance, so that only the same examples come to the same parts",
    "predict": "answers inputs that it is given: it has `predict`",
    "top": "knows several answers to an input, of which some are better: `predict` takes `top`",
    "beam": "searches for its answers: `predict` and `report` take `beam`",
    "attention": "may know what each character of an answer looked at: the `looks` of an answer, if `predict` is asked",
    "lines": "knows the loss of each line or item, and sums up several parts: it has `lines` and `total`",
    "surprise": "knows how much each character of a text surprised it: it has `passages` and `spell`",
    "dynamic": "may go on learning from what it has scored: `report` and `total` take `dynamic`, an `Adapting`",
    "skip": "may leave out characters that it does not know: `part` takes `skip`, and has `skipped` and `strange`",
    "pieces": "is judged in pieces by several processes at once: it has `pieces`, `tally` and `scores_of`",
    "confusion": "knows which label was taken for which: `confusion` and `labels` of `report`",
}
"""What only some tasks can do, in the words of `Task.abilities`."""


class Examples(Protocol):
    """Holds data as read. All that others ask of them is which they are; the rest is for the task alone."""

    @property
    def name(self) -> str:
        """Where they came from, as a user would name it."""

    @property
    def size(self) -> int:
        """How many bytes were read."""

    @property
    def sha256(self) -> str:
        """The checksum of those bytes: a resumed run must find the same."""

    # They may also have `origin`, an `Origin`, which says from which files they were read; several are resumed by it.


class Batches(Protocol):
    """Gives the batches of the part of the examples that is trained on."""

    def __len__(self) -> int:
        """Returns how many batches an epoch has."""

    def batch(self, iteration: int) -> Batch:
        """Returns the batch of an iteration, counted over all epochs from 0: for the same number always the same."""


class Part(Protocol):
    """Holds a part of the examples that a model is judged on; what it is made of, the task alone knows."""

    def __len__(self) -> int:
        """Returns how many answers are judged."""


class Split(NamedTuple):
    """Holds the three parts of the examples. A part that the configuration leaves out is None."""

    train: Batches
    validation: Part | None
    test: Part | None


class Batching(NamedTuple):
    """Says how the examples become batches."""

    batch_size: int
    """B, rows that are read side by side."""
    seq_length: int
    """T, steps through which a gradient reaches back. Examples may have lengths of their own instead."""
    seed: int
    """Decides what is left to chance: the order of the examples, and the part that each is in."""
    most: int | None
    """How many answers of the validation part are judged at most; None for all."""


class Symbols(NamedTuple):
    """Says which axis of a parameter has a place for each symbol, such as the rows of W that meet the input.

    By it, `--init-from` moves the weights of a symbol to where another vocabulary has it.
    """

    axis: int
    start: int
    """Where on the axis the place of the first symbol is."""
    names: list[object]
    """The symbols, in the order of their places."""


class Model(Protocol):
    """Is a network: sizes and names, and no numbers, which are handed to every method. `CharLM` is one.

    It is a frozen dataclass of plain values, from which other processes build it anew.
    """

    @property
    def shapes(self) -> Shapes:
        """Name and shape of each parameter."""

    @property
    def num_parameters(self) -> int:
        """P, all numbers that are learnt."""

    @property
    def blocks(self) -> tuple[str, ...]:
        """Names of the blocks of a layer's W, as its gates: where they differ, the weights of two models do not fit."""

    @property
    def num_outputs(self) -> int:
        """How many answers there are to choose from: to guess one costs the logarithm of that."""

    @property
    def is_noisy(self) -> bool:
        """Whether training draws anything at random, such as dropout."""

    @property
    def state_size(self) -> int:
        """S, numbers that each row carries from batch to batch."""

    @property
    def splits_units(self) -> bool:
        """Whether several processes can each compute some of the units, beside some of the rows."""

    @property
    def step_product(self) -> int:
        """Multiplications of one row's step in one layer: they tell whether a second thread is worth it."""

    @property
    def numbers_per_step(self) -> int:
        """About how many numbers one row's step keeps until the backward pass."""

    def init_params(
        self, rng: np.random.Generator, dtype: npt.DTypeLike, init: str, init_scale: float, forget_bias: float
    ) -> Parameters:
        """Returns new parameters, drawn as the keys of the section `model` say."""

    def zero_state(self, batch_size: int, dtype: npt.DTypeLike) -> State:
        """Returns the state that the first batch begins from; an empty list where batches hand nothing on."""

    def noise_of_seed(self, seed: int, batch: Batch, dtype: npt.DTypeLike, rows: slice = ...) -> Noise | None:
        """Draws what is random in some rows of a batch; for the same seed always the same. None where nothing is."""

    def loss(
        self, params: dict[str, Array], batch: Batch, state: State, noise: Noise | None = None
    ) -> tuple[Any, State]:
        """Returns the loss, in mean nats per answer, and the state after the batch, by the forward pass alone.

        It computes with complex numbers where `params` are complex: `charrnn gradcheck` differentiates it.
        """

    def loss_and_grads(
        self,
        params: dict[str, Array],
        batch: Batch,
        state: State,
        grads: dict[str, Array],
        noise: Noise | None = None,
        *,
        count: float | None = None,
    ) -> tuple[float, State]:
        """Returns the loss, in mean nats per answer, and the state after the batch; writes the gradients to `grads`.

        `grads` has the names and shapes of `params`; no gradient reaches into the batch before. `count` is how many
        answers the mean is over, where the rows given are only a part of a batch: the losses and gradients of its parts
        then add up to those of the whole.
        """


class Task(Protocol):
    """Is what is learnt. An instance knows the symbols that its examples are made of, and no numbers."""

    data_keys: ClassVar[frozenset[str]]
    """The keys of the section `data` that are read, beside `encoding` and `split`, which all read."""
    measure: ClassVar[str]
    """The score by which one checkpoint is better than another, a key of what `judge` returns."""
    higher_is_better: ClassVar[bool]
    """Whether more of that score is better."""
    abilities: ClassVar[frozenset[str]]
    """What commands may ask of a run, words of `ABILITIES`. All runs are trained, measured and described."""
    in_words: ClassVar[dict[str, str]]
    """The scores of `report` in words, in the order of reading, as `nats_per_char`: `nats per character`."""

    @classmethod
    def read(cls, library: Library, sources: Sequence[str], data: DataConfig) -> Any:
        """Reads the `Examples` at `sources`, as `Library` finds them. Raises DataError for what is wrong."""

    @classmethod
    def of(cls, examples: Any, data: DataConfig, batching: Batching) -> Self:
        """Returns the task that knows the symbols of these examples, or of the part of them that is trained on.

        Raises DataError where nothing can be learnt.
        """

    def split(self, examples: Any, data: DataConfig, batching: Batching) -> Split:
        """Cuts the examples in three, of shares that `data.split` has.

        Raises DataError where they are too few, or have symbols that the task does not know.
        """

    def remarks(self, examples: Any) -> list[str]:
        """Returns what a user should look at before training goes on, a line each, such as signs of another task."""

    def describe(self, split: Split) -> str:
        """Says how many examples there are, of what, for the first line that a user sees."""

    def invite(self, run: object) -> str:
        """Says what can be done with a trained run at that path: `let it write: charrnn sample runs/harbour-1`."""

    def facts(self) -> dict[str, Any]:
        """Returns what `charrnn info` says of the task: plain values by name."""

    def model(self, config: ModelConfig) -> Model:
        """Returns the network of a configuration. Raises ConfigError for one that cannot learn this task."""

    @classmethod
    def probe(cls, config: ModelConfig) -> tuple[Model, Callable[[np.random.Generator], Batch]]:
        """Returns a network of this task over few symbols, and what draws small batches for it: for `gradcheck`.

        Raises ConfigError for a network that no batch would suit.
        """

    def judge(self, model: Any, params: dict[str, Array], part: Any, stop: Callable[[], bool]) -> Scores:
        """Returns how good the model is on a part. Raises EvaluationStopped once `stop()` is true."""

    def part(self, examples: Any, data: DataConfig, batching: Batching, name: str | None = None) -> Any:
        """Returns what `report` is about: all of the examples, or their part of that name, a field of `Split`.

        Raises DataError where there is none, or where it has symbols that the task cannot judge.
        """

    def report(self, model: Any, params: dict[str, Array], part: Any) -> dict[str, Any]:
        """Returns all scores of a model on a part, as JSON has them; those in `in_words` are numbers."""

    def extent(self, report: dict[str, Any]) -> str:
        """Says how much a report is about, as in `2,113 items`."""

    def baselines(self, examples: Any, data: DataConfig, batching: Batching, name: str) -> dict[str, Scores]:
        """Returns what is reached on the part of that name without a network, by the name of what reaches it."""

    def explain(self, model: Any, params: dict[str, Array], split: Split, iteration: int, state: State) -> list[Any]:
        """Returns, for a batch that diverged, a dict for each row: `nats`, and what a person should know of it."""

    def symbols(self, model: Any) -> dict[str, Symbols]:
        """Returns, by the name of each parameter that has an axis of symbols, which axis it is."""

    def to_meta(self) -> dict[str, Any]:
        """Returns what a checkpoint keeps of the task: keys and values for its JSON."""

    @classmethod
    def from_meta(cls, meta: dict[str, Any], data: DataConfig) -> Self:
        """Returns the task whose `to_meta` is in `meta`. Raises ValueError that says why it can be none."""
