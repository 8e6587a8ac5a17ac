"""The `.npz` file that keeps a run.

The format is described in `docs/checkpoint-format.md`. Nothing in a file is unpickled or believed: which arrays there
are, their types and shapes all follow from the configuration, within its bounds, and `archive` compares.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from charrnn import advice, tasks
from charrnn.config import writing
from charrnn.config.schema import Config, keys
from charrnn.errors import CheckpointError, ConfigError, one_line
from charrnn.files import write_atomically
from charrnn.runs import archive
from charrnn.runs.archive import DamagedError
from charrnn.runs.places import BEST, LAST, inside, nearest_run
from charrnn.runs.run import Corpus, Run
from charrnn.tasks.base import Model, Scores, Task
from charrnn.tasks.writer import Writer
from charrnn.text.origin import FileRead
from charrnn.version import __version__

FORMAT = "charrnn"
VERSION = 7
"""The version of the format that is written; every version before it can be read."""


MOST_OPENINGS, LONGEST_OPENING = 64, 1024
"""How many openings a file may have, and how many symbols each: more than are written today."""

FROM_BATCHES = object()
"""Stands for the symbols trained on so far where a file does not tell them: its batches were all alike."""


class TooNewError(CheckpointError):
    """Says that a checkpoint is of a later version than this charrnn, or of a task of one; it seems to be whole."""


def save(run: Run, path: Path) -> None:
    """Writes the run to `path`, whole or not at all. Raises OutputError; the old file is then untouched."""
    write_atomically(path, to_bytes(run))


def to_bytes(run: Run) -> bytes:
    """Returns the file's content; the same run gives the same bytes."""
    meta = {
        "format": FORMAT,
        "version": VERSION,
        "environment": run.environment,
        "config": writing.to_dict(run.config),
        **run.task.to_meta(),
        "corpus": _corpus_meta(run.corpus),
        "iteration": run.iteration,
        "chars": run.chars,
        "scores": run.scores,
        "best": run.best,
        "best_at": run.best_at,
        "without_best": run.without_best,
        "to_beat": run.to_beat,
        "without_improvement": run.without_improvement,
        "reductions": run.reductions,
        "elapsed": run.elapsed if run.config.train.time_budget else 0.0,
        "losses": run.losses,
        "lowest": run.lowest,
        "hopeless_in_a_row": run.hopeless_in_a_row,
        "grad_norm": run.grad_norm,
        "learning_rate": run.learning_rate,
        "skipped": run.skipped,
        "skipped_in_a_row": run.skipped_in_a_row,
        "rollbacks": run.rollbacks,
        "rng": run.rng.bit_generator.state,
        "openings": run.openings,
    }
    return archive.to_bytes(meta, run.arrays())


def find(path: Path) -> Path:
    """Returns the checkpoint that `path` means: itself, or in a run directory `best.npz`, else `last.npz`.

    Raises CheckpointError where there is none.
    """
    try:
        if not path.is_dir():
            if not os.path.lexists(path) and (run := nearest_run(path)):
                raise CheckpointError(f"{path}: no such file; did you mean {advice.word(run)}?")
            return path
        for name in (BEST, LAST):
            if (path / name).exists():
                return path / name
    except (OSError, ValueError) as error:  # a name that no file can have
        raise CheckpointError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    within = inside(path) or " (best.npz or last.npz)"
    raise CheckpointError(f"{path} holds no checkpoint{within}; give the directory of a run")


def load(path: Path | str) -> Run:
    """Returns the run that is kept in a file or a run directory (see `find`).

    Raises CheckpointError, with what is wrong, for anything but a whole checkpoint.
    """
    path = find(Path(path))
    with archive.open_archive(path) as opened:
        meta = _as_written_now(opened.read_meta(), path)
        _refuse_unknown_task(meta["config"], path)
        config, task, corpus = _read_config(meta)
        try:
            model = task.model(config.model)
        except ConfigError as error:
            raise DamagedError(error.messages[0]) from error
        if opened.size < (needed := _least_size(config, model)):
            raise DamagedError(f"it is smaller than the {needed:,} bytes that its configuration means")
        run = Run.blank(config, task, corpus, model)
        opened.fill(run.arrays())
        _read_progress(run, meta)
        if not 0 <= run.slots.get("count", np.zeros(1))[0] <= run.iteration:
            raise DamagedError("its optim.count is not of its iteration")
        return run


def _as_written_now(meta: Any, path: Path) -> Any:
    """Translates the JSON of a file of any version into that of this version."""
    if not isinstance(meta, dict) or meta.get("format") != FORMAT:
        raise DamagedError("it was not written by charrnn")
    version = meta["version"]
    if type(version) is not int or version < 1:
        raise DamagedError("its format version is not a whole number")
    if version > VERSION:
        by = _shortened(str(meta["environment"]["charrnn"]), 20)  # in this place for ever
        raise TooNewError(
            f"{path} has format version {version}, written by charrnn {by}; this charrnn {__version__} reads versions "
            f"1 to {VERSION}: update charrnn"
        )
    if version < 2:
        of_the_run: dict[str, Any] = {"losses": [], "grad_norm": None, "learning_rate": 0.0}
        of_mishaps = {"skipped": 0, "skipped_in_a_row": 0, "rollbacks": 0}
        meta = {**meta, **of_the_run, **of_mishaps, "environment": meta["versions"]}
    if version < 3:  # language models all, whose batches were alike
        nats, best = meta["validation_nats"], meta["best_nats"]
        scores = None if nats is None else {"nats": nats}
        meta = {**meta, "chars": FROM_BATCHES, "scores": scores, "best": best, "without_best": 0, "reductions": 0}
    if version < 5:  # what is written without a prompt follows one line break
        meta = {"best_at": 0, "lowest": None, "hopeless_in_a_row": 0, "openings": [], **meta}
    if version < 7:
        meta = {"to_beat": None, "without_improvement": 0, **meta}
    return meta


