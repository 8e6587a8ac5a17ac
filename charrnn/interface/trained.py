"""A run as a Python program uses it: it writes, scores, measures and answers."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, Unpack

import numpy as np

from charrnn.arrays import Array
from charrnn.errors import ConfigError
from charrnn.interface import thoughts
from charrnn.interface.given import Source
from charrnn.interface.measuring import evaluate
from charrnn.runs import archive, checkpoint
from charrnn.runs.run import Run
from charrnn.sampling import Options, Sample, write


@dataclass
class TrainedRun(Run):
    """Is a run that can be used: `sample`, `score`, `logits`, `evaluate`, `predict`, `save`.

    What it is made of are the fields of `Run`: `config`, `params`, `iteration`, `best` and others.
    """

    path: Path | None = None
    """Where it is kept; None where it is in memory alone."""

    @classmethod
    def of(cls, run: Run, path: Path | None = None) -> Self:
        """Returns a run, whose arrays it shares, as one that can be used."""
        return cls(**{field.name: getattr(run, field.name) for field in dataclasses.fields(Run)}, path=path)

    def __repr__(self) -> str:
        """Says what it is in a line; all of its numbers would be a book."""
        model = self.config.model
        return (
            f"<charrnn run of {self.corpus.name}: {self.config.task.name}, {model.cell} "
            f"{model.num_layers}x{model.hidden_size}, iteration {self.iteration:,}>"
        )

    @property
    def symbols(self) -> list[str]:
        """What the model can write, in the order of the columns of `logits`; the end of a document is ''."""
        return thoughts.symbols(self)

    @property
    def labels(self) -> list[str]:
        """The labels that were learnt, in the order of the columns of `probabilities`; none for other tasks."""
        return list(getattr(self.task, "labels", ()))

    def sample(
        self,
        prompt: str = "",
        length: int = 500,
        *,
        seed: int | None = None,
        stop: str | Iterable[str] | None = None,
        label: str | None = None,
        **options: Unpack[Options],
    ) -> str:
        """Returns up to `length` characters that follow `prompt`.

        The same `seed` gives the same text. It ends before `stop`, a text or several, if one would appear. `options`
        are those of `charrnn sample`, such as `temperature=0.8`, `top_p=0.9` or `ban="@"`. `charrnn.sample` yields them
        as they are drawn. Raises ConfigError where the run cannot write or an option means nothing, DataError where
        the model never saw a character of the prompt.
        """
        (sample,) = self.samples(1, prompt, length, seed=seed, stop=stop, label=label, **options)
        return sample.text

    def samples(
        self,
        number: int,
        prompt: str | Iterable[str] = "",
        length: int = 500,
        *,
        seed: int | None = None,
        stop: str | Iterable[str] | None = None,
        label: str | None = None,
        **options: Unpack[Options],
    ) -> list[Sample]:
        """Returns so many texts of each prompt, which are drawn side by side: much faster than one after another.

        Each has a `text`, and what is known of it: `prompt`, `log_probability`, `seed`, `ended` and others, the fields
        of `Sample`. Takes and raises what `sample` does.
        """
        return write(self, prompt, length, seed, stop, label, number, **options)

    def score(self, text: str, label: str | None = None) -> Array:
        """Returns how much each character of `text` surprises the model, in nats, -ln of its probability: float64.

        Of a run on one text, these are all characters but the first, which nothing comes before: (N - 1,). Of one on
        documents, `text` is a document, and its end counts too: (N + 1,); `label` is what it is told, if labels were
        learnt. The sum is -ln of the probability of the text, the mean what `charrnn eval` tells. Raises DataError for
        characters that the model never saw, ConfigError for a run that is no language model.
        """
        return thoughts.score(self, text, label)

    def logits(self, text: str, label: str | None = None) -> Array:
        """Returns what the model expects after each character of `text`: (N, V), float32, before the softmax.

        The columns are those of `symbols`. Of a run on documents there is a row more, the first, for what begins a
        document: (N + 1, V). Of a character that is spelled in bytes, each has a row. Raises as `score` does.
        """
        return thoughts.logits(self, text, label)

    def evaluate(
        self,
        source: Source,
        split: str | None = None,
        beam: int | None = None,
        unknown: str = "error",
        encoding: str | None = None,
    ) -> dict[str, Any]:
        """Returns how good the run is on a text or on pairs: what `charrnn eval --json` prints, as a dict.

        `source` is anything that `charrnn.train` takes. `split` is `train`, `validation` or `test`: only this part,
        and what baselines reach on it. With `unknown="skip"`, characters that the model never saw are left out, and
        counted as `skipped`. `encoding` is that of a file or of bytes; without it, it is the model's own or UTF-8,
        whichever it is. Raises DataError and ConfigError as the command does.
        """
        return evaluate(self, source, split, beam, unknown, encoding)

    def predict(self, inputs: Iterable[str], beam: int | None = None) -> list[str]:
        """Returns the answer to each input: its label, or the text that it becomes.

        Raises ConfigError for a language model, which answers nothing.
        """
        return [answer.answer for answer in thoughts.answers(self, inputs, None, beam)]

    def answers(self, inputs: Iterable[str], top: int | None = None, beam: int | None = None) -> list[dict[str, Any]]:
        """Returns for each input what `charrnn predict --json` prints: the answer, and how sure the model is of it.

        `top` asks for so many answers, the best first, and `beam` is how many beginnings are searched.
        """
        return [answer.facts() for answer in thoughts.answers(self, inputs, top, beam)]

    def probabilities(self, inputs: Iterable[str]) -> Array:
        """Returns how likely each of `labels` is for each input: (N, K). Raises ConfigError where none are learnt."""
        if "confusion" not in self.task.abilities:
            raise ConfigError(
                f"the task {self.config.task.name} learns no labels, which have probabilities; use predict"
            )
        columns = {label: k for k, label in enumerate(self.labels)}
        found = [dict(answer["top"]) for answer in self.answers(inputs, top=len(columns))]
        rows = [[row[label] for label in columns] for row in found]
        return np.array(rows, np.float64).reshape(len(found), len(columns))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the run to a file, such as `model.npz`, which `charrnn.load` and every command reads.

        It takes the place of another checkpoint. Raises ConfigError where something else is there.
        """
        place = Path(path)
        archive.refuse_to_overwrite(place, checkpoint.FORMAT, "a checkpoint")
        checkpoint.save(self, place)


def load(path: str | os.PathLike[str]) -> TrainedRun:
    """Returns the run that is kept in a file or a run directory: of the latter its `best.npz`, else `last.npz`.

    Nothing in the file is executed. Raises CheckpointError, with what is wrong, for anything but a whole checkpoint.
    """
    return TrainedRun.of(checkpoint.load(os.fspath(path)), Path(path))
