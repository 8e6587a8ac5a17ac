"""What is known of this machine: measured when it is first asked for, and then kept in a file for all runs to come.

So the same command on the same machine plans the same twice, and only the first run waits for the measurement. The file
is a cache: where it cannot be read, is damaged or of other versions, or cannot be written, the machine is measured
again, and nobody is told. It has several machines, as a home directory may be one for many.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from charrnn import processor
from charrnn.caches import cache_directory
from charrnn.environment import environment
from charrnn.errors import CharrnnError
from charrnn.files import make_directory, write_atomically
from charrnn.machine import TYPICAL, Machine, measure

NAME = "machine.json"

VERSION = 3
"""Which measurement it is: another one, or another meaning of a constant, makes what is kept useless."""

MOST = 16
"""Machines that are kept; of more, the oldest are forgotten."""

_found: list[Machine] = []
"""What this process knows already."""


def known(*, again: bool = False) -> Machine:
    """Returns this machine, from the cache where it is there, unless it is to be measured `again`."""
    if again:
        _found.clear()
    if not _found:
        _found.append((None if again else _kept()) or _measured())
    return _found[0]


def forget() -> None:
    """Makes this process read the cache again when it is asked."""
    _found.clear()


def place() -> Path | None:
    """Returns the file; None where there is no place for one."""
    try:
        return cache_directory() / NAME
    except CharrnnError:
        return None


def key() -> str:
    """Returns what decides how fast this machine is: its processor, cores, NumPy and BLAS with the kernels it chose."""
    versions = environment()
    named = VERSION, processor.name(), processor.count(), versions["numpy"], versions["blas"]
    return " | ".join(map(str, named))


def _measured() -> Machine:
    try:
        machine = measure()
    except MemoryError:  # no more will be there for the next one
        return TYPICAL
    if path := place():
        kept = _machines(path)
        kept.pop(key(), None)
        kept[key()] = machine.to_dict()
        newest = dict(list(kept.items())[-MOST:])
        try:
            make_directory(path.parent)
            write_atomically(path, json.dumps({"machines": newest}, indent=1).encode() + b"\n")
        except (OSError, CharrnnError):
            pass
    return machine


def _kept() -> Machine | None:
    path = place()
    try:
        return Machine.from_dict(_machines(path)[key()]) if path else None
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def _machines(path: Path) -> dict[str, Any]:
    """Returns all machines that the file has, by their keys; none where it is not what we write."""
    try:
        found = json.loads(path.read_bytes())["machines"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
