"""Text from a run, as it is asked for: piece by piece as it is drawn, or whole, with what is known of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Unpack

from charrnn.runs.run import Run
from charrnn.sampling.copying import TrainingText
from charrnn.sampling.growing import END
from charrnn.sampling.request import Options, Request, RequestError, check, request_of
from charrnn.sampling.states import TextState
from charrnn.sampling.writing import Writing
from charrnn.tasks.writer import writer_of

ROWS = 256
"""Texts that are drawn side by side at most, where no state has to do with them; but all of which one is chosen are."""


@dataclass(frozen=True)
class Sample:
    """Is a text that was written, and what is known of it."""

    number: int
    """Which it is of those that were asked for, counted from 1."""
    prompt: str
    text: str
    """What was written after the prompt."""
    log_probability: float
    """In nats, of all that was drawn, by the model's own distribution: the text, and what ended it."""
    mean_log_probability: float
    """Its mean for each character that was drawn, of which the end of a document is one: it can be compared."""
    seed: int
    """The same seed, and all else the same, gives the same texts."""
    ended: str
    """Why it ended: `length`, `stop`, `end` of a document, or `max-copy` where all else would have been copied."""
    label: str | None
    """What it was told, where the run has learnt labels."""

    def facts(self) -> dict[str, Any]:
        """Returns it as JSON has it."""
        return dataclasses.asdict(self)


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
    request = request_of(prompt, length, seed, stop, label, options)
    if request.best_of != 1:
        return iter([each.text for each in written(run, request)])
    return (grown for (grown,) in sample_many(run, request))


def sample_many(run: Run, request: Request, samples: int = 1) -> Iterator[list[str]]:
    """Yields what each of several texts grew by, which are drawn as one batch: "" for a text that has ended.

    There are `samples` of each prompt, one prompt after another. Raises as `sample` does.
    """
    check(request, writer_of(run.task, run.model)[0], samples)
    if request.best_of != 1:
        raise RequestError("best_of", "is for texts that are drawn whole, and these come piece by piece; leave it out")
    return Writing(run, request, samples, training=_training(run, request, None)).pieces()


def write(
    run: Run,
    prompt: str | Iterable[str] = "",
    length: int = 500,
    seed: int | None = None,
    stop: str | Iterable[str] | None = None,
    label: str | None = None,
    samples: int = 1,
    **options: Unpack[Options],
) -> list[Sample]:
    """Returns `samples` texts that follow `prompt`, or each of several prompts, with what is known of them.

    Takes and raises what `sample` does.
    """
    return list(written(run, request_of(prompt, length, seed, stop, label, options), samples))


def written(
    run: Run,
    request: Request,
    samples: int = 1,
    training: TrainingText | None = None,
    state: TextState | None = None,
    keep: Callable[[TextState], None] | None = None,
) -> Iterator[Sample]:
    """Yields `samples` of each prompt, one prompt after another; of many, some are drawn at a time.

    `training` is the text that `max_copy` is about, which is looked for where it is not given. The texts go on from
    `state`, if that is given, and where they end is given to `keep`: then all are drawn as one batch. Raises as
    `sample` does, and RequestError for the best of several where they have to do with a state.
    """
    check(request, writer_of(run.task, run.model)[0], samples)
    if request.best_of > 1 and (state or keep):
        raise RequestError("best_of", "leaves some texts out, and a state has all; give one of them")
    return _written(run, request, samples, _training(run, request, training), state, keep)


def _written(
    run: Run,
    request: Request,
    samples: int,
    training: TrainingText | None,
    state: TextState | None,
    keep: Callable[[TextState], None] | None,
) -> Iterator[Sample]:
    number = 0
    whole = state is not None or keep is not None
    for seeds, prompts, count in _batches(request, samples, whole):
        some = dataclasses.replace(request, prompts=prompts)
        writing = Writing(
            run,
            some,
            count * request.best_of,
            scored=True,
            training=training,
            state=state,
            keeps_text=keep is not None,
            seeds=seeds,
        )
        request = dataclasses.replace(request, seed=writing.seed)
        found = finished(writing, number)
        number += len(found)
        yield from found
        if keep:
            keep(writing.state())


def _batches(request: Request, samples: int, whole: bool) -> Iterator[tuple[tuple[int, ...], tuple[str, ...], int]]:
    """Yields what is drawn as one batch: numbers that tell it from others, some of the prompts, and samples of each.

    All are, where they are one `whole`.
    """
    prompts, most = request.prompts, max(1, ROWS // request.best_of)
    if whole:
        yield (), prompts, samples
    elif samples <= most:
        at_once = most // samples
        for start in range(0, len(prompts), at_once):
            yield (start,) if start else (), prompts[start : start + at_once], samples
    else:
        for place, prompt in enumerate(prompts):
            for begun in range(0, samples, most):
                yield (place, begun) if place or begun else (), (prompt,), min(most, samples - begun)


def finished(writing: Writing, before: int = 0) -> list[Sample]:
    """Returns the texts of a batch when it is drawn: of each `best_of`, the one that the model finds likeliest.

    Texts of unlike length are compared by their mean for each character that was drawn. `before` have a number already.
    """
    labels = writing.before.labels
    names: list[str] = list(getattr(writing.task, "labels", ()))
    all_of_them = [
        Sample(
            0,
            prompt,
            text,
            0.0 - growing.nats,
            (0.0 - growing.nats) / max(1, growing.characters + (growing.ended == END)),
            writing.seed,
            growing.ended or "",
            None if labels is None else names[labels[row]],
        )
        for row, (prompt, text, growing) in enumerate(
            zip(writing.before.prompts, writing.whole(), writing.texts, strict=True)
        )
    ]
    n = writing.request.best_of
    groups = [all_of_them[k : k + n] for k in range(0, len(all_of_them), n)]
    best = [max(group, key=lambda each: each.mean_log_probability) for group in groups]
    return [dataclasses.replace(one, number=before + k) for k, one in enumerate(best, 1)]


def _training(run: Run, request: Request, training: TrainingText | None) -> TrainingText | None:
    """Returns the training text where it is needed."""
    if request.max_copy is None or training is not None:
        return training
    from charrnn.sampling.sources import training_text  # which has much to load, such as what reads from the network

    return training_text(run)
