"""A grid as it is written: what all runs learn from, what they have in common, and the values of each key that varies.

It is YAML with three parts: `text` is what `charrnn train` takes as TEXT, or a list of such; `base` is a configuration
file, the name of a shipped one, or its sections; `grid` has a list of values for each key, such as
`model.hidden_size: [64, 128]`, or sections with keys below them, as in a configuration.
"""

from __future__ import annotations

import difflib
import math
import os
import typing
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from charrnn.config import reading
from charrnn.config.resolve import Setting, nearest
from charrnn.config.schema import SECTIONS, keys, types_of_keys
from charrnn.errors import ConfigError

TEXT, BASE, GRID = PARTS = ("text", "base", "grid")

MOST_TOKENS = 10_000
"""Words and signs that a grid may have: as many as name thousands of runs."""

ReadConfig = Callable[[str], list[Setting]]
"""Returns the settings of a configuration file, or of a shipped one by its name; raises ConfigError."""


@dataclass(frozen=True)
class Axis:
    """Holds one key with all values that it is given, one after another."""

    key: str
    values: tuple[Setting, ...]


@dataclass(frozen=True)
class Grid:
    """Holds a grid as read; whether keys and values go together is not known yet."""

    name: str
    """What errors call it."""
    texts: tuple[str, ...]
    base: tuple[Setting, ...]
    axes: tuple[Axis, ...]

    @property
    def size(self) -> int:
        """The number of combinations."""
        return math.prod(len(axis.values) for axis in self.axes)


def read(text: str, name: str, folder: Path, read_config: ReadConfig) -> tuple[Grid, list[str]]:
    """Returns the grid that a YAML text means, and a message for each thing that is wrong in it.

    Files are looked for in `folder`, that of the grid, and then where they would be for `charrnn train`. Raises
    ConfigError for what is no grid at all.
    """
    errors: list[str] = []
    root = reading.compose(text, name, MOST_TOKENS)
    if not isinstance(root, yaml.MappingNode):
        raise ConfigError(f"{name}: no grid; write 'text:' with a file, and 'grid:' with keys and their values below")
    parts: dict[str, yaml.Node] = {}
    for part, node, origin in reading.pairs(root, name, "", errors):
        if part in PARTS:
            parts[part] = node
        else:
            errors.append(f"{origin}: unknown key {part!r}{_meant(part)}")
    errors += [f"{name}: no {part!r}; {_how(part)}" for part in (TEXT, GRID) if part not in parts]
    texts = _texts(parts[TEXT], name, folder, errors) if TEXT in parts else ()
    base = _base(parts[BASE], name, folder, read_config, errors) if BASE in parts else ()
    axes = tuple(_axes(parts[GRID], name, "", errors)) if GRID in parts else ()
    if GRID in parts and not axes and not errors:
        errors.append(f"{reading.at(name, parts[GRID])}: no key varies; {_how(GRID)}")
    return Grid(name, texts, tuple(base), axes), errors


def _meant(part: str) -> str:
    """Returns the end of a message about a part that a grid has not."""
    if near := difflib.get_close_matches(part.casefold(), PARTS, n=1):
        return f"; did you mean {near[0]!r}?"
    if part.partition(".")[0] in SECTIONS:
        return f"; write it below '{GRID}:' if it varies, and below '{BASE}:' if it does not"
    return f"; a grid has {', '.join(PARTS)}"


def _how(part: str) -> str:
    """Says how a part that must be there is written."""
    return "write 'text: FILE'" if part == TEXT else "write 'grid:' and below it such as 'model.hidden_size: [64, 128]'"


def _texts(node: yaml.Node, name: str, folder: Path, errors: list[str]) -> tuple[str, ...]:
    """Returns what the runs learn from."""
    nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
    found = []
    for entry in nodes:
        if not isinstance(entry, yaml.ScalarNode) or not entry.value or reading.construct(entry) is None:
            errors.append(f"{reading.at(name, entry)}: text is the name of a file or of a corpus, or a list of such")
        elif entry.value == "-":
            errors.append(f"{reading.at(name, entry)}: each run reads the text anew; name a file instead of '-'")
        else:
            found.append(_beside(entry.value, folder))
    if not nodes:
        errors.append(f"{reading.at(name, node)}: text is an empty list; name a file")
    return tuple(found)


def _beside(source: str, folder: Path) -> str:
    """Returns the path of a file beside the grid; where there is none, the name as it is."""
    beside = folder / source
    return str(beside) if os.path.exists(beside) else source  # and not Path.exists, which some names are too long for


def _base(node: yaml.Node, name: str, folder: Path, read_config: ReadConfig, errors: list[str]) -> Sequence[Setting]:
    """Returns the settings that all runs have in common."""
    try:
        if isinstance(node, yaml.MappingNode):
            return reading.settings_of(node, name, errors)
        if isinstance(node, yaml.ScalarNode):
            return read_config(_beside(node.value, folder)) if reading.construct(node) is not None else ()
    except ConfigError as error:
        errors += [_placed(message, name, node) for message in error.messages]
        return ()
    errors.append(f"{reading.at(name, node)}: base is one configuration: a file, a shipped one, or sections with keys")
    return ()


def _placed(message: str, name: str, node: yaml.Node) -> str:
    """Returns a message with where the configuration is named, if it could not be found."""
    return f"{reading.at(name, node)}: {message}" if "no such config" in message else message


def _axes(node: yaml.Node, name: str, prefix: str, errors: list[str]) -> Iterator[Axis]:
    """Yields each key that varies. A section may have its keys below it, as in a configuration."""
    if not isinstance(node, yaml.MappingNode):
        errors.append(f"{reading.at(name, node)}: no keys; {_how(GRID)}")
        return
    seen: dict[str, str] = {}
    for short, value, origin in reading.pairs(node, name, prefix, errors):
        path = f"{prefix}{short}"
        if not prefix and short in SECTIONS and isinstance(value, yaml.MappingNode):
            found = list(_axes(value, name, f"{short}.", errors))
        elif path not in keys():
            errors.append(f"{origin}: unknown key {path!r}{nearest(path, keys())}")
            continue
        else:
            values = tuple(Setting(path, reading.construct(v), reading.at(name, v)) for v in _values(path, value))
            found = [Axis(path, values)]
            if not values:
                errors.append(f"{origin}: {path} has no values; give some, or leave it out")
        for axis in found:
            if axis.key in seen:
                errors.append(f"{origin}: {axis.key!r} stands in {seen[axis.key]} already; remove one of the two")
            else:
                seen[axis.key] = origin
                yield axis


def _values(path: str, node: yaml.Node) -> list[yaml.Node]:
    """Returns the values that a key is given. A value that is itself a list, as of data.split, may stand alone too."""
    if not isinstance(node, yaml.SequenceNode):
        return [node]
    inner: list[yaml.Node] = node.value
    is_list = any(typing.get_origin(kind) is tuple for kind in _kinds(types_of_keys()[path]))
    if is_list and inner and not any(isinstance(v, yaml.SequenceNode) or reading.construct(v) is None for v in inner):
        return [node]
    return inner


def _kinds(annotation: typing.Any) -> tuple[typing.Any, ...]:
    """Returns the types that a key may have."""
    return (annotation,) if typing.get_origin(annotation) is tuple else typing.get_args(annotation)
