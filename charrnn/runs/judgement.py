"""What a run is worth on data: all scores, and what each line or character of it added to them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from charrnn.errors import DataError
from charrnn.judging.surprise import Passage, ScoredLine, SurprisingPlace, most_surprising
from charrnn.runs.run import Run
from charrnn.tasks.base import Batching
from charrnn.text.origin import origin_of

if TYPE_CHECKING:
    from charrnn.text.corpus import Library


@dataclass(frozen=True)
class Judgement:
    """Holds what a run was judged on, and how good it is there."""

    run: Run
    name: str
    """Where the data came from, as a user would name it."""
    part: Any
    """What was judged, as the task has it."""
    report: dict[str, Any]
    """All scores, as JSON has them."""
    notes: tuple[str, ...] = ()
    """What a user may want to know of how the data were read, a line each."""

    def lines(self) -> Iterator[ScoredLine]:
        """Yields the loss of each line, document or item, in their order, where the task knows `lines`."""
        task: Any = self.run.task
        yield from task.lines(self.run.model, self.run.weights, self.part)

    @cached_property
    def passages(self) -> list[Passage]:
        """What the model thinks of each character, where the task knows `surprise`."""
        task: Any = self.run.task
        return list(task.passages(self.run.model, self.run.weights, self.part))

    def most_surprising(self, count: int) -> list[SurprisingPlace]:
        """Returns the places that surprised the model most, where the task knows `surprise`."""
        task: Any = self.run.task
        return most_surprising(self.passages, count, task.spell)


def judge(
    run: Run, library: Library, sources: Sequence[str], split: str | None = None, skip: bool = False, **asked: Any
) -> Judgement:
    """Reads data, several sources as one, and measures a run on all of them, or on their part of the name `split`.

    With `skip`, for tasks that can, characters are left out that the model does not know, and counted as `skipped`.
    `asked` is what the task's report is asked for besides, such as `beam`. Raises DataError for data that cannot be
    judged, of which UnknownCharacters says which the model does not know.
    """
    task, data, train = run.task, run.config.data, run.config.train
    assert train.seed is not None, "a run has one"
    batching = Batching(train.batch_size, train.seq_length, train.seed, None)
    if split is None:  # other files have no part in it
        data = dataclasses.replace(data, validation=None, test=None)
    examples = task.read(library, sources, data)
    if split and "chance" in task.abilities and examples.sha256 != run.corpus.sha256:
        raise DataError(
            f"{examples.name} is not the file of this run, {run.corpus.name}, as it was: its {split} part may "
            f"have what was trained on; give that file, or leave out --split"
        )
    how: dict[str, Any] = {"skip": True} if skip else {}
    part = task.part(examples, data, batching, split, **how)
    report = task.report(run.model, run.weights, part, **asked)
    if skip:
        report["skipped"] = part.skipped
    if split and not (skip and part.strange):  # what baselines would count has not been skipped for them
        report["baselines"] = task.baselines(examples, data, batching, split)
    return Judgement(run, examples.name, part, report, origin_of(examples).notes)


def joint_report(judged: Sequence[Judgement], **asked: Any) -> dict[str, Any]:
    """Returns the report on all that was judged of one run, as if it were one; `asked` is what `judge` was asked."""
    if len(judged) == 1:
        return judged[0].report
    run, reports = judged[0].run, [one.report for one in judged]
    task: Any = run.task
    report: dict[str, Any] = task.total(run.model, run.weights, [one.part for one in judged], reports, **asked)
    if "skipped" in reports[0]:
        report["skipped"] = sum(some["skipped"] for some in reports)
    return report
