"""How a key of the configuration is declared, and a row of the tables that some keys choose from.

Each wing declares the keys of its own section with `key(...)` in an `options` module, and `charrnn.config` puts the
sections together. A table such as `OPTIMIZERS` is a dict from the name of each choice to a `Choice`; it holds
no function, so that all that can be chosen is known without NumPy.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Choice:
    """Is a row of a table: what is known of a choice. What it does is in the function of its name."""

    keys: tuple[str, ...] = ()
    """The keys of the section that this choice reads and another may not."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """Keys of the section that have another default with this choice, and that default."""


def key(
    default: Any,
    help: str,
    *,
    choices: Iterable[str] = (),
    at_least: float | None = None,
    above: float | None = None,
    below: float | None = None,
    at_most: float | None = None,
    parse: Callable[[Any], Any] | None = None,
) -> Any:
    """Declares a field of a section: its default, its help, and which values are allowed.

    `choices` are names or a table of them; if it is a table, the defaults in its rows hold for those who choose them.
    `parse` turns what was read into what is kept, or raises ValueError.
    """
    rows = choices if isinstance(choices, Mapping) else {}
    metadata = {
        "help": help,
        "choices": tuple(choices),
        "defaults": {name: row.defaults for name, row in rows.items() if isinstance(row, Choice) and row.defaults},
        "at_least": at_least,
        "above": above,
        "below": below,
        "at_most": at_most,
        "parse": parse,
    }
    return field(default=default, metadata=metadata)


def readers(table: Mapping[str, Choice], name: str) -> str:
    """Lists the choices of a table that read the key `name`, for its help: "`rmsprop`, `adam` and `adamw`"."""
    *others, last = [f"`{choice}`" for choice, row in table.items() if name in row.keys]
    return f"{', '.join(others)} and {last}" if others else last


def parse_duration(value: Any) -> float | None:
    """Returns the seconds of 90, "90", "90s", "10m" or "1h30m", and None for None. Raises ValueError."""
    if value is None or type(value) in (int, float):
        seconds = value
    else:
        match = re.fullmatch(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?", str(value).strip())
        if not match or not any(match.groups()):
            raise ValueError("a duration such as 90s, 10m or 1h30m")
        hours, minutes, rest = (float(part or 0) for part in match.groups())
        seconds = hours * 3600 + minutes * 60 + rest
    if seconds is not None and not 0 < seconds < math.inf:
        raise ValueError("a duration longer than nothing")
    return None if seconds is None else float(seconds)


def parse_layout(value: Any) -> str | None:
    """Returns a layout such as `2x1`, and None for None. Raises ValueError."""
    if value is None:
        return None
    match = re.fullmatch(r"\s*([1-9]\d{0,3})\s*[xX*]\s*([1-9]\d{0,3})\s*", str(value))
    if not match:
        raise ValueError("groups of rows and parts of units, such as 2x1 or 1x4")
    return f"{match[1]}x{match[2]}"
