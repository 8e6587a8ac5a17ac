"""Fixtures that every test may use."""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # small products; threads would only wait for each other

import numpy as np  # which reads this when it is loaded
import pytest
from hypothesis import settings

settings.register_profile("charrnn", deadline=None, derandomize=True)
settings.load_profile("charrnn")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
