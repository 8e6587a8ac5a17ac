"""The files `metrics.jsonl` and `samples.jsonl`: a line of JSON at a time, of which none is ever half there."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from pathlib import Path
from typing import Any

from charrnn.files import as_output_error, write_atomically


def append(path: Path, record: dict[str, Any]) -> None:
    """Adds `record` as one line, or nothing of it. Raises OutputError."""
    line = json.dumps(record, allow_nan=False).encode() + b"\n"
    with as_output_error(path), open(path, "ab", buffering=0) as file:
        size = file.tell()
        try:
            if file.write(line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            with contextlib.suppress(OSError):
                file.truncate(size)  # half a line would spoil the next one
            raise


def trim(path: Path, iteration: int) -> float:
    """Drops the lines after `iteration`, and a torn one: a resumed run writes them anew.

    Returns the seconds of training that the last line kept tells; 0 where there is no file. Raises OutputError.
    """
    if not path.exists():
        return 0.0
    elapsed = 0.0
    kept = []
    for line in path.read_text("utf-8", errors="replace").splitlines():
        try:
            record = json.loads(line)
            if record["iteration"] <= iteration:
                elapsed = max(elapsed, float(record.get("elapsed_s", 0)))
                kept.append(line + "\n")
        except (ValueError, LookupError, TypeError):
            continue
    write_atomically(path, "".join(kept).encode())
    return elapsed
