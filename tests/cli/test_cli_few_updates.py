"""A run of too few updates is told before it begins, with flags that make it one of enough."""

from __future__ import annotations

import re
import shlex

import pytest

from charrnn.config.resolve import resolve
from charrnn.runs import checkpoint as checkpoints
from charrnn.training import few_updates


@pytest.fixture
def said(charrnn, text):
    """The line on updates that a run begins with, or nothing; the run itself is not made."""

    def run(*words, out="run"):
        lines = (
            charrnn("train", text, "-c", "lstm", "-o", out, "--hidden-size", 4, "--seed", 1, *words)
            .ok()
            .err.splitlines()
        )
        return next((line for line in lines if "too few" in line), None)

    return run


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--epochs", 1],
        ["--iterations", 20],
        ["--batch-size", 8, "--seq-length", 16, "--epochs", 2],
        ["--set", "data.documents=lines", "--epochs", 2],
        ["--set", "train.accumulate=3", "--epochs", 2],
        ["--iterations", 20, "--epochs", 3],
    ],
)
def test_what_is_advised_makes_enough_updates_of_this_text(said, tmp_path, words):
    line = said(*words)
    count = checkpoints.load(tmp_path / "run" / "last.npz").iteration
    number = "1 update is" if count == 1 else f"{count} updates are"
    assert line.startswith(f"{number} too few for a text to be learnt; try --")
    flags = shlex.split(line.partition("; try ")[2])
    assert said(*words, *flags, out="again") is None
    assert checkpoints.load(tmp_path / "again" / "last.npz").iteration > few_updates.TOO_FEW


def test_what_is_advised_learns_more(said, tmp_path):
    flags = shlex.split(said("--hidden-size", 16).partition("; try ")[2])
    said("--hidden-size", 16, *flags, out="again")
    first, second = (checkpoints.load(tmp_path / name).best for name in ("run", "again"))
    assert second < first - 0.5


def test_one_update_is_one(said):
    assert said("--iterations", 1).startswith("1 update is too few")


def test_nothing_is_said_of_enough_updates_or_of_a_clock_or_quietly(said, charrnn, text):
    assert said("--iterations", few_updates.TOO_FEW) is None
    assert said("--time-budget", "0.1s", out="timed") is None
    assert said("--time-budget", "9m", "--iterations", 3, out="both").startswith("3 updates are too few")
    assert charrnn("train", text, "-o", "quiet", "--iterations", 2, "-q").ok().err == ""
    resumed = charrnn("train", "-o", "quiet", "--resume", "--more", 2).ok().err
    assert not re.search("too few", resumed)


def test_a_batch_that_is_small_already_is_left_so():
    config, _ = resolve([])
    assert few_updates.what_helps(config, 1).startswith("--batch-size 8 --seq-length 32 --epochs ")
    assert few_updates.what_helps(config, 10) == "--batch-size 8 --seq-length 32"
