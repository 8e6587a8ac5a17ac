"""What a run thinks of texts and inputs, as arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from charrnn.arrays import Array, Ids
from charrnn.cores import blas_threads
from charrnn.errors import ConfigError, DataError
from charrnn.interface.settings import refuse_no_number
from charrnn.runs.run import Run
from charrnn.tasks.base import Batching
from charrnn.tasks.writer import writer_of
from charrnn.text.documents import Documents
from charrnn.text.encoding import decode
from charrnn.text.vocabulary import BYTES, UnknownCharacters

STEPS = 256
"""Characters that are read at a time."""

BLOCK = 2048
"""Inputs that are answered at a time: sorted by length, these are batches without much padding."""

ROWS = 128
"""Inputs that are read side by side, more or less: they tell whether a second thread is worth it."""


def symbols(run: Run) -> list[str]:
    """Returns what the columns of `logits` stand for; '' for the end of a document.

    The bytes in which other characters are spelled, if they are, are written as in `<e6>`.
    """
    task, _ = writer_of(run.task, run.model)
    return [*map(task.vocabulary.name, range(len(task.vocabulary))), *([] if task.end is None else [""])]


def score(run: Run, text: str, label: str | None) -> Array:
    """Returns the nats of each character that something comes before. See `TrainedRun.score`."""
    task, model = writer_of(run.task, run.model)
    train, data = run.config.train, run.config.data
    _told(run, label)
    examples = _examples(run, text, label)
    kind: Any = task
    part = kind.part(examples, data, Batching(train.batch_size, train.seq_length, train.seed or 0, None))
    with threadpool_limits(blas_threads(model.step_product), user_api="blas"):
        found = [passage.guesses.nats for passage in task.passages(model, run.weights, part)]
    return np.concatenate([np.zeros(0), *found])


def _examples(run: Run, text: str, label: str | None) -> Any:
    """Returns a text as the task has what it is judged on: a document, where these are learnt."""
    task, _ = writer_of(run.task, run.model)
    symbols = _symbols_of(run, text)
    if unknown := task.vocabulary.unknown(symbols):
        raise UnknownCharacters(unknown, "the text")
    if task.end is not None:
        return Documents("the text", 0, "", [symbols], None if label is None else [label])
    if run.config.data.encoding == BYTES:
        return decode([symbols.encode("latin-1")], "the text", BYTES)
    return decode([symbols.encode("utf-8-sig")], "the text", "utf-8")  # of a mark that is a symbol, another is left out


def _symbols_of(run: Run, text: str) -> str:
    """Returns a text in the model's symbols: where these are bytes, those of its UTF-8. Raises ConfigError for none."""
    if not isinstance(text, str):
        raise ConfigError(f"a {type(text).__name__} is no text; give a string")
    return text.encode("utf-8", "surrogatepass").decode("latin-1") if run.config.data.encoding == BYTES else text


def _told(run: Run, label: str | None) -> Ids | None:
    """Returns what a text is told, (1,), or None. Raises ConfigError for a label that is missing or not known."""
    task, _ = writer_of(run.task, run.model)
    if label is None and getattr(task, "labels", None):
        raise ConfigError("the texts of this run have labels, and what is expected depends on them; give label=")
    return task.told(label, 1, np.random.default_rng(0))


def logits(run: Run, text: str, label: str | None) -> Array:
    """Returns what is expected after each character, and at first where a document begins. See `TrainedRun.logits`."""
    task, model = writer_of(run.task, run.model)
    ids, labels = task.vocabulary.encode(_symbols_of(run, text)), _told(run, label)
    if task.end is not None:
        ids = np.concatenate([[task.end], ids])
    elif not len(ids):
        raise DataError("an empty text has no characters; give one with some")
    found = np.empty((len(ids), model.num_outputs), np.float32)
    state, starts = model.zero_state(1, run.params.vector.dtype), np.ones(1, bool)
    with threadpool_limits(blas_threads(model.step_product), user_api="blas"):
        for start in range(0, len(ids), STEPS):
            x = ids[start : start + STEPS, None]
            rows, state = model.forward(run.weights, x, state, starts, labels=labels)
            found[start : start + STEPS], starts = rows[:, 0], np.zeros(1, bool)
    return found


def answers(run: Run, inputs: Iterable[str], top: int | None, beam: int | None) -> Iterator[Any]:
    """Yields the answer to each input. Raises ConfigError, at once, where the run has none, or lacks what is asked."""
    if "predict" not in run.task.abilities:
        raise ConfigError(f"the task {run.config.task.name} answers no inputs; use sample, score or evaluate")
    asked = {name: value for name, value in {"top": top, "beam": beam}.items() if value is not None}
    for name, value in asked.items():
        if name not in run.task.abilities:
            raise ConfigError(f"{name} is not for a run of the task {run.config.task.name}; leave it out")
        refuse_no_number(name, value)
    if isinstance(inputs, str) or not isinstance(inputs, Iterable):
        raise ConfigError(f"inputs are several, and a {type(inputs).__name__} is none; give a list of strings")
    given = list(inputs)
    if strange := next((one for one in given if not isinstance(one, str)), None):
        raise ConfigError(f"an input is a {type(strange).__name__}; give strings")
    return _answered(run, given, asked)


def _answered(run: Run, inputs: list[str], asked: dict[str, int]) -> Iterator[Any]:
    task: Any = run.task
    with threadpool_limits(blas_threads(ROWS * run.model.step_product), user_api="blas"):
        for start in range(0, len(inputs), BLOCK):
            yield from task.predict(run.model, run.weights, inputs[start : start + BLOCK], **asked)
