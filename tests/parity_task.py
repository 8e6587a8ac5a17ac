"""The parity of a string of bits: a task that the tests alone know, as small as a task can be.

It is in the table once it is registered. `python tests/parity_task.py train bits.txt ...` is charrnn with it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from charrnn import advice
from charrnn.arrays import Array, Batch
from charrnn.errors import ConfigError, DataError
from charrnn.judging.evaluation import EvaluationStopped
from charrnn.nn import head
from charrnn.nn.build import build_model
from charrnn.nn.model import CharLM
from charrnn.nn.numerics import overflow_allowed
from charrnn.nn.options import ModelConfig
from charrnn.nn.stack import State
from charrnn.tasks import TASKS
from charrnn.tasks.base import Batching, Scores, Split, Symbols
from charrnn.text.corpus import Library
from charrnn.text.options import DataConfig

ROWS = 64
"""Strings that an evaluation reads side by side."""


@dataclass(frozen=True)
class Bits:
    """The strings of a file, one a line."""

    name: str
    size: int
    sha256: str
    strings: list[str]


def cut(examples: Bits, data: DataConfig) -> dict[str, list[str]]:
    """The three parts of the strings, by name."""
    strings = examples.strings
    second, third = (round(len(strings) * sum(data.split[:k])) for k in (1, 2))
    parts = {"train": strings[:second], "validation": strings[second:third], "test": strings[third:]}
    for part, share in zip(parts.values(), data.split, strict=True):
        if share and not part:
            raise DataError(f"{examples.name} has too few strings to be split; add some")
    return parts


@dataclass(frozen=True)
class Minibatches:
    """The strings in an order that is another in each epoch; what is over makes a batch with empty rows."""

    strings: list[str]
    rows: int

    def __len__(self) -> int:
        return math.ceil(len(self.strings) / self.rows)

    def chosen(self, iteration: int) -> list[str]:
        epoch, k = divmod(iteration, len(self))
        order = np.random.default_rng(epoch).permutation(len(self.strings))
        return [self.strings[i] for i in order[k * self.rows : (k + 1) * self.rows]]

    def batch(self, iteration: int) -> Batch:
        return padded(self.chosen(iteration), self.rows)


def padded(strings: list[str], rows: int) -> Batch:
    """Each string in a row; the answer after its last bit counts, and nothing else."""
    shape = max(map(len, strings)), rows
    x, y, weights = np.zeros(shape, int), np.zeros(shape, int), np.zeros(shape)
    for b, string in enumerate(strings):
        last = len(string) - 1
        x[: last + 1, b] = list(map(int, string))
        y[last, b] = string.count("1") % 2
        weights[last, b] = 1
    lengths = np.array([len(string) for string in strings] + [0] * (rows - len(strings)))
    return Batch(x, y, np.ones(rows, bool), weights, lengths)


@dataclass(frozen=True)
class Parity:
    """Tells whether a string has an odd number of ones."""

    data_keys: ClassVar[frozenset[str]] = frozenset()
    measure: ClassVar[str] = "accuracy"
    higher_is_better: ClassVar[bool] = True
    abilities: ClassVar[frozenset[str]] = frozenset()
    in_words: ClassVar[dict[str, str]] = {"accuracy": "of the strings are right", "nats": "nats per string"}

    def invite(self, run: object) -> str:
        return f"see what it has learnt: {advice.command('info', run)}"

    @classmethod
    def read(cls, library: Library, sources: Sequence[str], data: DataConfig) -> Bits:
        text = library.read(sources, data.encoding)
        strings = "".join(text.pieces()).removesuffix("\n").split("\n")
        for line, string in enumerate(strings, 1):
            if not string or set(string) - set("01"):
                raise DataError(f"{text.name}:{line}: {string!r} is no string of bits; write 0 and 1")
        return Bits(text.name, text.size, text.sha256, strings)

    @classmethod
    def of(cls, examples: Bits, data: DataConfig, batching: Batching) -> Self:
        if len({string.count("1") % 2 for string in examples.strings}) < 2:
            raise DataError(f"{examples.name}: all strings have the same parity; there is nothing to learn")
        return cls()

    def split(self, examples: Bits, data: DataConfig, batching: Batching) -> Split:
        for line, string in enumerate(examples.strings, 1):
            if len(string) > batching.seq_length:
                raise DataError(f"{examples.name}:{line}: {len(string)} bits; set train.seq_length to as many")
        train, validation, test = cut(examples, data).values()
        return Split(Minibatches(train, batching.batch_size), validation[: batching.most] or None, test or None)

    def part(self, examples: Bits, data: DataConfig, batching: Batching, name: str | None = None) -> list[str]:
        return examples.strings if name is None else cut(examples, data)[name]

    def report(self, model: CharLM, params: dict[str, Array], part: list[str]) -> dict[str, Any]:
        return {**self.judge(model, params, part, lambda: False), "strings": len(part)}

    def extent(self, report: dict[str, Any]) -> str:
        return f"{report['strings']} strings"

    def baselines(self, examples: Bits, data: DataConfig, batching: Batching, name: str) -> dict[str, Scores]:
        part = self.part(examples, data, batching, name)
        return {"always_odd": {"accuracy": sum(string.count("1") % 2 for string in part) / len(part)}}

    def remarks(self, examples: Bits) -> list[str]:
        return []

    def describe(self, split: Split) -> str:
        return f"{len(split.train.strings)} strings of bits to learn from"

    def facts(self) -> dict[str, Any]:
        return {"symbols": "01", "answers": ["even", "odd"]}

    def model(self, config: ModelConfig) -> CharLM:
        if config.bidirectional:
            raise ConfigError("model.bidirectional: what reads from the end reads the padding first; set it to false")
        return build_model(config, 2)

    @classmethod
    def probe(cls, config: ModelConfig) -> tuple[CharLM, Callable[[np.random.Generator], Batch]]:
        def draw(rng: np.random.Generator) -> Batch:
            strings = ["".join(rng.choice(["0", "1"], length)) for length in rng.permutation([2, 3, 5])]
            return padded(strings, 4)

        return cls().model(config), draw

    def judge(self, model: CharLM, params: dict[str, Array], part: list[str], stop: Callable[[], bool]) -> Scores:
        nats, right = [], 0
        for start in range(0, len(part), ROWS):
            some = part[start : start + ROWS]
            each, found = self._answers(model, params, padded(some, len(some)))
            nats += each.tolist()
            right += int(found.sum())
            if stop():
                raise EvaluationStopped
        return {"nats": math.fsum(nats) / len(part), "accuracy": right / len(part)}

    def explain(
        self, model: CharLM, params: dict[str, Array], split: Split, iteration: int, state: State
    ) -> list[dict[str, Any]]:
        strings = split.train.chosen(iteration)
        nats, _ = self._answers(model, params, padded(strings, len(strings)))
        return [{"row": b, "string": s, "nats": float(n)} for b, (s, n) in enumerate(zip(strings, nats, strict=True))]

    def _answers(self, model: CharLM, params: dict[str, Array], batch: Batch) -> tuple[Array, Array]:
        """The nats of each row's answer, and whether it is right: both (B,)."""
        state = model.zero_state(len(batch.starts), params["head.b"].dtype)
        logits, _ = model.forward(params, batch.x, state, batch.starts)
        last, rows = batch.weights.argmax(axis=0), np.arange(len(batch.starts))
        logits, y = logits[last, rows], batch.y[last, rows]
        with overflow_allowed():
            return head.nats(logits, y), logits.argmax(axis=-1) == y

    def symbols(self, model: CharLM) -> dict[str, Symbols]:
        of_input = {name: Symbols(0, row, ["0", "1"]) for name, row in model.stack.symbol_rows.items()}
        return of_input | {"head.W": Symbols(1, 0, ["even", "odd"]), "head.b": Symbols(0, 0, ["even", "odd"])}

    def to_meta(self) -> dict[str, Any]:
        return {"symbols": "01"}

    @classmethod
    def from_meta(cls, meta: dict[str, Any], data: DataConfig) -> Self:
        if meta["symbols"] != "01":
            raise ValueError("its symbols are not bits")
        return cls()


ROW = {"parity": ("parity_task", "Parity")}
"""What to put into TASKS."""


if __name__ == "__main__":
    TASKS.update(ROW)  # before the configuration, which has its choices from there, is imported
    from charrnn.cli.main import main

    main()