def _refuse_unknown_task(sections: Any, path: Path) -> None:
    section = sections.get("task") if isinstance(sections, dict) else None
    name = section.get("name") if isinstance(section, dict) else None
    if isinstance(name, str) and name not in tasks.TASKS:
        raise TooNewError(
            f"{path} has learnt the task {_shortened(name, 20)!r}, and this charrnn {__version__} knows "
            f"{', '.join(tasks.TASKS)}: update charrnn"
        )


def _read_config(meta: Any) -> tuple[Config, Task, Corpus]:
    sections = meta["config"].values() if isinstance(meta["config"], dict) else ()
    if sum(len(section) for section in sections if isinstance(section, dict)) > 2 * len(keys()):
        raise DamagedError("its configuration has far more keys than there are")  # and each would get its advice
    try:
        config = writing.from_dict(meta["config"], archive.META)
    except ConfigError as error:
        raise DamagedError(_shortened(error.messages[0], 300)) from error
    if config.train.seed is None:
        raise DamagedError("its configuration has no seed")
    try:
        task = tasks.find(config.task.name, config.data).from_meta(meta, config.data)
    except ValueError as error:
        raise DamagedError(str(error)) from error
    return config, task, _read_corpus(meta["corpus"])


def _corpus_meta(corpus: Corpus) -> dict[str, Any]:
    """Returns what is kept of a corpus; `sources` and `files` only where there are several."""
    meta: dict[str, Any] = {"name": corpus.name, "size": corpus.size, "sha256": corpus.sha256}
    if corpus.sources:
        meta["sources"] = list(corpus.sources)
    if corpus.files:
        meta["files"] = [[file.name, file.size, file.sha256] for file in corpus.files]
    return meta


def _read_corpus(meta: Any) -> Corpus:
    files = tuple(FileRead(str(name), _count(size), str(sha256)) for name, size, sha256 in meta.get("files", ()))
    sources = tuple(map(str, meta.get("sources", ())))
    return Corpus(str(meta["name"]), _count(meta["size"]), str(meta["sha256"]), sources, files)


def _read_progress(run: Run, meta: Any) -> None:
    """Fills in what is neither an array nor the configuration."""
    run.rng.bit_generator.state = meta["rng"]
    if meta["chars"] is FROM_BATCHES:
        train = run.config.train
        meta = {**meta, "chars": _count(meta["iteration"]) * train.batch_size * train.seq_length}
    for name in (
        "iteration", "chars", "best_at", "without_best", "without_improvement", "reductions",
        "hopeless_in_a_row", "skipped", "skipped_in_a_row", "rollbacks",
    ):  # fmt: skip
        setattr(run, name, _count(meta[name]))
    run.scores = _scores(meta["scores"])
    run.best = _number_or_none(meta["best"])
    run.to_beat = _number_or_none(meta["to_beat"])
    run.lowest = _number_or_none(meta["lowest"])
    run.elapsed = _number_or_none(meta["elapsed"]) or 0.0
    run.losses = [_number(nats) for nats in meta["losses"]]
    run.grad_norm, run.learning_rate = _number_or_none(meta["grad_norm"]), _number(meta["learning_rate"])
    run.openings = _openings(meta["openings"], run.task)
    run.environment = {str(k): str(v) for k, v in meta["environment"].items()}


def _openings(value: Any, task: Task) -> list[list[int]]:
    known = len(task.vocabulary) if isinstance(task, Writer) else 0
    if not isinstance(value, list) or len(value) > MOST_OPENINGS:
        raise DamagedError("its openings are no list, or too many")
    for ids in value:
        if not isinstance(ids, list) or not 0 < len(ids) <= LONGEST_OPENING:
            raise DamagedError("an opening is no list of symbols, or too long a one")
        if not all(type(symbol) is int and 0 <= symbol < known for symbol in ids):
            raise DamagedError("an opening has symbols that the vocabulary lacks")
    return value


def _least_size(config: Config, model: Model) -> int:
    """Counts the bytes of a configuration's parameters and state without allocating any; its file is larger."""
    state = config.train.batch_size * model.state_size
    sensitivity = state * model.num_parameters * 8 if config.train.gradient == "rtrl" else 0
    return np.dtype(config.train.dtype).itemsize * (model.num_parameters + state) + sensitivity


def _shortened(text: str, most: int) -> str:
    """Shortens what a file says, which may be anything, for a message."""
    return one_line(text if len(text) <= most else text[:most] + "...")


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 1 << 63:
        raise DamagedError("a count is not a whole number")
    return value


def _scores(value: Any) -> Scores | None:
    return None if value is None else {str(name): _number(score) for name, score in value.items()}


def _number_or_none(value: Any) -> float | None:
    return None if value is None else _number(value)


def _number(value: Any) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise DamagedError("a loss is not a number")
    return float(value)
