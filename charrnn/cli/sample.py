"""`charrnn sample`."""

from __future__ import annotations

import math
import sys
from contextlib import nullcontext
from pathlib import Path

import click

from charrnn.errors import ConfigError


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
@click.option("--seed", type=click.IntRange(min=0), metavar="N", help="The same seed gives the same text.")
@click.option("--stream/--no-stream", default=True, show_default=True, help="Show each character as it is drawn.")
def command(
    checkpoint: Path,
    length: int,
    temperature: float,
    top_k: int | None,
    top_p: float | None,
    min_p: float | None,
    prompt: str | None,
    prompt_file: str | None,
    unknown: str,
    stop: str | None,
    samples: int,
    seed: int | None,
    stream: bool,
) -> None:
    """Let a model write. Its text, after the prompt, goes to stdout in UTF-8 (in bytes mode, as it is)."""
    from threadpoolctl import threadpool_limits

    from charrnn.cores import blas_threads
    from charrnn.runs.checkpoint import load
    from charrnn.sampling import sample_many
    from charrnn.tasks.language_model import language_model_of
    from charrnn.text.vocabulary import describe

    for option, value in {"--temperature": temperature, "--top-p": top_p, "--min-p": min_p}.items():
        if value is not None and not math.isfinite(value):
            raise ConfigError(f"{option} {value} is not a number of use; leave it out, or see: charrnn sample --help")
    run = load(checkpoint)
    task, model = language_model_of(run.task, run.model)
    vocabulary = task.vocabulary
    prompt = _prompt(prompt, prompt_file, vocabulary.encoding)
    if strange := vocabulary.unknown(prompt):
        if unknown == "error":
            raise ConfigError(
                f"the prompt has characters that the model never saw: {describe(strange)}; "
                f"leave them out, or give --unknown skip"
            )
        prompt = prompt.translate(dict.fromkeys(map(ord, strange)))
    texts = sample_many(
        run,
        samples,
        prompt,
        length,
        seed,
        stop and _in_symbols(stop, vocabulary.encoding),
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        min_p=min_p,
    )
    out = sys.stdout.buffer

    def write(text: str) -> None:
        out.write(vocabulary.to_bytes(text))
        if stream:
            out.flush()

    with threadpool_limits(blas_threads(samples * model.step_product), user_api="blas"):
        if samples == 1:
            write(prompt)
            for (grown,) in texts:
                write(grown)
        else:
            # All are drawn as one batch, and so end together; they can only be shown one after another.
            whole = [""] * samples
            for grown_by in texts:
                whole = [text + more for text, more in zip(whole, grown_by, strict=True)]
            for number, text in enumerate(whole, 1):
                write(f"{'' if number == 1 else chr(10)}--- {number} of {samples} ---\n{prompt}{text}\n")
    out.flush()
    if sys.stdout.isatty() and samples == 1:
        out.write(b"\n")
        out.flush()


def _in_symbols(text: str, encoding: str) -> str:
    """A text that was typed, in the model's symbols: in bytes mode, its bytes in UTF-8."""
    from charrnn.text.vocabulary import BYTES

    return text.encode("utf-8", "surrogateescape").decode("latin-1") if encoding == BYTES else text


MAX_PROMPT = 1 << 24
"""Bytes of a prompt that is read from a file."""


def _prompt(prompt: str | None, prompt_file: str | None, encoding: str) -> str:
    from charrnn.text.vocabulary import BYTES

    if prompt is not None and prompt_file is not None:
        raise ConfigError("--prompt and --prompt-file are both given; give one of them")
    if prompt_file is None:
        return _in_symbols(prompt or "", encoding)
    try:
        with nullcontext(sys.stdin.buffer) if prompt_file == "-" else open(prompt_file, "rb") as file:
            data = file.read(MAX_PROMPT + 1)  # one more than may be, and not all that a device may give
        if len(data) > MAX_PROMPT:
            raise ConfigError(
                f"--prompt-file {prompt_file} is larger than {MAX_PROMPT >> 20} MiB; give its last part, as with: "
                f"tail -c 10000 FILE | charrnn sample ... --prompt-file -"
            )
        return data.decode("latin-1" if encoding == BYTES else encoding)
    except OSError as error:
        raise ConfigError(f"--prompt-file {prompt_file} cannot be read: {error.strerror}; give a text file") from error
    except UnicodeError as error:
        raise ConfigError(
            f"--prompt-file {prompt_file} is not {encoding}, as the model's text was: {error}; convert it"
        ) from error
