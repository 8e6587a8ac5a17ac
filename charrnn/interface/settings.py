"""From what a Python program says to the settings of a configuration, checked as those of the command line are."""

from __future__ import annotations

import os
from collections.abc import Mapping
from numbers import Integral
from typing import Any

import numpy as np

from charrnn.cli import common
from charrnn.config.flags import FLAGS
from charrnn.config.resolve import Setting, nearest
from charrnn.config.schema import keys
from charrnn.errors import ConfigError

ALIASES = {flag.strip("-").replace("-", "_"): path for flag, path in FLAGS.items()}
"""The keywords that are flags of `charrnn train`, and their keys."""


def settings_of(
    config: str | os.PathLike[str] | None, settings: Mapping[str, Any] | None, keywords: Mapping[str, Any]
) -> list[Setting]:
    """Returns the settings of a configuration file, of a mapping by key, and of keywords, later ones over earlier.

    A keyword is the last word of a key, as `hidden_size`, or that of a flag of `charrnn train`, as `lr`. Raises
    ConfigError for what is no key, with the nearest.
    """
    if not isinstance(settings, Mapping | None):
        raise ConfigError(f"settings are a {type(settings).__name__}; give a dict of keys and values")
    found = common.read_config(None if config is None else os.fspath(config))
    found += [Setting(str(path), plain(value), "settings") for path, value in (settings or {}).items()]
    return found + [Setting(key_of(name), plain(value), f"{name}=") for name, value in keywords.items()]


def key_of(name: str) -> str:
    """Returns the key that a keyword means. Raises ConfigError where there is none, or more than one."""
    if name in ALIASES:
        return ALIASES[name]
    if name in keys():
        return name
    meant = [path for path in keys() if path.partition(".")[2] == name]
    if len(meant) == 1:
        return meant[0]
    if meant:
        raise ConfigError(f"{name}= may be any of {', '.join(meant)}; give it in settings={{{meant[0]!r}: ...}}")
    raise ConfigError(f"{name}=: no setting is called so{nearest(name, [*keys(), *ALIASES])}")


def refuse_no_number(name: str, value: Any) -> None:
    """Raises ConfigError for what is not a whole number of at least 1."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
        raise ConfigError(f"{name} is {value!r}; it must be a whole number of at least 1")


def plain(value: Any) -> Any:
    """Returns a value as YAML would have it: numbers and arrays of NumPy, paths and tuples become Python's own."""
    if isinstance(value, np.generic | np.ndarray):
        return plain(value.tolist())
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return value
