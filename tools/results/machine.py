"""On what something was measured."""

from __future__ import annotations

import datetime
import os
import platform
from pathlib import Path

import numpy as np


def describe() -> str:
    """Processor, cores, versions and the day, in a line."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    processor = next(
        (line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine()
    )
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    today = datetime.date.today().isoformat()
    return f"{cores} cores of {processor}, Python {platform.python_version()}, NumPy {np.__version__}, {today}"
