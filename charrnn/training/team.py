"""One batch on several cores: each process takes some of its rows, and the gradients are added in a fixed order.

Processes, and not threads: a step of a small network is some thirty NumPy calls of a few microseconds, and threads
would wait for the interpreter's lock between them as long as they compute. The processes share memory, which holds the
parameters, the batch, the carried state and a gradient for each. What they say to each other beyond that is a line that
tells where in it the batch lies, left empty where that has not changed, and a byte when they are done. A worker ends
when its pipe does, so none outlives the run, however that dies.
"""

from __future__ import annotations

import dataclasses
import importlib
import itertools
import json
import subprocess
import sys
from typing import Any, NamedTuple, Self

import numpy as np
from threadpoolctl import threadpool_limits

from charrnn import cores
from charrnn.arrays import Array, Batch
from charrnn.errors import OutputError
from charrnn.nn.parameters import Parameters
from charrnn.nn.stack import State
from charrnn.tasks.base import Model
from charrnn.training.portion import Portion
from charrnn.training.shared_memory import ArrayLayout, SharedMemory, layout_of

WORKER = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from charrnn.training.team import work; work()"
"""What a worker runs: it imports from where this process does, and not first from the directory that it happens to be
in, in which a `json.py` may stand beside the text."""


class Fixed(NamedTuple):
    """Holds the arrays that stay for the life of a team; N is the number of parameters."""

    params: Array
    """The parameters, (N,)."""
    grads: Array
    """The gradient of each process: (processes, N)."""
    losses: Array
    """The loss of each process: (processes,)."""
    seed: Array
    """The seed of the batch's noise: (1,)."""
    portion: Array
    """What the batch is a part of, a `Portion`: (3,)."""

    @classmethod
    def of(cls, arrays: list[Any]) -> Self:
        """Returns the arrays of `layout` under their names."""
        return cls(*arrays)

    @classmethod
    def layout(cls, count: int, processes: int, dtype: str) -> list[ArrayLayout]:
        """Returns the shapes and types of the arrays, for `count` parameters."""
        return [((count,), dtype), ((processes, count), dtype), ((processes,), "<f8"), ((1,), "<u8"), ((3,), "<f8")]


class Message(NamedTuple):
    """Holds the arrays of one batch: itself, and the state that it begins from, which becomes that after it."""

    batch: Batch
    state: State

    def arrays(self) -> list[Array | None]:
        """Returns all arrays in the order that `of` takes them in."""
        return [*self.batch, *(array for entry in self.state for array in entry.values())]

    @classmethod
    def of(cls, arrays: list[Array | None], names: list[list[str]]) -> Self:
        """Returns the message whose `arrays()` these are; `names` are those of the entries of its state."""
        found: Any = iter(arrays)
        batch = Batch(*itertools.islice(found, len(Batch._fields)))
        return cls(batch, [{name: next(found) for name in entry} for entry in names])


