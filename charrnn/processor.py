"""The processor: its name, and which of the cores that the system counts are cores of their own.

A core with hyper-threads counts as two, which share what computes: two processes on it are hardly faster than one.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from pathlib import Path

ROOT = Path("/")

SIBLINGS = "core_cpus_list", "thread_siblings_list"
"""Files that say which numbers are threads of the same core; older systems have only the second."""


def count() -> int:
    """Returns how many cores the system counts, whoever may use them."""
    return os.cpu_count() or 1


def allowed() -> set[int]:
    """Returns the numbers of the cores that this process may run on."""
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(count()))


def physical(numbers: Iterable[int], root: Path = ROOT) -> int:
    """Returns how many cores of their own these are; as many as numbers where the system does not tell.

    `root` is where the files of the system are, which a test may make of its own.
    """
    folders = ((number, root / f"sys/devices/system/cpu/cpu{number}/topology") for number in numbers)
    return len({_siblings(folder) or str(number) for number, folder in folders})


def _siblings(folder: Path) -> str:
    """Returns which threads one core has, as the system writes it, such as `0,8`; nothing where it does not tell."""
    for name in SIBLINGS:
        try:
            if said := (folder / name).read_text("ascii").strip():
                return said
        except (OSError, ValueError):
            continue
    return ""


def name(root: Path = ROOT) -> str:
    """Returns the name of the processor, as its maker calls it; where nobody knows, that of its kind."""
    try:
        lines = (root / "proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    said = {what.strip(): value.strip() for what, _, value in (line.partition(":") for line in reversed(lines))}
    words = said.get("model name") or said.get("Processor") or platform.processor() or platform.machine()
    model = [said[which] for which in ("cpu family", "model") if which in said]
    return " ".join([words, *(["family", model[0], "model", model[1]] if len(model) == 2 else [])])
