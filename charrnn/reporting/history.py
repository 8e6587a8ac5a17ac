"""What was written while a run was trained, line by line.

What is no line, as after a crash, is passed over and counted.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from charrnn.files import as_output_error

Point = tuple[int, float]
"""An iteration, and a number there."""


@dataclass(frozen=True)
class History:
    """Holds the lines of a file, each a dict with an `iteration`, in the order of the iterations."""

    lines: list[dict[str, Any]]
    passed_over: int = 0
    """How many lines could not be read."""

    @classmethod
    def read(cls, path: Path) -> History:
        """Reads `metrics.jsonl` or `samples.jsonl`; there are no lines where there is no file. Raises OutputError."""
        if not path.exists():
            return cls([])
        with as_output_error(path):
            text = path.read_text("utf-8", errors="replace")
        lines: list[dict[str, Any]] = []
        passed_over = 0
        for line in text.split("\n"):
            record = _record(line)
            if record is None:
                passed_over += bool(line.strip())
                continue
            while lines and lines[-1]["iteration"] >= record["iteration"]:
                lines.pop()  # the run went back, and wrote anew what came after
            lines.append(record)
        return cls(lines, passed_over)

    def points(self, key: str) -> list[Point]:
        """Returns the numbers of that name, with their iterations; what is no finite number is left out."""
        return [(line["iteration"], float(line[key])) for line in self.lines if is_number(line.get(key))]

    def scores(self) -> list[str]:
        """Returns the names of all scores on the validation part, without their `val_`, in the order of appearance."""
        return list(dict.fromkeys(key[4:] for line in self.lines for key in line if key.startswith("val_")))

    def last(self, key: str, default: Any = None) -> Any:
        """Returns the last value of that name that is a number."""
        return next((line[key] for line in reversed(self.lines) if is_number(line.get(key))), default)


def is_number(value: Any) -> bool:
    """Tells whether a value is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _record(line: str) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or type(record.get("iteration")) is not int or record["iteration"] < 0:
        return None
    return record
