"""What `charrnn sample` writes: texts as they are drawn, or whole with what stands between them, or JSON."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING

from charrnn.cli import common
from charrnn.cli.escapes import typed

if TYPE_CHECKING:
    from charrnn.cli.sample_options import Options
    from charrnn.runs.run import Run
    from charrnn.sampling import Request, Sample
    from charrnn.sampling.copying import TrainingText
    from charrnn.sampling.states import TextState
    from charrnn.tasks.writer import Writer

LONGEST_QUOTE = 60
"""Characters of a copied passage that are quoted."""


class Output:
    """Writes texts to a file in the bytes of a model's encoding, and knows how the last ended."""

    def __init__(self, out: IO[bytes], task: Writer, wanted: Options, count: int) -> None:
        """`count` texts are to come. Raises ConfigError for a separator that cannot be meant."""
        self.out, self.task, self.wanted, self.count = out, task, wanted, count
        given = wanted.separator
        self.separator = None if given is None else typed(given, "--separator", task.vocabulary.encoding)
        self.last = b"\n"
        """The last byte that was written."""

    def write(self, piece: str) -> None:
        """Writes a piece, and shows it at once if it is to be streamed."""
        self._put(self.task.vocabulary.to_bytes(piece))

    def write_sample(self, sample: Sample) -> None:
        """Writes one of several samples, and what stands between it and the one before."""
        if self.wanted.as_json:
            readable = self.task.vocabulary.readable
            facts = sample.facts() | {"prompt": readable(sample.prompt), "text": readable(sample.text)}
            self._put(common.to_json(facts).encode() + b"\n")
            return
        between, behind = "" if sample.number == 1 else self.separator, ""
        if self.separator is None:
            drawn = f": {sample.label}" if sample.label is not None and self.wanted.label is None else ""
            header = f"--- {sample.number} of {self.count}{drawn} ---\n"
            blank = "" if sample.number == 1 else "\n"
            if self.count > 1:
                between, behind = ("" if self.task.writes_lines else blank + header), "\n"
        self.write(f"{between}{sample.prompt}{sample.text}{behind}")

    def end(self) -> None:
        """Ends the last line, where the text is a line, or a terminal would go on in it."""
        if self.count == 1 and not self.wanted.as_json and self.separator is None and self.task.writes_lines:
            self._put(b"\n")
        elif self.out.isatty():
            self.end_line()
        self.out.flush()

    def end_line(self) -> None:
        """Ends a line that has not ended."""
        if self.last != b"\n":
            self._put(b"\n")
        self.out.flush()

    def _put(self, data: bytes) -> None:
        self.out.write(data)
        self.last = data[-1:] or self.last
        if self.wanted.stream:
            self.out.flush()


def write(run: Run, request: Request, wanted: Options, out: IO[bytes]) -> None:
    """Writes what is requested of a run. Raises RequestError before anything is drawn where that cannot be."""
    from threadpoolctl import threadpool_limits

    from charrnn.cores import blas_threads
    from charrnn.sampling import check, samples, states
    from charrnn.tasks.writer import writer_of

    task, model = writer_of(run.task, run.model)
    check(request, task, wanted.samples)  # before a text is read, and the seed told
    if wanted.save_state:
        states.refuse_to_overwrite(wanted.save_state)
    state = wanted.load_state and states.load(wanted.load_state, model, run.weights, model.num_outputs)
    training = _training_text(run, wanted) if request.max_copy is not None else None
    count = wanted.samples * (state.rows if state else len(request.prompts))
    output = Output(out, task, wanted, count)
    request = dataclasses.replace(request, seed=wanted.seed if state else _seed(request, task))
    rows = min(samples.ROWS, count * request.best_of)
    try:
        with threadpool_limits(blas_threads(rows * model.step_product), user_api="blas"):
            texts = _written(run, request, wanted, output, training, state or None)
            copied = [text if training else "" for text in texts]
    except KeyboardInterrupt:
        output.end_line()  # behind which the message stands
        raise
    if training:
        common.say(_longest_copy(training, task, copied, run.corpus.name))


def _written(
    run: Run,
    request: Request,
    wanted: Options,
    output: Output,
    training: TrainingText | None,
    state: TextState | None,
) -> Iterator[str]:
    """Writes the texts, and yields each of them, without its prompt, once it is written."""
    from charrnn.sampling import Writing, written

    save = wanted.save_state and partial(_save, wanted.save_state)
    if output.count * request.best_of == 1 and not wanted.as_json:
        writing = Writing(run, request, training=training, state=state, keeps_text=save is not None)
        output.write(writing.before.prompts[0])
        grown = []
        for (piece,) in writing.pieces():
            output.write(piece)
            if training:
                grown.append(piece)
        output.end()
        if save:
            save(writing.state())
        yield "".join(grown)
    else:
        for sample in written(run, request, wanted.samples, training, state, save or None):
            output.write_sample(sample)
            yield sample.text
        output.end()


def _save(path: Path, state: TextState) -> None:
    state.save(path)


def _seed(request: Request, task: Writer) -> int:
    """Returns the seed: what was given, or one that is drawn, and told where the text depends on it."""
    if request.seed is not None:
        return request.seed
    seed = secrets.randbits(32)
    draws_labels = request.label is None and hasattr(task, "labels")
    if request.length and (draws_labels or not request.filters.are_certain):
        common.say(f"seed {seed} was drawn; to have the same again: --seed {seed}")
    return seed


def _training_text(run: Run, wanted: Options) -> TrainingText:
    from charrnn.sampling.sources import training_text

    return training_text(run, common.library(), wanted.text, wanted.checkpoint)


def _longest_copy(training: TrainingText, task: Writer, texts: list[str], name: str) -> str:
    """Says which is the longest passage that a text has in common with the training text, and where it stands."""
    encode = task.vocabulary.encode
    found = training.longest([encode(text) for text in texts])
    if found is None:
        return "nothing is copied from the training text"
    copied = training.passage(task.vocabulary, found)
    passage = task.vocabulary.quoted(copied)
    quoted = passage if len(passage) <= LONGEST_QUOTE else passage[:LONGEST_QUOTE] + "..."
    which = f" of text {found.sample + 1}" if len(texts) > 1 else ""
    where = _where(training, task, found.position)
    return f"longest copy{which}: {len(copied):,} characters, {quoted}; in {name}: {where}"


def _where(training: TrainingText, task: Writer, position: int) -> str:
    """Says where a position of the training text is, as in `line 12, character 345`, counted from 1."""
    import numpy as np

    vocabulary, symbols = task.vocabulary, np.arange(len(training.table))
    own = len(vocabulary.symbols)
    begins = (symbols < own) | ((symbols - own) & 0xC0 != 0x80)  # what is spelled in bytes is one character
    character = f"character {training.count(position, begins) + 1:,}"
    if task.end is not None:
        return f"document {training.count(position, symbols == task.end):,}"
    line_end = vocabulary.symbols.find("\n")
    if line_end < 0:
        return character
    return f"line {training.count(position, symbols == line_end) + 1:,}, {character}"
