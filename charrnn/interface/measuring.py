"""How good a run is, for a Python program: as `charrnn eval` finds it."""

from __future__ import annotations

from typing import Any

from charrnn.cli import common
from charrnn.errors import ConfigError
from charrnn.interface.given import Source, sources_of
from charrnn.interface.settings import refuse_no_number
from charrnn.runs.judgement import judge
from charrnn.runs.run import Run

SPLITS = ("train", "validation", "test")
"""The parts of what a run learns from."""

UNKNOWN = ("error", "skip")
"""What may be done about characters that the model never saw."""


def evaluate(
    run: Run, source: Source, split: str | None, beam: int | None, unknown: str, encoding: str | None
) -> dict[str, Any]:
    """Returns the report on a source, or on a part of it with what baselines reach there. See `TrainedRun.evaluate`."""
    if split not in (None, *SPLITS):
        raise ConfigError(f"split is {split!r}; it must be one of {', '.join(SPLITS)}, or None")
    if unknown not in UNKNOWN:
        raise ConfigError(f"unknown is {unknown!r}; it must be one of {', '.join(UNKNOWN)}")
    if beam is not None:
        common.require(run, "beam", "beam")
        refuse_no_number("beam", beam)
    if unknown == "skip" and "skip" not in run.task.abilities:
        raise ConfigError(f"a run of the task {run.config.task.name} skips nothing; leave unknown out")
    library = common.library_for(run, encoding)
    library, sources = sources_of(source, run.config.data.encoding, library, or_utf8=True)
    asked = {"beam": beam} if beam else {}
    return judge(run, library, sources, split, unknown == "skip", **asked).report
