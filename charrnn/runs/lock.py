"""The lock of a run directory: a file that one process at a time holds."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from typing import IO

from charrnn.errors import LockedError
from charrnn.files import sync_directory

if os.name == "nt":
    import msvcrt
else:
    import fcntl


def is_locked(path: Path) -> bool:
    """Tells whether another process holds the lock."""
    try:
        if path.exists():
            lock(path).close()
    except LockedError:
        return True
    except OSError:  # whoever really needs the lock will say what is wrong
        pass
    return False


def lock(path: Path) -> IO[str]:
    """Locks the file at `path` and returns it. It stays locked until it is closed, or the process ends.

    Raises LockedError, with who holds it, if another process does.
    """
    file = open(path, "a+", encoding="utf-8")  # noqa: SIM115  # it stays open as long as the lock is held
    try:
        if os.name == "nt":
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = ""
        for _ in range(10):
            time.sleep(0.05)  # who has just taken it writes its name only then, over that of whoever had it before
            file.seek(0)
            if holder := file.read().strip():
                break
        file.close()
        raise LockedError(
            f"{path.parent} is in use by {holder or 'another process'}; wait for it, or choose another directory"
        ) from None
    file.truncate(0)
    file.write(f"process {os.getpid()} on {socket.gethostname()}")
    file.flush()
    sync_directory(path.parent)  # by the lock we know our own, should there be nothing else after a loss of power
    return file
