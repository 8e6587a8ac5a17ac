"""Commands that a launcher, such as `mpiexec` or `srun`, started several times at once."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from charrnn.cli import signals
from charrnn.errors import ConfigError

if TYPE_CHECKING:
    from charrnn.training.world import World

VARIABLES = (
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),  # Open MPI
    ("PMI_RANK", "PMI_SIZE"),  # MPICH, Intel MPI, and srun with these
    ("MV2_COMM_WORLD_RANK", "MV2_COMM_WORLD_SIZE"),  # MVAPICH
    ("PALS_RANKID", "PALS_SIZE"),  # Cray
    ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS"),  # srun itself; a batch script, which is no step, has not the second
)
"""By which a launcher tells a process which rank it is, and of how many."""

NEEDED = "pip install 'charrnn[mpi]'"


class Launch(NamedTuple):
    """Says which of the processes that a launcher started this is."""

    rank: int
    size: int


def find(environment: Mapping[str, str] = os.environ) -> Launch | None:
    """Returns which rank this process is; None where it was started alone."""
    for rank, size in VARIABLES:
        with contextlib.suppress(KeyError, ValueError):
            found = Launch(int(environment[rank]), int(environment[size]))
            if found.size > 1:
                return found
    return None


def connect(arguments: list[str]) -> World | None:
    """Returns the ranks that train together; None where there is but this process.

    Only `train` works on several ranks. Of any other command, all ranks but 0 do nothing. Raises ConfigError where the
    ranks cannot find each other, and SystemExit where that is for another to say.
    """
    launch = find()
    if launch is None:
        return None
    if next((word for word in arguments if not word.startswith("-")), None) != "train":
        if launch.rank:
            raise SystemExit(0)
        return None
    try:
        return _join(launch)
    except ConfigError as error:
        if launch.rank:  # it is the same for all, and rank 0 says it
            raise SystemExit(error.exit_code) from None
        raise


def refuse() -> None:
    """Raises ConfigError where a launcher started this process with others: each would train a run of its own.

    It is the same for all, so rank 0 says it, and the others leave with SystemExit.
    """
    launch = find()
    if launch is None:
        return
    if launch.rank:
        raise SystemExit(ConfigError.exit_code)
    raise ConfigError(
        f"a launcher started {launch.size} processes of this program, and each would train the same run; start it "
        f"without a launcher; what shares a run among several is the command line (docs/scaling.md)"
    )


def _join(launch: Launch) -> World:
    try:
        from charrnn.training import world

        found = world.join()
    except ImportError:
        raise ConfigError(
            f"{launch.size} processes were started to train together, which needs mpi4py; install it with: {NEEDED}"
        ) from None
    if found.size != launch.size:
        found.leave(ConfigError.exit_code)
        raise ConfigError(
            f"a launcher started {launch.size} processes, and the MPI of mpi4py ({found.library}) sees {found.size} of "
            f"them: the two do not belong together; use the launcher of that MPI, or install mpi4py for the other"
        )
    return found


def follow(world: World) -> int:
    """Lives the life of a rank that is not 0, and returns its exit code. Signals are told to rank 0, and no more."""
    with signals.Noted(patient=True) as noted:

        def heard() -> None:
            for number in noted.take():
                world.tell(number)

        from charrnn.training.following import follow

        return follow(world, heard)


def heard(world: World | None, noted: signals.Noted) -> bool:
    """Tells whether a signal asked this process, or any of the ranks, to stop."""
    if world is not None:
        for number in world.heard():
            noted.note(number)
    return bool(noted.stop)
