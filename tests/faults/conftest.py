"""The command line, driven (see `driving`), and small runs from Python (see `small_runs`)."""

from driving import *  # noqa: F403  # pytest finds fixtures by their names here
from small_runs import *  # noqa: F403
