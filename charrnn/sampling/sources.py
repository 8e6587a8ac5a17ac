"""The text that a run has learnt from, found again."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from charrnn.errors import DataError
from charrnn.resources import CORPORA
from charrnn.runs.run import Run
from charrnn.sampling.copying import TrainingText
from charrnn.tasks.writer import writer_of
from charrnn.text.corpus import Library


def training_text(run: Run, library: Library | None = None, sources: Sequence[str] = ()) -> TrainingText:
    """Returns all of the text that a run learns from, its validation part too: where it was, or at `sources`.

    Raises DataError where it is not there, or has changed.
    """
    task, model = writer_of(run.task, run.model)
    read = run.task.read
    corpus = run.corpus
    if not sources and corpus.is_from_stdin:
        raise DataError(
            "--max-copy needs the text that this run learnt from, which came from standard input; name it with --text"
        )
    library = library or Library(CORPORA, Path(tempfile.gettempdir()) / "charrnn")
    try:
        examples = read(library, list(sources or corpus.found_at), run.config.data)
    except DataError as error:
        raise DataError(f"--max-copy needs the text of this run, and --text can name it: {error}") from error
    if examples.sha256 != corpus.sha256:
        raise DataError(
            f"{examples.name} is not what this run learnt from, {corpus.name} ({corpus.size:,} bytes, sha256 "
            f"{corpus.sha256[:12]}...); with --text that can be named"
        )
    return TrainingText(task.all_ids(examples), model.num_outputs, task.end)
