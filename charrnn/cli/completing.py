"""What may be typed next: names of runs, texts, configurations and keys, for the shells that complete them.

Nothing heavy is loaded, as a person waits with a finger on the key.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from charrnn.cli import common
from charrnn.config.schema import keys, types_of_keys
from charrnn.resources import CORPORA
from charrnn.runs import places

Complete = Callable[[click.Context, str], list[CompletionItem]]
"""Returns what a word that is begun may become."""

RUNS = Path("runs")
"""Where runs are kept if nobody says another place."""


def teach(command: click.Command) -> click.Command:
    """Lets the arguments and options of a command complete what their names for the reader say they are."""
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            teach(inner)
    for param in command.params:
        if complete := _completer(str(param.metavar or "")):
            setattr(param, "shell_complete", complete)  # noqa: B010  # of this one, and not of its class
    return command


def _completer(metavar: str) -> Complete | None:
    """Returns what completes a parameter; None where click, which knows paths and choices, should."""
    kinds: dict[str, Callable[[str], Iterable[CompletionItem]]] = {
        "KEY=VALUE": _assignments,
        "CONFIG": _configs,
        "CELL": _cells,
        "TIME": lambda begun: (),
    }
    if metavar in kinds:
        return partial(_completed, kinds[metavar])
    words = re.findall(r"[A-Z_]+", metavar)
    sources: list[Callable[[str], Iterable[CompletionItem]]] = []
    if {"RUN_DIR", "CHECKPOINT", "RUN"} & {*words}:
        sources.append(_runs)
    if {"TEXT", "PAIRS"} & {*words}:
        sources.append(_texts)
    if sources and {"FILE", "ARCHIVE"} & {*words}:
        sources.append(_files)
    return partial(_completed, *sources) if sources else None


def _completed(*arguments: Any) -> list[CompletionItem]:
    """Returns what all sources have; click gives the context and the word that is begun after them."""
    *sources, _, begun = arguments
    return [item for source in sources for item in source(begun)]


def _runs(begun: str) -> Iterator[CompletionItem]:
    """Yields the runs below `runs`, or below the folder that is typed; where there are none, any path."""
    folder = Path(f"{begun}x").parent if os.sep in begun else RUNS
    runs = [path for path in map(str, _entries(folder)) if path.startswith(begun) and places.holds_a_run(Path(path))]
    yield from map(CompletionItem, runs)
    if not runs:
        yield CompletionItem(begun, type="file")


def _files(begun: str) -> Iterator[CompletionItem]:
    """Yields any path."""
    yield CompletionItem(begun, type="file")


def _texts(begun: str) -> Iterator[CompletionItem]:
    """Yields the corpora by their names, and then any path."""
    for path in _entries(CORPORA):
        if path.suffix == ".yaml" and path.stem.startswith(begun):
            yield CompletionItem(path.stem, help="corpus")
    yield CompletionItem(begun, type="file")


def _configs(begun: str) -> Iterator[CompletionItem]:
    """Yields the shipped configurations, and then any path."""
    yield from (CompletionItem(name) for name in common.config_names() if name.startswith(begun))
    yield CompletionItem(begun, type="file")


def _cells(begun: str) -> Iterator[CompletionItem]:
    yield from _values("model.cell", "", begun)


def _assignments(begun: str) -> Iterator[CompletionItem]:
    """Yields the keys with their help, and behind the `=` what may stand there."""
    path, equals, value = begun.partition("=")
    if equals:
        yield from _values(path, f"{path}=", value)
        return
    for key, field in keys().items():
        if key.startswith(begun):
            yield CompletionItem(f"{key}=", help=field.metadata["help"].replace("`", ""))


def _values(path: str, before: str, begun: str) -> Iterator[CompletionItem]:
    """Yields the values of a key that are names, with what stands before them."""
    field = keys().get(path)
    if field is None:
        return
    names = [*field.metadata["choices"]]
    if types_of_keys()[path] in (bool, bool | None):
        names = ["true", "false"]
    yield from (CompletionItem(before + name) for name in names if name.startswith(begun))


def _entries(folder: Path) -> list[Path]:
    """Returns what is in a folder; nothing where it is none, or cannot be read."""
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []
