"""Tiny runs of the tasks over pairs, with what they learn from; folders that need them import them in conftest.py."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from driving import in_process

SMALL = {
    "model.hidden_size": 8,
    "train.batch_size": 10,
    "train.seq_length": 16,
    "train.iterations": 120,
    "train.eval_every": 60,
    "train.seed": 1,
    "train.threads": 1,
    "optim.learning_rate": 0.03,
    "optim.schedule": "constant",
    "data.split": "[0.6,0.2,0.2]",
}


def _words(letters: str, count: int, longest: int = 8) -> list[str]:
    rng = random.Random(letters)
    return ["".join(rng.choices(letters, k=rng.randint(1, longest))) for _ in range(count)]


ITEMS = {
    "classify": [
        (label, word)
        for label, letters in (("consonants", "bcdfg"), ("digits", "0123"), ("vowels", "aeiou"))
        for word in _words(letters, 60)
    ],
    "tag": [(word, "".join(c.upper() if c in "ae" else c for c in word)) for word in _words("abcde", 150)],
    "transduce": [(word, word.replace("a", "xx")) for word in _words("abc", 150, 4)],
}
"""Pairs that are easily learnt, by the task: kinds of letters, some letters in capitals, a letter that becomes two."""
ITEMS["generate"] = ITEMS["classify"]


def written(pairs: list[tuple[str, str]]) -> str:
    """The pairs as a table."""
    return "".join(f"{first}\t{second}\n" for first, second in pairs)


def words(task: str, **changes: object) -> list[str]:
    """The options of `charrnn train` for a tiny run of a task, with changes."""
    longer = {"train.iterations": 250} if task == "transduce" else {}
    settings = (
        SMALL | longer | {"task.name": task} | {name.replace("__", "."): value for name, value in changes.items()}
    )
    return [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]


@pytest.fixture(scope="session")
def pairs(shelf: Path) -> Callable[[str], Path]:
    """The file that the run of a task learnt from."""

    def path(task: str) -> Path:
        file = shelf / f"{task}.tsv"
        if not file.exists():
            file.write_bytes(written(ITEMS[task]).encode())
        return file

    return path


@pytest.fixture(scope="session")
def taught(shelf: Path, pairs: Callable[[str], Path]) -> Callable[..., Path]:
    """The directory of a run that has learnt a task; not to be changed."""

    def run(task: str, **changes: object) -> Path:
        place = shelf / "-".join(["run", task, *(str(value) for value in changes.values())])
        if not place.exists():
            in_process("train", pairs(task), "-q", "-o", place, *words(task, **changes), cwd=shelf).ok()
        return place

    return run
