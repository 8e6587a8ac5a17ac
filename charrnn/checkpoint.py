"""A run at one moment, and the `.npz` file that keeps it.

The format is described in `docs/checkpoint-format.md`. Nothing in a file is unpickled or believed: which arrays there
are, their types and shapes all follow from the configuration, within its bounds, and `archive` compares.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from charrnn import archive
from charrnn.archive import DamagedError
from charrnn.config import writing
from charrnn.config.schema import Config, ModelConfig, keys
from charrnn.environment import environment
from charrnn.errors import CheckpointError, ConfigError, one_line
from charrnn.files import write_atomically
from charrnn.nn.model import CharLM
from charrnn.nn.numerics import Array
from charrnn.nn.parameters import Parameters
from charrnn.nn.stack import State
from charrnn.text.vocabulary import MOST_SYMBOLS, Vocabulary
from charrnn.training import optim
from charrnn.version import __version__

FORMAT = "charrnn"
VERSION = 2
"""Of the files that are written; files of every version before it can be read."""


class TooNewError(CheckpointError):
    """A checkpoint that is whole, as far as can be told, and of a later version than this charrnn's."""


@dataclass(frozen=True)
class Corpus:
    """Which text the run learns from: what resuming compares."""

    name: str
    size: int
    sha256: str


@dataclass
class Checkpoint:
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


def new(config: Config, vocabulary: Vocabulary, corpus: Corpus) -> Checkpoint:
    """A run before its first update. `config.train.seed` must be set."""
    checkpoint = _blank(config, vocabulary, corpus)
    m = config.model
    checkpoint.params.vector[...] = checkpoint.model.init_params(
        checkpoint.rng, config.train.dtype, m.init, m.init_scale, m.forget_bias
    ).vector
    return checkpoint


def _blank(config: Config, vocabulary: Vocabulary, corpus: Corpus) -> Checkpoint:
    """A checkpoint with every array that the configuration means, all zero."""
    dtype = np.dtype(config.train.dtype)
    model = build_model(config.model, len(vocabulary))
    params = Parameters.zeros(model.shapes, dtype)
    slots = build_optimizer(config).init(params.vector)
    state = model.zero_state(config.train.batch_size, dtype)
    if config.train.gradient == "rtrl":
        slots["sensitivity"] = np.zeros((config.train.batch_size, model.stack.state_size, params.vector.size))
    rng = np.random.default_rng(config.train.seed)
    return Checkpoint(config, vocabulary, corpus, params, slots, state, rng)


# --- the file ------------------------------------------------------------------------------------------------------


def save(checkpoint: Checkpoint, path: Path) -> None:
    """Writes the checkpoint to `path`, whole or not at all. Raises OutputError; the old file is then untouched."""
    write_atomically(path, to_bytes(checkpoint))


def to_bytes(checkpoint: Checkpoint) -> bytes:
    """The file's content; the same run gives the same bytes."""
    meta = {
        "format": FORMAT,
        "version": VERSION,
        "environment": checkpoint.environment,
        "config": writing.to_dict(checkpoint.config),
        "vocabulary": {
            "symbols": checkpoint.vocabulary.symbols,
            "encoding": checkpoint.vocabulary.encoding,
        },
        "corpus": vars(checkpoint.corpus),
        "iteration": checkpoint.iteration,
        "validation_nats": checkpoint.validation_nats,
        "best_nats": checkpoint.best_nats,
        "elapsed": checkpoint.elapsed if checkpoint.config.train.time_budget else 0.0,
        "losses": checkpoint.losses,
        "grad_norm": checkpoint.grad_norm,
        "learning_rate": checkpoint.learning_rate,
        "skipped": checkpoint.skipped,
        "skipped_in_a_row": checkpoint.skipped_in_a_row,
        "rollbacks": checkpoint.rollbacks,
        "rng": checkpoint.rng.bit_generator.state,
    }
    return archive.to_bytes(meta, arrays(checkpoint))


def arrays(checkpoint: Checkpoint) -> dict[str, Array]:
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


def find(path: Path) -> Path:
    """The checkpoint that `path` means: itself, or in a run directory `best.npz`, else `last.npz`.

    Raises CheckpointError where there is none.
    """
    try:
        if not path.is_dir():
            return path
        for name in ("best.npz", "last.npz"):
            if (path / name).exists():
                return path / name
    except (OSError, ValueError) as error:  # a name that no file can have
        raise CheckpointError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    raise CheckpointError(f"{path} holds no checkpoint (best.npz or last.npz); give the directory of a run")


