"""What is typed behind `charrnn sample`, and the request that it means."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from charrnn.cli import common
from charrnn.cli.escapes import range_of, typed
from charrnn.cli.prompts import Prompts

if TYPE_CHECKING:
    from charrnn.runs.run import Run
    from charrnn.sampling import Request
    from charrnn.tasks.writer import Writer


@dataclass(frozen=True)
class Options:
    """Holds what is typed behind `charrnn sample`: a field for each option, under its name."""

    checkpoint: Path
    length: int
    temperature: float
    top_k: int | None
    top_p: float | None
    min_p: float | None
    prompt: str | None
    prompt_file: str | None
    prompts: str | None
    encoding: str | None
    unknown: str
    stop: tuple[str, ...]
    samples: int
    label: str | None
    seed: int | None
    stream: bool
    as_json: bool
    separator: str | None
    allow: str | None
    ban: str | None
    repetition_penalty: float
    repetition_window: int
    best_of: int
    max_copy: int | None
    text: tuple[str, ...]
    save_state: Path | None
    load_state: Path | None

    def request(self, run: Run, task: Writer) -> Request:
        """Returns what is wanted of a model, in its symbols. Raises ConfigError for a text that cannot be meant."""
        from charrnn.sampling import Filters, Request

        vocabulary = task.vocabulary
        for option, value in (("--allow", self.allow), ("--ban", self.ban)):
            if value and (found := range_of(value)):
                common.say(f"{option}: {found} is three characters, and no range; type each character that is meant")
        allow, ban = (
            None if value is None else typed(value, option, vocabulary.encoding)
            for option, value in (("--allow", self.allow), ("--ban", self.ban))
        )
        prompts = Prompts(run, task, self.checkpoint, self.encoding, self.unknown)
        return Request(
            prompts.read(self.prompt, self.prompt_file, self.prompts),
            self.length,
            self.seed,
            tuple(typed(stop, "--stop", vocabulary.encoding) for stop in self.stop),
            Filters(self.temperature, self.top_k, self.top_p, self.min_p),
            self.label,
            allow,
            ban or "",
            self.repetition_penalty,
            self.repetition_window,
            self.best_of,
            self.max_copy,
        )
