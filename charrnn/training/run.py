"""A run from its text and configuration to its end: evaluations, checkpoints, metrics."""

from __future__ import annotations

import dataclasses
import math
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from charrnn import checkpoint as checkpoints
from charrnn.checkpoint import Checkpoint, Corpus
from charrnn.config import writing
from charrnn.config.schema import Config
from charrnn.errors import CheckpointError, ConfigError, DataError, DivergedError
from charrnn.evaluation import evaluate
from charrnn.gradcheck import rtrl
from charrnn.text.batches import SPLITS, LongIds, Split, Streams, Windows, side_by_side
from charrnn.text.encoding import Text
from charrnn.text.vocabulary import Vocabulary
from charrnn.training import loop, schedules
from charrnn.training.directory import RunDirectory
from charrnn.training.graft import graft
from charrnn.training.parallel import Plan, Team, plan

METRICS_EVERY = 20
"""Iterations between two lines of metrics.jsonl, beside those of evaluations."""

RESUMABLE = (
    "train.epochs",
    "train.iterations",
    "train.time_budget",
    "train.threads",
    "train.eval_every",
    "train.eval_chars",
    "train.checkpoint_every",
    "optim.learning_rate",
)
"""What may be changed when a run is resumed; all else would make it another run."""


@dataclass(frozen=True)
class Record:
    """Where the run stands after an iteration; as a dict, a line of metrics.jsonl."""

    iteration: int
    epoch: float
    chars: int
    """Characters trained on so far."""
    train_nats: float
    """Mean of the training loss since the last line of metrics.jsonl, in nats per character."""
    learning_rate: float
    grad_norm: float
    """Of the last window, before clipping."""
    chars_per_s: float
    """Training speed over the same iterations, evaluations and checkpoints not counted."""
    elapsed_s: float
    val_nats: float | None = None
    """Validation loss, on evaluations."""

    def as_dict(self) -> dict[str, Any]:
        """Without `val_nats` where there is none."""
        return {k: v for k, v in dataclasses.asdict(self).items() if v is not None}


def split_text(config: Config, ids: LongIds) -> Split:
    """The streams of a text under a configuration. Raises DataError if it is too short."""
    cut = SPLITS[config.data.split_by]
    return cut(ids, config.data.split, config.train.batch_size, config.train.seq_length)


MOST_SECONDS = 60.0
"""Of an iteration of RTRL; one that would take longer is hopeless."""


def refuse_hopeless(config: Config, vocab_size: int) -> None:
    """Raises ConfigError for what cannot be trained: a model that sees its target, RTRL that would never end."""
    model, train = checkpoints.build_model(config.model, vocab_size), config.train
    if model.bidirectional:
        raise ConfigError(
            "model.bidirectional: a model that reads the text from its end as well sees the character that it is to "
            "predict, and would learn to copy it; set it to false"
        )
    if train.gradient == "rtrl":
        B, S, P = rtrl.shape(model, train.batch_size)
        seconds = rtrl.seconds_of_iteration(model, train.seq_length, train.batch_size)
        if seconds > MOST_SECONDS:
            raise ConfigError(
                f"train.gradient: rtrl would take about {seconds / 60:,.0f} minutes for each iteration and "
                f"{B * S * P * 8 / 2**20:,.0f} MiB, as it carries {P:,} derivatives for each of {B * S:,} numbers of "
                f"the state; use bptt, or lower model.hidden_size, train.batch_size and train.seq_length"
            )


