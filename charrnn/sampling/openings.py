"""What a model reads before it writes: texts begin as texts began in training."""

from __future__ import annotations

import numpy as np

from charrnn.arrays import Ids
from charrnn.tasks.writer import Writer


def first(task: Writer, prompt: str) -> Ids:
    """Returns the ids (P,) that are read before anything is drawn: a document begins with its boundary."""
    vocabulary = task.vocabulary
    if task.end is None:
        return vocabulary.encode(prompt or opening(vocabulary.symbols))
    return np.concatenate([[task.end], vocabulary.encode(prompt)])


def opening(symbols: str) -> str:
    """Returns what is read first if there is no prompt: a line break if the model knows one, else a space, else any."""
    return next((c for c in "\n " if c in symbols), symbols[:1] or "\n")
