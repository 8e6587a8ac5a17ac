"""Where several texts stand, as a file: so that they can be gone on with, or from one of them in several ways.

It is an archive as a checkpoint is, and believed as little. It belongs to the weights that made it, by their checksum.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from charrnn.arrays import Array, Ids
from charrnn.errors import CheckpointError, ConfigError
from charrnn.files import write_atomically
from charrnn.nn.model import CharLM
from charrnn.nn.parameters import Parameters
from charrnn.runs import archive
from charrnn.runs.archive import DamagedError
from charrnn.sampling.growing import FOR_EVER

FORMAT, VERSION = "charrnn state", 1

MOST_ROWS = 1 << 20
"""Texts that a file may hold."""

REMEMBERED = 1024
"""Symbols that are kept of each text, for what depends on more than the state: repetitions and copies."""


@dataclass
class TextState:
    """Holds where several texts stand."""

    weights: str
    """The checksum of the weights that the state is of."""
    layers: dict[str, Array]
    """The recurrent state, before it has read the last symbol: (B, H) by layer and name, as in `0.h`."""
    pending: Ids
    """The last symbol of each text, which is read next: (B,)."""
    labels: Ids | None
    """What each text is told: (B,)."""
    written: list[list[int]]
    """The last symbols of each text, as shown, REMEMBERED at most."""
    ended: list[str | None]
    """Why each text ended."""
    seed: int
    rng: dict[str, Any]
    """The state of the generator of random numbers, with which it goes on where no other seed is given."""

    @property
    def rows(self) -> int:
        """B, how many texts there are."""
        return len(self.pending)

    @property
    def over(self) -> Array:
        """Which texts cannot be gone on with, as their documents have ended: bools (B,)."""
        return np.array([why in FOR_EVER for why in self.ended])

    def repeated(self, times: int) -> TextState:
        """Returns each text so many times, one after another."""
        rows = np.repeat(np.arange(self.rows), times)
        layers = {name: array[rows] for name, array in self.layers.items()}
        labels = None if self.labels is None else self.labels[rows]
        written, ended = [self.written[row] for row in rows], [self.ended[row] for row in rows]
        return TextState(self.weights, layers, self.pending[rows], labels, written, ended, self.seed, self.rng)

    def save(self, path: Path) -> None:
        """Writes it to a file, whole or not at all. Raises OutputError, ConfigError where something else is."""
        refuse_to_overwrite(path)
        meta = {
            "format": FORMAT,
            "version": VERSION,
            "weights": self.weights,
            "rows": self.rows,
            "labels": None if self.labels is None else self.labels.tolist(),
            "pending": self.pending.tolist(),
            "written": self.written,
            "ended": self.ended,
            "seed": self.seed,
            "rng": self.rng,
        }
        write_atomically(path, archive.to_bytes(meta, self.layers))


def checksum(params: Parameters) -> str:
    """Returns what tells weights from others."""
    return hashlib.sha256(repr(params.shapes).encode() + params.vector.tobytes()).hexdigest()


def refuse_to_overwrite(path: Path) -> None:
    """Raises ConfigError where a state would take the place of what is none, such as a text or a checkpoint."""
    try:
        if not path.exists() or (path.is_file() and not path.stat().st_size):
            return
        with archive.open_archive(path) as opened:
            meta = opened.read_meta()
            if isinstance(meta, dict) and meta.get("format") == FORMAT:
                return
    except (OSError, CheckpointError):
        pass
    raise ConfigError(f"{path} is there already, and is no state of texts; nothing was written: name another file")


def load(path: Path, model: CharLM, params: Parameters, symbols: int) -> TextState:
    """Returns the state that a file keeps, of a model with these weights. Raises CheckpointError for any other file."""
    try:
        with archive.open_archive(path) as opened:
            meta = opened.read_meta()
            if not isinstance(meta, dict) or meta.get("format") != FORMAT or meta.get("version") != VERSION:
                raise DamagedError("it was not written by --save-state of this charrnn")
            weights = checksum(params)
            if meta["weights"] != weights:
                raise OtherWeightsError(
                    f"{path} was saved with other weights; give --load-state with the checkpoint that --save-state had"
                )
            state = _read(meta, model, params, symbols, opened.size)
            opened.fill(state.layers)
            return state
    except OtherWeightsError:
        raise
    except CheckpointError as error:
        reason = error.messages[0].replace("is not a charrnn checkpoint", "is not the state of a text")
        advice = reason.replace("give a checkpoint (.npz) or a run directory", "--save-state writes one")
        raise CheckpointError(advice) from error


class OtherWeightsError(CheckpointError):
    """Says that a state belongs to other weights."""


def _read(meta: dict[str, Any], model: CharLM, params: Parameters, symbols: int, size: int) -> TextState:
    """Returns the state without the numbers of its layers. Raises DamagedError for what does not fit."""
    rows = meta["rows"]
    dtype = params.vector.dtype
    if type(rows) is not int or not 0 < rows <= MOST_ROWS or rows * model.state_size * dtype.itemsize > size:
        raise DamagedError("its number of texts is not what it has")
    pending, labels = meta["pending"], meta["labels"]
    written, ended = meta["written"], meta["ended"]
    if not _are_ids(pending, rows, symbols) or len(written) != rows or len(ended) != rows:
        raise DamagedError("its symbols are not those of the model")
    if not all(_are_ids(text, len(text), symbols) and len(text) <= REMEMBERED for text in written):
        raise DamagedError("its texts are not of the model's symbols")
    if (labels is None) != (not model.labels) or (labels is not None and not _are_ids(labels, rows, model.labels)):
        raise DamagedError("its labels are not those of the model")
    if not all(why is None or isinstance(why, str) for why in ended):
        raise DamagedError("it does not say why its texts ended")
    np.random.default_rng().bit_generator.state = meta["rng"]  # raises where it can be none
    zero = {
        f"{entry}.{name}": array
        for entry, one in enumerate(model.zero_state(rows, dtype))
        for name, array in one.items()
    }
    told = None if labels is None else np.array(labels)
    return TextState(meta["weights"], zero, np.array(pending), told, written, ended, _seed(meta["seed"]), meta["rng"])


def _are_ids(value: Any, count: int, below: int) -> bool:
    """Tells whether a value of a file is a list of so many ids."""
    return isinstance(value, list) and len(value) == count and all(type(i) is int and 0 <= i < below for i in value)


def _seed(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise DamagedError("its seed is not a whole number")
    return value