def load(path: Path | str) -> Checkpoint:
    """The checkpoint in a file or a run directory (see `find`).

    Raises CheckpointError, with what is wrong, for anything but a whole checkpoint.
    """
    path = find(Path(path))
    with archive.open_archive(path) as opened:
        meta = _of_today(opened.read_meta(), path)
        config, vocabulary, corpus = _read_config(meta)
        try:
            needed = _least_size(config, len(vocabulary))
        except ConfigError as error:
            raise DamagedError(error.messages[0]) from error
        if opened.size < needed:
            raise DamagedError(f"it is smaller than the {needed:,} bytes that its configuration means")
        run = _blank(config, vocabulary, corpus)
        opened.fill(arrays(run))
        run.rng.bit_generator.state = meta["rng"]
        run.iteration = _count(meta["iteration"])
        if not 0 <= run.slots.get("count", np.zeros(1))[0] <= run.iteration:
            raise DamagedError("its optim.count is not of its iteration")
        run.validation_nats = _number(meta["validation_nats"])
        run.best_nats = _number(meta["best_nats"])
        run.elapsed = _number(meta["elapsed"]) or 0.0
        run.losses = [_loss(nats) for nats in meta["losses"]]
        run.grad_norm, run.learning_rate = _number(meta["grad_norm"]), _loss(meta["learning_rate"])
        run.skipped, run.skipped_in_a_row = _count(meta["skipped"]), _count(meta["skipped_in_a_row"])
        run.rollbacks = _count(meta["rollbacks"])
        run.environment = {str(k): str(v) for k, v in meta["environment"].items()}
        return run


def go_back(run: Checkpoint, earlier: Checkpoint) -> None:
    """Makes `run` what `earlier`, of the same run, was; in place, as its arrays may be shared with others.

    Time goes on nevertheless, and so do the counts of what went wrong.
    """
    before, mine = arrays(earlier), arrays(run)
    for name, array in mine.items():
        array[...] = before[name]
    run.rng.bit_generator.state = earlier.rng.bit_generator.state
    run.iteration, run.validation_nats, run.best_nats = earlier.iteration, earlier.validation_nats, earlier.best_nats
    run.losses, run.grad_norm, run.learning_rate = list(earlier.losses), earlier.grad_norm, earlier.learning_rate


def _of_today(meta: Any, path: Path) -> Any:
    """The JSON of a file of any version, as this version writes it."""
    if not isinstance(meta, dict) or meta.get("format") != FORMAT:
        raise DamagedError("it was not written by charrnn")
    version = meta["version"]
    if type(version) is not int or version < 1:
        raise DamagedError("its format version is not a whole number")
    if version > VERSION:
        by = _told(str(meta["environment"]["charrnn"]), 20)  # in this place for ever
        raise TooNewError(
            f"{path} has format version {version}, written by charrnn {by}; this charrnn {__version__} reads versions "
            f"1 to {VERSION}: update charrnn"
        )
    if version == 1:
        of_the_run: dict[str, Any] = {"losses": [], "grad_norm": None, "learning_rate": 0.0}
        of_mishaps = {"skipped": 0, "skipped_in_a_row": 0, "rollbacks": 0}
        meta = {**meta, **of_the_run, **of_mishaps, "environment": meta["versions"]}
    return meta


def _read_config(meta: Any) -> tuple[Config, Vocabulary, Corpus]:
    sections = meta["config"].values() if isinstance(meta["config"], dict) else ()
    if sum(len(section) for section in sections if isinstance(section, dict)) > 2 * len(keys()):
        raise DamagedError("its configuration has far more keys than there are")  # and each would get its advice
    try:
        config = writing.from_dict(meta["config"], archive.META)
    except ConfigError as error:
        raise DamagedError(_told(error.messages[0], 300)) from error
    if config.train.seed is None:
        raise DamagedError("its configuration has no seed")
    vocabulary = Vocabulary(**meta["vocabulary"])
    symbols = vocabulary.symbols
    if not isinstance(symbols, str) or not 0 < len(symbols) <= MOST_SYMBOLS or list(symbols) != sorted(set(symbols)):
        raise DamagedError("its vocabulary is not a sorted set of characters")
    if any("\ud800" <= symbol <= "\udfff" for symbol in symbols):
        raise DamagedError("its vocabulary has lone surrogates, which are no characters")
    if vocabulary.encoding != config.data.encoding:
        raise DamagedError("its vocabulary is not in the encoding of its configuration")
    corpus = meta["corpus"]
    return config, vocabulary, Corpus(str(corpus["name"]), _count(corpus["size"]), str(corpus["sha256"]))


def _least_size(config: Config, vocab_size: int) -> int:
    """Bytes of a configuration's parameters and state, counted without allocating any; its file is larger."""
    model = build_model(config.model, vocab_size)
    parameters = model.num_parameters
    state = config.train.batch_size * model.stack.state_size
    sensitivity = state * parameters * 8 if config.train.gradient == "rtrl" else 0
    return np.dtype(config.train.dtype).itemsize * (parameters + state) + sensitivity


def _told(text: str, most: int) -> str:
    """Words of a file, which may be any, for a message."""
    return one_line(text if len(text) <= most else text[:most] + "...")


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 1 << 63:
        raise DamagedError("a count is not a whole number")
    return value


def _number(value: Any) -> float | None:
    return None if value is None else _loss(value)


def _loss(value: Any) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise DamagedError("a loss is not a number")
    return float(value)
