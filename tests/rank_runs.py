"""What several ranks make of small runs of every kind, beside what one process makes of them.

    mpiexec -n 3 python tests/rank_runs.py FOLDER

Rank 0 trains each case with all ranks and alone, and writes what it found to `found.json`: one launch for many cases,
as to start a rank takes a second.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

import numpy as np
from task_runs import ITEMS, written

from charrnn import tasks
from charrnn.config.resolve import Setting, resolve
from charrnn.cores import Plan
from charrnn.nn.model import CharLM
from charrnn.resources import CORPORA
from charrnn.runs.directory import RunDirectory
from charrnn.text.corpus import Library
from charrnn.training import gradients, leading, world
from charrnn.training.following import follow
from charrnn.training.preparing import prepare
from charrnn.training.trainer import Trainer

SETTINGS: dict[str, Any] = {
    "model.hidden_size": 4,
    "model.dropout": 0.3,
    "model.initial_state": "random",
    "train.batch_size": 7,
    "train.seq_length": 6,
    "train.iterations": 11,
    "train.eval_every": 4,
    "train.eval_chars": 100,
    "train.checkpoint_every": 3,
    "train.seed": 1,
    "train.threads": 1,
    "train.dtype": "float64",
    "data.split": [0.8, 0.2, 0],
    "optim.average": 0.9,
    "optim.weight_decay": 0.01,
}
"""Keys that leave much to chance, and with which an update that a rank missed would show."""

CASES: dict[str, dict[str, Any]] = {
    "language_model": {},
    **{name: {"task.name": name} for name in ITEMS},
    "documents": {"data.documents": "lines"},
    "fewer rows than ranks": {"train.batch_size": 1},
    "accumulate": {"train.accumulate": 3},
    "accumulate documents": {"train.accumulate": 3, "data.documents": "lines"},
    "sgd without a bound": {"optim.name": "sgd", "optim.clip_norm": None},
    "two processes": {"model.zoneout_h": 0.1},
    "skip": {"train.on_divergence": "skip"},
    "rollback": {"train.on_divergence": "rollback"},
    "stop": {"train.on_divergence": "stop"},
}
SPOILING = "skip", "rollback", "stop"
SPOILED = 8
"""The batch whose loss is no number, where that is what a case is about."""


def text_of(case: str, folder: Path) -> str:
    """A file of what the run of a case learns from."""
    task = CASES[case].get("task.name")
    path = folder / f"{task or 'text'}.txt"
    if not path.exists():
        lines = (f"{n} men and {n * n % 97} dogs" for n in range(150))
        path.write_text(written(ITEMS[task]) if task else "".join(f"{line}\n" for line in lines))
    return str(path)


def begun(case: str, place: Path, together: world.World | None) -> Trainer:
    settings = [Setting(key, value, "test") for key, value in (SETTINGS | CASES[case]).items()]
    config = resolve(settings)[0]
    library = Library(CORPORA, place.parent / "cache")
    examples = tasks.find(config.task.name, config.data).read(library, [text_of(case, place.parent)], config.data)
    return Trainer.begin(RunDirectory(place), prepare(config, examples), together)


def resumed(case: str, place: Path, together: world.World | None) -> Trainer:
    directory = RunDirectory(place, resume=True)
    run, _ = directory.newest()
    library = Library(CORPORA, place.parent / "cache")
    examples = run.task.read(library, [text_of(case, place.parent)], run.config.data)
    return Trainer.resume(directory, run, run.config, examples, None, together)


@contextlib.contextmanager
def spoiling(case: str) -> Any:
    """One loss is no number within the block, if the case is about that."""
    real, count = CharLM.loss_and_grads, 0

    def spoiled(self: Any, *given: Any, **more: Any) -> Any:
        nonlocal count
        count += 1
        loss, state = real(self, *given, **more)
        return (np.nan if count == SPOILED else loss), state

    if case in SPOILING:
        CharLM.loss_and_grads = spoiled  # type: ignore[method-assign,assignment]
    try:
        yield
    finally:
        CharLM.loss_and_grads = real  # type: ignore[method-assign]


def finish(trainer: Trainer, at: int | None = None) -> str:
    """Trains to the end, or to an iteration at which it is saved; returns by what it was ended, if by anything."""
    with contextlib.closing(trainer):
        try:
            for record in trainer.records():
                if record.iteration == at:
                    trainer.saver.save()
                    return ""
        except Exception as error:
            return f"{type(error).__name__}: {error}"
    return ""


def numbers(trainer: Trainer) -> dict[str, Any]:
    run = trainer.run
    last = RunDirectory(trainer.directory.path, resume=True)
    saved, _ = last.newest()
    last.close()
    lines = (trainer.directory.path / "metrics.jsonl").read_text().splitlines()
    names = ["train_nats", "grad_norm", *sorted(name for name in json.loads(lines[-1]) if name.startswith("val_"))]
    return {
        "counts": [saved.iteration, run.iteration, run.skipped, run.rollbacks],
        "metrics": [[json.loads(line).get(name) for name in names] for line in lines],
        "arrays": {name: array.tolist() for name, array in saved.arrays().items()},
        "rows": _rows_of_report(trainer.directory.path / "diverged.json"),
    }


def _rows_of_report(path: Path) -> Any:
    return [row["nats"] for row in json.loads(path.read_text())["rows"]] if path.exists() else []


def compare(case: str, folder: Path, together: world.World) -> dict[str, Any]:
    """What comes of a case in one process, with all ranks, and with all ranks when it is left and resumed."""
    found: dict[str, Any] = {}
    ends = []
    spoils = case in SPOILING
    for way, ranks in (("alone", None), ("together", together), ("again", together)):
        with spoiling(case):
            trainer = begun(case, folder / f"{case}-{way}", ranks)
            if way == "again" and not spoils:
                assert finish(trainer, at=5) == ""
                trainer = resumed(case, folder / f"{case}-{way}", ranks)
            ended = finish(trainer)
        found[way] = {"ended": ended.replace(f"-{way}", ""), "plan": str(trainer.plan), **numbers(trainer)}
        ends.append((trainer.directory.path / "last.npz").read_bytes())
    return {**found, "same bytes": ends[1] == ends[2]}


def disagree(folder: Path, together: world.World) -> str:
    """What is said where the parameters of rank 0 are no longer those of the others, and nothing is being saved."""
    leading.CHECK_EVERY = 2
    CASES["disagree"] = {"train.checkpoint_every": 1000, "train.eval_every": 1000}
    trainer = begun("disagree", folder / "disagree", together)
    with contextlib.closing(trainer):
        try:
            for record in trainer.records():
                if record.iteration == 5:
                    trainer.run.params.vector[3] += 1e-15
                assert record.iteration < 10, "it is noticed too late"
        except Exception as error:
            return f"{type(error).__name__}: {error}"
    return ""


def halted(folder: Path, together: world.World) -> list[Any]:
    """What comes of a run that is asked to stop in its second evaluation, beside one that is not.

    First is whether both end in the same bytes, then how many iterations were done when it stopped, and what it had
    found there.
    """
    CASES["halted"] = {"train.eval_chars": None, "data.split": [0.4, 0.6, 0]}
    whole, cut = (begun("halted", folder / name, together) for name in ("whole", "cut"))
    assert finish(whole) == ""
    asked = 0

    def stop() -> bool:
        nonlocal asked
        asked += cut.run.iteration == 8
        return asked == 3

    with contextlib.closing(cut):
        record = next(record for record in cut.records(stop) if asked)
        cut.saver.save()
    again = resumed("halted", folder / "cut", together)
    assert finish(again) == ""
    ends = [(folder / name / "last.npz").read_bytes() for name in ("whole", "cut")]
    return [ends[0] == ends[1], record.iteration, record.scores, asked]


@contextlib.contextmanager
def two_processes() -> Any:
    """Ranks of two processes each within the block."""
    real = leading.plan
    leading.plan = lambda run, ranks: Plan(2, ranks=ranks.size)
    try:
        yield
    finally:
        leading.plan = real


class Teamless:
    """Is no team where a file of that name is in the folder."""

    def __init__(self, folder: Path, real: Any) -> None:
        self.place, self.real = folder / "teamless", real

    def __call__(self, *given: Any) -> Any:
        if self.place.exists():
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return self.real(*given)


def teamless(folder: Path, together: world.World) -> dict[str, Any]:
    """What is said and noted where one rank cannot start its processes."""
    CASES["teamless"] = {}
    (folder / "teamless").touch()
    with two_processes():
        trainer = begun("teamless", folder / "one-without", together)
        ended = finish(trainer)
    (folder / "teamless").unlink()
    return {"ended": ended, "warnings": trainer.warnings, "cores": trainer.run.environment["cores"]}


def sums(together: world.World) -> list[list[float]]:
    """What the ranks add up to, where the order of three numbers matters."""
    found = []
    for _ in range(2):
        vector = np.full(5, (1e16, -1e16, 1.0)[together.rank])
        together.add(vector)
        found.append(vector.tolist())
    return found


def main(folder: Path) -> int:
    together = world.join()
    found: dict[str, Any] = {"sums": sums(together)}
    if together.rank == 1:
        gradients.Team = Teamless(folder, gradients.Team)  # type: ignore[misc,assignment]
    if together.rank:
        return follow(together)
    for case in CASES:
        with two_processes() if case == "two processes" else contextlib.nullcontext():
            found[case] = compare(case, folder, together)
    found["teamless"] = teamless(folder, together)
    with contextlib.closing(resumed("language_model", folder / "language_model-again", None)) as alone:
        found["warned"] = alone.warnings
    found["halted"] = halted(folder, together)
    found["disagree"] = disagree(folder, together)
    (folder / "found.json").write_text(json.dumps(found))
    together.leave(0)
    return 0


if __name__ == "__main__":
    code = 1
    try:
        code = main(Path(sys.argv[1]))
    except BaseException:
        traceback.print_exc()
        from mpi4py import MPI

        MPI.COMM_WORLD.Abort(1)
