"""Several texts as one batch: what was asked for is checked, what comes before is read, and the rest is drawn."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from charrnn.arrays import Array, Ids
from charrnn.nn.stepper import Stepper
from charrnn.runs.run import Run
from charrnn.sampling.constraints import Always, Constraint, NotFirst, may_not_end
from charrnn.sampling.copying import MaxCopy, TrainingText
from charrnn.sampling.generating import Generator
from charrnn.sampling.growing import Growing
from charrnn.sampling.openings import first
from charrnn.sampling.repetition import Repetition
from charrnn.sampling.request import Request, RequestError, check
from charrnn.sampling.states import REMEMBERED, TextState, checksum
from charrnn.tasks.writer import Writer, writer_of
from charrnn.text.speller import WholeCharacters, reader


@dataclass(frozen=True)
class Before:
    """Holds what each row has before anything is drawn."""

    prompts: list[str]
    read: list[Ids]
    """What the model reads first, which is more than is shown: an opening, the boundary of a document."""
    shown: list[Ids]
    """What the text has so far, as ids: its prompt, and what was written before it, if there was something."""
    labels: Ids | None
    """What each row is told: (B,)."""
    begins: Array
    """Rows that begin with what is drawn: bools (B,)."""


class Writing:
    """Writes several texts as one batch: `samples` of each prompt, one prompt after another."""

    def __init__(
        self,
        run: Run,
        request: Request,
        samples: int = 1,
        *,
        scored: bool = False,
        training: TrainingText | None = None,
        state: TextState | None = None,
        keeps_text: bool = False,
        seeds: tuple[int, ...] = (),
    ) -> None:
        """Checks everything, and reads what comes before.

        With `scored`, it counts what the model thinks of the texts. `training` is the text that `max_copy` is about.
        `state` is where the texts stand, if they go on from somewhere; with `keeps_text`, `state()` tells it at the
        end. `seeds` tell this batch from others of the same request.
        """
        self.task, self.model = writer_of(run.task, run.model)
        check(request, self.task, samples)
        self.request, self.weights = request, run.weights
        self.seed = secrets.randbits(32) if request.seed is None else request.seed
        """What the texts follow from."""
        self.rng = np.random.default_rng([self.seed, *seeds] if seeds else self.seed)
        state = None if state is None else state.repeated(samples)
        self.before = self._beginning(run, samples) if state is None else self._going_on(state)
        self.rows = len(self.before.prompts)
        self.shown: list[list[str]] | None = [[] for _ in range(self.rows)] if keeps_text else None
        self.texts = [Growing(reader(self.task.vocabulary), self.task.end, request.stop) for _ in range(self.rows)]
        stepper = Stepper(self.model, run.weights, self.rows, self.before.labels)
        if state is not None:
            for text, why, over in zip(self.texts, state.ended, state.over, strict=True):
                text.ended = why if over else None
            for name, array in stepper.layers.state.items():
                array[...] = state.layers[name]
        self.generator = Generator(
            stepper, self.rng, request.filters, self._constraints(training), self._penalty(), scored
        )
        self.generator.read(self.before.read)

    def pieces(self) -> Iterator[list[str]]:
        """Yields what each text grew by, until all have ended."""
        for drawn in itertools.count():
            if drawn >= self.request.length and not self.ended:
                yield self._noted(self._flush_full())
            if self.ended:
                return
            if self.shown is not None:
                self.generator.done = np.array([text.ended is not None for text in self.texts])
            ids, nats = next(self.generator), self.generator.nats
            yield self._noted([text.push(int(i), cost) for text, i, cost in zip(self.texts, ids, nats, strict=True)])

    def _flush_full(self) -> list[str]:
        """Ends the texts that have their length, where they may end, and returns what each still held."""
        held = may_not_end(self.generator.constraints, self.rows)
        full = [text.characters >= self.request.length for text in self.texts]
        texts = zip(self.texts, full, held, strict=True)
        return [text.flush() if is_full and not is_held else "" for text, is_full, is_held in texts]

    @property
    def ended(self) -> bool:
        """Whether all texts have ended."""
        return all(text.ended for text in self.texts)

    def whole(self) -> list[str]:
        """Returns the whole texts, without their prompts."""
        whole: list[list[str]] = [[] for _ in range(self.rows)]
        for grown in self.pieces():
            for pieces, piece in zip(whole, grown, strict=True):
                if piece:
                    pieces.append(piece)
        return ["".join(pieces) for pieces in whole]

    def state(self) -> TextState:
        """Returns where the texts stand, once `pieces` has come to its end."""
        assert self.shown is not None, "it is told at the beginning that the text shall be kept"
        generator, encode = self.generator, self.task.vocabulary.encode
        if generator.pending is None:  # nothing was drawn: the last symbol that was read is still to be read
            generator.stepper.hold(np.ones(self.rows, bool))
            generator.pending = np.array([ids[-1] for ids in self.before.read])
        written = [
            np.concatenate([before, encode("".join(pieces))])[-REMEMBERED:].astype(int).tolist()
            for before, pieces in zip(self.before.shown, self.shown, strict=True)
        ]
        layers = {name: array.copy() for name, array in generator.stepper.layers.state.items()}
        ended = [text.ended for text in self.texts]
        random = dict(self.rng.bit_generator.state)
        labels = self.before.labels
        return TextState(checksum(self.weights), layers, generator.pending, labels, written, ended, self.seed, random)

    def _noted(self, grown: list[str]) -> list[str]:
        """Keeps what each text grew by, where that was asked for, and returns it."""
        if self.shown is not None:
            for pieces, piece in zip(self.shown, grown, strict=True):
                pieces.append(piece)
        return grown

    def _beginning(self, run: Run, samples: int) -> Before:
        """Returns what texts have that begin: their prompts, and what is read before these."""
        prompts = [prompt for prompt in self.request.prompts for _ in range(samples)]
        labels = self.task.told(self.request.label, len(prompts), self.rng)
        read = first(self.task, run.openings, prompts, None if self.request.filters.are_certain else self.rng)
        shown = [self.task.vocabulary.encode(prompt) for prompt in prompts]
        return Before(prompts, read, shown, labels, np.array([not prompt for prompt in prompts]))

    def _going_on(self, state: TextState) -> Before:
        """Returns what texts have that go on from a state: what was written, and then the prompt."""
        if len(self.request.prompts) != 1:
            raise RequestError("prompts", "are several, and the texts of a state go on with one prompt; give one")
        if self.request.label is not None:
            raise RequestError("label", "is kept in a state that is gone on with; leave it out")
        if state.over.all():
            raise RequestError("load_state", "has texts alone that have come to their end; begin new ones")
        if self.request.seed is None:
            self.seed, self.rng.bit_generator.state = state.seed, state.rng
        prompt = self.request.prompts[0]
        ids = self.task.vocabulary.encode(prompt)
        read = [np.append(last, ids) for last in state.pending]
        shown = [np.append(written, ids).astype(np.intp) for written in state.written]
        return Before([prompt] * state.rows, read, shown, state.labels, np.zeros(state.rows, bool))

    def _constraints(self, training: TrainingText | None) -> list[Constraint]:
        """Returns what may not be drawn."""
        found: list[Constraint] = []
        task, request = self.task, self.request
        if task.end is not None and self.before.begins.any():
            found.append(NotFirst(task.end, self.before.begins))
        if task.vocabulary.fallback:
            no_lines = "\n" * task.writes_lines
            found.append(WholeCharacters(task.vocabulary, self.rows, request.allow, request.ban + no_lines))
        if request.allow is not None or request.ban:
            found.append(Always(barred(task, request)))
        if request.max_copy is not None:
            assert training is not None, "who asks for this gives the text"
            found.append(MaxCopy(training, request.max_copy, self.before.shown))
        return found

    def _penalty(self) -> Repetition | None:
        """Returns the penalty for repetitions, if one was asked for."""
        request = self.request
        if request.repetition_penalty == 1:
            return None
        size = self.model.num_outputs
        return Repetition(request.repetition_penalty, request.repetition_window, size, self.before.shown)


def barred(task: Writer, request: Request) -> list[int]:
    """Returns the ids that `allow` and `ban` leave out. The end of a document is no character, and stays."""
    symbols = task.vocabulary.symbols
    allowed = symbols if request.allow is None else request.allow
    return [i for i, symbol in enumerate(symbols) if symbol not in allowed or symbol in request.ban]
