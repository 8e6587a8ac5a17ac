"""`charrnn sample`."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from charrnn import advice
from charrnn.errors import ConfigError

if TYPE_CHECKING:
    from charrnn.text.vocabulary import Vocabulary


MAX_PROMPT = 1 << 24
"""Bytes of a prompt that is read from a file."""


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
    unknown: str
    stop: str | None
    samples: int
    label: str | None
    seed: int | None
    stream: bool


@click.command("sample", short_help="Let a model write.")
@click.argument("checkpoint", type=click.Path(path_type=Path), metavar="CHECKPOINT|RUN_DIR")
@click.option("-n", "--length", type=click.IntRange(min=0), default=500, show_default=True, help="Characters to write.")
@click.option(
    "--temperature",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    help="Below 1 safer, above 1 wilder; 0 always the likeliest.",
)
@click.option("--top-k", type=click.IntRange(min=1), metavar="K", help="Draw from the K likeliest characters.")
@click.option(
    "--top-p",
    type=click.FloatRange(0, 1, min_open=True),
    metavar="P",
    help="Draw from the likeliest that together have probability P.",
)
@click.option(
    "--min-p",
    type=click.FloatRange(0, 1),
    metavar="P",
    help="Draw from those at least P times as likely as the likeliest.",
)
@click.option("--prompt", metavar="TEXT", help="The text to continue.")
@click.option("--prompt-file", metavar="FILE|-", help="A file with the text to continue; '-' for stdin.")
@click.option(
    "--unknown",
    type=click.Choice(["error", "skip"]),
    default="error",
    show_default=True,
    help="What to do with a prompt's characters that the model never saw.",
)
@click.option("--stop", metavar="TEXT", help="End before this text would appear.")
@click.option(
    "--samples", type=click.IntRange(min=1), default=1, show_default=True, metavar="N", help="Texts to write."
)
@click.option("--label", metavar="NAME", help="What to write: a label of those that the run has learnt.")
@click.option("--seed", type=click.IntRange(min=0), metavar="N", help="The same seed gives the same text.")
@click.option("--stream/--no-stream", default=True, show_default=True, help="Show each character as it is drawn.")
def command(**options: Any) -> None:
    """Let a model write. Its text, after the prompt, goes to stdout in UTF-8 (in bytes mode, as it is).

    \b
    charrnn sample runs/harbour-1 -n 300 --temperature 0.8 --prompt "The sea"
    charrnn sample runs/names-1 --label Italian --samples 10
    """  # noqa: D301  # click wants the backspace itself
    from threadpoolctl import threadpool_limits

    from charrnn.cores import blas_threads
    from charrnn.runs.checkpoint import load
    from charrnn.sampling import Filters, Request, sample_many
    from charrnn.tasks.writer import writer_of

    wanted = Options(**options)
    for option, value in {
        "--temperature": wanted.temperature,
        "--top-p": wanted.top_p,
        "--min-p": wanted.min_p,
    }.items():
        if value is not None and not math.isfinite(value):
            raise ConfigError(
                f"{option} {value} is not a number of use; leave it out, or see: {advice.command('sample', '--help')}"
            )
    run = load(wanted.checkpoint)
    task, model = writer_of(run.task, run.model, wanted.checkpoint)
    vocabulary, samples = task.vocabulary, wanted.samples
    prompt = _known(_prompt(wanted, vocabulary.encoding), vocabulary, wanted.unknown)
    stop = wanted.stop and _in_symbols(wanted.stop, vocabulary.encoding)
    filters = Filters(wanted.temperature, wanted.top_k, wanted.top_p, wanted.min_p)
    in_lines = task.end is not None and "\n" not in vocabulary.symbols
    texts = sample_many(
        run, Request((prompt,), wanted.length, wanted.seed, (stop,) if stop else (), filters, wanted.label), samples
    )
    out = sys.stdout.buffer
    with threadpool_limits(blas_threads(samples * model.step_product), user_api="blas"):
        for piece in _pieces(prompt, texts, samples, in_lines):
            out.write(vocabulary.to_bytes(piece))
            if wanted.stream:
                out.flush()
    if sys.stdout.isatty() and samples == 1 and not in_lines:
        out.write(b"\n")
    out.flush()


def _pieces(prompt: str, texts: Iterator[list[str]], samples: int, in_lines: bool) -> Iterator[str]:
    """Yields what is written, piece by piece. Texts that have no line ends are a line each."""
    if in_lines:
        yield from _growing(prompt, texts) if samples == 1 else ["\n".join(_whole(prompt, texts, samples))]
        yield "\n"
    elif samples == 1:
        yield from _growing(prompt, texts)
    else:
        for number, text in enumerate(_whole(prompt, texts, samples), 1):
            yield f"{'' if number == 1 else chr(10)}--- {number} of {samples} ---\n{text}\n"


def _growing(prompt: str, texts: Iterator[list[str]]) -> Iterator[str]:
    """Yields the prompt, and then what follows it as it is drawn."""
    yield prompt
    for (grown,) in texts:
        yield grown


def _whole(prompt: str, texts: Iterator[list[str]], samples: int) -> list[str]:
    """Returns several texts, each with the prompt before it. They are drawn as one batch, and so end together."""
    whole = [prompt] * samples
    for grown in texts:
        whole = [text + more for text, more in zip(whole, grown, strict=True)]
    return whole


def _prompt(options: Options, encoding: str) -> str:
    """Returns the prompt, as it was typed or from its file, in the model's symbols."""
    from charrnn.text.vocabulary import BYTES

    prompt_file = options.prompt_file
    if options.prompt is not None and prompt_file is not None:
        raise ConfigError("--prompt and --prompt-file are both given; give one of them")
    if prompt_file is None:
        return _in_symbols(options.prompt or "", encoding)
    try:
        with nullcontext(sys.stdin.buffer) if prompt_file == "-" else open(prompt_file, "rb") as file:
            data = file.read(MAX_PROMPT + 1)  # one more than may be, and not all that a device may give
        if len(data) > MAX_PROMPT:
            raise ConfigError(
                f"--prompt-file {prompt_file} is larger than {MAX_PROMPT >> 20} MiB; give its last part"
                + _piped(options.checkpoint, prompt_file)
            )
        return data.decode("latin-1" if encoding == BYTES else encoding)
    except OSError as error:
        raise ConfigError(f"--prompt-file {prompt_file} cannot be read: {error.strerror}; give a text file") from error
    except UnicodeError as error:
        raise ConfigError(
            f"--prompt-file {prompt_file} is not {encoding}, as the model's text was: {error}; convert it"
        ) from error


def _piped(checkpoint: Path, prompt_file: str) -> str:
    """Returns how the last part of a file is given, as the end of a message; nothing for what is no file."""
    sample = advice.command("sample", checkpoint, "--prompt-file", "-")
    return "" if prompt_file == "-" else f": tail -c 10000 {advice.word(Path(prompt_file))} | {sample}"


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


def _in_symbols(text: str, encoding: str) -> str:
    """Returns a text that was typed in the model's symbols: in bytes mode, these are its bytes in UTF-8."""
    from charrnn.text.vocabulary import BYTES

    return text.encode("utf-8", "surrogateescape").decode("latin-1") if encoding == BYTES else text
