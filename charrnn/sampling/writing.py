"""Text from a run: what was asked for is checked, drawn as one batch, and comes out piece by piece or whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Unpack

import numpy as np

from charrnn.nn.stepper import Stepper
from charrnn.runs.run import Run
from charrnn.sampling.constraints import Always, Constraint, NotFirst, may_not_end
from charrnn.sampling.generating import Generator
from charrnn.sampling.growing import Growing
from charrnn.sampling.openings import first
from charrnn.sampling.request import Options, Request, check, request_of
from charrnn.tasks.writer import Writer, writer_of
from charrnn.text.speller import WholeCharacters, reader


def sample(
    run: Run,
    prompt: str = "",
    length: int = 500,
    seed: int | None = None,
    stop: str | Iterable[str] | None = None,
    label: str | None = None,
    **options: Unpack[Options],
) -> Iterator[str]:
    """Yields up to `length` characters that follow `prompt`, as they are drawn.

    It ends where the model ends a document, and before `stop`, or the first of several, if that text would appear;
    characters that may become part of it are held back until they cannot. `label` is what the text is told, by a model
    that has labels. The `options` are explained at the fields of `Filters` and `Request`.

    Raises, at once, DataError where the prompt has characters that the model never saw, and ConfigError where the run
    cannot write, knows no such label, or an option means nothing.
    """
    pieces = sample_many(run, request_of(prompt, length, seed, stop, label, options), samples=1)
    return (grown for (grown,) in pieces)


def sample_many(run: Run, request: Request, samples: int = 1) -> Iterator[list[str]]:
    """Yields what each of several texts grew by, which are drawn as one batch: "" for a text that has ended.

    There are `samples` of each prompt, one prompt after another. Raises as `sample` does.
    """
    return Writing(run, request, samples).pieces()


class Writing:
    """Writes several texts as one batch: `samples` of each prompt, one prompt after another."""

    def __init__(self, run: Run, request: Request, samples: int = 1, scored: bool = False) -> None:
        """Checks everything, and reads what comes before. With `scored`, it counts what the model thinks of it."""
        task, model = writer_of(run.task, run.model)
        check(request, task.vocabulary, samples)
        self.request = request
        self.rows = len(request.prompts) * samples
        rng = np.random.default_rng(request.seed)
        labels = task.told(request.label, self.rows, rng)
        prompts = [prompt for prompt in request.prompts for _ in range(samples)]
        read = [first(task, prompt) for prompt in prompts]
        self.texts = [Growing(reader(task.vocabulary), task.end, request.stop) for _ in range(self.rows)]
        stepper = Stepper(model, run.weights, self.rows, labels)
        self.generator = Generator(stepper, rng, request.filters, _constraints(task, request, prompts), scored)
        self.generator.read(read)

    def pieces(self) -> Iterator[list[str]]:
        """Yields what each text grew by, until all have ended."""
        while True:
            full = np.array([not t.ended and t.characters >= self.request.length for t in self.texts])
            if full.any():
                may_end = full & ~may_not_end(self.generator.constraints, self.rows)
                yield [text.flush() if may else "" for text, may in zip(self.texts, may_end, strict=True)]
                if all(text.ended for text in self.texts):
                    return
            ids, nats = next(self.generator), self.generator.nats
            yield [text.push(int(i), cost) for text, i, cost in zip(self.texts, ids, nats, strict=True)]
            if all(text.ended for text in self.texts):
                return


def _constraints(task: Writer, request: Request, prompts: list[str]) -> list[Constraint]:
    """Returns what may not be drawn; each row has its prompt."""
    found: list[Constraint] = []
    if task.end is not None and not all(prompts):
        found.append(NotFirst(task.end, np.array([not prompt for prompt in prompts])))
    vocabulary = task.vocabulary
    if vocabulary.fallback:
        no_lines = "\n" * (task.end is not None and "\n" not in vocabulary.symbols)  # documents that are lines
        found.append(WholeCharacters(vocabulary, len(prompts), request.allow, request.ban + no_lines))
    if request.allow is not None or request.ban:
        allowed = vocabulary.symbols if request.allow is None else request.allow
        found.append(Always([i for i, s in enumerate(vocabulary.symbols) if s not in allowed or s in request.ban]))
    return found
