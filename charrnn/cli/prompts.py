"""The prompts of `charrnn sample`: as they were typed, or from a file, in the symbols of the model."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from charrnn import advice
from charrnn.cli import common
from charrnn.cli.escapes import typed
from charrnn.errors import ConfigError

if TYPE_CHECKING:
    from charrnn.runs.run import Run
    from charrnn.tasks.writer import Writer


MAX_PROMPT = 1 << 24
"""Bytes of a prompt, or of several, that are read from a file."""


@dataclass(frozen=True)
class Prompts:
    """Reads prompts for a run."""

    run: Run
    task: Writer
    checkpoint: Path
    """Where the run is, for advice."""
    encoding: str | None
    """What files are in, where that is not the model's own."""
    unknown: str
    """What becomes of characters that the model never saw: `error` or `skip`."""

    def read(self, prompt: str | None, prompt_file: str | None, prompts: str | None) -> tuple[str, ...]:
        """Returns the prompts: one, which may be empty, or with `prompts` one for each line of that file.

        Raises ConfigError where several are given, or what is given cannot be read.
        """
        named = {"--prompt": prompt, "--prompt-file": prompt_file, "--prompts": prompts}
        given = [option for option, value in named.items() if value is not None]
        if len(given) > 1:
            raise ConfigError(f"{' and '.join(given)} are given together; give one of them")
        if prompts is not None:
            lines = self._file("--prompts", prompts).replace("\r\n", "\n").split("\n")
            if lines[-1] == "":
                lines.pop()
            if not lines:
                raise ConfigError(f"--prompts {prompts} is empty; give a file with one prompt a line")
            return tuple(map(self._known, lines))
        if prompt_file is not None:
            return (self._known(self._file("--prompt-file", prompt_file)),)
        return (self._known(typed(prompt or "", "--prompt", self.task.vocabulary.encoding)),)

    def _file(self, option: str, source: str) -> str:
        """Returns the characters of a file, or of stdin. Raises ConfigError where they cannot be read, or are many."""
        each = "type the prompts, one a line; to end them, Ctrl-D in an empty line"
        common.invite([source], *([each] if option == "--prompts" else []))
        try:
            with nullcontext(sys.stdin.buffer) if source == "-" else open(source, "rb") as file:
                data = file.read(MAX_PROMPT + 1)  # one more than may be, and not all that a device may give
        except OSError as error:
            raise ConfigError(f"{option} {source} cannot be read: {error.strerror}; give a text file") from error
        if len(data) > MAX_PROMPT:
            sample = advice.command("sample", self.checkpoint, option, "-")
            how = "" if source == "-" else f": tail -c 10000 {advice.word(Path(source))} | {sample}"
            raise ConfigError(f"{option} {source} is larger than {MAX_PROMPT >> 20} MiB; give its last part{how}")
        return common.decoded(self.run, data, f"{option} {source}", self.encoding)

    def _known(self, prompt: str) -> str:
        """Returns the prompt without characters that the model never saw, or raises ConfigError for them."""
        strange = self.task.vocabulary.unknown(prompt)
        described = self.task.vocabulary.describe(strange)
        if strange and self.unknown == "error":
            raise ConfigError(
                f"the prompt has characters that the model never saw: {described}; "
                f"leave them out, or give --unknown skip"
            )
        if strange:
            common.say(f"skipped characters of the prompt that the model never saw: {described}")
        return prompt.translate(dict.fromkeys(map(ord, strange)))
