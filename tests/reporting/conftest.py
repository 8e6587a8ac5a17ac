"""The command line, driven (see `driving`), and small runs to report."""

from __future__ import annotations

import shutil

import pytest
from driving import *  # noqa: F403  # pytest finds fixtures by their names here
from driving import in_process
from small_reports import PROSE, settings
from task_runs import *  # noqa: F403


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
    return shutil.copytree(two_runs, tmp_path / "runs")


@pytest.fixture
def report(runs):
    """Runs `charrnn report` in the folder of the runs."""
    return lambda *words: in_process("report", *words, cwd=runs)
