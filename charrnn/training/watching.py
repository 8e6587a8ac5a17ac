"""What can be seen of a model while it learns: a short text that it writes, or answers to a few items.

Nothing of the run is touched: chance has a generator of its own here, made of the run's seed and iteration. So a run is
the same to the last bit with samples and without.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from charrnn import sampling
from charrnn.runs.run import Run
from charrnn.tasks.base import Split
from charrnn.tasks.items import ItemTask
from charrnn.tasks.writer import Writer

LENGTH = 200
"""Characters of a sample, at most."""

DOCUMENTS = 5
"""Documents of a sample, at most, where they are short."""

ITEMS = 3
"""Items that are answered."""

LARGEST = 1e15
"""Weights beyond this have exploded, though they may still be finite: they write nothing."""


def sample(run: Run, split: Split) -> str | None:
    """Returns what the model writes now, or how it answers some items, a line each.

    None where it is of no task that does either, or its weights have exploded.
    """
    if not np.abs(run.weights.vector).max() < LARGEST:
        return None
    rng = np.random.default_rng([run.config.train.seed or 0, run.iteration])
    if isinstance(run.task, Writer):
        return _text(run, rng) if run.task.end is None else _documents(run, rng)
    if isinstance(run.task, ItemTask) and "predict" in run.task.abilities:
        return _answers(run, run.task, split, rng)
    return None


def _text(run: Run, rng: np.random.Generator) -> str:
    return "".join(sampling.sample(run, length=LENGTH, seed=_seed(rng)))


def _documents(run: Run, rng: np.random.Generator) -> str:
    """Returns documents of `LENGTH` characters together, at most, with their labels where they have such."""
    documents: list[str] = []
    left = LENGTH
    while left > 0 and len(documents) < DOCUMENTS:
        (drawn,) = sampling.write(run, length=left, seed=_seed(rng))
        documents.append(drawn.text if drawn.label is None else f"{drawn.label}: {drawn.text}")
        left -= len(drawn.text) + 1
    return "\n".join(documents)


def _answers(run: Run, task: Any, split: Split, rng: np.random.Generator) -> str:
    """Returns each item with its answer, and what would have been right where that is another."""
    items = task.some(split, ITEMS, rng)
    answers = task.predict(run.model, run.weights, [given for given, _ in items])
    return "\n".join(
        f"{given} -> {found.answer}{'' if found.answer == right else f' (right: {right})'}"
        for (given, right), found in zip(items, answers, strict=True)
    )


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**32))
