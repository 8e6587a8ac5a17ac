"""One window on several cores: each process takes some of its rows, and the gradients are added in a fixed order.

Processes, and not threads: a step of a small network is some thirty NumPy calls of a few microseconds, and threads
would wait for the interpreter's lock between them as long as they compute. The processes share one block of memory,
which holds the parameters, the window, the carried state and a gradient for each; they say no more to each other than
"begin" and "done". A worker ends when its pipe does, so none outlives the run, however that dies.
"""

from __future__ import annotations

import json
import math
import mmap
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from charrnn.arrays import Array, Batch
from charrnn.errors import OutputError
from charrnn.nn.model import CharLM
from charrnn.nn.parameters import Parameters
from charrnn.nn.stack import State


@dataclass(frozen=True)
class Layout:
    """Where what is in the shared block: the same in every process."""

    model: dict[str, Any]
    seq_length: int
    batch_size: int
    dtype: str
    count: int
    """Of processes."""

    def build(self) -> CharLM:
        """The network."""
        return CharLM(**self.model)

    def rows(self, process: int) -> slice:
        """The rows of a process: as equal shares as can be."""
        B, count = self.batch_size, self.count
        return slice(B * process // count, B * (process + 1) // count)

    def shapes(self) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
        """Shape and type of each array of the block."""
        model, dtype = self.build(), np.dtype(self.dtype)
        ids = np.min_scalar_type(model.vocab_size - 1)
        T, B, H, entries = self.seq_length, self.batch_size, model.hidden_size, len(model.stack.prefixes)
        N = model.num_parameters
        states = [f"state.{layer}.{name}" for layer in range(entries) for name in model.stack.cell.state]
        return {
            "params": ((N,), dtype),
            "grads": ((self.count, N), dtype),
            "losses": ((self.count,), np.dtype(np.float64)),
            "x": ((T, B), ids),
            "y": ((T, B), ids),
            "starts": ((B,), np.dtype(np.bool_)),
            "seed": ((1,), np.dtype(np.uint64)),
            **dict.fromkeys(states, ((B, H), dtype)),
        }

    def size(self) -> int:
        """Of the block in bytes."""
        return sum(_padded(shape, dtype) for shape, dtype in self.shapes().values())

    def arrays(self, block: mmap.mmap) -> dict[str, Array]:
        """The arrays as views of the block."""
        found, start = {}, 0
        for name, (shape, dtype) in self.shapes().items():
            found[name] = np.frombuffer(block, dtype, math.prod(shape), start).reshape(shape)
            start += _padded(shape, dtype)
        return found


def _shared_memory(size: int) -> int:
    """The descriptor of a file of zeros without a name."""
    if hasattr(os, "memfd_create"):  # in memory: no disk is written to, and none can be full when a page is touched
        descriptor = os.memfd_create("charrnn")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.truncate(descriptor, size)
    return descriptor


def _padded(shape: tuple[int, ...], dtype: np.dtype[Any]) -> int:
    """Bytes of an array, up to a whole cache line."""
    return -(-math.prod(shape) * dtype.itemsize // 64) * 64


class Share:
    """The part of one process in every window."""

    def __init__(self, layout: Layout, block: mmap.mmap, process: int) -> None:
        self.model = layout.build()
        self.arrays = layout.arrays(block)
        self.process = process
        self.rows = layout.rows(process)
        self.params = Parameters(self.model.shapes, self.arrays["params"])
        self.grads = Parameters(self.model.shapes, self.arrays["grads"][process])
        self.state: State = [
            {name: self.arrays[f"state.{layer}.{name}"][self.rows] for name in self.model.stack.cell.state}
            for layer in range(len(self.model.stack.prefixes))
        ]

    def compute(self) -> None:
        """Loss and gradient of our rows, and their state after the window, all into the block."""
        a, rows = self.arrays, self.rows
        x, y, starts = a["x"], a["y"], a["starts"][rows]
        drawn = self.model.noise_of_seed(int(a["seed"][0]), len(x), x.shape[1], self.grads.vector.dtype)
        noise = drawn and [layer.rows(rows) for layer in drawn]  # all draw the same, and each keeps what is its own
        loss, final = self.model.loss_and_grads(
            self.params, x[:, rows], y[:, rows], self.state, self.grads, starts, noise, count=x.size
        )
        a["losses"][self.process] = loss
        for mine, new in zip(self.state, final, strict=True):
            for name, array in new.items():
                mine[name][...] = array


class Team:
    """The workers, and this process, which does a share of its own and should give BLAS one thread, as they do."""

    def __init__(self, model: CharLM, seq_length: int, batch_size: int, params: Parameters, count: int) -> None:
        """`params` are what training begins from; from now on they are `self.params`, which all processes see."""
        fields = {name: value for name, value in asdict(model).items() if not name.startswith("_")}
        self.layout = Layout(fields, seq_length, batch_size, params.vector.dtype.str, count)
        descriptor = _shared_memory(self.layout.size())
        try:
            self.share = Share(self.layout, mmap.mmap(descriptor, self.layout.size()), 0)
            self.workers = [self._start(descriptor, process) for process in range(1, count)]
        finally:
            os.close(descriptor)
        self.params = self.share.params
        self.params.vector[...] = params.vector

    def _start(self, descriptor: int, process: int) -> subprocess.Popen[bytes]:
        task = {"layout": asdict(self.layout), "descriptor": descriptor, "process": process}
        worker = subprocess.Popen(
            [sys.executable, "-c", "from charrnn.training.team import work; work()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[descriptor],
            process_group=0,  # the terminal's Ctrl-C is for us; in our session still, so that `nice` means both
        )
        _tell(worker, json.dumps(task).encode() + b"\n")
        _hear(worker)  # that it has mapped the block, before the file is closed
        return worker

    def loss_and_grads(self, batch: Batch, state: State, grads: Parameters, seed: int) -> tuple[float, State]:
        """`CharLM.loss_and_grads` of a window, the same but for the order in which rows are added up.

        `seed` is of the window's noise.
        """
        a = self.share.arrays
        a["x"][...], a["y"][...], a["starts"][...] = batch
        a["seed"][0] = seed
        states = {f"state.{layer}.{name}": array for layer, s in enumerate(state) for name, array in s.items()}
        for name, array in states.items():
            a[name][...] = array
        for worker in self.workers:
            _tell(worker, b"\n")
        self.share.compute()
        for worker in self.workers:
            _hear(worker)
        np.sum(a["grads"], axis=0, out=grads.vector)
        final = [{name: a[f"state.{layer}.{name}"].copy() for name in s} for layer, s in enumerate(state)]
        return float(a["losses"].sum()), final

    def close(self) -> None:
        """Ends the workers."""
        for worker in self.workers:
            try:
                worker.communicate(timeout=10)  # closes its pipe, which ends it
            except (OSError, subprocess.TimeoutExpired):  # dead already, or stuck
                worker.kill()
                worker.wait()


def work() -> None:
    """A worker's life, between its two pipes: from the task it is told to their end."""
    with open(0, "rb", buffering=0) as commands, open(1, "wb", buffering=0) as answers:
        task = json.loads(commands.readline())
        layout = Layout(**task["layout"])
        share = Share(layout, mmap.mmap(task["descriptor"], layout.size()), task["process"])
        with threadpool_limits(1, user_api="blas"):
            answers.write(b".")
            while commands.read(1):
                share.compute()
                answers.write(b".")


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
    """A worker ended before its time. What this process has is as it was before the window."""


LOST = "a worker process ended, perhaps for want of memory; go on with --resume, or with --set train.threads=1 too"
