"""How much worse the chosen recipe is than the best of a grid: `python tools/experiments/regret.py --seconds 30`.

Every recipe of the grid and the one that `charrnn train` chooses are trained on each text for the same time: a process
each, on one core, two at once. Learnt from is the beginning of a text; the test part is what comes behind it, 20,000
characters at least. Each result is a row of docs/results/recipe.tsv, and what has a row is not trained again, so the
command can be stopped and given again. The best few recipes are trained from all `--seeds`, the others from the first.

    python tools/experiments/regret.py --texts harbour:5000 tinyshakespeare.txt --seconds 30 120 --seeds 1 2
    python tools/experiments/regret.py --report

A text is a file, in `--data` or anywhere, or the name of a corpus; behind a colon, how many characters to learn from.
The whole grid on one text takes a quarter of an hour for each minute of `--seconds`.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # for `experiments`, as in the tests

from experiments import regret_table
from experiments.regret_table import CHOSEN, GRID, Row, as_words

from charrnn import cores, processor
from charrnn.cli import common
from charrnn.config.resolve import Setting
from charrnn.recipes.choosing import choose
from charrnn.runs.checkpoint import load

HERE = Path(__file__).resolve().parents[2]
DATA = HERE.parent / "shared" / "data"
TABLE = HERE / "docs" / "results" / "recipe.tsv"

TEXTS = (
    "harbour:5000",
    "lua_c.txt:20000",
    "irish.abc:150000",
    "names.txt:200000",
    "tinyshakespeare.txt",
)
"""Texts to fit the rule to; texts to check it on are others, and are named."""

TEST = 20_000
"""Characters of a test part, at least; of a long text, `SHARE` of it."""

SHARE = 0.05

FEW = 4
"""Recipes that are trained from all seeds: the best of the first."""


class Cut(NamedTuple):
    """Is a text that is cut: what to learn from, and what to test on."""

    name: str
    characters: int
    learn: Path
    test: Path


class Task(NamedTuple):
    """Is one training: a recipe on a text from a seed."""

    cut: Cut
    seconds: int
    seed: int
    recipe: str
    settings: dict[str, object]

    @property
    def key(self) -> tuple[str, int, int, int, str]:
        """What `Row.task` will be."""
        return (self.cut.name, self.cut.characters, self.seconds, self.seed, as_words(self.settings))


def cut(wanted: str, data: Path, scratch: Path) -> Cut:
    """Cuts a text, `NAME` or `NAME:CHARACTERS`. Raises SystemExit where it is too short for that."""
    name, _, number = wanted.partition(":")
    source = str(data / name) if (data / name).is_file() else name
    text = "".join(common.library().read([source], "utf-8").pieces())
    test = max(TEST, int(SHARE * len(text)))
    characters = int(number) if number else len(text) - test
    if characters < 1 or characters + test > len(text):
        raise SystemExit(f"{wanted}: {len(text):,} characters are too few to test on {test:,} of them")
    folder = scratch / f"{Path(name).stem}-{characters}"
    folder.mkdir(parents=True, exist_ok=True)
    for part, piece in (("learn", text[:characters]), ("test", text[characters : characters + test])):
        (folder / f"{part}.txt").write_text(piece, "utf-8", newline="")
    return Cut(Path(name).name, characters, folder / "learn.txt", folder / "test.txt")


def chosen_for(cut: Cut, seconds: int) -> dict[str, object]:
    """Returns the keys that `charrnn train` chooses on one core."""
    text = common.library().read([str(cut.learn)], "utf-8")
    given = [Setting("train.threads", 1, "here"), Setting("train.time_budget", seconds, "here")]
    return {setting.path: setting.value for setting in choose(given, text).settings}


def command(*words: object, core: int | None = None) -> str:
    """Runs a command of charrnn on one core, and returns what it prints."""
    process = subprocess.Popen(
        [sys.executable, "-m", "charrnn", *map(str, words)],
        cwd=HERE,
        env=cores.environment_of(1),
        stdout=subprocess.PIPE,
        text=True,
    )
    if core is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(process.pid, {core})
    out, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"charrnn {' '.join(map(str, words))}: exit code {process.returncode}")
    return out


def train(task: Task, scratch: Path, core: int | None) -> Row:
    """Trains, tests the best checkpoint, and leaves no run behind."""
    out = scratch / f"run-{os.getpid()}-{threading.get_ident()}"
    shutil.rmtree(out, ignore_errors=True)
    sets = {"train.threads": 1, **task.settings}
    words = [word for key, value in sets.items() for word in ("--set", f"{key}={json.dumps(value)}")]
    ends = ["--time-budget", task.seconds, "--seed", task.seed]
    command("train", task.cut.learn, "-c", "lstm", "-q", "-o", out, *words, *ends, core=core)
    told = json.loads(command("eval", out, task.cut.test, "--unknown", "skip", "--json", core=core))
    last = load(out / "last.npz")
    shutil.rmtree(out)
    nats = float(told["nats_per_char"])
    found = (nats, last.best or float("nan"), last.best_at, last.iteration, processor.name())
    return Row(*task.key[:4], task.recipe, task.key[4], *found)


def tasks(cuts: Sequence[Cut], args: argparse.Namespace, rows: Sequence[Row], *, first: bool) -> Iterator[Task]:
    """Yields what is to be trained: all recipes from the first seed, or the best few of those from the others."""
    done = {row.task for row in rows}
    for cut in cuts:
        for seconds in args.seconds:
            chosen = chosen_for(cut, seconds)
            grid = [*GRID]
            if not first:
                place = (cut.name, cut.characters, seconds)
                few = regret_table.best_of((row for row in rows if row.task[:3] == place), FEW)
                grid = [settings for settings in GRID if as_words(settings) in few]
            for seed in args.seeds[:1] if first else args.seeds[1:]:
                for name, settings in [(CHOSEN, chosen), *(("grid", each) for each in grid)]:
                    task = Task(cut, seconds, seed, name, settings)
                    if task.key not in done:
                        yield task


def work(wanted: Sequence[Task], args: argparse.Namespace) -> None:
    """Trains all, some at once, each on a core of its own."""
    lock, free = threading.Lock(), queue.SimpleQueue[int | None]()
    usable = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    for number in range(args.jobs):
        free.put(usable[number] if number < len(usable) else None)

    def one(numbered: tuple[int, Task]) -> None:
        number, task = numbered
        core = free.get()
        try:
            row = train(task, args.scratch, core)
        finally:
            free.put(core)
        with lock:
            regret_table.append(args.out, row)
            print(f"{number} of {len(wanted)}: {' '.join(map(str, task.key))}: {row.test_nats:.4f}", flush=True)

    with ThreadPoolExecutor(args.jobs) as pool:
        for _ in pool.map(one, enumerate(wanted, 1)):
            pass


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--texts", nargs="+", default=TEXTS, metavar="TEXT[:CHARACTERS]")
    parser.add_argument("--seconds", nargs="+", type=int, default=[30], help="how long each recipe is trained")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1], help="the first for all, others for the best few")
    parser.add_argument("--jobs", type=int, default=2, help="how many are trained at once")
    parser.add_argument("--data", type=Path, default=DATA, help="where the texts are")
    parser.add_argument("--out", type=Path, default=TABLE, help="the table")
    parser.add_argument("--scratch", type=Path, default=HERE / "runs" / "regret", help="where texts and runs are kept")
    parser.add_argument("--report", action="store_true", help="train nothing; print what the table says")
    args = parser.parse_args(words)
    if not args.report:
        args.scratch = args.scratch.resolve()
        cuts = [cut(text, args.data, args.scratch) for text in args.texts]
        for first in (True, False):
            work([*tasks(cuts, args, regret_table.read(args.out), first=first)], args)
    for line in regret_table.lines(regret_table.regrets(regret_table.read(args.out))):
        print(line)


if __name__ == "__main__":
    main()
