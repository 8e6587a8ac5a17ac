"""Writing files that are whole or not there."""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from charrnn import system
from charrnn.errors import OutputError

Warn = Callable[[str], None]
"""Is called with a line that says what went wrong without harm to what was asked for."""

RETRIES = 25
"""Times that Windows is asked again for a file that another program has open, a tenth of a second apart."""


def write_atomically(path: Path, data: bytes, warn: Warn = lambda message: None) -> None:
    """Writes a temporary file beside `path`, then puts it in place: readers see the old file or the new, whole.

    What is no file, such as /dev/null or a pipe, is written to, and stays what it is. Raises OutputError; a file is
    then as it was.
    """
    with as_output_error(path):
        if keeps_nothing(path):
            path.write_bytes(data)
            return
        with temporary(path, data) as new:
            replace(new, path)
    sync_directory(path.parent, warn)


def keeps_nothing(path: Path) -> bool:
    """Tells whether what is there is no file, such as a device or a pipe, or stands for one, as /dev/stdout.

    Raises OSError.
    """
    return path.exists() and not path.is_dir() and (not path.is_file() or path.parent == Path("/dev"))


@contextmanager
def temporary(path: Path, data: bytes) -> Iterator[Path]:
    """Yields the path of a file beside `path` that holds `data`, to be renamed within the block; it is gone after it.

    The bytes are synced and read back, so that what is renamed is on the disk, and a disk that lies is noticed before.
    """
    new = temporary_name(path)
    try:
        # Not tempfile, whose files only their owner may read: these have the user's usual permissions.
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if new.read_bytes() != data:
            raise OSError("what was read back differs from what was written")
        yield new
    finally:
        with contextlib.suppress(OSError):
            os.unlink(new)


def temporary_name(path: Path) -> Path:
    """Returns a new name beside `path`; whoever finds it may know by it what it was to become."""
    return path.with_name(f".{path.name}.tmp-{secrets.token_hex(4)}")


def replace(source: Path, target: Path) -> None:
    """Renames `source` to `target`, which it replaces."""
    for _ in range(RETRIES if os.name == "nt" else 0):
        try:
            return os.replace(source, target)
        except PermissionError:  # a reader has the target open, or a scanner for viruses the source
            time.sleep(0.1)
    return os.replace(source, target)


def make_directory(path: Path, warn: Warn = lambda message: None) -> None:
    """Makes `path` and what is missing above it, and each name durable, so that what is saved there can be found.

    Also the name of one that is there: whoever made it may have been killed before it was durable.
    """
    try:
        path.mkdir()
    except FileExistsError:
        if not path.is_dir():
            raise
    except FileNotFoundError:
        if path.parent == path:
            raise
        make_directory(path.parent, warn)
        path.mkdir(exist_ok=True)
    sync_directory(path.parent, warn)


def sync_directory(directory: Path, warn: Warn = lambda message: None) -> None:
    """Makes renames within `directory` durable. They are done, so where that fails it is no more than a warning."""
    if os.name == "nt":  # which cannot open a directory
        return
    try:
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        warn(f"{directory} cannot be synced ({error.strerror}); what was saved there may not survive a loss of power")


@contextmanager
def as_output_error(path: Path) -> Iterator[None]:
    """Turns the operating system's errors into ours, naming `path`."""
    try:
        yield
    except OSError as error:
        reason = system.explain(error) or f"{error.strerror or error}; choose another place"
        raise OutputError(f"cannot write {path}: {reason}") from error
