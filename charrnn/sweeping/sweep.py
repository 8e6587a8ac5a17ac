"""A sweep: its directory with a run for each combination, and the processes that train them, some at a time."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from charrnn import advice
from charrnn.config.resolve import Setting
from charrnn.config.writing import settings_to_yaml
from charrnn.errors import ConfigError, OutputError
from charrnn.files import Warn, as_output_error, make_directory, write_atomically
from charrnn.runs import places
from charrnn.runs.lock import is_locked, lock
from charrnn.sweeping import table
from charrnn.sweeping.children import PATIENCE, Child
from charrnn.sweeping.combining import MOST_ERRORS, Combination
from charrnn.sweeping.looking_back import contradictions, look, share
from charrnn.sweeping.table import DONE, FAILED, RUNNING, STOPPED, WAITING, Entry

TABLE, COMMON, LOCK = "sweep.tsv", "base.yaml", ".sweep-lock"
"""Files in the directory: the table, what all runs have in common, and the lock."""

PAUSE = 0.05
"""Seconds between two looks at whether a run has ended."""

Show = Callable[[Entry], None]
"""Is called with a run that is begun, has ended, or failed."""


class Sweep:
    """Trains combinations in a directory, which it has locked from creation until `close`."""

    def __init__(self, directory: Path, texts: tuple[str, ...], combinations: Sequence[Combination]) -> None:
        """Takes the directory, and looks which runs are there from before.

        Raises LockedError if another sweep has it, ConfigError if it holds something else or runs that are not these,
        OutputError if it cannot be written.
        """
        self.directory = directory
        self.texts = texts
        self.entries = [Entry(combination) for combination in combinations]
        self.warn: Warn = lambda message: None
        self._untold = True
        """Whether nobody was told yet that the table cannot be written."""
        self._running: dict[int, Child] = {}
        """The processes of runs, by the number of the entry."""
        with as_output_error(directory):
            _refuse_other_things(directory)
            make_directory(directory)
            self._lock: IO[str] = lock(directory / LOCK)
        try:
            self._look_back()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Unlocks the directory."""
        self._lock.close()

    def _look_back(self) -> None:
        """Finds out which runs are there. Raises ConfigError where one is not that of its combination."""
        wrong: dict[str, str] = {}
        for entry in self.entries:
            self._look_at(entry)
            for what, message in contradictions(self.directory, entry.combination, entry.stage, self.texts):
                wrong.setdefault(what, message)
        if wrong:
            raise ConfigError(*[*wrong.values()][:MOST_ERRORS])

    def count(self, *states: str) -> int:
        """Returns how many runs are in one of these states."""
        found = Counter(entry.state for entry in self.entries)
        return sum(found[state] for state in states)

    def share(self) -> float:
        """Returns the share of the sweep that is over, runs that are being trained included."""
        over = self.count(DONE, FAILED)
        begun = (self.entries[number].combination for number in self._running)
        return (over + sum(share(self.directory / one.name, one.config.train) for one in begun)) / len(self.entries)

    def of_several_texts(self) -> bool:
        """Tells whether runs that read their text alike have not learnt from the same, as it was changed between."""
        found: dict[object, set[str]] = {}
        for entry in self.entries:
            if entry.stage.corpus is not None:
                config = entry.combination.config
                found.setdefault((config.task, config.data), set()).add(entry.stage.corpus.sha256)
        return any(len(texts) > 1 for texts in found.values())

    def _write(self) -> None:
        """Writes the table as it is now. What fails is a warning, told once, as the runs are worth more."""
        try:
            write_atomically(self.directory / TABLE, table.to_tsv(self.entries).encode(), self._warn_once)
        except OutputError as error:
            self._warn_once(str(error))

    def _warn_once(self, message: str) -> None:
        if self._untold:
            self.warn(message)
        self._untold = False

    def save(self) -> None:
        """Asks all runs that are being trained to save, and go on."""
        for child in self._running.values():
            child.save()

    def run(self, common: Sequence[Setting], jobs: int, threads: int, stop: Callable[[], bool], show: Show) -> None:
        """Trains all runs that are not done, `jobs` at a time, until all are over, or `stop()` is true.

        `common` are the settings that all have in common, and `threads` the cores for each that does not say so itself.
        """
        write_atomically(self.directory / COMMON, settings_to_yaml(common).encode(), self.warn)
        self._await_others(stop)
        waiting = [number for number, entry in enumerate(self.entries) if entry.state != DONE]
        waiting.reverse()
        self._write()
        try:
            while True:
                while waiting and len(self._running) < jobs and not stop():
                    self._begin(waiting.pop(), threads, show)
                if not self._running:
                    break
                time.sleep(PAUSE)
                if stop():
                    self._stop(show)
                self._collect(show, stopped=False)
        finally:
            for child in self._running.values():
                child.kill()  # nobody waits for what they could still save
            for child in self._running.values():
                child.close()
            self._write()

    def _await_others(self, stop: Callable[[], bool]) -> None:
        """Waits for processes that still save the runs of a sweep that was killed, and looks at these runs again."""
        until = time.monotonic() + PATIENCE
        for entry in self.entries:
            place = self.directory / entry.combination.name
            if entry.state == DONE or not is_locked(place / places.LOCK):
                continue
            self.warn(f"another process still trains {place}, and should soon have saved it")
            while is_locked(place / places.LOCK) and time.monotonic() < until and not stop():
                time.sleep(PAUSE)
            self._look_at(entry)

    def _look_at(self, entry: Entry) -> None:
        """Finds out where the run of an entry stands that is not being trained."""
        entry.stage = look(self.directory / entry.combination.name, entry.combination.config.train)
        entry.state = DONE if entry.stage.complete else STOPPED if entry.stage.saved else WAITING

    def _begin(self, number: int, threads: int, show: Show) -> None:
        """Starts the process of a run."""
        entry = self.entries[number]
        one = entry.combination
        cores = one.config.train.threads or threads
        settings = [f"{setting.path}={json.dumps(setting.value, ensure_ascii=False)}" for setting in one.settings]
        if one.config.train.threads is None:
            settings.append(f"train.threads={cores}")
        place = self.directory / one.name
        words = ["train", "-c", str(self.directory / COMMON), "-o", str(place), *["--resume"] * entry.stage.saved]
        words += [word for setting in settings for word in ("--set", setting)]
        try:
            self._running[number] = Child([*words, "--", *self.texts], place, cores)
            entry.state = RUNNING
        except OutputError as error:
            entry.state, entry.code, entry.error = FAILED, error.exit_code, str(error)
            self._write()
        show(entry)

    def _collect(self, show: Show, stopped: bool) -> None:
        """Looks which processes have ended, and notes what came of their runs."""
        for number, child in [*self._running.items()]:
            if not child.ended():
                continue
            del self._running[number]
            child.close()
            entry = self.entries[number]
            self._look_at(entry)
            if child.code == 0:
                entry.state = DONE
            elif not (stopped and child.was_stopped):
                entry.state, entry.code, entry.error = FAILED, child.code, child.reason()
            self._write()
            show(entry)

    def _stop(self, show: Show) -> None:
        """Lets all processes save and stop, and waits for them."""
        for child in self._running.values():
            child.stop()
        while self._running:
            self._collect(show, stopped=True)
            time.sleep(PAUSE)


def _refuse_other_things(directory: Path) -> None:
    """Raises ConfigError where a directory holds something, and that is no sweep."""
    if not directory.is_dir() or (directory / LOCK).exists() or not any(directory.iterdir()):
        return
    what = "a run" if places.holds_a_run(directory) else "other things"
    free = directory / "sweep"
    raise ConfigError(f"{directory} holds {what}, and no sweep; choose a new directory: -o {advice.word(free)}")
