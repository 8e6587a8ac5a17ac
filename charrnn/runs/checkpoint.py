"""The `.npz` file that keeps a run.

The format is described in `docs/checkpoint-format.md`. Nothing in a file is unpickled or believed: which arrays there
are, their types and shapes all follow from the configuration, within its bounds, and `archive` compares.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from charrnn.config import writing
from charrnn.config.schema import Config, keys
from charrnn.errors import CheckpointError, ConfigError, one_line
from charrnn.files import write_atomically
from charrnn.runs import archive
from charrnn.runs.archive import DamagedError
from charrnn.runs.run import Corpus, Run, arrays, blank, build_model
from charrnn.text.vocabulary import MOST_SYMBOLS, Vocabulary
from charrnn.version import __version__

FORMAT = "charrnn"
VERSION = 2
"""Of the files that are written; files of every version before it can be read."""


class TooNewError(CheckpointError):
    """A checkpoint that is whole, as far as can be told, and of a later version than this charrnn's."""


def save(checkpoint: Run, path: Path) -> None:
    """Writes the checkpoint to `path`, whole or not at all. Raises OutputError; the old file is then untouched."""
    write_atomically(path, to_bytes(checkpoint))


def to_bytes(checkpoint: Run) -> bytes:
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


def load(path: Path | str) -> Run:
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
        run = blank(config, vocabulary, corpus)
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
