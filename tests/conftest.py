"""Fixtures that every test may use, and what of the user's environment no test sees."""

from __future__ import annotations

import os
import signal

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # small products; threads would only wait for each other

import numpy as np  # which reads this when it is loaded
import pytest
from hypothesis import settings

from charrnn.machine import TYPICAL

settings.register_profile("charrnn", deadline=None, derandomize=True)
settings.load_profile("charrnn")

KEPT = "PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX"
for name in [*os.environ]:
    # Variables that change what Python and click write, and when: PYTHONUNBUFFERED would hide what fails without it.
    if name in ("COLUMNS", "LINES") or (name.startswith("PYTHON") and name not in KEPT):
        del os.environ[name]


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # As in a job that a script put in the background. charrnn would leave it ignored, and no test could interrupt it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.timeout(3600))


@pytest.fixture
def no_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody pulls the plug here, and a loss of power that is simulated needs no real disk to keep up."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)


@pytest.fixture(autouse=True)
def typical_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within this process, no plan depends on how fast the machine is, and nothing is kept where the user keeps it."""
    monkeypatch.setattr("charrnn.known_machine._found", [TYPICAL])


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
