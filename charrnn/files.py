"""Writing files that are whole or not there."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from charrnn.errors import OutputError


def write_atomically(path: Path, data: bytes) -> None:
    """Writes a temporary file beside `path`, then puts it in place: readers see the old file or the new, whole.

    Before the rename the bytes are synced and read back, so that with a disk that lies the old file stays.
    Raises OutputError; `path` is then as it was.
    """
    with as_output_error(path):
        temporary = path.with_name(f".{path.name}.tmp-{secrets.token_hex(4)}")
        # Not tempfile, whose files only their owner may read: these have the user's usual permissions.
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            if temporary.read_bytes() != data:
                raise OSError("what was read back differs from what was written")
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
        sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Makes renames within `directory` durable, where the file system can."""
    with contextlib.suppress(OSError):
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def as_output_error(path: Path) -> Iterator[None]:
    """Turns the operating system's errors into ours, naming `path`."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(f"cannot write {path}: {reason}; make room or choose another place") from error
