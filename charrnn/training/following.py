"""Training on several ranks, as all but rank 0 see it: they do what they are told until they are told to leave."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

from threadpoolctl import threadpool_limits

from charrnn.arrays import Array
from charrnn.nn.parameters import Parameters
from charrnn.nn.stack import State
from charrnn.optim import optimizers
from charrnn.optim.optimizers import Slots
from charrnn.training import gradients, sharing
from charrnn.training.judging_together import RankJudge
from charrnn.training.sharing import Beginning, RankStep, RankWork, checksum
from charrnn.training.team import model_at
from charrnn.training.updating import UpdateStep
from charrnn.training.world import Order, World


class Follower:
    """Computes what rank 0 asks for, and makes the updates that it makes."""

    def __init__(self, world: World, beginning: Beginning, stack: ExitStack) -> None:
        """What must end with training, such as the processes of this rank, is left to `stack`."""
        model, plan = model_at(beginning.model), beginning.plan
        params = Parameters.zeros(model.shapes, beginning.dtype)
        slots = optimizers.build(beginning.optim).init(params.vector)
        stack.enter_context(threadpool_limits(plan.blas_threads, user_api="blas"))
        found = gradients.team_or_alone(model, beginning.optim, params, slots, None, plan, agree=sharing.agreed(world))
        self.gradients = stack.enter_context(found)
        self.work = RankWork(world, self.gradients)
        self.judge = RankJudge(world, model, self.gradients.params)

    def load(self, params: Array, slots: Slots) -> None:
        """Takes over the numbers of rank 0."""
        self.gradients.params.vector[...] = params
        for name, slot in slots.items():
            self.gradients.slots[name][...] = slot

    def step(self, step: RankStep) -> None:
        """Ends the update before, and computes the gradient for the next."""
        self.update(step.update)
        self.work.step(step)

    def update(self, step: UpdateStep | None) -> None:
        """Makes the update that rank 0 made of the last gradient, to the bit; none where it dropped it."""
        if step:
            self.gradients.update(step)

    def collected(self, step: UpdateStep | None, wanted: str | None) -> tuple[State, str]:
        """Returns the state of our rows that is wanted, and the checksum of our numbers."""
        self.update(step)
        return self.work.part(wanted), checksum(self.gradients.params, self.gradients.slots)


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
            elif order == Order.JUDGE:
                follower.update(world.comm.bcast(None))
                follower.judge.follow(heard)
            else:
                world.comm.gather(follower.collected(*world.comm.bcast(None)))
            heard()
        code = int(world.comm.bcast(None))
        world.ended = True
        return code
