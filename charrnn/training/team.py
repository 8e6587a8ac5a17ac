"""One batch on several cores: processes in a grid, each of which takes some of the rows and some of the units.

Processes, and not threads: a step of a small network is some thirty NumPy calls of a few microseconds, and threads
would wait for the interpreter's lock between them as long as they compute. The processes share memory, which holds the
parameters, the batch, the carried state and the gradients, and wait for each other there (`meeting`). A pipe tells
where in it the batch lies, when that has changed. A worker ends when this process does, however that dies.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import Any, BinaryIO

from threadpoolctl import threadpool_limits

from charrnn import cores
from charrnn.arrays import Batch
from charrnn.cores import Plan
from charrnn.errors import OutputError
from charrnn.nn.parameters import Parameters
from charrnn.nn.stack import State
from charrnn.optim import OPTIMIZERS
from charrnn.optim.optimizers import Slots
from charrnn.optim.options import OptimConfig
from charrnn.tasks.base import Model
from charrnn.training.accumulation import Piece, add_up, pieces_of
from charrnn.training.shared_memory import ArrayLayout, SharedMemory, layout_of
from charrnn.training.teamwork import Fixed, Message, TeamOrder, TeamWork, norm_of
from charrnn.training.updating import UpdateStep

WORKER = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from charrnn.training.team import work; work()"
"""What a worker runs: it imports from where this process does, and not first from the directory that it happens to be
in, in which a `json.py` may stand beside the text."""

READY = b"."
"""What a worker answers once it sees the memory: more it has not to say."""

SIGNALS = "SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1"
"""Signals that a worker leaves to its leader, which may finish an update and save: batch systems and service managers
send them to every process of a job."""

LOST = "a worker process ended, perhaps for want of memory"


class LostWorkerError(OutputError):
    """Says that a worker ended before its time."""

    torn = False
    """Whether that was in an update, of which some has been made. Else what we have is as it was before the batch."""


class Team:
    """Computes gradients and makes updates in several processes: the workers, and this one, which does its own part.

    This process should give BLAS one thread meanwhile, as the workers do.
    """

    def __init__(
        self,
        model: Model,
        plan: Plan,
        optim: OptimConfig,
        params: Parameters,
        slots: Slots,
        average: Parameters | None = None,
    ) -> None:
        """From now on `params`, `slots` and `average` of the team, which all processes see, stand for what is given."""
        self._memories: list[SharedMemory] = []
        self.workers: list[subprocess.Popen[bytes]] = []
        with contextlib.ExitStack() as undo:
            undo.callback(self.close)
            for _ in range(2 + plan.rows):
                self._memories.append(SharedMemory.new())
            layout = self._move_in(model, plan, optim, params, slots, average)
            order = {
                "leader": os.getpid(),
                "model": address_of(model),
                "plan": plan,
                "optim": dataclasses.asdict(optim),
                "fixed": layout,
                "memory": [memory.descriptor for memory in self._memories],
            }
            for process in range(1, plan.processes):
                self._start({**order, "process": process})
            for worker in self.workers:  # all load NumPy at once, which takes a tenth of a second
                assert worker.stdout is not None
                if worker.stdout.read(1) != READY:
                    raise LostWorkerError(LOST)
            undo.pop_all()

    def _move_in(
        self,
        model: Model,
        plan: Plan,
        optim: OptimConfig,
        params: Parameters,
        slots: Slots,
        average: Parameters | None,
    ) -> list[ArrayLayout]:
        """Copies the numbers into memory that all processes see, and returns the layout of its fixed arrays."""
        names, count, dtype = OPTIMIZERS[optim.name].slots, model.num_parameters, params.vector.dtype.str
        layout = Fixed.layout(count, len(names), average is not None, plan, dtype)
        self.fixed = fixed = Fixed.of(self._memories[0].arrays(layout))
        self.work = TeamWork(model, optim, fixed, plan, 0, shared=self._memories[2:], check=self._check)
        self.params, self.grads = self.work.params, Parameters(model.shapes, fixed.grads[0])
        self.params.vector[...] = params.vector
        self.slots = dict(slots)
        for name, vector in zip(names, fixed.slots, strict=True):
            vector[...] = slots[name]
            self.slots[name] = vector
        self.average = None
        if average is not None:
            self.average = Parameters(model.shapes, fixed.average)
            self.average.vector[...] = average.vector
        self._layout: list[ArrayLayout | None] = []
        """Where the arrays of the last batch lie, which all workers know."""
        return layout

    def _start(self, order: dict[str, Any]) -> None:
        worker = subprocess.Popen(
            [sys.executable, "-P", "-c", WORKER, json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=order["memory"],
            env=cores.environment_of(1),
            process_group=0,  # the terminal's Ctrl-C is for us; in our session still, so that `nice` means both
        )
        self.workers.append(worker)
        _tell(worker, order)

    def compute(self, batches: Sequence[Batch], state: State, seeds: Sequence[int]) -> tuple[float, State]:
        """Returns the loss of an update's batches and the state after them; writes the gradient to `grads`.

        It is that of one process but for rounding, as numbers are added up in another order. Raises LostWorkerError
        where a worker has ended.
        """
        return add_up(self, pieces_of(batches, seeds), state)

    def compute_piece(self, piece: Piece, state: State) -> tuple[float, State]:
        """Returns the loss of a piece of an update and the state after it; writes its gradient to `grads`."""
        batch, portion, seed = piece
        given, fixed = Message(batch, [] if batch.starts is None else state), self.fixed
        layout = [None if array is None else layout_of(array) for array in given.arrays()]
        fixed.order[1] = layout != self._layout
        if layout != self._layout:
            names = [list(entry) for entry in given.state]
            self._message = Message.of(self._memories[1].arrays(layout), names)
            for worker in self.workers:
                _tell(worker, {"layout": layout, "state": names})
            self._layout = layout
        for mine, theirs in zip(self._message.arrays(), given.arrays(), strict=True):
            if mine is not None:
                mine[...] = theirs
        fixed.seed[0], fixed.portion[...] = seed, portion
        self._do(TeamOrder.COMPUTE)
        if batch.starts is None:
            return float(fixed.losses.sum()), state
        final = [{name: array.copy() for name, array in entry.items()} for entry in self._message.state]
        return float(fixed.losses.sum()), final

    def norm(self) -> float:
        """Returns the norm of the gradient, as it was computed."""
        return norm_of(self.fixed.squares)

    def measure(self) -> float:
        """Returns the norm of the gradient, where it was changed since."""
        self._do(TeamOrder.MEASURE)
        return self.norm()

    def update(self, step: UpdateStep) -> None:
        """Makes an update of the parameters by the gradient, and uses that up."""
        if "count" in self.slots:
            self.slots["count"][0] = step.made + 1
        self.fixed.step[...] = step
        try:
            self._do(TeamOrder.UPDATE)
        except LostWorkerError as error:
            error.torn = True
            raise

    def _do(self, order: TeamOrder) -> None:
        self.fixed.order[0] = order
        self.work.meeting.meet()
        self.work.do(self._message)

    def _check(self) -> None:
        """Raises LostWorkerError where a worker has ended."""
        if any(worker.poll() is not None for worker in self.workers):
            raise LostWorkerError(LOST)

    def close(self) -> None:
        """Ends the workers, and gives the shared memory back."""
        for worker in self.workers:
            worker.kill()  # it has nothing of its own to keep, and may be waiting for us in the middle of a batch
        for worker in self.workers:
            worker.wait()
            for pipe in (worker.stdin, worker.stdout):
                with contextlib.suppress(OSError):  # what we told it last, it may not have heard
                    pipe.close()  # type: ignore[union-attr]
        for memory in self._memories:
            memory.close()


class Orphaned(Exception):
    """Says that the process is gone for which a worker works."""


def work() -> None:
    """Lives a worker's life: reads its order from stdin, then does its part of each batch, until its leader ends."""
    for name in SIGNALS:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)

    # Where memory is short, it is our leader that says so, as we are gone.
    ends = contextlib.suppress(Orphaned, BrokenPipeError, MemoryError)
    with ends, open(0, "rb") as commands, open(1, "wb", buffering=0) as answers:
        order = _heard(commands)

        def check() -> None:
            if os.getppid() != order["leader"]:
                raise Orphaned

        check()
        memories = [SharedMemory(descriptor) for descriptor in order["memory"]]
        plan, optim = Plan(*order["plan"]), OptimConfig(**order["optim"])
        fixed = Fixed.of(memories[0].arrays(order["fixed"]))
        mine = TeamWork(
            model_at(order["model"]), optim, fixed, plan, order["process"], shared=memories[2:], check=check
        )
        with threadpool_limits(1, user_api="blas"):
            answers.write(READY)
            message = Message(Batch(*[None] * len(Batch._fields)), [])  # type: ignore[arg-type]
            while True:
                mine.meeting.meet()
                if fixed.order[0] == TeamOrder.COMPUTE and fixed.order[1]:
                    where = _heard(commands)
                    message = Message.of(memories[1].arrays(where["layout"]), where["state"])
                mine.do(message)


def _heard(commands: BinaryIO) -> dict[str, Any]:
    """Returns what our leader tells us. Raises Orphaned where it has ended before it had told all of it."""
    line = commands.readline()
    if not line.endswith(b"\n"):
        raise Orphaned
    heard: dict[str, Any] = json.loads(line)
    return heard


def address_of(model: Any) -> dict[str, Any]:
    """Returns what another process needs to build a model anew: a model is a dataclass of plain values."""
    kind = type(model)
    fields = {field.name: getattr(model, field.name) for field in dataclasses.fields(model) if field.init}
    return {"module": kind.__module__, "class": kind.__qualname__, "fields": fields}


def model_at(address: dict[str, Any]) -> Model:
    """Builds the model whose `address_of` this is."""
    kind = getattr(importlib.import_module(address["module"]), address["class"])
    model: Model = kind(**address["fields"])
    return model


def _tell(worker: subprocess.Popen[bytes], what: dict[str, Any]) -> None:
    assert worker.stdin is not None
    try:
        worker.stdin.write(json.dumps(what).encode() + b"\n")
        worker.stdin.flush()
    except OSError:
        raise LostWorkerError(LOST) from None
