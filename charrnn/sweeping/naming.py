"""What the run of a combination is called: `hidden_size=64,learning_rate=0.01,seed=1`, a name for a directory."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

LONGEST = 120
"""Characters of a name; file systems take 255 bytes."""

DIGITS = 8
"""How many hexadecimal digits tell apart what could otherwise be taken for another."""

PLAIN = re.compile(r"[a-z0-9_.+-]+")
"""How a value looks that every file system keeps as it is, and none takes for another."""

OTHERS = re.compile(r"[^A-Za-z0-9_.+-]")
"""Characters that some file system, or some shell, does not take as they are."""


def name_of(values: Mapping[str, Any]) -> str:
    """Returns the name of the combination with these values of keys: the same always, and another for any other.

    Where a value cannot stand in a name, or the name would be too long, its end is a hash of all values.
    """
    shown = {_short(key, values): in_name(value) for key, value in values.items()}
    name = ",".join(f"{key}={OTHERS.sub('_', value)}" for key, value in shown.items())
    if len(name) <= LONGEST and all(PLAIN.fullmatch(value) for value in shown.values()):
        return name
    whole = json.dumps(values, sort_keys=True, ensure_ascii=True)
    return f"{name[: LONGEST - DIGITS - 1]}-{hashlib.sha256(whole.encode()).hexdigest()[:DIGITS]}"


def _short(key: str, values: Mapping[str, Any]) -> str:
    """Returns a key without its section, where that is clear."""
    last = key.rpartition(".")[2]
    return key if last == "name" or sum(other.rpartition(".")[2] == last for other in values) > 1 else last


def in_name(value: Any) -> str:
    """Returns a value as a person would write it, and a list without brackets: `0.01`, `64`, `null`, `0.9-0.1-0`."""
    if isinstance(value, list | tuple):
        return "-".join(map(in_name, value))
    if isinstance(value, float) and float(f"{value:g}") == value:
        return f"{value:g}"
    return value if isinstance(value, str) else json.dumps(value)
