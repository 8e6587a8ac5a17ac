"""Files made small, and made what they were: the model, the coder and the archive put together."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from charrnn.arrays import Ids
from charrnn.compressing import archive
from charrnn.compressing.alphabet import Alphabet, codecs_of, fitting, own_alphabet
from charrnn.compressing.archive import DIGEST, Head
from charrnn.compressing.coding import Arrangement, Misread, Receiver, Sender
from charrnn.compressing.predictor import Learner, Predictor, Unchanged
from charrnn.compressing.scratch import FromScratch
from charrnn.config import writing
from charrnn.config.resolve import resolve
from charrnn.config.schema import Config
from charrnn.config.writing import to_dict
from charrnn.environment import environment
from charrnn.errors import CheckpointError, ConfigError, DataError
from charrnn.judging.dynamic import Adaptation, Adapting
from charrnn.nn.build import build_model
from charrnn.runs.run import Run
from charrnn.tasks.language_model import LanguageModel, language_model_of
from charrnn.text.vocabulary import Vocabulary

Tell = Callable[[int, int], None]
"""Is told how many symbols are done, and of how many."""

ROW = 1 << 14
"""Symbols for which a model that does not learn gets a row of its own, up to `MOST_AT_ONCE`."""

MOST_AT_ONCE = 32
"""Rows that it has at most: so many are read side by side in little more time than one."""


@dataclass(frozen=True)
class Compressed:
    """Holds an archive, and what it cost."""

    data: bytes
    size: int
    """Bytes of the file."""
    symbols: int
    """Symbols that it is made of: of the model, and bytes that are none."""
    escaped: int
    """How many of these were escaped bytes."""
    model_bits: float
    """What the symbols cost by the model itself, if a choice could have any number of bits."""
    escape_bits: float
    """What it costs to tell which bytes are no symbols, and which they are."""
    check_bits: int
    """What the checks cost by which a decoder notices that it reads nonsense."""
    coded_bits: int
    """What the coder made of all three."""

    @property
    def bits_per_byte(self) -> float:
        """The bits of the whole archive for each byte of the file; 0 for an empty one."""
        return 8 * len(self.data) / self.size if self.size else 0.0

    def facts(self) -> dict[str, Any]:
        """Returns all of it by name, for JSON."""
        known = self.symbols - self.escaped
        return {
            "bytes": self.size,
            "compressed_bytes": len(self.data),
            "bits_per_byte": self.bits_per_byte,
            "symbols": self.symbols,
            "escaped": self.escaped,
            "model_bits_per_symbol": self.model_bits / known if known else 0.0,
            "model_bits": self.model_bits,
            "escape_bits": self.escape_bits,
            "check_bits": self.check_bits,
            "coded_bits": self.coded_bits,
            "head_bits": 8 * len(self.data) - self.coded_bits,
        }


@dataclass(frozen=True)
class Trained:
    """Says that a trained model predicts the file, and whether it goes on learning."""

    run: Run
    adapting: Adapting | None = None

    def begin(self, data: bytes) -> tuple[Alphabet, Ids, dict[str, Any]]:
        """Returns the alphabet for a file, its ids, and what the head tells of the model."""
        alphabet, ids = fitting(language_model_of(self.run.task, self.run.model, "RUN")[0].vocabulary, data)
        adapting = self.adapting.facts() if self.adapting else None
        return alphabet, ids, {"model": fingerprint(self.run), "updates": self.run.iteration, "adapting": adapting}

    def rows(self, symbols: int) -> int:
        """Returns how many rows are best: one that learns learns soonest in one."""
        return 1 if self.adapting else min(MOST_AT_ONCE, max(1, symbols // ROW))

    def predictor(self, arrangement: Arrangement) -> Predictor:
        """Returns what predicts the symbols."""
        task, model = language_model_of(self.run.task, self.run.model, "RUN")
        weights = self.run.weights
        learner: Learner = Adaptation(model, weights, self.adapting) if self.adapting else Unchanged(weights)
        return Predictor(model, learner, arrangement.rows, _opening(self.run, task))


@dataclass(frozen=True)
class Untrained:
    """Says that a model predicts the file that begins with chance, and learns from the file alone."""

    config: Config

    def begin(self, data: bytes) -> tuple[Alphabet, Ids, dict[str, Any]]:
        """Returns an alphabet of the file's own, its ids, and what the head tells of the model."""
        alphabet = own_alphabet(data)
        own = {"symbols": alphabet.vocabulary.symbols, "encoding": alphabet.vocabulary.encoding}
        return alphabet, alphabet.split(data), {"alphabet": own, "config": _unusual(self.config)}

    def rows(self, symbols: int) -> int:
        """Returns how many rows are best: a model that learns learns soonest in one."""
        return 1

    def predictor(self, arrangement: Arrangement) -> Predictor:
        """Returns what predicts the symbols. Raises ConfigError for a network that cannot."""
        if self.config.model.bidirectional:
            raise ConfigError("model.bidirectional: a file is read from its beginning alone; leave it out")
        model = build_model(self.config.model, arrangement.V)
        segments = -(-arrangement.steps // self.config.train.seq_length)
        return Predictor(model, FromScratch(model, self.config, segments), arrangement.rows, [0])


def compress(data: bytes, how: Trained | Untrained, rows: int | None, tell: Tell = lambda done, of: None) -> Compressed:
    """Returns the archive of a file. `rows` is how many pieces are read side by side; None chooses.

    Raises ConfigError for a run that is no language model of one text.
    """
    alphabet, ids, of_model = how.begin(data)
    escaped = int(np.count_nonzero(ids >= len(alphabet)))
    rows = max(1, min(rows or how.rows(len(ids)), len(ids)))
    arrangement = Arrangement(len(ids), rows, len(alphabet), escaped > 0)
    coded, model_bits, escape_bits, check_bits = b"", 0.0, 0.0, 0
    if len(ids):
        with threadpool_limits(1, user_api="blas"):
            sender = Sender(arrangement, how.predictor(arrangement))
            sender.run(arrangement.table(ids), lambda done: tell(done, arrangement.symbols))
        coded = sender.coder.finish()
        model_bits, escape_bits, check_bits = sender.nats / math.log(2), sender.escape_bits, sender.check_bits
    of_file = len(data), archive.digest(data), len(ids), rows, escaped > 0, alphabet.codec
    head = Head(*of_file, machine=machine(), **of_model)
    whole = archive.to_bytes(head, coded)
    return Compressed(whole, len(data), len(ids), escaped, model_bits, escape_bits, check_bits, 8 * len(coded))


def decompress(data: bytes, name: str, run: Run | None, tell: Tell = lambda done, of: None) -> bytes:
    """Returns the file that is in an archive, which messages call `name`.

    Raises DataError for an archive that is damaged or that this machine cannot read, ConfigError where a run is missing
    or one too many, and CheckpointError for another than that which wrote it.
    """
    head, coded = archive.from_bytes(data, name)
    if not head.symbols:
        return b""
    try:
        how, alphabet = _of(head, run, name)
    except (UnicodeError, LookupError, TypeError, ValueError) as error:
        raise DataError(f"{name} was not written by charrnn: its head is none ({error}); get it anew") from error
    arrangement = Arrangement(head.symbols, head.rows, len(alphabet), head.escapes)
    table = np.zeros((arrangement.steps, arrangement.rows), np.int64)
    try:
        with threadpool_limits(1, user_api="blas"):
            receiver = Receiver(arrangement, how.predictor(arrangement), coded)
            receiver.run(table, lambda done: tell(done, arrangement.symbols))
    except Misread as error:
        raise _unlike(head, name, f"a check failed {error}") from None
    found = alphabet.join(arrangement.ids(table))
    if len(found) != head.size or archive.digest(found) != head.sha256:
        raise _unlike(head, name, "the check sum at the end failed")
    return found


def _of(head: Head, run: Run | None, name: str) -> tuple[Trained | Untrained, Alphabet]:
    """Returns what predicts the symbols of an archive, and what they are in the file."""
    if head.alphabet is not None:
        if run is not None:
            raise ConfigError(f"{name} was compressed from scratch, and needs no run; leave the run out")
        vocabulary = Vocabulary.from_meta(head.alphabet, head.alphabet["encoding"])
        return Untrained(writing.from_dict(head.config, name)), _alphabet(vocabulary, head.codec)
    if run is None:
        raise ConfigError(
            f"{name} was compressed by a trained model, {head.updates:,} updates old; give its run before the archive"
        )
    task, _ = language_model_of(run.task, run.model, "RUN")
    if fingerprint(run) != head.model:
        raise CheckpointError(
            f"{name} was compressed by another model, {head.updates:,} updates old, and this one has had "
            f"{run.iteration:,}; give the checkpoint that compressed it"
        )
    adapting = Adapting(**head.adapting) if head.adapting else None
    return Trained(run, adapting), _alphabet(task.vocabulary, head.codec)


def _alphabet(vocabulary: Vocabulary, codec: str) -> Alphabet:
    if codec not in codecs_of(vocabulary):
        raise ValueError("its encoding is not that of its symbols")
    return Alphabet(vocabulary, codec)


def _opening(run: Run, task: LanguageModel) -> list[int]:
    """Returns what a trained model reads before the first symbol: what stood before some line of its text."""
    return run.openings[0] if run.openings else [max(0, task.vocabulary.symbols.find("\n"))]


def fingerprint(run: Run) -> str:
    """Returns a check sum of all that a trained model predicts with: the network, its symbols, and its weights."""
    told = json.dumps([to_dict(run.config)["model"], run.task.to_meta(), run.openings[:1]], sort_keys=True).encode()
    return hashlib.sha256(told + run.weights.vector.tobytes()).hexdigest()[:DIGEST]


def machine() -> str:
    """Says what computes here, as far as the last bits of a sum depend on it."""
    return ", ".join([*(f"{name} {value}" for name, value in environment().items()), "1 thread"])


def _unlike(head: Head, name: str, what: str) -> DataError:
    """Returns the error that says that this machine does not compute what the one did that wrote an archive."""
    here = machine()
    if here == head.machine:
        return DataError(
            f"{name} is whole, but {what}: this machine does not add up as the one did that wrote it, though both are "
            f"{here}; decompress it there"
        )
    return DataError(
        f"{name} is whole, but {what}: this machine does not add up as the one did that wrote it, which was "
        f"{head.machine}, and this is {here}; decompress it with those versions, on a processor of that kind"
    )


def _unusual(config: Config) -> dict[str, dict[str, Any]]:
    """Returns the keys of a configuration that are not as by default, by section."""
    usual, found = to_dict(resolve([])[0]), to_dict(config)
    unlike = {section: {k: v for k, v in keys.items() if v != usual[section][k]} for section, keys in found.items()}
    return {section: keys for section, keys in unlike.items() if keys}
