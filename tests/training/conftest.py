"""Small runs for the tests of training (see `small_runs`)."""

import pytest
from driving import contents  # noqa: F401
from small_runs import *  # noqa: F403  # pytest finds fixtures by their names here


@pytest.fixture
def text(prose):
    """The text of these runs."""
    return prose
