"""The command line, driven (see `driving`), runs of every task (see `task_runs`), and sweeps (see `sweeps`)."""

from driving import *  # noqa: F403  # pytest finds fixtures by their names here
from sweeps import *  # noqa: F403
from task_runs import *  # noqa: F403
