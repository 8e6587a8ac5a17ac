"""A run directory: last, previous and best checkpoint, `config.yaml`, `metrics.jsonl`, and a lock while in use."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from pathlib import Path
from typing import IO, Any

from charrnn import checkpoint as checkpoints
from charrnn.checkpoint import Checkpoint
from charrnn.errors import CheckpointError, ConfigError, LockedError, OutputError
from charrnn.files import as_output_error, write_atomically

if os.name == "nt":
    import msvcrt
else:
    import fcntl

LAST, PREVIOUS, BEST = CHECKPOINTS = ("last.npz", "prev.npz", "best.npz")
CONFIG, METRICS = "config.yaml", "metrics.jsonl"


class RunDirectory:
    """Holds the lock of `path` from creation until `close` (or the death of the process, however it dies)."""

    def __init__(self, path: Path, resume: bool = False) -> None:
        """Takes the directory, making it if it is new and not to be resumed.

        Raises LockedError if another process has it, ConfigError if it holds a run and should not or the reverse,
        OutputError if it cannot be written.
        """
        self.path = path
        with as_output_error(path):
            if resume and not path.is_dir():
                raise ConfigError(f"{path} is not a run directory; leave out --resume to begin a run there")
            path.mkdir(parents=True, exist_ok=True)
            self._lock = _lock(path / ".lock")
        holds_a_run = any((path / name).exists() for name in CHECKPOINTS)
        if holds_a_run and not resume:
            self.close()
            raise ConfigError(
                f"{path} already holds a run; continue it with --resume, or choose another directory with -o"
            )
        # What a process that was killed while it wrote has left; nobody else's, as we hold the lock.
        for name in (*CHECKPOINTS, CONFIG, METRICS):
            for stray in path.glob(f".{name}.tmp-*"):
                with contextlib.suppress(OSError):
                    stray.unlink()
        if not holds_a_run:  # of a run that ended before its first checkpoint
            with as_output_error(path):
                (path / METRICS).unlink(missing_ok=True)

    @classmethod
    def numbered(cls, parent: Path, stem: str) -> RunDirectory:
        """A new directory `parent/stem-1`, or the first number that is free."""
        number = 1
        while True:
            path = parent / f"{stem}-{number}"
            try:
                path.mkdir(parents=True)
                return cls(path)
            except FileExistsError:
                number += 1
            except OSError as error:
                raise OutputError(f"cannot make {path}: {error.strerror}; choose a place with -o") from error

    def close(self) -> None:
        """Gives the lock back."""
        self._lock.close()

    def save_last(self, run: Checkpoint) -> None:
        """Saves `last.npz`; what was there becomes `prev.npz`. At every moment a whole checkpoint is in place."""
        data = checkpoints.to_bytes(run)
        last = self.path / LAST
        if last.exists():
            with as_output_error(last):
                spare = self.path / f".{PREVIOUS}.tmp-{os.getpid()}"
                spare.unlink(missing_ok=True)
                try:
                    os.link(last, spare)
                    os.replace(spare, self.path / PREVIOUS)
                    spare.unlink(missing_ok=True)  # replace does nothing where both are the same file already
                except OSError:  # a file system without hard links
                    write_atomically(self.path / PREVIOUS, last.read_bytes())
        write_atomically(last, data)

    def save_best(self, run: Checkpoint) -> None:
        """Saves `best.npz`."""
        checkpoints.save(run, self.path / BEST)

    def newest(self) -> tuple[Checkpoint, list[str]]:
        """The newest whole checkpoint, and a line for each damaged one that was passed over.

        Raises CheckpointError where none is whole.
        """
        found: list[Checkpoint] = []
        damaged: list[str] = []
        for name in CHECKPOINTS:
            if (self.path / name).exists():
                try:
                    found.append(checkpoints.load(self.path / name))
                except CheckpointError as error:
                    damaged.append(str(error))
        if not found:
            reasons = damaged or [f"{self.path} holds no checkpoint; leave out --resume to begin a run there"]
            raise CheckpointError(*reasons)
        return max(found, key=lambda run: run.iteration), damaged

    def write_config(self, text: str) -> None:
        """Writes `config.yaml`."""
        write_atomically(self.path / CONFIG, text.encode())

    def append_metrics(self, record: dict[str, Any]) -> None:
        """Adds one line to `metrics.jsonl`."""
        path = self.path / METRICS
        with as_output_error(path), open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps(record, allow_nan=False) + "\n")

    def trim_metrics(self, iteration: int) -> float:
        """Drops the lines after `iteration`, and a torn one: a resumed run writes them anew.

        Returns the seconds of training that the last line kept tells.
        """
        path = self.path / METRICS
        if not path.exists():
            return 0.0
        elapsed = 0.0
        kept = []
        for line in path.read_text("utf-8", errors="replace").splitlines():
            try:
                record = json.loads(line)
                if record["iteration"] <= iteration:
                    elapsed = max(elapsed, float(record.get("elapsed_s", 0)))
                    kept.append(line + "\n")
            except (ValueError, LookupError, TypeError):
                continue
        write_atomically(path, "".join(kept).encode())
        return elapsed


def _lock(path: Path) -> IO[str]:
    """Locks the file for as long as it stays open; the kernel lets go of it when the process ends."""
    file = open(path, "a+", encoding="utf-8")  # noqa: SIM115  # it stays open as long as the lock is held
    try:
        if os.name == "nt":
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.seek(0)
        holder = file.read().strip() or "another process"
        file.close()
        raise LockedError(f"{path.parent} is in use by {holder}; wait for it, or choose another directory") from None
    file.truncate(0)
    file.write(f"process {os.getpid()} on {socket.gethostname()}")
    file.flush()
    return file
