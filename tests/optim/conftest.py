"""What the tests of this folder share."""

from __future__ import annotations

import pytest


class Recorder:
    """A section that remembers which of its keys were read."""

    def __init__(self, optim):
        self.optim, self.read = optim, set()

    def __getattr__(self, key):
        self.read.add(key)
        return getattr(self.optim, key)


@pytest.fixture
def recorded():
    return Recorder
