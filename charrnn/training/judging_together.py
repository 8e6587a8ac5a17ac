"""How the ranks of a job judge a model together: each has a piece of what is judged, and their tallies are added.

A piece is handed out once, and kept. Rank 0 alone is asked to stop, and tells the others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from charrnn.arrays import Array
from charrnn.judging.evaluation import EvaluationStopped
from charrnn.judging.tallies import Tally, added
from charrnn.nn.parameters import Parameters
from charrnn.tasks.base import Model
from charrnn.training.world import World

STOP = 2
"""The tag of the message by which rank 0 tells another that an evaluation ends early."""


class Share(NamedTuple):
    """Holds what one rank judges."""

    task: Any
    part: Any
    """A piece of what is judged; None where there are more ranks than pieces."""


class RankJudge:
    """Is one rank in the evaluations of a run."""

    def __init__(self, world: World, model: Model, params: Parameters) -> None:
        self.world = world
        self.model = model
        self.params = params
        self.share = Share(None, None)

    def tally(self, weights: Array | None, share: Share | None, stop: Callable[[], bool]) -> Tally | None:
        """Returns what this rank counts in its share, or in the one before where it gets none; None for nothing.

        `weights` are what is judged, where they are not the parameters. Raises EvaluationStopped on `stop()`.
        """
        if share is not None:
            self.share = share
        params = self.params if weights is None else Parameters(self.params.shapes, weights)
        task, part = self.share
        return None if part is None else task.tally(self.model, params, part, stop)

    def lead(self, weights: Array | None, shares: list[Share] | None, stop: Callable[[], bool]) -> Tally | None:
        """Returns, as rank 0, what all ranks have counted; None where `stop()` was true on the way, and all stopped.

        `shares` are those of all ranks, None where they have them.
        """
        comm, stopped = self.world.comm, False

        def stopping() -> bool:
            nonlocal stopped
            if not stopped and stop():
                stopped = True
                for rank in range(1, self.world.size):
                    comm.send(None, dest=rank, tag=STOP)
            return stopped

        comm.bcast(weights)
        given = shares if shares is not None else [None] * self.world.size
        found = comm.gather(self._until_stopped(weights, comm.scatter(given), stopping))
        comm.bcast(stopped)
        return None if stopped else added([tally for tally in found if tally is not None])

    def follow(self, heard: Callable[[], None]) -> None:
        """Does what another rank has to do; `heard` is called again and again on the way."""
        comm = self.world.comm

        def stopping() -> bool:
            heard()
            return bool(comm.iprobe(source=0, tag=STOP))

        weights = comm.bcast(None)
        comm.gather(self._until_stopped(weights, comm.scatter(None), stopping))
        if comm.bcast(None):
            comm.recv(source=0, tag=STOP)

    def _until_stopped(self, weights: Array | None, share: Share | None, stop: Callable[[], bool]) -> Tally | None:
        try:
            return self.tally(weights, share, stop)
        except EvaluationStopped:
            return None
