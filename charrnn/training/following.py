"""Training on several ranks, as all but rank 0 see it: they do what they are told until they are told to leave."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

import numpy as np
from threadpoolctl import threadpool_limits

from charrnn.arrays import Array
from charrnn.nn.parameters import Parameters
from charrnn.nn.stack import State
from charrnn.optim import optimizers
from charrnn.optim.optimizers import Slots
from charrnn.training import loop, sharing
from charrnn.training.sharing import Beginning, Fate, RankStep, RankWork, checksum
from charrnn.training.team import model_at
from charrnn.training.world import Order, World


class Follower:
    """Computes what rank 0 asks for, and makes the updates that it makes."""

    def __init__(self, world: World, beginning: Beginning, stack: ExitStack) -> None:
        """What must end with training, such as the processes of this rank, is left to `stack`."""
        model, plan = model_at(beginning.model), beginning.plan
        params = Parameters.zeros(model.shapes, beginning.dtype)
        self.optimizer = optimizers.build(beginning.optim)
        self.grads = Parameters.zeros(model.shapes, beginning.dtype)
        self.slots: Slots = {}
        stack.enter_context(threadpool_limits(plan.blas_threads, user_api="blas"))
        params, compute = stack.enter_context(sharing.of_portions(model, params, plan))
        self.work = RankWork(world, params, compute)

    def load(self, params: Array, slots: Slots) -> None:
        """Takes over the numbers of rank 0."""
        self.work.params.vector[...] = params
        self.slots = slots

    def step(self, step: RankStep) -> None:
        """Ends the update before, and computes the gradient for the next."""
        self.update(step.fate)
        self.work.step(step, self.grads)

    def update(self, fate: Fate | None) -> None:
        """Makes the update that rank 0 made of the last gradient, to the bit; none where it dropped it."""
        if fate:
            params, slots = self.work.params, self.slots
            with np.errstate(over="ignore", invalid="ignore"):  # rank 0 looks at what comes of it
                loop.step(self.optimizer, params, self.grads, slots, fate.learning_rate, fate.grad_norm)

    def collected(self, fate: Fate | None, wanted: str | None) -> tuple[State, str]:
        """Returns the state of our rows that is wanted, and the checksum of our numbers."""
        self.update(fate)
        return self.work.part(wanted), checksum(self.work.params, self.slots)


def follow(world: World, heard: Callable[[], None] = lambda: None) -> int:
    """Does what rank 0 says until that is to leave, and returns the exit code that it gives.

    `heard` is called again and again while there is nothing to do.
    """
    with ExitStack() as stack:
        follower: Follower | None = None
        while (order := world.next_order(heard)) != Order.END:
            if order == Order.BEGIN:
                stack.close()
                follower = Follower(world, world.comm.bcast(None), stack)
                continue
            assert follower is not None, "rank 0 begins with a model"
            if order == Order.LOAD:
                follower.load(*world.comm.bcast(None))
            elif order == Order.STEP:
                follower.step(world.comm.scatter(None))
            else:
                world.comm.gather(follower.collected(*world.comm.bcast(None)))
            heard()
        code = int(world.comm.bcast(None))
        world.ended = True
        return code
