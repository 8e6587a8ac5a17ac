"""The plan of a run: what it learns from, how large it is, how long it takes, and what should be thought of before."""

from __future__ import annotations

import dataclasses
import statistics
from collections import Counter
from dataclasses import dataclass
from typing import Any

from charrnn.config import writing
from charrnn.config.schema import Config
from charrnn.cores import Plan
from charrnn.errors import ConfigError
from charrnn.planning.looking import Looked, Repeats, look, repeats_of
from charrnn.planning.timing import Timing, measure
from charrnn.tasks.base import Examples
from charrnn.text.documents import Documents
from charrnn.text.pairs import Pairs
from charrnn.training.accumulation import UpdateBatches
from charrnn.training.preparing import Prepared
from charrnn.training.progress import Progress
from charrnn.training.trainer import plan as shares_of


@dataclass(frozen=True)
class RunPlan:
    """Says what a run will be. Everything but what the clock and the memory tell is the same each time."""

    prepared: Prepared
    examples: Examples
    looked: Looked
    repeats: Repeats
    items: dict[str, Any]
    """What is known of documents and items beside their characters; empty for a text."""
    timing: Timing
    shares: Plan
    """How the work of a batch is shared among processes."""
    updates: int
    """How many updates there will be."""
    foreseen: bool
    """Whether the clock ends the run, so that their number is an estimate."""
    batches_per_epoch: int

    @property
    def epochs(self) -> float:
        """How often everything is read."""
        return self.updates / self.batches_per_epoch

    @property
    def evaluations(self) -> int:
        """How often the validation part is judged: now and then, and at the end."""
        if self.prepared.split.validation is None:
            return 0
        return -(-self.updates // self.prepared.run.config.train.eval_every)

    @property
    def seconds(self) -> float:
        """How long the run will take."""
        budget = self.prepared.run.config.train.time_budget
        if self.foreseen and budget is not None:
            return budget
        return self.updates * seconds_of_update(self.prepared, self.timing)

    @property
    def task(self) -> str:
        """What is learnt."""
        return self.prepared.run.config.task.name

    @property
    def vocabulary(self) -> int:
        """How many different symbols the network knows."""
        known: Any = self.prepared.run.task
        return len(known.vocabulary)

    @property
    def learnt_from(self) -> int:
        """How many characters are in the part that is trained on, more or less: the share that the configuration says.

        Of pairs, these are the characters of both columns.
        """
        return int(self.looked.characters * self.prepared.run.config.data.split[0])

    def facts(self) -> dict[str, Any]:
        """Returns it as JSON has it; docs/command-line.md says what each is."""
        run, timing, looked = self.prepared.run, self.timing, self.looked
        return {
            "text": self.examples.name,
            "bytes": self.examples.size,
            "sha256": self.examples.sha256,
            "task": self.task,
            "characters": looked.characters,
            "looked_at": looked.looked_at,
            "vocabulary": self.vocabulary,
            "distinct": len(looked.counts),
            "rare_characters": looked.rare,
            "seen_once": looked.once,
            "odd_characters": [character.facts() for character in looked.odd],
            "line_ends": looked.line_ends,
            "repeated_share": self.repeats.share,
            "validation_repeated_share": self.repeats.of_validation,
            "compared": self.repeats.looked_at,
            **self.items,
            "model": f"{run.config.model.cell} {run.config.model.num_layers}x{run.config.model.hidden_size}",
            "parameters": run.model.num_parameters,
            "memory_bytes": timing.memory,
            "memory_is": timing.memory_is,
            "processes": self.shares.processes,
            "blas_threads": self.shares.blas_threads,
            "chars_per_s": timing.chars_per_s,
            "seconds_per_update": timing.update,
            "seconds_per_evaluation": timing.evaluation,
            "updates": self.updates,
            "updates_are": "estimated" if self.foreseen else "exact",
            "updates_per_epoch": self.batches_per_epoch,
            "epochs": self.epochs,
            "evaluations": self.evaluations,
            "seconds": self.seconds,
            "config": writing.to_dict(run.config),
        }


def with_seed_of(config: Config, examples: Examples) -> Config:
    """Returns the configuration with a seed that follows from the examples, where it has none: plans are alike."""
    if config.train.seed is not None:
        return config
    train = dataclasses.replace(config.train, seed=int(examples.sha256[:8], 16))
    return dataclasses.replace(config, train=train)


def make(prepared: Prepared, examples: Examples, seconds: float | None = None) -> RunPlan:
    """Returns the plan of a run that `preparing.prepare` made; `seconds` is how long updates are timed.

    Raises OutputError where memory is short.
    """
    run, split, _ = prepared
    many = isinstance(examples, Documents | Pairs)
    looked = look(examples, run.config.data.encoding)
    inputs = inputs_of(prepared, examples) if many else None
    shares = shares_of(run)  # before a batch is computed, as `train` does
    per_epoch = len(UpdateBatches(split.train, run.config.train.accumulate))
    progress = Progress(run, per_epoch, split.validation is not None)
    timing = measure(prepared, examples) if seconds is None else measure(prepared, examples, seconds)
    total, budget = progress.total_iterations, run.config.train.time_budget
    fitting = None if budget is None else max(1, int(budget / seconds_of_update(prepared, timing)))
    if total is None and fitting is None:
        raise ConfigError("nothing ends the training; set train.epochs, train.iterations or train.time_budget")
    return RunPlan(
        prepared,
        examples,
        looked,
        repeats_of(examples, split, inputs),
        _of_items(examples, inputs or []),
        timing,
        shares,
        min(n for n in (total, fitting) if n is not None),
        fitting is not None and (total is None or fitting < total),
        per_epoch,
    )


def seconds_of_update(prepared: Prepared, timing: Timing) -> float:
    """Returns the seconds of an update, with its share of the evaluations and checkpoints."""
    train = prepared.run.config.train
    judged = prepared.split.validation is not None
    others = judged * (timing.evaluation + timing.save) / train.eval_every + timing.save / train.checkpoint_every
    return max(timing.update + others, 1e-9)


def inputs_of(prepared: Prepared, examples: Examples) -> list[str]:
    """Returns the documents, or what goes in of each pair: equal ones are there twice."""
    if isinstance(examples, Documents):
        return examples.texts
    task: Any = prepared.run.task
    found: list[str] = task.inputs(examples)
    return found


def _of_items(examples: Examples, inputs: list[str]) -> dict[str, Any]:
    """Returns how many documents or items there are, how long they are, and what labels they have."""
    if not isinstance(examples, Documents | Pairs):
        return {}
    lengths = sorted(map(len, inputs))
    found: dict[str, Any] = {
        "items": len(inputs),
        "lengths": {"least": lengths[0], "median": int(statistics.median(lengths)), "most": lengths[-1]},
    }
    labels = examples.labels if isinstance(examples, Documents) else examples.first
    if labels and (isinstance(examples, Documents) or inputs is not examples.first):
        found["labels"] = dict(Counter(labels).most_common())
    return found
