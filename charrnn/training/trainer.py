"""Trains a run from where it stands to its end: updates, evaluations, checkpoints, metrics."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

from threadpoolctl import threadpool_limits

from charrnn import advice, cores
from charrnn.config import writing
from charrnn.config.schema import Config
from charrnn.cores import Plan
from charrnn.environment import environment
from charrnn.errors import DivergedError, OutputError
from charrnn.files import Warn
from charrnn.judging.evaluation import EvaluationStopped
from charrnn.runs.directory import RunDirectory
from charrnn.runs.places import METRICS, SAMPLES
from charrnn.runs.run import Run
from charrnn.tasks.base import Examples, Scores, Split
from charrnn.training import gradients, hopeless, layouts, leading, limits, loop, metrics, patience, resuming, watching
from charrnn.training.accumulation import UpdateBatches
from charrnn.training.divergence import Divergence
from charrnn.training.gradients import Gradients
from charrnn.training.metrics import Clock, Record
from charrnn.training.more import More
from charrnn.training.preparing import Prepared, openings_of, split_of
from charrnn.training.progress import Progress
from charrnn.training.saving import Saver
from charrnn.training.team import LostWorkerError
from charrnn.training.world import World


class Trainer:
    """Trains a run in a directory. Make one with `begin` or `resume`, iterate over `records()`, then `close()`."""

    def __init__(
        self,
        directory: RunDirectory,
        run: Run,
        split: Split,
        world: World | None = None,
        layout: Plan | None = None,
    ) -> None:
        """`world` are the ranks that train together, where there are several; this is rank 0 of them.

        `layout` is how a run that is resumed was laid out, where that is to be so again.
        """
        self.world = world
        self.directory = directory
        self.run = run
        self.split = split
        batches = UpdateBatches(split.train, run.config.train.accumulate)
        self.progress = Progress(run, len(batches), split.validation is not None)
        self.plan = layout or (plan(run) if world is None else leading.plan(run, world))
        self.notes: list[str] = []
        """What a user may want to know, a line each, such as characters that the old weights do not know."""
        if world and (idle := world.size - run.config.train.batch_size) > 0:
            self.notes.append(
                f"{idle} of {world.size} ranks have no rows to compute; raise train.batch_size, or start fewer"
            )
        self.warnings: list[str] = []
        """What a user must know, a line each: damaged checkpoints passed over, saves that failed."""
        self.warn: Warn = self.warnings.append
        """Is called with each warning. It keeps them in `warnings`, until who wants them at once takes its place."""
        self._warned: set[str] = set()
        directory.warn = self._warn_once
        self._judge: Callable[[Any, Callable[[], bool]], Scores] = self._judge_alone
        self.saver = Saver(run, directory, batches, lambda message: self.warn(message))
        self.divergence = Divergence(self.progress, split, self.saver)

    @classmethod
    def begin(
        cls,
        directory: RunDirectory,
        prepared: Prepared,
        world: World | None = None,
        chosen: Collection[str] = (),
    ) -> Trainer:
        """Begins a run, which `preparing.prepare` made, in a directory of its own.

        `chosen` are the keys that no user has set: so they are marked in `config.yaml`.
        """
        trainer = cls(directory, prepared.run, prepared.split, world)
        trainer.notes += prepared.notes
        directory.write_config(writing.with_chosen(prepared.run.config, chosen))
        trainer._note_environment()
        return trainer

    @classmethod
    def resume(
        cls,
        directory: RunDirectory,
        run: Run,
        config: Config,
        examples: Examples,
        more: More | None = None,
        world: World | None = None,
    ) -> Trainer:
        """Continues `run` with a `config` that may differ in the keys of RESUMABLE, to its end or to do so much `more`.

        Raises ConfigError or CheckpointError where configuration or examples are not those of the run.
        """
        resuming.refuse_another_configuration(run, config)
        resuming.refuse_other_examples(run, examples)
        directory.catch_up(run)
        before, split = (split_of(run.task, each, examples) for each in (run.config, config))
        if _judged(before) != _judged(split):
            run.best, run.best_at = None, 0  # it was measured on other examples than those to come
            patience.begin_anew(run, forget=True)
        patience.refuse_without_validation(config, split)
        layout = layouts.taken_again(run, config, world)
        run.config = config
        run.openings = run.openings or openings_of(run.task, split)  # old checkpoints have none
        if more:
            updates = len(UpdateBatches(split.train, config.train.accumulate))
            run.elapsed = max(run.elapsed, directory.trim_metrics(run.iteration))
            run.config = dataclasses.replace(config, train=more.beyond(run, updates))
            patience.begin_anew(run)
        trainer = cls(directory, run, split, world, layout)
        run.elapsed = max(run.elapsed, directory.trim_metrics(trainer.progress.last_line))
        chosen = writing.still_chosen(run.config, directory.config_before())
        directory.write_config(writing.with_chosen(run.config, chosen))
        trainer._note_environment()
        return trainer

    def close(self) -> None:
        """Unlocks the directory."""
        self.directory.close()

    def records(self, stop: Callable[[], bool] = lambda: False) -> Iterator[Record]:
        """Trains to the end. Yields a record for each iteration; evaluates, saves and writes metrics on the way.

        Between two records the run may be saved with `saver.save()`, and left. Once `stop()` is true, that should be
        done: evaluations end early, and are made up for when the run is resumed. What goes wrong with a file on the way
        is a warning, and training goes on. Raises DivergedError, and OutputError where the run is at its end and cannot
        be saved.
        """
        if self.run.config.train.on_divergence == "rollback" and not self.run.iteration:
            self.saver.save()  # what there is to go back to
        try:
            with (
                threadpool_limits(self.plan.blas_threads, user_api="blas"),
                self._gradients() as compute,
            ):
                while True:
                    try:
                        yield from self._train(compute, stop)
                        return
                    except DivergedError as error:
                        self.divergence.roll_back(error)
        except LostWorkerError as error:
            saved = not error.torn and bool(self.run.iteration) and self.saver.try_to_save()
            saved = saved or self.directory.holds_a_run()
            layout = self.run.config.train.layout  # where it is set, nothing else says how many processes there are
            one = advice.setting("train.threads", 1) if layout is None else advice.setting("train.layout", "1x1")
            resume = resuming.command(self.run, self.directory.path)
            what = f"go on with that too: {resume} {one}" if saved else f"try {one}"
            raise LostWorkerError(f"{error}; {what}") from None
        except MemoryError:  # perhaps in the middle of an update
            raise OutputError(limits.out_of_memory(self.run.config, self.run.model)) from None

    @contextmanager
    def _gradients(self) -> Iterator[Gradients]:
        """Yields what computes gradients: this process and its team, or all ranks."""
        if self.world is None:
            with gradients.choose(self.run, self.plan, self.warn) as compute:
                yield compute
            return
        with leading.lead(self.world, self.run, self.directory.path, self.plan, self.warn) as leader:
            self.saver.complete, self._judge = leader.collect, leader.judge
            yield leader

    def _train(self, compute: Gradients, stop: Callable[[], bool]) -> Iterator[Record]:
        run, clock = self.run, Clock(self.run)
        if self.progress.evaluation_is_due:  # where the run was stopped
            yield self._finish_iteration(clock, stop)
        clock.begin()
        for update in loop.updates(run, self.split.train, compute, self.progress.share, self.divergence.on_batch):
            clock.stop(update)
            run.scores = None
            if not update.skipped:
                run.losses.append(update.nats)
            yield self._finish_iteration(clock, stop)
            clock.begin()

    def _finish_iteration(self, clock: Clock, stop: Callable[[], bool]) -> Record:
        """Does what there is to do after an update: evaluates, writes metrics and saves, each if it is time."""
        run = self.run
        stopped = False
        if self.progress.evaluation_is_due:
            try:
                self._evaluate(stop)
            except EvaluationStopped:
                stopped = True
        ended = self.progress.share() >= 1  # perhaps by what was just found
        record = metrics.record(self.progress, clock)
        if not stopped and self.progress.sample_is_due:
            record = self._sample(record)
        if not stopped:
            if ended or run.scores is not None or run.iteration % metrics.EVERY == 0:
                self.saver.tolerate(METRICS, lambda: self.directory.append_metrics(record.as_dict()))
                run.losses.clear()
                clock.restart()
            self.saver.keep(ended)
        # The time that this took counts from the next update on: else a run could end on the clock right here, between
        # two updates, and its end would not be saved.
        return record

    def _evaluate(self, stop: Callable[[], bool]) -> None:
        run = self.run
        scores = self._judge(self.split.validation, stop)
        nats = scores["nats"]
        if not abs(nats) < hopeless.MOST_NATS:
            raise DivergedError(f"diverged at iteration {run.iteration}: the validation loss is {nats:.3g}")
        run.note_scores(scores, self.saver.is_better(scores))
        if run.iteration % run.config.train.eval_every == 0:  # one at the end alone would count in no longer run
            patience.note(run, scores, len(self.split.validation or ()))

    def _judge_alone(self, part: Any, stop: Callable[[], bool]) -> Scores:
        return self.run.task.judge(self.run.model, self.run.weights, part, stop)

    def _sample(self, record: Record) -> Record:
        """Lets the model write or answer, and keeps that beside the metrics. The run is as it was."""
        sample = watching.sample(self.run, self.split)
        if sample is None:
            return record
        line = {"iteration": record.iteration, "val_nats": record.val_nats, "text": sample}
        self.saver.tolerate(SAMPLES, lambda: self.directory.append_sample(line))
        return dataclasses.replace(record, sample=sample)

    def _warn_once(self, message: str) -> None:
        if message not in self._warned:
            self._warned.add(message)
            self.warn(message)

    def _note_environment(self) -> None:
        """Notes what computes from now on, and warns if it is not what did before."""
        now = {**environment(), "cores": str(self.plan)}
        if changes := resuming.changes(self.run, now):
            self.warn(f"{'; '.join(changes)}: the run goes on well, but not bit for bit as it would have")
        self.run.environment = now


def _judged(split: Split) -> int:
    """How many answers an evaluation judges."""
    return 0 if split.validation is None else len(split.validation)


def plan(run: Run) -> Plan:
    """Returns how the work of a run's batches is shared among processes and threads."""
    train = run.config.train
    return layouts.choose(run, train.batch_size, train.threads or cores.available_cores())
