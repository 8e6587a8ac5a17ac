"""The text that a run has learnt from, found again."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from charrnn import advice
from charrnn.errors import DataError
from charrnn.resources import CORPORA
from charrnn.runs.moved import MovedError, read_again
from charrnn.runs.run import Run
from charrnn.sampling.copying import TrainingText
from charrnn.tasks.writer import writer_of
from charrnn.text.corpus import Library


def training_text(
    run: Run, library: Library | None = None, sources: Sequence[str] = (), place: Path | None = None
) -> TrainingText:
    """Returns all of the text that a run learns from, its validation part too: where it was, or at `sources`.

    `place` is the run's directory or a checkpoint in it, above which the text is looked for if it is not found here.
    Raises DataError where it is not there, or has changed.
    """
    task, model = writer_of(run.task, run.model)
    corpus = run.corpus
    if not sources and corpus.is_from_stdin:
        raise DataError(
            "--max-copy needs the text that this run learnt from, which came from standard input; name it with --text"
        )
    library = library or Library(CORPORA, Path(tempfile.gettempdir()) / "charrnn")
    try:
        examples = run.task.read(library, sources, run.config.data) if sources else read_again(run, library, place)
    except MovedError as error:
        named = " ".join(advice.option("--text", source) for source in error.given("FILE"))
        raise DataError(f"--max-copy needs the text of this run; {error}; give it: {named}") from error
    except DataError as error:
        raise DataError(f"--max-copy needs the text of this run, and --text can name it: {error}") from error
    if examples.sha256 != corpus.sha256:
        learnt = f"{corpus.name} ({corpus.size:,} bytes, sha256 {corpus.sha256[:12]}...)"
        what = "give that with --text" if sources else "if that is elsewhere by now, --text can name it"
        raise DataError(f"{examples.name} is not what this run learnt from, {learnt}, as it was; {what}")
    return TrainingText(task.all_ids(examples), model.num_outputs, task.end)
