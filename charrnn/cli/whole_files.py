"""Files that a command reads and writes as a whole, whatever is in them; '-' for the standard streams. And a bar."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from charrnn import advice, system
from charrnn.cli import common
from charrnn.errors import ConfigError, DataError
from charrnn.nearness import nearest_file


def read(source: str) -> bytes:
    """Returns all bytes of a file, or of standard input. Raises DataError where that cannot be read."""
    if source == "-":
        common.invite([source], "type what is to be read; to end it, Ctrl-D in an empty line")
        return sys.stdin.buffer.read()
    try:
        return Path(source).read_bytes()
    except FileNotFoundError:
        near = nearest_file(source)
        hint = f"did you mean {advice.word(near)}?" if near else "check the name"
        raise DataError(f"{source}: no such file; {hint}") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{source} cannot be read: {getattr(error, 'strerror', None) or error}; give a file") from error


def write(data: bytes, place: Path) -> None:
    """Writes bytes to a file, whole or not at all, or to standard output. Raises OutputError."""
    if str(place) == "-":
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    from charrnn.files import write_atomically

    write_atomically(place, data, lambda message: common.say(f"charrnn: warning: {message}"))


def refuse_to_overwrite(place: Path, may_be_replaced: Callable[[bytes], bool], what: str) -> None:
    """Raises ConfigError where something is that may not be replaced, judged by how it begins; `what` may be."""
    from charrnn.files import keeps_nothing

    if str(place) == "-":
        return
    try:
        if keeps_nothing(place):  # and reading a pipe would wait for its other end
            return
        with open(place, "rb") as file:
            found = file.read(64)
    except OSError:  # there is none, or what is wrong with it will be told when it is written
        return
    if found and not may_be_replaced(found):
        raise ConfigError(f"{place} is there already{what}; nothing was written: name another file")


def refuse_terminal(place: Path) -> None:
    """Raises ConfigError where bytes would be written to a terminal, which people could not read."""
    if str(place) == "-" and sys.stdout and sys.stdout.isatty():
        raise ConfigError("-o - would write an archive to the terminal; name a file, or send it on: ... -o - > FILE")


@contextmanager
def progress(quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """Yields what is told how many symbols are done, and of how many: a bar on a terminal, elsewhere nothing."""
    from tqdm import tqdm

    if system.few_processes():
        tqdm.monitor_interval = 0  # which would be a thread
    shown = not quiet and bool(sys.stderr) and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    with tqdm(disable=not shown, file=sys.stderr, unit=" symbols", dynamic_ncols=True, leave=False) as bar:

        def tell(done: int, of: int) -> None:
            if shown:
                bar.total = of
                bar.update(done - bar.n)

        yield tell


out_option = click.option(
    "-o",
    "--out",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    metavar="FILE|-",
    help="Where it goes; '-' for stdout.",
)
quiet_option = click.option("-q", "--quiet", is_flag=True, help="Show no bar.")
