"""A run from its text and configuration to its end: evaluations, checkpoints, metrics."""

from __future__ import annotations

import dataclasses
import math
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property

import numpy as np
from threadpoolctl import threadpool_limits

from charrnn.config import writing
from charrnn.config.schema import Config
from charrnn.cores import Plan, plan
from charrnn.environment import environment
from charrnn.errors import DataError, DivergedError, LockedError, OutputError
from charrnn.files import Warn
from charrnn.judging.evaluation import Stopped, evaluate
from charrnn.nn import rtrl
from charrnn.nn.parameters import Parameters
from charrnn.optim import schedules
from charrnn.runs.directory import BEST, DIVERGED, LAST, METRICS, RunDirectory
from charrnn.runs.run import Corpus, Run, arrays, build_optimizer, go_back, new
from charrnn.runs.transfer import graft
from charrnn.text.encoding import Text
from charrnn.text.streams import SPLITS, LongIds, Split, Streams, Windows, side_by_side
from charrnn.text.vocabulary import Vocabulary
from charrnn.training import divergence, limits, loop, metrics, resuming
from charrnn.training.metrics import Clock, Record
from charrnn.training.team import LostWorkerError, Team


def split_text(config: Config, ids: LongIds) -> Split:
    """The streams of a text under a configuration. Raises DataError if it is too short."""
    cut = SPLITS[config.data.split_by]
    return cut(ids, config.data.split, config.train.batch_size, config.train.seq_length)


MOST_SKIPPED = 20
"""Windows that may be skipped one after another; if more are bad, it is the weights that are."""

MOST_ROLLBACKS = 3