class Run:
    """A training run in a directory. Make one with `begin` or `resume`, iterate over `records()`, then `close()`."""

    def __init__(self, directory: RunDirectory, checkpoint: Checkpoint, split: Split) -> None:
        self.directory = directory
        self.checkpoint = checkpoint
        self.split = split
        self.windows = Windows(split.train, checkpoint.config.train.seq_length)
        train = checkpoint.config.train
        self.plan = plan(checkpoint.model, train.seq_length, train.batch_size, train.threads)
        if train.gradient == "rtrl":
            self.plan = Plan(1, 1)
        self.notes: list[str] = []
        """What a user should know: damaged checkpoints passed over, characters that are new."""

    @classmethod
    def prepare(cls, config: Config, text: Text, old: Checkpoint | None = None) -> tuple[Checkpoint, Split, list[str]]:
        """All that can fail before a directory is made: the checkpoint before the first update, and the streams.

        `old`, where given, is a run whose weights the new one begins with. Raises DataError, CheckpointError.
        """
        if config.train.seed is None:
            train = dataclasses.replace(config.train, seed=secrets.randbits(32))
            config = dataclasses.replace(config, train=train)
        vocabulary = Vocabulary.of(text.symbols, text.encoding)
        refuse_hopeless(config, len(vocabulary))
        if len(vocabulary) < 2:
            raise DataError(
                f"{text.name} has one distinct character, {vocabulary.symbols!r}; there is nothing to predict"
            )
        split = split_text(config, text.ids(vocabulary))
        run = checkpoints.new(config, vocabulary, Corpus(text.name, text.size, text.sha256))
        notes = []
        if old is not None:
            added = graft(run, old)
            if added:
                notes.append(f"characters new to the weights: {added!r}")
        return run, split, notes

    @classmethod
    def begin(cls, directory: RunDirectory, checkpoint: Checkpoint, split: Split, notes: list[str]) -> Run:
        """A new run in a directory of its own."""
        run = cls(directory, checkpoint, split)
        run.notes += notes
        directory.write_config(writing.to_yaml(checkpoint.config))
        return run

    @classmethod
    def resume(cls, directory: RunDirectory, checkpoint: Checkpoint, config: Config, text: Text) -> Run:
        """A run continued from `checkpoint`, with a `config` that may differ in the keys of RESUMABLE.

        Raises ConfigError or CheckpointError where configuration or text are not those of the run.
        """
        before, after = writing.to_dict(checkpoint.config), writing.to_dict(config)
        changed = [
            f"{section}.{name} was {before[section][name]!r} and cannot become {value!r} in a resumed run; "
            f"begin a new run, with --init-from if the weights shall be kept"
            for section, values in after.items()
            for name, value in values.items()
            if value != before[section][name] and f"{section}.{name}" not in RESUMABLE
        ]
        if changed:
            raise ConfigError(*changed)
        if text.sha256 != checkpoint.corpus.sha256:
            raise CheckpointError(
                f"{text.name} ({text.size:,} bytes, sha256 {text.sha256[:12]}...) is not the text of this run, "
                f"{checkpoint.corpus.name} ({checkpoint.corpus.size:,} bytes, sha256 "
                f"{checkpoint.corpus.sha256[:12]}...); give that text, or begin a new run with --init-from"
            )
        if config.train.eval_chars != checkpoint.config.train.eval_chars:
            checkpoint.best_nats = None  # it was measured on another text than those to come
        checkpoint.config = config
        ids = text.ids(checkpoint.vocabulary)
        run = cls(directory, checkpoint, split_text(config, ids))
        checkpoint.elapsed = max(checkpoint.elapsed, directory.trim_metrics(checkpoint.iteration))
        directory.write_config(writing.to_yaml(config))
        return run

    def close(self) -> None:
        """Gives the directory back."""
        self.directory.close()

    @property
    def total_iterations(self) -> int | None:
        """Iterations of the whole run; None where only the clock ends it."""
        train = self.checkpoint.config.train
        ends = [n for n in (train.iterations, train.epochs and train.epochs * len(self.windows)) if n]
        return min(ends, default=None)

    def progress(self) -> float:
        """The share of the run that is done: of its iterations or of its time, whichever is further."""
        run, budget = self.checkpoint, self.checkpoint.config.train.time_budget
        total = self.total_iterations
        return max(
            run.iteration / total if total else 0.0,
            run.elapsed / budget if budget else 0.0,
        )

    def validation(self) -> Streams | None:
        """The streams of an evaluation: the validation text, up to `train.eval_chars` of it; None without one."""
        streams = self.split.validation
        most = self.checkpoint.config.train.eval_chars
        if not streams.lengths.sum():
            return None
        if most is None or streams.lengths.sum() < most:
            return streams
        if self.checkpoint.config.data.split_by == "tail":
            start = int(streams.first[0])
            return side_by_side(streams.ids, start, start + most)
        return dataclasses.replace(streams, lengths=np.minimum(streams.lengths, -(-most // streams.batch_size)))

    def records(self) -> Iterator[Record]:
        """Trains to the end. Yields a record for each iteration; evaluates, saves and writes metrics on the way.

        Between two records the checkpoint may be saved with `save()`, and the iteration abandoned. Raises
        DivergedError, OutputError.
        """
        run, train = self.checkpoint, self.checkpoint.config.train
        optim = run.config.optim
        schedule = schedules.build(
            optim.schedule,
            optim.learning_rate,
            optim.warmup,
            optim.min_learning_rate,
            optim.decay,
            optim.decay_after,
            optim.decay_every,
        )
        optimizer = checkpoints.build_optimizer(run.config)
        validation = self.validation()
        elapsed_before, began = run.elapsed, time.monotonic()
        losses: list[float] = []
        training_time = 0.0
        mark = time.monotonic()
        with threadpool_limits(self.plan.blas_threads, user_api="blas"), self._team() as gradients:
            for update in loop.updates(run, self.windows, optimizer, schedule, self.progress, gradients):
                now = time.monotonic()
                training_time += now - mark
                run.elapsed = elapsed_before + now - began
                run.validation_nats = None
                losses.append(update.nats)
                ended = self.progress() >= 1
                if validation and (ended or run.iteration % train.eval_every == 0):
                    run.validation_nats = self._evaluate(validation)
                record = self._record(update, losses, training_time)
                if ended or run.validation_nats is not None or run.iteration % METRICS_EVERY == 0:
                    self.directory.append_metrics(record.as_dict())
                    losses.clear()
                    training_time = 0.0
                self._keep(ended)
                run.elapsed = elapsed_before + time.monotonic() - began
                yield record
                mark = time.monotonic()

    @contextmanager
    def _team(self) -> Iterator[loop.Gradients | None]:
        """The processes that share the work of a window; None where one is fastest."""
        run, train = self.checkpoint, self.checkpoint.config.train
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

    def _evaluate(self, validation: Streams) -> float:
        nats = evaluate(self.checkpoint.model, self.checkpoint.params, validation)
        if not nats < loop.MOST_NATS:
            raise DivergedError(
                f"diverged at iteration {self.checkpoint.iteration}: the validation loss is {nats}; "
                f"what was saved before is whole: lower optim.learning_rate"
            )
        return nats

    def _record(self, update: loop.Update, losses: list[float], seconds: float) -> Record:
        run, per_update = self.checkpoint, self.windows.streams.batch_size * self.windows.seq_length
        return Record(
            iteration=run.iteration,
            epoch=round(run.iteration / len(self.windows), 4),
            chars=run.iteration * per_update,
            train_nats=math.fsum(losses) / len(losses),
            learning_rate=update.learning_rate,
            grad_norm=update.grad_norm,
            chars_per_s=round(len(losses) * per_update / max(seconds, 1e-9), 1),
            elapsed_s=round(run.elapsed, 3),
            val_nats=run.validation_nats,
        )

    def _keep(self, ended: bool) -> None:
        run = self.checkpoint
        nats = run.validation_nats
        if nats is not None and (run.best_nats is None or nats < run.best_nats):
            run.best_nats = nats
            self._check_finite()
            self.directory.save_best(run)
        if ended or run.iteration % run.config.train.checkpoint_every == 0:
            self.save()

    def save(self) -> None:
        """Saves `last.npz` now. Raises DivergedError rather than keep weights that are not finite."""
        self._check_finite()
        self.directory.save_last(self.checkpoint)

    def _check_finite(self) -> None:
        if not all(np.isfinite(array).all() for array in checkpoints.arrays(self.checkpoint).values()):
            raise DivergedError(
                f"diverged at iteration {self.checkpoint.iteration}: weights, optimizer or state are not finite, "
                f"and were not saved; "
                f"lower optim.learning_rate"
            )
