"""Runs that are left on their way and resumed, from Python, and what differs then from a run that was not."""

from __future__ import annotations

import contextlib
import shutil

from crashing import metrics_of

from charrnn.config.resolve import Setting, resolve
from charrnn.runs.directory import RunDirectory
from charrnn.runs.places import BEST, CHECKPOINTS, LAST, METRICS
from charrnn.text.encoding import decode
from charrnn.training.preparing import prepare
from charrnn.training.trainer import Trainer

TEXT = decode([" ".join(f"{n * n % 29} foxes," for n in range(90)).encode()[:265]], "a text", "utf-8")
SMALL = {
    "model.hidden_size": 3,
    "train.batch_size": 2,
    "train.seq_length": 5,
    "train.iterations": 30,
    "train.eval_every": 7,
    "train.eval_chars": 130,
    "train.checkpoint_every": 6,
    "train.seed": 1,
    "train.threads": 1,
    "data.split": [0.42, 0.5, 0.08],
    "optim.learning_rate": 0.05,
}
"""Three epochs of eleven windows, but for the last three; five evaluations of three windows, five checkpoints."""


def config(**changes):
    settings = SMALL | {name.replace("__", "."): value for name, value in changes.items()}
    return resolve([Setting(name, value, "test") for name, value in settings.items()])[0]


def begin(folder, examples=TEXT, **changes):
    return Trainer.begin(RunDirectory(folder), prepare(config(**changes), examples))


def resume(folder, forget=lambda checkpoint: None, examples=TEXT):
    """The run as its newest checkpoint has it, but for what is forgotten."""
    directory = RunDirectory(folder, resume=True)
    checkpoint, damaged = directory.newest()
    assert not damaged
    forget(checkpoint)
    return Trainer.resume(directory, checkpoint, checkpoint.config, examples)


def again(folder, **changes):
    """What one does after a crash."""
    some = any((folder / name).exists() for name in CHECKPOINTS)
    return resume(folder) if some else begin(folder, **changes)


def leave(run, records=0, windows=0, save=True):
    """Trains for so many records, or until so many windows of evaluations were read, and saves, as a signal has it do.

    Or does not, as if it were killed. Returns the iteration it had reached; None where it came to its end before.
    """
    read = 0

    def stop():
        nonlocal read
        read += 1
        return read == windows

    with contextlib.closing(run), contextlib.closing(run.records(stop)) as going:
        for count, record in enumerate(going, 1):
            if count == records or (windows and read >= windows):
                if save:
                    run.saver.save()
                return record.iteration
    return None


def to_the_end(run):
    assert leave(run) is None
    return run.directory.path


def differing(run, whole):
    """What differs between two run directories: files, and the metrics without what a clock says."""
    ends = [
        {name: (path / name).read_bytes() for name in (LAST, BEST) if (path / name).exists()}
        | {METRICS: metrics_of(path)}
        for path in (run, whole)
    ]
    return {name for name in (LAST, BEST, METRICS) if ends[0].get(name) != ends[1].get(name)}


def interrupt(folder, iterations, examples=TEXT, **changes):
    """Interrupts a run after each of these iterations, and resumes it: always to the same end. Returns how many."""
    whole = to_the_end(begin(folder / "whole", examples, **changes))
    count = 0
    with contextlib.closing(begin(folder / "run", examples, **changes)) as run:
        for record in run.records():
            if record.iteration in iterations:
                run.saver.save()
                left = shutil.copytree(run.directory.path, folder / "left")
                to_the_end(resume(left, examples=examples))
                assert differing(left, whole) == set(), f"interrupted after iteration {record.iteration}"
                shutil.rmtree(left)
                count += 1
    assert differing(run.directory.path, whole) == set()
    shutil.rmtree(run.directory.path)
    shutil.rmtree(whole)
    assert count == len(iterations)
    return count