class Trainer:
    """A training run in a directory. Make one with `begin` or `resume`, iterate over `records()`, then `close()`."""

    def __init__(self, directory: RunDirectory, checkpoint: Run, split: Split) -> None:
        self.directory = directory
        self.run = checkpoint
        self.split = split
        self.windows = Windows(split.train, checkpoint.config.train.seq_length)
        train = checkpoint.config.train
        self.plan = plan(checkpoint.model, train.seq_length, train.batch_size, train.threads)
        if train.gradient == "rtrl":
            self.plan = Plan(1, 1)
        self.notes: list[str] = []
        """What a user may want to know, as characters that are new."""
        self.warnings: list[str] = []
        """What a user must know: damaged checkpoints passed over, saves that failed."""
        self.warn: Warn = self.warnings.append
        directory.warn = self._warn_once
        self._told: set[str] = set()
        self._failing: dict[str, str] = {}
        """Why which files cannot be written at present; it has been told."""

    @classmethod
    def prepare(cls, config: Config, text: Text, old: Run | None = None) -> tuple[Run, Split, list[str]]:
        """All that can fail before a directory is made: the checkpoint before the first update, and the streams.

        `old`, where given, is a run whose weights the new one begins with. Raises DataError, CheckpointError,
        OutputError.
        """
        if config.train.seed is None:
            train = dataclasses.replace(config.train, seed=secrets.randbits(32))
            config = dataclasses.replace(config, train=train)
        vocabulary = Vocabulary.of(text.symbols, text.encoding)
        limits.refuse_hopeless(config, len(vocabulary))
        if len(vocabulary) < 2:
            raise DataError(
                f"{text.name} has one distinct character, {vocabulary.symbols!r}; there is nothing to predict"
            )
        split = split_text(config, text.ids(vocabulary))
        try:
            run = new(config, vocabulary, Corpus(text.name, text.size, text.sha256))
        except MemoryError:
            raise OutputError(limits.out_of_memory(config, len(vocabulary))) from None
        notes = []
        if old is not None:
            added = graft(run, old)
            if added:
                notes.append(f"characters new to the weights: {added!r}")
        return run, split, notes

    @classmethod
    def begin(cls, directory: RunDirectory, checkpoint: Run, split: Split, notes: list[str]) -> Trainer:
        """A new run in a directory of its own."""
        run = cls(directory, checkpoint, split)
        run.notes += notes
        directory.write_config(writing.to_yaml(checkpoint.config))
        run._settle_in()
        return run

    @classmethod
    def resume(cls, directory: RunDirectory, checkpoint: Run, config: Config, text: Text) -> Trainer:
        """A run continued from `checkpoint`, with a `config` that may differ in the keys of RESUMABLE.

        Raises ConfigError or CheckpointError where configuration or text are not those of the run.
        """
        resuming.refuse_another_run(checkpoint, config, text)
        directory.catch_up(checkpoint)
        if config.train.eval_chars != checkpoint.config.train.eval_chars:
            checkpoint.best_nats = None  # it was measured on another text than those to come
        checkpoint.config = config
        ids = text.ids(checkpoint.vocabulary)
        run = cls(directory, checkpoint, split_text(config, ids))
        checkpoint.elapsed = max(checkpoint.elapsed, directory.trim_metrics(run._last_line()))
        directory.write_config(writing.to_yaml(config))
        run._settle_in()
        return run

    def _settle_in(self) -> None:
        """Notes what computes from now on, and warns if it is not what did before."""
        now = {**environment(), "cores": str(self.plan)}
        if changes := resuming.changes(self.run, now):
            self.warn(f"{'; '.join(changes)}: the run goes on well, but not bit for bit as it would have")
        self.run.environment = now

    def close(self) -> None:
        """Gives the directory back."""
        self.directory.close()

    @property
    def total_iterations(self) -> int | None:
        """Iterations of the whole run; None where only the clock ends it."""
        train = self.run.config.train
        ends = [n for n in (train.iterations, train.epochs and train.epochs * len(self.windows)) if n]
        return min(ends, default=None)

    def progress(self) -> float:
        """The share of the run that is done: of its iterations or of its time, whichever is further."""
        run, budget = self.run, self.run.config.train.time_budget
        total = self.total_iterations
        return max(
            run.iteration / total if total else 0.0,
            run.elapsed / budget if budget else 0.0,
        )

    @property
    def complete(self) -> bool:
        """Whether nothing is left to do."""
        return self.progress() >= 1 and not self._evaluation_is_due()

    @cached_property
    def validation(self) -> Streams | None:
        """The streams of an evaluation: the validation text, up to `train.eval_chars` of it; None without one."""
        streams = self.split.validation
        most = self.run.config.train.eval_chars
        if not streams.lengths.sum():
            return None
        if most is None or streams.lengths.sum() < most:
            return streams
        if self.run.config.data.split_by == "tail":
            start = int(streams.first[0])
            return side_by_side(streams.ids, start, start + most)
        return dataclasses.replace(streams, lengths=np.minimum(streams.lengths, -(-most // streams.batch_size)))

    def records(self, stop: Callable[[], bool] = lambda: False) -> Iterator[Record]:
        """Trains to the end. Yields a record for each iteration; evaluates, saves and writes metrics on the way.

        Between two records the checkpoint may be saved with `save()`, and the iteration abandoned. Once `stop()` is
        true, that should be done: evaluations end early, and are made up for when the run is resumed. What goes wrong
        with a file on the way is told to `warn`, and training goes on. Raises DivergedError, and OutputError where
        the run is at its end and cannot be saved.
        """
        if self.run.config.train.on_divergence == "rollback" and not self.run.iteration:
            self.save()  # what there is to go back to
        try:
            with threadpool_limits(self.plan.blas_threads, user_api="blas"), self._team() as gradients:
                while True:
                    try:
                        yield from self._train(gradients, stop)
                        return
                    except DivergedError as error:
                        self._go_back(error)
        except LostWorkerError:
            if self.run.iteration:
                self.try_to_save()  # what was there before this window
            raise
        except MemoryError:  # perhaps in the middle of an update
            raise OutputError(limits.out_of_memory(self.run.config, len(self.run.vocabulary))) from None

    def _train(self, gradients: loop.Gradients | None, stop: Callable[[], bool]) -> Iterator[Record]:
        run, optim = self.run, self.run.config.optim
        schedule = schedules.build(
            optim.schedule,
            optim.learning_rate,
            optim.warmup,
            optim.min_learning_rate,
            optim.decay,
            optim.decay_after,
            optim.decay_every,
        )
        optimizer = build_optimizer(run.config)
        clock = Clock(run)
        if self._evaluation_is_due():  # where the run was stopped
            yield self._finish_iteration(clock, stop)
        updates = loop.updates(run, self.windows, optimizer, schedule, self.progress, gradients, self._on_divergence)
        clock.begin()
        for update in updates:
            clock.stop()
            run.validation_nats = None
            if not update.skipped:
                run.losses.append(update.nats)
            yield self._finish_iteration(clock, stop)
            clock.begin()

    def _evaluation_is_due(self) -> bool:
        run = self.run
        here = self.progress() >= 1 or run.iteration % run.config.train.eval_every == 0
        return bool(self.validation and run.iteration and here and run.validation_nats is None)

    def _last_line(self) -> int:
        """The iteration of the last line of metrics that may be there: none of an evaluation that is yet to come."""
        return self.run.iteration - self._evaluation_is_due()

    def _finish_iteration(self, clock: Clock, stop: Callable[[], bool]) -> Record:
        """What there is to do after an update: evaluate, write metrics, save, each if it is time."""
        run = self.run
        ended, stopped = self.progress() >= 1, False
        if self.validation and self._evaluation_is_due():
            try:
                run.validation_nats = self._evaluate(self.validation, stop)
            except Stopped:
                stopped = True
        record = self._record(clock)
        if not stopped:
            if ended or run.validation_nats is not None or run.iteration % metrics.EVERY == 0:
                self._tolerate(METRICS, lambda: self.directory.append_metrics(record.as_dict()))
                run.losses.clear()
                clock.restart()
            self._keep(ended)
        clock.tick()
        return record

    @contextmanager
    def _team(self) -> Iterator[loop.Gradients | None]:
        """The processes that share the work of a window; None where one is fastest."""
        run, train = self.run, self.run.config.train
        if train.gradient == "rtrl":
            yield rtrl.Sensitivity(run.model, run.slots["sensitivity"]).gradients(run.params)
            return
        if self.plan.processes == 1:
            yield None
            return
        team = Team(run.model, train.seq_length, train.batch_size, run.params, self.plan.processes)
        run.params = team.params
        try:
            yield team.loss_and_grads
        finally:
            team.close()

    def _evaluate(self, validation: Streams, stop: Callable[[], bool]) -> float:
        nats = evaluate(self.run.model, self.run.params, validation, stop)
        if not abs(nats) < loop.MOST_NATS:
            raise DivergedError(f"diverged at iteration {self.run.iteration}: the validation loss is {nats:.3g}")
        return nats

    def _record(self, clock: Clock) -> Record:
        run, per_update = self.run, self.windows.streams.batch_size * self.windows.seq_length
        return Record(
            iteration=run.iteration,
            epoch=round(run.iteration / len(self.windows), 4),
            chars=run.iteration * per_update,
            train_nats=math.fsum(run.losses) / len(run.losses) if run.losses else None,
            learning_rate=run.learning_rate,
            grad_norm=run.grad_norm,
            chars_per_s=round(clock.updates * per_update / max(clock.seconds, 1e-9), 1),
            elapsed_s=round(run.elapsed, 3),
            skipped=run.skipped,
            rollbacks=run.rollbacks,
            val_nats=run.validation_nats,
        )

    def _keep(self, ended: bool) -> None:
        run = self.run
        nats, best = run.validation_nats, run.best_nats
        if nats is not None and (best is None or nats < best):
            run.best_nats = nats
            self._check_finite()
            if not self._tolerate(BEST, lambda: self.directory.save_best(run)):
                run.best_nats = best
        if ended:
            self.save()
        elif run.iteration % run.config.train.checkpoint_every == 0:
            self.try_to_save()

    def try_to_save(self) -> bool:
        """`save`, but a failure is a warning; tells which it was."""
        return self._tolerate(LAST, self.save)

    def _warn_once(self, message: str) -> None:
        if message not in self._told:
            self._told.add(message)
            self.warn(message)

    def _tolerate(self, name: str, write: Callable[[], None]) -> bool:
        """Writes a file of the run, or warns, once for each cause: the next time it may work. Tells which it was."""
        try:
            write()
        except (OutputError, LockedError, MemoryError) as error:
            message = str(error) or "out of memory"
            if self._failing.get(name) != message:
                self.warn(f"{message}; {name} has nothing of iteration {self.run.iteration:,}, and training goes on")
            self._failing[name] = message
            return False
        self._failing.pop(name, None)
        return True

    def save(self) -> None:
        """Saves `last.npz` now. Raises DivergedError rather than keep weights that are not finite, and OutputError."""
        self._check_finite()
        self.directory.save_last(self.run)

    def _check_finite(self) -> None:
        if not all(np.isfinite(array).all() for array in arrays(self.run).values()):
            raise DivergedError(
                f"diverged at iteration {self.run.iteration}: weights, optimizer or state are not finite, and "
                f"were not saved"
            )

    def _on_divergence(self, error: DivergedError, grads: Parameters) -> None:
        """Keeps what is known of the window; returns where it is to be skipped."""
        run = self.run
        report = divergence.report(run, self.windows, error.what, grads)
        self._tolerate(DIVERGED, lambda: self.directory.write_diverged(report))
        where = f"{error.what}; see {self.directory.path / DIVERGED}"
        if run.config.train.on_divergence != "skip":
            raise DivergedError(where)
        if run.skipped_in_a_row >= MOST_SKIPPED:
            raise DivergedError(f"{where}; {MOST_SKIPPED} windows before it were skipped already")
        if not run.skipped:
            self.warn(f"{where}; its window is skipped, and so will be others like it")

    def _go_back(self, error: DivergedError) -> None:
        """Goes on from the last checkpoint at half the rate, if the configuration says so and that may still help."""
        run = self.run
        if run.config.train.on_divergence != "rollback":
            raise error
        if run.rollbacks >= MOST_ROLLBACKS:
            raise DivergedError(f"{error.what}; the rate was halved {MOST_ROLLBACKS} times already")
        earlier, _ = self.directory.newest()
        go_back(run, earlier)
        run.rollbacks += 1
        self.directory.trim_metrics(self._last_line())
        self.warn(
            f"{error.what}; back to iteration {run.iteration:,}, and on with the learning rate at half, "
            f"for the {('first', 'second', 'third')[run.rollbacks - 1]} time of {MOST_ROLLBACKS}"
        )
