"""Documents that a language model is judged on, and the loss of each of their characters and ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from charrnn.arrays import Array, Batch, Ids
from charrnn.judging.evaluation import EvaluationStopped
from charrnn.judging.surprise import Guesses, Passage
from charrnn.nn import head
from charrnn.nn.model import CharLM
from charrnn.nn.numerics import overflow_allowed
from charrnn.text.documents import DocumentBatches, Documents

ROWS, WINDOW = 32, 128
"""How many documents are judged side by side, and how many steps of them at a time."""


@dataclass(frozen=True)
class Judged:
    """Holds documents that a model is judged on."""

    batches: DocumentBatches
    bytes: int
    """How many bytes the documents take, with what ends each of them in a file."""
    documents: Documents
    """The documents as they were read, with characters that the model does not know."""
    strange: str = ""
    """The distinct characters that are skipped because the model does not know them."""
    skipped: int = 0
    """How many characters that are in all, those of documents that have no others too."""
    sizes: Ids | None = None
    """How many symbols each character and end has, where some are spelled in bytes; None where each is one."""

    def __len__(self) -> int:
        """Returns how many characters are predicted, ends included."""
        return int(self.batches.lengths.sum()) if self.sizes is None else len(self.sizes)

    def pieces(self, count: int) -> list[Judged | None]:
        """Returns pieces whose nats add up to those of all, each of every `count`-th document; None for an empty one.

        They have what `nats_of_documents` needs, to be handed to another process, and nothing else.
        """
        numbers = (np.arange(k, len(self.batches.lengths), count) for k in range(count))
        nothing = Documents(self.documents.name, 0, "", [])
        return [Judged(_some(self.batches, some), 0, nothing) if len(some) else None for some in numbers]

    def passages(self, model: CharLM, params: dict[str, Array]) -> Iterator[Passage]:
        """Yields each document with what a model thinks of its characters and its end, in the order of the file."""
        guesses = guesses_of_documents(model, params, self)
        documents = self.documents
        spelled = np.array([len(text) + 1 for text in documents.texts], np.int64)
        lengths = self.batches.lengths if self.sizes is None else spelled
        stops = lengths.cumsum()
        starts = stops - lengths
        numbers = documents.numbers or range(1, len(documents) + 1)
        files = documents.files or [""] * len(documents)
        strange = set(self.strange)
        for i in sorted(range(len(documents)), key=lambda i: (files[i], numbers[i])):
            text = documents.texts[i]
            scored = np.array([*(c not in strange for c in text), True]) if strange else np.ones(len(text) + 1, bool)
            found = Guesses.empty(len(scored))
            found.put(np.flatnonzero(scored), guesses.some(slice(starts[i], stops[i])))
            label = documents.labels[i] if documents.labels else None
            yield Passage(text, found, scored, numbers[i], is_document=True, label=label, file=files[i])


def nats_of_documents(
    model: CharLM, params: dict[str, Array], part: Judged, stop: Callable[[], bool] = lambda: False
) -> Iterator[Array]:
    """Yields the loss of every character and end, (n,) at a time. The state is carried through long documents.

    Raises EvaluationStopped where `stop()`, which is asked after each batch, is true.
    """
    for _, batch, logits in _logits(model, params, part, stop):
        with overflow_allowed():  # of weights that have exploded, which shows in the loss
            nats = head.nats(logits, batch.y)
        yield nats.ravel() if batch.weights is None else nats[batch.weights > 0]


def _some(batches: DocumentBatches, numbers: Ids) -> DocumentBatches:
    """Returns the documents of these numbers, in batches of their own."""
    stops = batches.lengths.cumsum()
    characters = [batches.symbols[stops[i] - batches.lengths[i] + 1 : stops[i]] for i in numbers.tolist()]
    labels = None if batches.labels is None else batches.labels[numbers]
    beside = batches.batch_size, batches.seq_length, batches.seed, labels
    return DocumentBatches.of(characters, int(batches.symbols[0]), *beside)


def guesses_of_documents(model: CharLM, params: dict[str, Array], part: Judged) -> Guesses:
    """Returns what is thought of every character and end, those of the first document first: arrays (N,)."""
    found = Guesses.empty(int(part.batches.lengths.sum()))
    first = part.batches.lengths.cumsum() - part.batches.lengths
    for iteration, batch, logits in _logits(model, params, part):
        guesses = Guesses.of(logits, batch.y)
        rows, starts = (of_rows[: batch.num_rows] for of_rows in part.batches.rows(iteration))
        places = first[rows] + starts + np.arange(len(batch.x))[:, None]  # (T, B)
        counts = np.ones(places.shape, bool) if batch.weights is None else batch.weights > 0
        found.put(places[counts], Guesses(*(array[counts] for array in guesses)))
    return found if part.sizes is None else found.joined(part.sizes.cumsum() - part.sizes)


def _logits(
    model: CharLM, params: dict[str, Array], part: Judged, stop: Callable[[], bool] = lambda: False
) -> Iterator[tuple[int, Batch, Array]]:
    """Yields the number of each batch, the rows of it that read something, and their logits (T, B, V)."""
    carried = model.zero_state(ROWS, params["head.b"].dtype)
    for iteration in range(len(part.batches)):
        batch = part.batches.batch(iteration)
        if batch.lengths is not None:
            batch = batch.rows(slice(np.count_nonzero(batch.lengths)))  # those that read nothing more are the last
        if batch.starts is None:
            logits = model.predict(params, batch)
        else:
            state = [{name: array[: batch.num_rows] for name, array in entry.items()} for entry in carried]
            given = params, batch.x, state, batch.starts
            logits, carried = model.forward(*given, lengths=batch.lengths, labels=batch.labels)
        yield iteration, batch, logits
        if stop():
            raise EvaluationStopped
