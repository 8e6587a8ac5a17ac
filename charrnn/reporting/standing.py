"""What is reached without a network on the text that a run was validated on; it is read again for that."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from charrnn.config.writing import to_dict
from charrnn.errors import DataError
from charrnn.runs.moved import MovedError, read_again
from charrnn.runs.run import Run
from charrnn.tasks.base import Batching, Scores
from charrnn.text.origin import STDIN

if TYPE_CHECKING:
    from charrnn.text.corpus import Library


@dataclass(frozen=True)
class Baselines:
    """Computes the baselines of runs: once for all that were validated on the same examples."""

    library: Library
    _known: dict[str, dict[str, Scores]] = field(default_factory=dict)

    def __call__(self, run: Run, place: Path) -> dict[str, Scores]:
        """Returns the scores of each baseline of a run in `place`, by its name.

        Raises DataError where the examples are not to be had.
        """
        train = run.config.train
        assert train.seed is not None, "a run has one"
        batching = Batching(train.batch_size, train.seq_length, train.seed, train.eval_chars)
        same = json.dumps([run.corpus.sha256, to_dict(run.config)["data"], run.config.task.name, batching])
        if same not in self._known:
            self._known[same] = self._compute(run, place, batching)
        return self._known[same]

    def _compute(self, run: Run, place: Path, batching: Batching) -> dict[str, Scores]:
        corpus = run.corpus
        for source in corpus.found_at:
            if source in ("-", STDIN) or Path(source).is_fifo():  # which would be waited for
                raise DataError("some of the text came through a pipe, and is not kept")
        try:
            examples = read_again(run, self.library, place)
        except MovedError as error:
            raise DataError(f"{error}; put it there again, or make the report where it is") from error
        if examples.sha256 != corpus.sha256:
            raise DataError(f"{examples.name} is not what it was when the run began: its sha256 differs")
        return run.task.baselines(examples, run.config.data, batching, "validation")
