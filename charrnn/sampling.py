"""Text from a model: one character at a time, each drawn from what the model expects after those before it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from charrnn.arrays import Array, Ids
from charrnn.nn.model import CharLM
from charrnn.nn.stepper import Stepper
from charrnn.runs.run import Run
from charrnn.tasks.writer import Writer, writer_of


@dataclass(frozen=True)
class Filters:
    """Says what characters are drawn from. What is None is off; the likeliest character is always kept.

    The logits are first divided by `temperature`. The filters then apply in the order in which they stand here.
    """

    temperature: float = 1.0
    """Below 1 what is likely becomes likelier; 0 means the likeliest character alone."""
    top_k: int | None = None
    """Keeps the k likeliest characters."""
    top_p: float | None = None
    """Keeps the smallest set that has at least this probability (Holtzman et al. 2019, arXiv 1904.09751)."""
    min_p: float | None = None
    """Keeps those at least this share as likely as the likeliest (Nguyen et al. 2024, arXiv 2407.01082)."""


@dataclass(frozen=True)
class Request:
    """Says what text is wanted."""

    prompt: str = ""
    """The text to continue; where there is none, the model reads what `opening` returns."""
    length: int = 500
    """Characters to write at most; where documents were learnt, the model ends them itself."""
    seed: int | None = None
    """The same seed gives the same text; None draws one."""
    stop: str | None = None
    """A text before which to end, if it would appear."""
    filters: Filters = Filters()
    label: str | None = None
    """What the texts are told, where the run has learnt labels; None draws one for each, as often as it was seen."""


def probabilities(logits: Array, filters: Filters = Filters(), out: Array | None = None) -> Array:
    """Returns what to draw from: of logits (B, V), probabilities (B, V) in float64; in `out` where that is given."""
    p: Array = np.empty(logits.shape) if out is None else out
    np.copyto(p, logits)
    p -= np.maximum.reduce(p, axis=-1, keepdims=True)
    top_k = filters.top_k
    if filters.temperature == 0:
        top_k = 1
    elif filters.temperature != 1:
        with np.errstate(over="ignore"):  # a low temperature takes what is unlikely to -inf, and its probability to 0
            p /= filters.temperature
    np.exp(p, p)
    if top_k is not None or filters.top_p is not None:
        _keep_likeliest(p, top_k, filters.top_p)
    if filters.min_p is not None:
        p[p < filters.min_p * p.max(axis=-1, keepdims=True)] = 0
    p /= np.add.reduce(p, axis=-1, keepdims=True)
    return p


def _keep_likeliest(p: Array, top_k: int | None, top_p: float | None) -> None:
    """Sets to zero what `top_k` and then `top_p` leave out of each row of `p (B, V)`."""
    order = np.argsort(-p, axis=-1, kind="stable")
    ranked = np.take_along_axis(p, order, axis=-1)
    if top_k is not None:
        ranked[:, top_k:] = 0
    if top_p is not None:
        mass = np.cumsum(ranked, axis=-1)
        ranked[:, 1:] *= mass[:, :-1] < top_p * mass[:, -1:]
    np.put_along_axis(p, order, ranked, axis=-1)


def draw(p: Array, rng: np.random.Generator) -> Ids:
    """Draws an id for each row of `p (B, V)`: (B,). It inverts the cumulative distribution, which `p` becomes."""
    np.add.accumulate(p, axis=-1, out=p)
    u = rng.random(len(p)) * p[:, -1]
    # u * p[-1] can be rounded to p[-1] itself, which lies beyond the last that is likely
    ids = [min(row.searchsorted(x, "right"), row.searchsorted(row[-1])) for row, x in zip(p, u, strict=True)]
    return np.array(ids)


def generate(
    model: CharLM,
    params: dict[str, Array],
    prompt: Ids,
    rng: np.random.Generator,
    samples: int = 1,
    filters: Filters = Filters(),
    labels: Ids | None = None,
    not_first: int | None = None,
) -> Iterator[Ids]:
    """Yields, without end, the next id of each of `samples` texts that continue `prompt (P,)`, P >= 1: (samples,).

    `labels (samples,)` are what each text is told, where the model has labels. The id `not_first` is never the first.
    """
    stepper, p = Stepper(model, params, samples, labels), np.empty((samples, model.vocab_size))
    for symbol in prompt:
        logits = stepper.step(np.full(samples, symbol))
    if not_first is not None:
        logits[:, not_first] = -np.inf
    while True:
        ids = draw(probabilities(logits, filters, out=p), rng)
        yield ids
        logits = stepper.step(ids)


def sample(
    run: Run,
    prompt: str = "",
    length: int = 500,
    seed: int | None = None,
    stop: str | None = None,
    label: str | None = None,
    **filters: Any,
) -> Iterator[str]:
    """Yields up to `length` characters that follow `prompt`, as they are drawn.

    It ends where the model ends a document, and before `stop`, if that text would appear; characters that may become
    part of it are held back until they cannot. `label` is what the text is told, by a model that has labels. `filters`
    are the fields of `Filters`: `temperature`, `top_k`, `top_p`, `min_p`. Raises DataError where the prompt has
    characters that the model never saw, ConfigError where the run cannot write, or knows no such label.
    """
    request = Request(prompt, length, seed, stop, Filters(**filters), label)
    return (texts[0] for texts in sample_many(run, request, samples=1))


def sample_many(run: Run, request: Request, samples: int) -> Iterator[list[str]]:
    """Yields what each of several texts grew by, which are drawn as one batch: "" for a text that has ended.

    Raises as `sample` does.
    """
    task, model = writer_of(run.task, run.model)
    symbols, rng = task.vocabulary.symbols, np.random.default_rng(request.seed)
    rows = [_Growing(symbols, task.end, request.stop) for _ in range(samples)]
    labels = task.told(request.label, samples, rng)
    not_first = None if request.prompt else task.end  # no document is empty, so none that is drawn may be
    read = first(task, request.prompt)
    ids = generate(model, run.weights, read, rng, samples, request.filters, labels, not_first)
    for _, batch in zip(range(request.length), ids, strict=False):
        yield [row.push(int(i)) for row, i in zip(rows, batch, strict=True)]
        if all(row.ended for row in rows):
            return
    yield [row.flush() for row in rows]


def first(task: Writer, prompt: str) -> Ids:
    """Returns the ids (P,) that are read before anything is drawn: a document begins with its boundary."""
    vocabulary = task.vocabulary
    if task.end is None:
        return vocabulary.encode(prompt or opening(vocabulary.symbols))
    return np.concatenate([[task.end], vocabulary.encode(prompt)])


def opening(symbols: str) -> str:
    """Returns what is read first if there is no prompt: a line break if the model knows one, else a space, else any."""
    return next((c for c in "\n " if c in symbols), symbols[0])


class _Growing:
    """Is one text. It ends where `end` is drawn, or where `stop` appears, whose possible beginnings it holds back."""

    def __init__(self, symbols: str, end: int | None, stop: str | None) -> None:
        self.symbols = symbols
        self.end = end
        self.stop = stop or ""
        self.held = ""
        self.ended = False

    def push(self, symbol: int) -> str:
        """Returns what can be shown once this symbol is drawn."""
        if self.ended:
            return ""
        if symbol == self.end:
            shown, self.ended = self.flush(), True
            return shown
        self.held += self.symbols[symbol]
        if self.stop and self.held.endswith(self.stop):
            self.ended = True
            return self._release(len(self.held) - len(self.stop))
        may_begin = next((n for n in range(len(self.stop) - 1, 0, -1) if self.held.endswith(self.stop[:n])), 0)
        return self._release(len(self.held) - may_begin)

    def flush(self) -> str:
        """Returns what is still held, at the end of the text."""
        return "" if self.ended else self._release(len(self.held))

    def _release(self, n: int) -> str:
        passed, self.held = self.held[:n], self.held[n:]
        return passed
