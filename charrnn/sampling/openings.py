"""What a model reads before it writes: texts begin as texts begin in training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from charrnn.arrays import Ids
from charrnn.tasks.writer import Writer


def first(
    task: Writer, openings: Sequence[Sequence[int]], prompts: Sequence[str], rng: np.random.Generator | None
) -> list[Ids]:
    """Returns for each prompt the ids (P,) that are read before anything is drawn.

    A document begins with its boundary. In a text that has no documents, an empty prompt is one of the `openings` of
    the run, for each text another as long as there are; the first for all where `rng` is None, as nothing shall be left
    to chance. Raises DataError for characters that the model never saw.
    """
    vocabulary = task.vocabulary
    known = {prompt: vocabulary.encode(prompt) for prompt in dict.fromkeys(prompts)}
    if task.end is not None:
        return [np.append(task.end, known[prompt]) for prompt in prompts]
    if "" not in known:
        return [known[prompt] for prompt in prompts]
    ways = [np.array(ids) for ids in openings] or [vocabulary.encode(opening(vocabulary.symbols))]
    order = [0] if rng is None or len(ways) == 1 else rng.permutation(len(ways)).tolist()
    places = np.cumsum([not prompt for prompt in prompts]) - 1
    return [
        known[prompt] if prompt else ways[order[place % len(order)]]
        for prompt, place in zip(prompts, places.tolist(), strict=True)
    ]


def opening(symbols: str) -> str:
    """Returns what is read where a checkpoint keeps no openings: a line break, else a space, else any character."""
    return next((c for c in "\n " if c in symbols), symbols[:1] or "\n")
