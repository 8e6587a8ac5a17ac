"""The table of a sweep: a row for each run, the best first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from charrnn.config.writing import scalar
from charrnn.errors import one_line
from charrnn.sweeping.combining import Combination
from charrnn.sweeping.looking_back import Stage
from charrnn.sweeping.naming import in_name

WAITING, RUNNING, STOPPED, FAILED, DONE = "waiting", "running", "stopped", "failed", "done"
"""The states of a run; one that is stopped was saved, and goes on with the next sweep."""


@dataclass
class Entry:
    """Holds what is known of the run of one combination."""

    combination: Combination
    state: str = WAITING
    stage: Stage = field(default_factory=Stage)
    code: int = 0
    """The exit code of a run that has failed."""
    error: str = ""
    """Why it has failed, in one line."""


def ranked(entries: Sequence[Entry]) -> list[tuple[int | None, Entry]]:
    """Returns the entries with their ranks: the runs that are done, best first, then others in their order."""
    scored = [entry for entry in entries if entry.state == DONE and entry.stage.best is not None]
    others = [entry for entry in entries if entry.state != DONE or entry.stage.best is None]
    others.sort(key=lambda entry: entry.state != DONE)  # those that are done and have no validation part come first
    scored.sort(key=_merit)
    return [*((rank, entry) for rank, entry in enumerate(scored, 1)), *((None, entry) for entry in others)]


def _merit(entry: Entry) -> float:
    """Returns a number that is smaller for a better run."""
    assert entry.stage.best is not None, "it has a score"
    return -entry.stage.best if entry.combination.kind.higher_is_better else entry.stage.best


def rows(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """Returns a dict for each run, in the order of `ranked`: the columns of the table in plain values."""
    return [
        {
            "rank": rank,
            "score": entry.stage.best,
            **{key: list(v) if isinstance(v, tuple) else v for key, v in entry.combination.values.items()},
            "iterations": entry.stage.iteration,
            "seconds": round(entry.stage.seconds, 3),
            "run": entry.combination.name,
            "state": entry.state,
            "error": entry.error,
        }
        for rank, entry in ranked(entries)
    ]


def to_tsv(entries: Sequence[Entry]) -> str:
    """Returns the table with tabs between its columns. No digit of a number is left out."""
    found = rows(entries)
    lines = [list(found[0]), *([_cell(key, value) for key, value in row.items()] for row in found)]
    return "".join("\t".join(map(one_line, line)) + "\n" for line in lines)


def _cell(key: str, value: Any) -> str:
    """Returns a value as it stands in a column: a key of a configuration as YAML has it, and nothing for nothing."""
    if "." in key:
        return scalar(value)
    return "" if value is None else str(value)


def aligned(entries: Sequence[Entry]) -> list[str]:
    """Returns the lines of the table for a person: the score in four digits, and at the end why a run has failed."""
    found = rows(entries)
    cells = [[key for key in found[0] if key != "error"]]
    cells += [[one_line(_for_a_person(key, row)) for key in cells[0]] for row in found]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    left = len(widths) - 2  # from where words stand: those are read from the left
    return [
        "  ".join([*map(str.rjust, line[:left], widths), *map(str.ljust, line[left:], widths[left:])]).rstrip()
        for line in cells
    ]


def _for_a_person(key: str, row: dict[str, Any]) -> str:
    """Returns a value as a person reads it."""
    match key:
        case "score" if row[key] is not None:
            return f"{row[key]:.4f}"
        case "seconds":
            return f"{row[key]:.1f}"
        case _ if isinstance(row[key], float):
            return in_name(row[key])
        case "state" if row["error"]:
            return f"{row[key]}: {row['error'].partition('; ')[0]}"  # what to do about it was said when it failed
    return _cell(key, row[key])
