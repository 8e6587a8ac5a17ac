"""Small runs, begun from Python (see `small_runs`)."""

from small_runs import *  # noqa: F403  # pytest finds fixtures by their names here
