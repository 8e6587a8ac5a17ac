"""The prompts of `charrnn sample`: as they were typed, or from a file, in the symbols of the model."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from charrnn import advice
from charrnn.cli.escapes import typed
from charrnn.errors import ConfigError

if TYPE_CHECKING:
    from charrnn.text.vocabulary import Vocabulary


MAX_PROMPT = 1 << 24
"""Bytes of a prompt, or of several, that are read from a file."""


def read_prompts(
    prompt: str | None, prompt_file: str | None, prompts: str | None, vocabulary: Vocabulary, unknown: str, run: Path
) -> tuple[str, ...]:
    """Returns the prompts: one, which may be empty, or with `prompts` one for each line of that file.

    `unknown` says what becomes of characters that the model never saw. Raises ConfigError, in whose advice `run` is.
    """
    named = {"--prompt": prompt, "--prompt-file": prompt_file, "--prompts": prompts}
    given = [option for option, value in named.items() if value is not None]
    if len(given) > 1:
        raise ConfigError(f"{' and '.join(given)} are given together; give one of them")
    if prompts is not None:
        lines = _read("--prompts", prompts, vocabulary.encoding, run).replace("\r\n", "\n").split("\n")
        if lines[-1] == "":
            lines.pop()
        if not lines:
            raise ConfigError(f"--prompts {prompts} is empty; give a file with one prompt a line")
        return tuple(_known(line, vocabulary, unknown) for line in lines)
    if prompt_file is not None:
        return (_known(_read("--prompt-file", prompt_file, vocabulary.encoding, run), vocabulary, unknown),)
    return (_known(typed(prompt or "", "--prompt", vocabulary.encoding), vocabulary, unknown),)


def _read(option: str, source: str, encoding: str, run: Path) -> str:
    """Returns the characters of a file, or of stdin. Raises ConfigError where it cannot be read, or is too large."""
    from charrnn.text.vocabulary import BYTES

    try:
        with nullcontext(sys.stdin.buffer) if source == "-" else open(source, "rb") as file:
            data = file.read(MAX_PROMPT + 1)  # one more than may be, and not all that a device may give
        if len(data) > MAX_PROMPT:
            raise ConfigError(
                f"{option} {source} is larger than {MAX_PROMPT >> 20} MiB; give its last part"
                + _piped(option, source, run)
            )
        return data.decode("latin-1" if encoding == BYTES else encoding)
    except OSError as error:
        raise ConfigError(f"{option} {source} cannot be read: {error.strerror}; give a text file") from error
    except UnicodeError as error:
        raise ConfigError(
            f"{option} {source} is not {encoding}, as the model's text was: {error}; convert it"
        ) from error


def _piped(option: str, source: str, run: Path) -> str:
    """Returns how the last part of a file is given, as the end of a message; nothing for what is no file."""
    sample = advice.command("sample", run, option, "-")
    return "" if source == "-" else f": tail -c 10000 {advice.word(Path(source))} | {sample}"


def _known(prompt: str, vocabulary: Vocabulary, unknown: str) -> str:
    """Returns the prompt without characters that the model never saw, or raises ConfigError, as `--unknown` says."""
    from charrnn.text.vocabulary import describe

    strange = vocabulary.unknown(prompt)
    if strange and unknown == "error":
        raise ConfigError(
            f"the prompt has characters that the model never saw: {describe(strange)}; "
            f"leave them out, or give --unknown skip"
        )
    return prompt.translate(dict.fromkeys(map(ord, strange)))
