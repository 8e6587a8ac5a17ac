"""A trial: a recipe is trained on a text for so many seconds, from a seed, and tested on what comes behind the text.

`regret.py`, `tricks.py` and `rates.py` make many of them, one on each core at once. The seconds are those of the
processor (see `on_processor_time.py`). What each found is a row of a table, and what has a row is not tried again, so
their commands can be stopped and given again.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, get_type_hints

from charrnn import cores, processor
from charrnn.cli import common
from charrnn.errors import DivergedError
from charrnn.runs.checkpoint import load

HERE = Path(__file__).resolve().parents[2]
DATA = HERE.parent / "shared" / "data"
TABLES = HERE / "docs" / "results"
SCRATCH = HERE / "runs" / "trials"

TEST = 20_000
"""Characters of a test part, at least; of a long text, `SHARE` of it."""

SHARE = 0.05

Settings = Mapping[str, object]
Place = tuple[str, int, int]
"""A text, how many of its characters are learnt from, and for how many seconds."""


class Cut(NamedTuple):
    """Is a text that is cut: what to learn from, and what to test on."""

    name: str
    characters: int
    learn: Path
    test: Path


class Trial(NamedTuple):
    """Is a recipe on a text from a seed."""

    cut: Cut
    seconds: int
    seed: int
    name: str
    """What the recipe is called in the table."""
    settings: Settings
    """Its keys; all others are those of `configs/lstm.yaml`."""

    @property
    def key(self) -> tuple[str, int, int, int, str]:
        """What `Row.trial` will be."""
        return (self.cut.name, self.cut.characters, self.seconds, self.seed, as_words(self.settings))


class Row(NamedTuple):
    """Is a line of a table: what came of a trial."""

    text: str
    characters: int
    """Characters to learn from and to validate on; those of the test come after them."""
    seconds: int
    seed: int
    recipe: str
    settings: str
    """The keys of the recipe, as `key=value`, with blanks between."""
    test_nats: float
    val_nats: float
    best_at: int
    iterations: int
    machine: str

    @property
    def place(self) -> Place:
        """What recipes are compared on."""
        return (self.text, self.characters, self.seconds)

    @property
    def trial(self) -> tuple[str, int, int, int, str]:
        """What was tried: it is tried once."""
        return (self.text, self.characters, self.seconds, self.seed, self.settings)

    def is_of(self, wanted: str) -> bool:
        """Tells whether it is of a text, written as `cut` takes it."""
        name, _, number = wanted.partition(":")
        return self.text == name and (not number or self.characters == int(number))


def as_words(settings: Settings) -> str:
    """Returns the keys of a recipe as a row has them."""
    return " ".join(f"{key}={value}" for key, value in sorted(settings.items()))


def read(path: Path) -> list[Row]:
    """Returns the rows of a table; none where there is no file."""
    if not path.exists():
        return []
    with open(path, encoding="utf-8", newline="") as file:
        kinds = get_type_hints(Row)
        return [
            Row(**{name: kinds[name](value) for name, value in line.items()})
            for line in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        ]


def append(path: Path, row: Row) -> None:
    """Adds a row to a table, which is begun with the names of its columns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    is_new = not path.exists()
    with open(path, "a", encoding="utf-8", newline="") as file:
        for line in ([Row._fields] if is_new else []) + [tuple(map(str, row))]:
            file.write("\t".join(line) + "\n")


def cut(wanted: str, data: Path, scratch: Path) -> Cut:
    """Cuts a text, `NAME` or `NAME:CHARACTERS`. Raises SystemExit where it is too short for that."""
    name, _, number = wanted.partition(":")
    source = str(data / name) if (data / name).is_file() else name
    text = "".join(common.library().read([source], "utf-8").pieces())
    test = max(TEST, int(SHARE * len(text)))
    characters = int(number) if number else len(text) - test
    if characters < 1 or characters + test > len(text):
        raise SystemExit(f"{wanted}: {len(text):,} characters are too few to test on {test:,} of them")
    folder = scratch.resolve() / f"{Path(name).stem}-{characters}"
    folder.mkdir(parents=True, exist_ok=True)
    for part, piece in (("learn", text[:characters]), ("test", text[characters : characters + test])):
        (folder / f"{part}.txt").write_text(piece, "utf-8", newline="")
    return Cut(Path(name).name, characters, folder / "learn.txt", folder / "test.txt")


def run(trial: Trial, scratch: Path, core: int | None = None) -> Row:
    """Trains on one core, tests the best checkpoint, and leaves no run behind. What diverges has an infinite loss."""
    out = scratch.resolve() / f"run-{os.getpid()}-{threading.get_ident()}"
    shutil.rmtree(out, ignore_errors=True)
    sets = {"train.threads": 1, **trial.settings}
    words = [word for key, value in sets.items() for word in ("--set", f"{key}={json.dumps(value)}")]
    ends = ["--time-budget", trial.seconds, "--seed", trial.seed]
    try:
        _charrnn("train", trial.cut.learn, "-c", "lstm", "-q", "-o", out, *words, *ends, core=core)
        told = json.loads(_charrnn("eval", out, trial.cut.test, "--unknown", "skip", "--json", core=core))
        last = load(out / "last.npz")
        found = (float(told["nats_per_char"]), last.best or float("nan"), last.best_at, last.iteration)
    except DivergedError:
        found = (math.inf, math.inf, 0, 0)
    shutil.rmtree(out, ignore_errors=True)
    return Row(*trial.key[:4], trial.name, trial.key[4], *found, processor.name())


def _charrnn(*words: object, core: int | None) -> str:
    """Runs a command of charrnn on one core, and returns what it prints. Raises DivergedError where a run did."""
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("on_processor_time.py")), *map(str, words)],
        cwd=HERE,
        env=cores.environment_of(1),
        stdout=subprocess.PIPE,
        text=True,
    )
    if core is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(process.pid, {core})
    out, _ = process.communicate()
    if process.returncode == DivergedError.exit_code:
        raise DivergedError("what it said is above")
    if process.returncode:
        raise SystemExit(f"charrnn {' '.join(map(str, words))}: exit code {process.returncode}")
    return out


def run_all(trials: Iterable[Trial], table: Path, scratch: Path) -> None:
    """Makes all trials that have no row in the table yet, as many at once as there are cores."""
    done = {row.trial for row in read(table)}
    wanted = [trial for trial in trials if trial.key not in done]
    lock, free = threading.Lock(), list(_usable())

    def one(numbered: tuple[int, Trial]) -> None:
        number, trial = numbered
        with lock:
            core = free.pop()
        try:
            row = run(trial, scratch, core)
        finally:
            with lock:
                free.append(core)
        with lock:
            append(table, row)
            print(f"{number} of {len(wanted)}: {' '.join(map(str, trial.key))}: {row.test_nats:.4f}", flush=True)

    with ThreadPoolExecutor(len(free)) as pool:
        for _ in pool.map(one, enumerate(wanted, 1)):
            pass


def add_options(parser: argparse.ArgumentParser, table: Path) -> None:
    """Adds the options that each command has which makes trials; `table` is where its rows are kept."""
    parser.add_argument("--data", type=Path, default=DATA, help="where the texts are")
    parser.add_argument("--out", type=Path, default=table, help="the table")
    parser.add_argument("--scratch", type=Path, default=SCRATCH, help="where texts and runs are kept")
    parser.add_argument("--report", action="store_true", help="train nothing; print what the table says")


def _usable() -> Sequence[int | None]:
    """Returns the cores on which trials may run, by their numbers; where a system does not tell, one without one."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [None]
