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
from charrnn.errors import CheckpointError
from charrnn.files import write_atomically
from charrnn.nn.model import CharLM
from charrnn.nn.parameters import Parameters
from charrnn.runs import archive
from charrnn.runs.archive import Archive, DamagedError
from charrnn.sampling.growing import END, FOR_EVER, LENGTH, STOP, STUCK

FORMAT, VERSION = "charrnn state", 1

REMEMBERED = 1024
"""Symbols that are kept of each text, for what depends on more than the state: repetitions and copies."""

WHYS = (None, LENGTH, STOP, END, STUCK)
"""Why a text may have ended; a file has the place in this list. None is for one that has not."""


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
        """Writes it to a file, whole or not at all. Raises OutputError."""
        width = max(map(len, self.written))
        meta = {
            "format": FORMAT,
            "version": VERSION,
            "weights": self.weights,
            "rows": self.rows,
            "width": width,
            "seed": self.seed,
            "rng": self.rng,
        }
        texts = _texts(self.rows, width, self.labels is not None)
        texts["pending"][:] = self.pending
        texts["ended"][:] = list(map(WHYS.index, self.ended))
        for row, ids in zip(texts["written"], self.written, strict=True):
            row[width - len(ids) :] = ids
        if self.labels is not None:
            texts["labels"][:] = self.labels
        write_atomically(path, archive.to_bytes(meta, self.layers | texts))


def _texts(rows: int, width: int, labels: bool) -> dict[str, Array]:
    """Returns the arrays of a file that are about texts, with nothing in them; -1 stands where there is no symbol."""
    arrays: dict[str, Array] = {
        "pending": np.zeros(rows, np.int32),
        "ended": np.zeros(rows, np.int8),
        "written": np.full((rows, width), -1, np.int32),
    }
    if labels:
        arrays["labels"] = np.zeros(rows, np.int32)
    return arrays


def refuse_to_overwrite(path: Path) -> None:
    """Raises ConfigError where a state would take the place of what is none, such as a checkpoint or a text."""
    archive.refuse_to_overwrite(path, FORMAT, "the state of a text")


def checksum(params: Parameters) -> str:
    """Returns what tells weights from others."""
    return hashlib.sha256(repr(params.shapes).encode() + params.vector.tobytes()).hexdigest()


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
            return _read(meta, model, params, symbols, opened)
    except OtherWeightsError:
        raise
    except CheckpointError as error:
        reason = error.messages[0].replace("is not a charrnn checkpoint", "is not the state of a text")
        advice = reason.replace("give a checkpoint (.npz) or a run directory", "--save-state writes one")
        raise CheckpointError(advice) from error


class OtherWeightsError(CheckpointError):
    """Says that a state belongs to other weights."""


def _read(meta: dict[str, Any], model: CharLM, params: Parameters, symbols: int, opened: Archive) -> TextState:
    """Returns the state that a file has. Raises DamagedError for what does not fit."""
    rows, width = meta["rows"], meta["width"]
    dtype = params.vector.dtype
    if type(rows) is not int or type(width) is not int or rows <= 0 or not 0 <= width <= REMEMBERED:
        raise DamagedError("its number of texts, or their length, is none")
    if rows * (width + model.state_size * dtype.itemsize) > opened.size:
        raise DamagedError("its number of texts is not what it has")
    if type(meta["seed"]) is not int or meta["seed"] < 0:
        raise DamagedError("its seed is not a whole number")
    np.random.default_rng().bit_generator.state = meta["rng"]  # raises where it can be none
    layers = {
        f"{entry}.{name}": array
        for entry, one in enumerate(model.zero_state(rows, dtype))
        for name, array in one.items()
    }
    texts = _texts(rows, width, bool(model.labels))
    opened.fill(layers | texts)
    pending, labels, written = texts["pending"], texts.get("labels"), texts["written"]
    _check_ids(pending, 0, symbols, "its last symbols are not those of the model")
    _check_ids(written, -1, symbols, "its texts are not of the model's symbols")
    _check_ids(texts["ended"], 0, len(WHYS), "it does not say why its texts ended")
    if labels is not None:
        _check_ids(labels, 0, model.labels, "its labels are not those of the model")
    known = [row[row >= 0].tolist() for row in written]
    ended = [WHYS[why] for why in texts["ended"].tolist()]
    return TextState(meta["weights"], layers, pending, labels, known, ended, meta["seed"], meta["rng"])


def _check_ids(ids: Ids, least: int, below: int, what: str) -> None:
    """Raises DamagedError, which says `what` is wrong, for ids out of range."""
    if ids.size and not least <= ids.min() <= ids.max() < below:
        raise DamagedError(what)
