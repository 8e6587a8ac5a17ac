"""What is kept of training: all that a run is at one moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from charrnn.arrays import Array
from charrnn.config.schema import Config
from charrnn.environment import environment
from charrnn.errors import DataError
from charrnn.nn import rtrl
from charrnn.nn.parameters import Parameters
from charrnn.nn.stack import State
from charrnn.optim import optimizers, schedules
from charrnn.optim.optimizers import Slots
from charrnn.tasks.base import Examples, Model, Scores, Task
from charrnn.text.origin import STDIN, FileRead, origin_of

MOST_NAMES = 400_000
"""Bytes of all the names that a run keeps of its sources, or of their files. Of more files it knows only whether any
has changed."""


@dataclass(frozen=True)
class Corpus:
    """Says which examples the run learns from; resuming must find the same."""

    name: str
    size: int
    sha256: str
    sources: tuple[str, ...] = ()
    """What a user named; nothing where that is `name` alone."""
    files: tuple[FileRead, ...] = ()
    """The files that were read for it, where they are several, and their names not too long to be kept."""

    @property
    def found_at(self) -> tuple[str, ...]:
        """The sources at which the examples are found again."""
        return self.sources or (self.name,)

    @property
    def is_from_stdin(self) -> bool:
        """Whether some of the examples came through standard input, where they are not found again."""
        return bool({"-", STDIN} & {*self.found_at})

    @property
    def as_typed(self) -> tuple[str | Path, ...]:
        """The sources as the words of a command."""
        return tuple("-" if source in ("-", STDIN) else Path(source) for source in self.found_at)

    @classmethod
    def of(cls, examples: Examples) -> Corpus:
        """Returns what is kept of these examples."""
        origin = origin_of(examples)
        sources = origin.sources if len(origin.sources) > 1 else ()
        if _size(sources) > MOST_NAMES:
            raise DataError(f"{len(sources):,} sources are too many for a run to find again; name their folder instead")
        files = origin.files if len(origin.files) > 1 else ()
        if _size([file.name + file.sha256 for file in files]) > MOST_NAMES:
            files = ()
        return cls(examples.name, examples.size, examples.sha256, sources, files)


def _size(names: Sequence[str]) -> int:
    """Returns about how many bytes names take in the JSON of a checkpoint."""
    return sum(len(name.encode("utf-8", "surrogatepass")) + 20 for name in names)


@dataclass
class Run:
    """Holds all that a run is between two updates. Training changes it in place; a checkpoint keeps it."""

    config: Config
    task: Task
    corpus: Corpus
    model: Model
    params: Parameters
    slots: Slots
    """What the optimizer keeps from update to update."""
    state: State
    """What the rows of a batch hand on to the next batch."""
    rng: np.random.Generator
    average: Parameters | None = None
    """The exponential average of the parameters, where the configuration asks for one."""
    iteration: int = 0
    """Updates done; it gives the place in the examples too."""
    chars: int = 0
    """Symbols trained on so far."""
    scores: Scores | None = None
    """How good the weights are on the validation part, if they have been evaluated as they are now."""
    best: float | None = None
    """The best score so far, by the measure of the task."""
    best_at: int = 0
    """The iteration that has it; 0 where it is not known."""
    without_best: int = 0
    """Evaluations in a row that found nothing better than `best`."""
    to_beat: float | None = None
    """The last score that was better by more than chance than the one that there was to beat before."""
    without_improvement: int = 0
    """Evaluations in a row that were not better than `to_beat` by more than chance (see `training.patience`)."""
    reductions: int = 0
    """Times that the validation part came to a standstill, at which the schedule `plateau` reduces the rate."""
    elapsed: float = 0.0
    """Seconds of training so far; kept only by runs that end on the clock, so that others' files are reproducible."""
    losses: list[float] = field(default_factory=list)
    """Losses of the batches since the last line of `metrics.jsonl`, in nats per answer."""
    lowest: float | None = None
    """The lowest loss of any batch so far, in nats per answer."""
    hopeless_in_a_row: int = 0
    """Batches since the last one whose loss was not hopeless (see `training.hopeless`)."""
    grad_norm: float | None = None
    """Norm of the last update's gradient, before clipping."""
    learning_rate: float = 0.0
    """The learning rate of the last update."""
    skipped: int = 0
    """Batches passed over because their loss or gradient was infinite or not a number."""
    skipped_in_a_row: int = 0
    """Batches passed over since the last update."""
    rollbacks: int = 0
    """Times that the run has gone back to a checkpoint; each halves the learning rate."""
    openings: list[list[int]] = field(default_factory=list)
    """What a model may read before it writes (see `Writer.openings`), so that it can without the text."""
    environment: dict[str, str] = field(default_factory=environment)
    """What computed this, where it matters for the last bits."""

    @classmethod
    def blank(cls, config: Config, task: Task, corpus: Corpus, model: Model | None = None) -> Run:
        """Returns a run with every array that the configuration means, all zero. `config.train.seed` must be set."""
        model = model or task.model(config.model)
        dtype, batch_size = np.dtype(config.train.dtype), config.train.batch_size
        params = Parameters.zeros(model.shapes, dtype)
        slots = optimizers.build(config.optim).init(params.vector)
        if config.train.gradient == "rtrl":
            slots["sensitivity"] = np.zeros(rtrl.shape(model, batch_size))
        state, rng = model.zero_state(batch_size, dtype), np.random.default_rng(config.train.seed)
        average = Parameters.zeros(model.shapes, dtype) if config.optim.average else None
        return cls(config, task, corpus, model, params, slots, state, rng, average)

    @classmethod
    def new(cls, config: Config, task: Task, corpus: Corpus, model: Model | None = None) -> Run:
        """Returns a run before its first update, its weights drawn with `config.train.seed`, which must be set."""
        run = cls.blank(config, task, corpus, model)
        m = config.model
        drawn = run.model.init_params(run.rng, config.train.dtype, m.init, m.init_scale, m.forget_bias)
        run.params.vector[...] = drawn.vector
        if run.average is not None:
            run.average.vector[...] = drawn.vector
        return run

    @property
    def weights(self) -> Parameters:
        """What the run predicts with: the average of its parameters where it keeps one, and else these."""
        return self.params if self.average is None else self.average

    def arrays(self) -> dict[str, Array]:
        """Returns every array that the run is made of, by its name in a checkpoint."""
        found = dict(self.params)
        for slot, vector in self.slots.items():
            if vector.shape == self.params.vector.shape:
                named = Parameters(self.params.shapes, vector)
                found |= {f"optim.{slot}.{name}": array for name, array in named.items()}
            else:
                found[f"optim.{slot}"] = vector
        if self.average is not None:
            found |= {f"average.{name}": array for name, array in self.average.items()}
        for entry, state in enumerate(self.state):
            found |= {f"state.{entry}.{name}": array for name, array in state.items()}
        return found

    def is_better(self, score: float) -> bool:
        """Tells whether a score is better than any before, by the measure of the task."""
        if self.best is None:
            return True
        return score > self.best if self.task.higher_is_better else score < self.best

    def note_scores(self, scores: Scores, better: bool) -> None:
        """Notes an evaluation of these weights, `better` than any before or not, and whether many were not in a row."""
        self.scores = scores
        self.without_best = 0 if better else self.without_best + 1
        self.reductions += schedules.stands_still(self.without_best, self.config.optim)

    def roll_back(self, earlier: Run) -> None:
        """Makes this run what `earlier`, of the same run, was; in place, as its arrays may be shared with others.

        Time goes on nevertheless, and so do the counts of what went wrong.
        """
        before = earlier.arrays()
        for name, array in self.arrays().items():
            array[...] = before[name]
        self.rng.bit_generator.state = earlier.rng.bit_generator.state
        self.losses = list(earlier.losses)
        for name in (
            "iteration", "chars", "scores", "best", "best_at", "without_best", "to_beat",
            "without_improvement", "reductions", "lowest", "hopeless_in_a_row", "grad_norm", "learning_rate",
        ):  # fmt: skip
            setattr(self, name, getattr(earlier, name))
