"""The command line, driven (see `driving`), small runs from Python (see `small_runs`), and crashes (see `crashing`)."""

import pytest
from crafting import small, whole  # noqa: F401
from crashing import Forks, undisturbed
from driving import *  # noqa: F403  # pytest finds fixtures by their names here
from small_runs import *  # noqa: F403


@pytest.fixture(scope="module")
def forks():
    """Processes that have imported charrnn."""
    with Forks() as forks:
        yield forks


@pytest.fixture(scope="module")
def reference(forks, tmp_path_factory):
    """A run that nothing has happened to."""
    return undisturbed(forks, tmp_path_factory.mktemp("undisturbed") / "reference")
