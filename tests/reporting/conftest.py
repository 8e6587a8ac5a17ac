"""The command line, driven (see `driving`), and small runs to report."""

from __future__ import annotations

import pytest
from driving import *  # noqa: F403  # pytest finds fixtures by their names here
from driving import in_process
from task_runs import *  # noqa: F403

PROSE = "".join(f"Verse {n}: the quick brown fox & {n * n % 17} lazy dogs sing <loud>.\n" for n in range(300))
SMALL = {
    "model.hidden_size": 8,
    "train.batch_size": 4,
    "train.seq_length": 16,
    "train.iterations": 60,
    "train.eval_every": 10,
    "train.sample_every": 20,
    "train.seed": 1,
    "train.threads": 1,
}


def settings(**changes):
    values = SMALL | {key.replace("__", "."): value for key, value in changes.items()}
    return [word for key, value in values.items() for word in ("--set", f"{key}={value}")]


@pytest.fixture(scope="session")
def two_runs(tmp_path_factory):
    """A folder with a text, and two runs that learnt it: `one` and `two`. Not to be changed."""
    folder = tmp_path_factory.mktemp("two")
    (folder / "prose.txt").write_text(PROSE, "utf-8")
    for name, cell in (("one", "lstm"), ("two", "gru")):
        in_process("train", "prose.txt", "-o", name, "-q", *settings(model__cell=cell), cwd=folder).ok()
    return folder


@pytest.fixture
def runs(two_runs, tmp_path):
    """A copy of `two_runs`."""
    import shutil

    return shutil.copytree(two_runs, tmp_path / "runs")


@pytest.fixture
def report(runs):
    """Runs `charrnn report` in the folder of the runs."""
    return lambda *words: in_process("report", *words, cwd=runs)
