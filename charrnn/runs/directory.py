"""A run directory: last, previous and best checkpoint, configuration, metrics, and a lock while it is in use."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from charrnn import advice
from charrnn.errors import CheckpointError, ConfigError, LockedError, OutputError
from charrnn.files import (
    Warn,
    as_output_error,
    make_directory,
    replace,
    sync_directory,
    temporary,
    temporary_name,
    write_atomically,
)
from charrnn.runs import checkpoint, metrics_file
from charrnn.runs.checkpoint import TooNewError
from charrnn.runs.lock import lock
from charrnn.runs.places import (
    BEST,
    CHECKPOINTS,
    CONFIG,
    DIVERGED,
    LAST,
    LOCK,
    METRICS,
    PREVIOUS,
    SAMPLES,
    ended_early,
    holds_a_run,
    refuse_to_begin,
    refuse_to_resume,
)
from charrnn.runs.run import Run


class RunDirectory:
    """Holds the lock of `path` from creation until `close` (or the death of the process, however it dies)."""

    def __init__(self, path: Path, resume: bool = False) -> None:
        """Takes the directory, making it if it is new and not to be resumed.

        Raises LockedError if another process has it, ConfigError if it holds a run and should not or the reverse,
        OutputError if it cannot be written.
        """
        self.path = path
        self.warn: Warn = lambda message: None
        self._config, self._newest = "", ""
        self._damaged: set[str] = set()
        """Checkpoints that could not be read; they are set aside before others take their names."""
        with as_output_error(path):
            (refuse_to_resume if resume else refuse_to_begin)(path)
            make_directory(path)
            self._lock = lock(path / LOCK)
            self._folder = _opened(path)
        holds_one = self.holds_a_run()
        if holds_one and not resume:
            self.close()
            raise ConfigError(
                f"{path} already holds a run; choose another directory with -o, or continue it: "
                f"{advice.command('train', '-o', path, '--resume')}"
            )
        # What a process that was killed while it wrote has left; nobody else's, as we hold the lock.
        for name in (*CHECKPOINTS, CONFIG, METRICS, SAMPLES, DIVERGED):
            for stray in path.glob(f".{name}.tmp-*"):
                with contextlib.suppress(OSError):
                    stray.unlink()
        if not holds_one and not resume:  # of a run that ended before its first checkpoint
            with as_output_error(path):
                for name in (METRICS, SAMPLES, DIVERGED):
                    (path / name).unlink(missing_ok=True)

    @classmethod
    def numbered(cls, parent: Path, stem: str) -> RunDirectory:
        """Makes a new directory `parent/stem-1`, or with the first number that is free. Raises OutputError."""
        number = 1
        try:
            make_directory(parent)
            while True:
                path = parent / f"{stem}-{number}"
                with contextlib.suppress(FileExistsError):
                    path.mkdir()
                    break
                number += 1
        except OSError as error:
            raise OutputError(f"cannot make a run below {parent}: {error.strerror}; choose a place with -o") from error
        sync_directory(parent)
        return cls(path)

    def close(self) -> None:
        """Unlocks the directory."""
        self._lock.close()
        if self._folder is not None:
            os.close(self._folder)
            self._folder = None

    def save_last(self, run: Run) -> None:
        """Saves `last.npz`; what was there becomes `prev.npz`.

        At every moment two whole checkpoints bear these names, once there are two: the new one is complete before the
        last gives up its name, and the last has both names before the previous one is gone.
        """
        self._hold()
        last, previous = self.path / LAST, self.path / PREVIOUS
        with as_output_error(last), temporary(last, checkpoint.to_bytes(run)) as new:
            self._set_aside(LAST)
            with self._second_name(last, previous) as second:
                replace(new, last)
                sync_directory(self.path, self.warn)
                if second:
                    self._rotate(second, previous)

    def _rotate(self, second: Path, previous: Path) -> None:
        """Lets what was last be the previous one. The new one is saved by now, so that a failure is but a warning."""
        try:
            self._set_aside(PREVIOUS)
            replace(second, previous)
        except OSError as error:
            self.warn(f"cannot write {previous}: {error.strerror}; what was last before is not kept")
        sync_directory(self.path, self.warn)

    @contextmanager
    def _second_name(self, last: Path, previous: Path) -> Iterator[Path | None]:
        """Yields another name of what `last` is now, which is gone after the block; None where it is nothing."""
        if not last.exists():
            yield None
            return
        second = temporary_name(previous)
        try:
            os.link(last, second)
        except OSError:  # a file system without hard links
            with temporary(previous, last.read_bytes()) as copy:
                yield copy
            return
        try:
            yield second
        finally:
            with contextlib.suppress(OSError):
                second.unlink()

    def save_best(self, run: Run) -> None:
        """Saves `best.npz`."""
        self._hold()
        data = checkpoint.to_bytes(run)
        with as_output_error(self.path / BEST):
            self._set_aside(BEST)
        write_atomically(self.path / BEST, data, self.warn)

    def _set_aside(self, name: str) -> None:
        """Gives a damaged file another name: on a disk that failed only for a while, it might be whole."""
        if name in self._damaged:
            number = 1
            while (aside := self.path / f"{name}.damaged-{number}").exists():
                number += 1
            with contextlib.suppress(FileNotFoundError):
                replace(self.path / name, aside)
            self._damaged.discard(name)

    def holds_a_run(self) -> bool:
        """Tells whether there is a checkpoint, whole or not."""
        return holds_a_run(self.path)

    def _hold(self) -> None:
        """Makes the directory again if somebody has removed it. Raises LockedError if it is another run's by now."""
        with as_output_error(self.path):
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.stat(self.path / LOCK), os.fstat(self._lock.fileno())):
                    return
            make_directory(self.path, self.warn)
            held = lock(self.path / LOCK)
            same = self._folder is not None and os.path.samestat(os.stat(self.path), os.fstat(self._folder))
            if self.holds_a_run() and not same:
                held.close()
                raise LockedError(f"{self.path} is another run's by now, and was left alone; this one is not saved")
            self.close()
            self._lock, self._folder = held, _opened(self.path)
            self.warn(f"{self.path}, or its lock, was removed while in use; it was made again")
            write_atomically(self.path / CONFIG, self._config.encode(), self.warn)

    def newest(self) -> tuple[Run, list[str]]:
        """Returns the newest whole checkpoint, and a line for each damaged one that was passed over.

        Raises CheckpointError where none is whole, or one is of a later version of charrnn.
        """
        found: dict[str, Run] = {}
        damaged: list[str] = []
        for name in CHECKPOINTS:
            if (self.path / name).exists():
                try:
                    found[name] = checkpoint.load(self.path / name)
                except TooNewError:  # it is whole, and going on from an older one would lose what it has
                    raise
                except CheckpointError as error:
                    damaged.append(str(error))
                    self._damaged.add(name)
        if not found:
            reasons = damaged or [ended_early(self.path)]
            raise CheckpointError(*reasons)
        self._newest = max(found, key=lambda name: found[name].iteration)
        return found[self._newest], damaged

    def catch_up(self, newest: Run) -> None:
        """Saves as `last.npz` what `newest` found, if that was `best.npz`: the run was killed between the two."""
        if self._newest == BEST:
            self.save_last(newest)

    def write_config(self, text: str) -> None:
        """Writes `config.yaml`."""
        self._config = text
        write_atomically(self.path / CONFIG, text.encode(), self.warn)

    def config_before(self) -> str:
        """Returns what `config.yaml` has; nothing where it cannot be read."""
        try:
            return (self.path / CONFIG).read_text("utf-8")
        except (OSError, UnicodeError):
            return ""

    def append_metrics(self, record: dict[str, Any]) -> None:
        """Adds one line to `metrics.jsonl`, or nothing of it. Raises OutputError."""
        self._hold()
        metrics_file.append(self.path / METRICS, record)

    def append_sample(self, record: dict[str, Any]) -> None:
        """Adds one line to `samples.jsonl`, or nothing of it. Raises OutputError."""
        self._hold()
        metrics_file.append(self.path / SAMPLES, record)

    def trim_metrics(self, iteration: int) -> float:
        """Drops the lines of `metrics.jsonl` and `samples.jsonl` after `iteration`: a resumed run writes them anew.

        Returns the seconds of training before. Raises OutputError.
        """
        metrics_file.trim(self.path / SAMPLES, iteration)
        return metrics_file.trim(self.path / METRICS, iteration)

    def diverged_at(self) -> tuple[int, float | None]:
        """Returns the iteration that `diverged.json` tells of, and the configured rate; 0 and None where it cannot."""
        try:
            report = json.loads((self.path / DIVERGED).read_text("utf-8"))
            return int(report["iteration"]), report.get("learning_rate")
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            return 0, None

    def write_diverged(self, report: dict[str, Any]) -> None:
        """Writes `diverged.json`: what is known of the last batch whose loss or gradient was no number."""
        self._hold()
        text = json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        write_atomically(self.path / DIVERGED, text.encode(), self.warn)


def _opened(directory: Path) -> int | None:
    """Returns a handle of the directory: while it is open, no new one can be taken for it.

    None on Windows, where nobody can remove a directory in which a file is open.
    """
    return None if os.name == "nt" else os.open(directory, os.O_RDONLY)
