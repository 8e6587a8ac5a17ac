"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

settings.register_profile("charrnn", deadline=None, derandomize=True)
settings.load_profile("charrnn")

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # small products; threads would only wait for each other

REAL_TEXTS = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def real_texts() -> Path:
    """The folder of real texts; skips where there is none."""
    if not REAL_TEXTS.is_dir():
        pytest.skip("no folder of real texts beside the project")
    return REAL_TEXTS
