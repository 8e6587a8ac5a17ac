"""How good a run is, for a Python program: as `charrnn eval` finds it."""

from __future__ import annotations

import dataclasses
from typing import Any

from charrnn.cli import common
from charrnn.errors import ConfigError, DataError
from charrnn.interface.given import Source, sources_of
from charrnn.runs.run import Run
from charrnn.tasks.base import Batching

SPLITS = ("train", "validation", "test")


def evaluate(run: Run, source: Source, split: str | None, beam: int | None) -> dict[str, Any]:
    """Returns the report on a source, or on a part of it with what baselines reach there. See `TrainedRun.evaluate`."""
    if split not in (None, *SPLITS):
        raise ConfigError(f"split is {split!r}; it must be one of {', '.join(SPLITS)}, or None")
    if beam is not None:
        common.require(run, "beam", "beam")
    task, data, train = run.task, run.config.data, run.config.train
    assert train.seed is not None, "a run has one"
    batching = Batching(train.batch_size, train.seq_length, train.seed, None)
    if split is None:  # other files have no part in it
        data = dataclasses.replace(data, validation=None, test=None)
    library, sources = sources_of(source, data.encoding)
    examples = task.read(library, sources, data)
    if split and "chance" in task.abilities and examples.sha256 != run.corpus.sha256:
        raise DataError(
            f"{examples.name} is not what this run learnt from, {run.corpus.name}, as it was: its {split} part may "
            f"have what was trained on; give that, or leave out split"
        )
    part = task.part(examples, data, batching, split)
    asked = {"beam": beam} if beam else {}
    report = task.report(run.model, run.weights, part, **asked)
    if split:
        report["baselines"] = task.baselines(examples, data, batching, split)
    return report
