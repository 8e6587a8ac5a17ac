"""The command line, driven (see `driving`), and runs of every task (see `task_runs`)."""

from driving import *  # noqa: F403  # pytest finds fixtures by their names here
from task_runs import *  # noqa: F403
