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
from charrnn.config.schema import Config, ModelConfig
from charrnn.errors import CheckpointError, ConfigError
from charrnn.files import write_atomically
from charrnn.nn.model import CharLM
from charrnn.nn.numerics import Array
from charrnn.nn.parameters import Parameters
from charrnn.nn.stack import State
from charrnn.text.vocabulary import Vocabulary
from charrnn.training import optim
from charrnn.version import __version__

FORMAT = "charrnn"
VERSION = 1


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
    versions: dict[str, str] = field(default_factory=dict)
    """What wrote the file that this came from."""

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
        "versions": {"charrnn": __version__, "numpy": np.__version__},
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
    with archive.open_archive(find(Path(path))) as opened:
        meta = opened.read_meta()
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
        run.validation_nats = _number(meta["validation_nats"])
        run.best_nats = _number(meta["best_nats"])
        run.elapsed = _number(meta["elapsed"]) or 0.0
        run.versions = {str(k): str(v) for k, v in meta["versions"].items()}
        return run


def _read_config(meta: Any) -> tuple[Config, Vocabulary, Corpus]:
    if not isinstance(meta, dict) or meta.get("format") != FORMAT:
        raise DamagedError("it was not written by charrnn")
    if meta["version"] != VERSION:
        by = str(meta["versions"]["charrnn"])[:20]
        raise DamagedError(
            f"it has format version {meta['version']!r} (written by charrnn {by}), and this charrnn reads {VERSION}"
        )
    try:
        config = writing.from_dict(meta["config"], archive.META)
    except ConfigError as error:
        raise DamagedError(error.messages[0]) from error
    if config.train.seed is None:
        raise DamagedError("its configuration has no seed")
    vocabulary = Vocabulary(**meta["vocabulary"])
    symbols = vocabulary.symbols
    if not isinstance(symbols, str) or not symbols or list(symbols) != sorted(set(symbols)):
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


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise DamagedError("a count is not a whole number")
    return value


def _number(value: Any) -> float | None:
    if value is None:
        return None
    if type(value) not in (int, float) or not math.isfinite(value):
        raise DamagedError("a loss is not a number")
    return float(value)
