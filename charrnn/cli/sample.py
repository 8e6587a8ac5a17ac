"""`charrnn sample`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from charrnn import advice
from charrnn.cli import common
from charrnn.cli.sample_options import Options
from charrnn.errors import ConfigError


@click.command("sample", short_help="Let a model write.")
@click.argument("checkpoint", type=click.Path(path_type=Path), metavar="CHECKPOINT|RUN_DIR")
@click.option("-n", "--length", type=int, default=500, show_default=True, help="Characters to write.")
@click.option(
    "--temperature",
    type=float,
    default=1.0,
    show_default=True,
    help="Below 1 safer, above 1 wilder; 0 always the likeliest.",
)
@click.option("--top-k", type=int, metavar="K", help="Draw from the K likeliest characters.")
@click.option(
    "--top-p", type=float, metavar="P", help="Draw from the likeliest that together have probability P (up to 1)."
)
@click.option(
    "--min-p", type=float, metavar="P", help="Draw from those at least P times (0 to 1) as likely as the likeliest."
)
@click.option("--prompt", metavar="TEXT", help="The text to continue.")
@click.option("--prompt-file", metavar="FILE|-", help="A file with the text to continue; '-' for stdin.")
@click.option("--prompts", metavar="FILE|-", help="A file with many texts to continue, one a line; '-' for stdin.")
@common.encoding_option
@click.option(
    "--unknown",
    type=click.Choice(["error", "skip"]),
    default="error",
    show_default=True,
    help="What to do with a prompt's characters that the model never saw.",
)
@click.option("--stop", metavar="TEXT", multiple=True, help="End before this text would appear; may be repeated.")
@click.option("--samples", type=int, default=1, show_default=True, metavar="N", help="Texts to write, of each prompt.")
@click.option("--separator", metavar="TEXT", help="What stands between samples, in place of lines that count them.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each sample: see below.")
@click.option("--label", metavar="NAME", help="What to write: a label of those that the run has learnt.")
@click.option("--seed", type=int, metavar="N", help="The same seed gives the same text.")
@click.option("--stream/--no-stream", default=True, show_default=True, help="Show each character as it is drawn.")
@click.option("--allow", metavar="CHARS", help="Write these characters alone.")
@click.option("--ban", metavar="CHARS", help="Never write these characters.")
@click.option(
    "--repetition-penalty",
    type=float,
    default=1.0,
    show_default=True,
    metavar="X",
    help="Make the characters of the last --repetition-window X times less likely.",
)
@click.option(
    "--repetition-window", type=int, default=16, show_default=True, metavar="N", help="How many characters that is."
)
@click.option(
    "--best-of",
    type=int,
    default=1,
    show_default=True,
    metavar="N",
    help="Of N texts for each sample, show the one with the greatest log-probability per character.",
)
@click.option(
    "--max-copy",
    type=int,
    metavar="N",
    help="Never more than N characters in a row as in the training text; the longest copy is reported.",
)
@click.option("--text", multiple=True, metavar="TEXT", help="Where that text is, if no longer where it was.")
@click.option(
    "--save-state",
    type=common.Place(path_type=Path),
    metavar="FILE",
    help="Keep where the texts end.",
)
@click.option(
    "--load-state",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Go on from there; with --samples, branch.",
)
def command(**options: Any) -> None:
    """Let a model write. Its text, after the prompt, goes to stdout in UTF-8 (in bytes mode, as it is).

    \b
    charrnn sample runs/harbour-1 -n 300 --temperature 0.8 --prompt "The sea"
    charrnn sample runs/names-1 --label Italian --samples 10
    charrnn sample runs/harbour-1 --stop '\\n\\n' --stop MARTHA: --best-of 5

    In --prompt, --stop, --separator, --allow and --ban, \\n \\t \\r \\xNN \\uNNNN \\UNNNNNNNN stand for characters,
    and \\\\ for a backslash. Files are read as they are.

    With --json: number, prompt, text (what follows the prompt), log_probability (nats, of all that was drawn, under the
    model's own distribution, before filters), mean_log_probability (per character), seed, ended (length, stop, end,
    max-copy), label.
    """  # noqa: D301  # click wants the backspace itself
    from charrnn.cli.writing import write
    from charrnn.runs.checkpoint import load
    from charrnn.sampling import RequestError
    from charrnn.tasks.writer import writer_of

    wanted = Options(**options)
    _refuse_contradictions(wanted)
    run = load(wanted.checkpoint)
    task, _ = writer_of(run.task, run.model, wanted.checkpoint)
    try:
        write(run, wanted.request(run, task), wanted, sys.stdout.buffer)
    except RequestError as error:
        option = f"--{error.field.replace('_', '-')}"
        raise ConfigError(f"{option} {error.what}; see: {advice.command('sample', '--help')}") from error


def _refuse_contradictions(wanted: Options) -> None:
    """Raises ConfigError for options that cannot be meant together."""
    if wanted.text and wanted.max_copy is None:
        raise ConfigError("--text says where the training text is, for --max-copy; give that too, or leave it out")
    if wanted.encoding is not None and wanted.prompt_file is None and wanted.prompts is None:
        raise ConfigError("--encoding is that of a file; give --prompt-file or --prompts too, or leave it out")
    if wanted.separator is not None and wanted.as_json:
        raise ConfigError("--separator and --json are given together; give one of them")
    if wanted.best_of > 1 and wanted.save_state:
        raise ConfigError("--best-of and --save-state are given together; give one of them")
    if wanted.best_of > 1 and wanted.load_state:
        raise ConfigError("--best-of and --load-state are given together; give one of them")
