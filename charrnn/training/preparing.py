"""From a configuration and examples to a new run: all that can fail before the run has a directory."""

from __future__ import annotations

import dataclasses
import secrets
from typing import NamedTuple

from charrnn import tasks
from charrnn.config.schema import Config
from charrnn.errors import ConfigError, OutputError
from charrnn.runs.run import Corpus, Run
from charrnn.runs.transfer import take_over
from charrnn.tasks import rare
from charrnn.tasks.base import Batching, Examples, Split, Task
from charrnn.tasks.inheriting import inherit
from charrnn.tasks.writer import Writer
from charrnn.text.origin import origin_of
from charrnn.training import layouts, limits, patience


class Prepared(NamedTuple):
    """Holds a run before its first update, and what it learns from."""

    run: Run
    split: Split
    notes: list[str]
    """What a user may want to know, a line each."""


def prepare(config: Config, examples: Examples, old: Run | None = None) -> Prepared:
    """Prepares a new run; `old`, where given, is one whose weights the new one begins with.

    Raises ConfigError for a configuration that cannot be trained, DataError for examples that are too few,
    CheckpointError where nothing of `old` fits, and OutputError where memory is short.
    """
    config = with_seed(config)
    task = tasks.find(config.task.name, config.data).of(examples, config.data, batching_of(config))
    task = inherit(task, old.task if old else None, config.data, examples.name)
    model = task.model(config.model)
    limits.refuse_hopeless(config, model)
    layouts.refuse_impossible(config, model)
    split = split_of(task, config, examples)
    if config.optim.schedule == "plateau" and split.validation is None:
        raise ConfigError(
            "optim.schedule: plateau follows the validation loss, and data.split leaves no validation part; "
            "give it one, or choose another schedule"
        )
    patience.refuse_without_validation(config, split)
    try:
        run = Run.new(config, task, Corpus.of(examples), model)
    except MemoryError:
        raise OutputError(limits.out_of_memory(config, model)) from None
    if isinstance(task, Writer) and task.vocabulary.fallback:
        for params in filter(None, (run.params, run.average)):
            rare.lower_biases(params["head.b"], task.vocabulary, split.train)
    run.openings = openings_of(task, split)
    notes = [*origin_of(examples).notes, *task.remarks(examples)]
    return Prepared(run, split, notes + (take_over(run, old) if old else []))


def with_seed(config: Config) -> Config:
    """Returns the configuration with a seed, which is drawn if there is none."""
    if config.train.seed is not None:
        return config
    train = dataclasses.replace(config.train, seed=secrets.randbits(32))
    return dataclasses.replace(config, train=train)


def split_of(task: Task, config: Config, examples: Examples) -> Split:
    """Returns the parts of the examples under a configuration. Raises DataError where they are too few."""
    return task.split(examples, config.data, batching_of(config))


def openings_of(task: Task, split: Split) -> list[list[int]]:
    """Returns what a model may read before it writes; none where it cannot write, or texts begin by themselves."""
    return task.openings(split.train) if isinstance(task, Writer) else []


def batching_of(config: Config) -> Batching:
    """Returns how a configuration, which has its seed, makes batches of the examples."""
    train = config.train
    assert train.seed is not None, "it is drawn before anything else is"
    return Batching(train.batch_size, train.seq_length, train.seed, train.eval_chars)
