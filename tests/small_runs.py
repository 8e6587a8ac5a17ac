"""Fixtures that begin small runs from Python; the folders that need them import them into their conftest.py."""

from __future__ import annotations

import pytest

from charrnn.config.resolve import Setting, resolve
from charrnn.runs.directory import RunDirectory
from charrnn.text.encoding import decode
from charrnn.training.preparing import prepare
from charrnn.training.trainer import Trainer

SMALL = {
    "model.hidden_size": 6,
    "train.batch_size": 3,
    "train.seq_length": 8,
    "train.seed": 1,
    "train.iterations": 20,
    "train.eval_every": 5,
    "train.checkpoint_every": 5,
    "train.threads": 1,
}


@pytest.fixture
def settle():
    """A small configuration, with changes."""
    return lambda **changes: resolve(
        [Setting(k, v, "test") for k, v in (SMALL | {k.replace("__", "."): v for k, v in changes.items()}).items()]
    )[0]


@pytest.fixture
def prose():
    """A text with some structure and no period that a window could hit."""
    words = ["the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog", "while", "seven", "wizards", "box"]
    return decode([" ".join(words[i * i % 13] + words[i % 7] for i in range(120)).encode()], "a text", "utf-8")


@pytest.fixture
def begin(tmp_path, prose, settle):
    """Begins a run in `tmp_path / name`; it is closed after the test."""
    runs = []

    def begin(name="run", old=None, **changes):
        prepared = prepare(settle(**changes), prose, old)
        runs.append(Trainer.begin(RunDirectory(tmp_path / name), prepared))
        return runs[-1]

    yield begin
    for run in runs:
        run.close()
