"""The table of runs of `cells.py`: a line for each, by which the same command goes on where it was stopped."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from results import machine
from results.cell_runs import Job

KEY = ("text", "sha256", "entry", "rate", "seed", "seconds", "parameters")
FOUND = ("hidden_size", "num_parameters", "iterations", "passes", "chars_per_s", "validation", "test")
COLUMNS = (*KEY, *FOUND, "machine")
WHOLE = ("seed", "parameters", "hidden_size", "num_parameters", "iterations")
"""Columns of whole numbers, which are written in full."""
Row = dict[str, Any]


class Rows:
    """The table of runs: a line for each, and a new one as soon as it has ended."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[Row] = []
        if path.exists():
            with path.open(encoding="utf-8", newline="") as file:
                self.rows = [_read(row) for row in csv.DictReader(file, delimiter="\t")]

    def find(self, job: Job, sha256: str) -> Row | None:
        """The row of a run, if it has ended."""
        key = _key(job, sha256)
        return next((row for row in self.rows if all(row[name] == value for name, value in key.items())), None)

    def add(self, job: Job, sha256: str, found: Row) -> Row:
        """Writes a line, and returns it as it will be read again."""
        values = _key(job, sha256) | found | {"machine": machine.describe()}
        rounded = {*FOUND} - {*WHOLE}
        written = {name: f"{values[name]:.6g}" if name in rounded else str(values[name]) for name in COLUMNS}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        is_new = not self.path.exists()
        with self.path.open("a", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, delimiter="\t", lineterminator="\n")
            if is_new:
                writer.writerow(COLUMNS)
            writer.writerow(written.values())
        self.rows.append(_read(written))
        return self.rows[-1]


def _key(job: Job, sha256: str) -> Row:
    """The columns by which a run is known."""
    values = job._asdict() | {"sha256": sha256[:12]}
    return {name: values[name] for name in KEY}


def _read(row: Mapping[str, str]) -> Row:
    words = ("text", "sha256", "entry", "machine")
    kinds: dict[str, Any] = dict.fromkeys(words, str) | dict.fromkeys(WHOLE, int)
    return {name: kinds.get(name, float)(value) for name, value in row.items()}
