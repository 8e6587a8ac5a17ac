"""What is kept of training: all that a run is at one moment."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from charrnn.arrays import Array
from charrnn.config.schema import Config, ModelConfig
from charrnn.environment import environment
from charrnn.errors import ConfigError
from charrnn.nn.model import CharLM
from charrnn.nn.parameters import Parameters
from charrnn.nn.stack import State
from charrnn.optim import optimizers as optim
from charrnn.text.vocabulary import Vocabulary


@dataclass(frozen=True)
class Corpus:
    """Which text the run learns from: what resuming compares."""

    name: str
    size: int
    sha256: str


@dataclass
class Run:
    """All that a run is between two updates. Training changes it in place; `save` keeps it; `load` brings it back."""

    config: Config
    vocabulary: Vocabulary
    corpus: Corpus
    params: Parameters
    slots: optim.Slots
    """The optimizer's."""
    state: State
    """What the streams carry from window to window."""
    rng: np.random.Generator
    iteration: int = 0
    """Updates done; it gives the place in the text too."""
    validation_nats: float | None = None
    """Of these weights, if this is where an evaluation stood."""
    best_nats: float | None = None
    """The lowest validation loss so far."""
    elapsed: float = 0.0
    """Seconds of training so far; kept only by runs that end on the clock, so that others' files are reproducible."""
    losses: list[float] = field(default_factory=list)
    """Of the windows since the last line of `metrics.jsonl`, in nats per character."""
    grad_norm: float | None = None
    """Of the gradient of the last update, before clipping."""
    learning_rate: float = 0.0
    """Of the last update."""
    skipped: int = 0
    """Windows passed over because their loss or gradient was infinite or not a number."""
    skipped_in_a_row: int = 0
    """The same since the last update."""
    rollbacks: int = 0
    """Times that the run has gone back to a checkpoint; each halves the learning rate."""
    environment: dict[str, str] = field(default_factory=environment)
    """What computed this, where it matters for the last bits."""

    @cached_property
    def model(self) -> CharLM:
        """The network that the configuration describes."""
        return build_model(self.config.model, len(self.vocabulary))


def build_model(config: ModelConfig, vocab_size: int) -> CharLM:
    """The network of a configuration."""
    of_training = ("forget_bias", "init", "init_scale")
    fields = {name: value for name, value in vars(config).items() if name not in of_training}
    try:
        return CharLM(vocab_size, **fields)
    except ValueError as error:
        raise ConfigError(f"model: {error}") from None


def build_optimizer(config: Config) -> optim.Transform:
    """The optimizer of a configuration, clipping included."""
    o = config.optim
    values = {name: getattr(o, name) for name in ("momentum", "alpha", "beta1", "beta2", "eps")}
    return optim.build(o.name, o.clip_norm, o.clip_value, **values)


def new(config: Config, vocabulary: Vocabulary, corpus: Corpus) -> Run:
    """A run before its first update. `config.train.seed` must be set."""
    checkpoint = blank(config, vocabulary, corpus)
    m = config.model
    checkpoint.params.vector[...] = checkpoint.model.init_params(
        checkpoint.rng, config.train.dtype, m.init, m.init_scale, m.forget_bias
    ).vector
    return checkpoint


def blank(config: Config, vocabulary: Vocabulary, corpus: Corpus) -> Run:
    """A checkpoint with every array that the configuration means, all zero."""
    dtype = np.dtype(config.train.dtype)
    model = build_model(config.model, len(vocabulary))
    params = Parameters.zeros(model.shapes, dtype)
    slots = build_optimizer(config).init(params.vector)
    state = model.zero_state(config.train.batch_size, dtype)
    if config.train.gradient == "rtrl":
        slots["sensitivity"] = np.zeros((config.train.batch_size, model.stack.state_size, params.vector.size))
    rng = np.random.default_rng(config.train.seed)
    return Run(config, vocabulary, corpus, params, slots, state, rng)


def arrays(checkpoint: Run) -> dict[str, Array]:
    """Every array of the file by its name there."""
    found = dict(checkpoint.params)
    for slot, vector in checkpoint.slots.items():
        if vector.shape == checkpoint.params.vector.shape:
            named = Parameters(checkpoint.params.shapes, vector)
            found |= {f"optim.{slot}.{name}": array for name, array in named.items()}
        else:
            found[f"optim.{slot}"] = vector
    for layer, state in enumerate(checkpoint.state):
        found |= {f"state.{layer}.{name}": array for name, array in state.items()}
    return found


def go_back(run: Run, earlier: Run) -> None:
    """Makes `run` what `earlier`, of the same run, was; in place, as its arrays may be shared with others.

    Time goes on nevertheless, and so do the counts of what went wrong.
    """
    before, mine = arrays(earlier), arrays(run)
    for name, array in mine.items():
        array[...] = before[name]
    run.rng.bit_generator.state = earlier.rng.bit_generator.state
    run.iteration, run.validation_nats, run.best_nats = earlier.iteration, earlier.validation_nats, earlier.best_nats
    run.losses, run.grad_norm, run.learning_rate = list(earlier.losses), earlier.grad_norm, earlier.learning_rate