class Shard:
    """Computes the part of every batch that is one process's: some of the rows."""

    def __init__(self, model: Model, fixed: Fixed, process: int) -> None:
        self.model = model
        self.fixed = fixed
        self.process = process
        self.params = Parameters(model.shapes, fixed.params)
        self.grads = Parameters(model.shapes, fixed.grads[process])

    def compute(self, message: Message) -> None:
        """Writes the loss and gradient of our rows, and their state after the batch, into the memory."""
        batch, processes = message.batch, len(self.fixed.losses)
        B = batch.num_rows
        rows = slice(B * self.process // processes, B * (self.process + 1) // processes)  # as equal as can be
        if rows.start == rows.stop:  # long items make batches of few rows
            self.fixed.losses[self.process] = 0
            self.grads.vector[...] = 0
            return
        start, of, answers = self.fixed.portion.tolist()
        portion, seed = Portion(int(start), int(of), answers), int(self.fixed.seed[0])
        # All processes draw the same noise, and each keeps what is its own.
        noise = portion.noise(self.model, seed, batch, self.params.vector.dtype, rows)
        before = [{name: array[rows] for name, array in entry.items()} for entry in message.state]
        loss, after = self.model.loss_and_grads(self.params, batch.rows(rows), before, self.grads, noise, count=answers)
        self.fixed.losses[self.process] = loss
        for old, new in zip(before, after, strict=True):
            for name, array in new.items():
                old[name][...] = array


class Team:
    """Computes gradients in several processes: the workers, and this one, which does a shard of its own.

    This process should give BLAS one thread meanwhile, as the workers do.
    """

    def __init__(self, model: Model, params: Parameters, processes: int) -> None:
        """`params` are what training begins from; from now on they are `self.params`, which all processes see."""
        self._fixed_memory, self._batch_memory = SharedMemory.new(), SharedMemory.new()
        layout = Fixed.layout(model.num_parameters, processes, params.vector.dtype.str)
        fixed = Fixed.of(self._fixed_memory.arrays(layout))
        self.shard = Shard(model, fixed, 0)
        self.params = self.shard.params
        self.params.vector[...] = params.vector
        self._layout: list[ArrayLayout | None] = []
        order = {
            "model": address_of(model),
            "fixed": layout,
            "memory": [self._fixed_memory.descriptor, self._batch_memory.descriptor],
        }
        try:
            self.workers = [self._start({**order, "process": process}) for process in range(1, processes)]
        except BaseException:
            self._fixed_memory.close()
            self._batch_memory.close()
            raise

    def _start(self, order: dict[str, Any]) -> subprocess.Popen[bytes]:
        worker = subprocess.Popen(
            [sys.executable, "-P", "-c", WORKER, json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=order["memory"],
            env=cores.environment_of(1),
            process_group=0,  # the terminal's Ctrl-C is for us; in our session still, so that `nice` means both
        )
        _tell(worker, json.dumps(order).encode() + b"\n")
        _hear(worker)  # that it has mapped the memory
        return worker

    def loss_and_grads(
        self, batch: Batch, state: State, grads: Parameters, seed: int, portion: Portion | None = None
    ) -> tuple[float, State]:
        """Returns the loss of a batch and the state after it; writes the gradients to `grads`.

        They are those of the model's `loss_and_grads` but for rounding, as rows are added up in another order. `seed`
        is that of the noise of the whole batch, of which this one is a `portion`. Raises LostWorkerError where a worker
        has ended.
        """
        given = Message(batch, [] if batch.starts is None else state)
        layout = [None if array is None else layout_of(array) for array in given.arrays()]
        line = b"\n"
        if layout != self._layout:
            self._layout = layout
            names = [list(entry) for entry in given.state]
            self._message = Message.of(self._batch_memory.arrays(layout), names)
            line = json.dumps({"layout": layout, "state": names}).encode() + b"\n"
        for mine, theirs in zip(self._message.arrays(), given.arrays(), strict=True):
            if mine is not None:
                mine[...] = theirs
        fixed = self.shard.fixed
        fixed.seed[0], fixed.portion[...] = seed, portion or Portion.whole(batch)
        for worker in self.workers:
            _tell(worker, line)
        self.shard.compute(self._message)
        for worker in self.workers:
            _hear(worker)
        np.sum(fixed.grads, axis=0, out=grads.vector)
        if batch.starts is None:
            return float(fixed.losses.sum()), state
        final = [{name: array.copy() for name, array in entry.items()} for entry in self._message.state]
        return float(fixed.losses.sum()), final

    def close(self) -> None:
        """Ends the workers, and gives the shared memory back."""
        for worker in self.workers:
            try:
                worker.communicate(timeout=10)  # closes its pipe, which ends it
            except (OSError, subprocess.TimeoutExpired):  # dead already, or stuck
                worker.kill()
                worker.wait()
        self._fixed_memory.close()
        self._batch_memory.close()


def work() -> None:
    """Lives a worker's life: reads its order from stdin, then computes its shard of each batch, until stdin ends."""
    with open(0, "rb") as commands, open(1, "wb", buffering=0) as answers:
        order = json.loads(commands.readline())
        fixed_memory, batch_memory = (SharedMemory(descriptor) for descriptor in order["memory"])
        shard = Shard(model_at(order["model"]), Fixed.of(fixed_memory.arrays(order["fixed"])), order["process"])
        with threadpool_limits(1, user_api="blas"):
            answers.write(b".")
            while line := commands.readline():
                if line != b"\n":
                    where = json.loads(line)
                    message = Message.of(batch_memory.arrays(where["layout"]), where["state"])
                shard.compute(message)
                answers.write(b".")


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


def _tell(worker: subprocess.Popen[bytes], message: bytes) -> None:
    assert worker.stdin is not None
    try:
        worker.stdin.write(message)
        worker.stdin.flush()
    except OSError:
        raise LostWorkerError(LOST) from None


def _hear(worker: subprocess.Popen[bytes]) -> None:
    assert worker.stdout is not None
    if worker.stdout.read(1) != b".":
        raise LostWorkerError(LOST)


class LostWorkerError(OutputError):
    """Says that a worker ended before its time. What this process has is as it was before the batch."""


LOST = "a worker process ended, perhaps for want of memory"
