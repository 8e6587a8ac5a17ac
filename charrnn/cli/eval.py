"""`charrnn eval`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from charrnn.cli import common
from charrnn.errors import DataError, one_line

if TYPE_CHECKING:
    from charrnn.runs.run import Run
    from charrnn.tasks.language_model import LanguageModel
    from charrnn.text.encoding import Text
    from charrnn.text.streams import Streams


@click.command("eval", short_help="Measure how well a model predicts a text.")
@click.argument("checkpoint", type=click.Path(path_type=Path), metavar="CHECKPOINT|RUN_DIR")
@click.argument("text")
@click.option(
    "--split",
    type=click.Choice(["train", "validation", "test"]),
    help="Only this part of TEXT, cut as the run's configuration says.",
)
@common.json_option
@click.option(
    "--heat",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.html",
    help="Write the text with each character coloured by its surprise.",
)
def command(checkpoint: Path, text: str, split: str | None, as_json: bool, heat: Path | None) -> None:
    """Measure how well a model predicts TEXT: a file, '-' for stdin, or the name of a corpus.

    The first character is read but not counted, since nothing comes before it.
    """
    from charrnn.judging.evaluation import Score, evaluate, nats_of_characters
    from charrnn.runs.checkpoint import load
    from charrnn.tasks.language_model import language_model_of
    from charrnn.text.encoding import encoded_size

    run = load(checkpoint)
    task, model = language_model_of(run.task, run.model)
    source = task.read(common.library(), text, run.config.data)
    streams = _streams(run, task, source, split)
    chars, size = len(streams), encoded_size(_predicted(source, streams), source.encoding)
    if heat:
        from charrnn.cli.heat import page
        from charrnn.files import write_atomically

        nats = nats_of_characters(model, run.weights, streams)
        score = Score(math.fsum(nats) / chars, chars, size)
        html = page(source.name, "".join(_predicted(source, streams)), nats, score)
        write_atomically(heat, html.encode("utf-8", "backslashreplace"))
    else:
        score = Score(evaluate(model, run.weights, streams), chars, size)
    if as_json:
        names = ("nats_per_char", "bits_per_char", "bits_per_byte", "perplexity", "chars", "bytes")
        common.print_json({name: getattr(score, name) for name in names})
        return
    click.echo(f"{score.nats_per_char:.4f} nats per character")
    click.echo(f"{score.bits_per_char:.4f} bits per character")
    click.echo(f"{score.bits_per_byte:.4f} bits per byte")
    click.echo(f"{score.perplexity:.4f} perplexity")
    click.echo(f"over {score.chars:,} characters ({score.bytes:,} bytes) of {one_line(source.name)}")


def _streams(run: Run, task: LanguageModel, source: Text, split: str | None) -> Streams:
    """Returns what of the text is predicted: all of it, or the part `split` as the run's configuration cuts it."""
    from charrnn.text.streams import side_by_side

    if len(source) < 2:
        raise DataError(f"{source.name} has one character; two are needed, one to predict from and one to predict")
    try:
        ids = source.ids(task.vocabulary)
    except DataError as error:
        raise DataError(f"{source.name}: {error}; take them out, or train on a text that has them") from error
    if split is None:
        return side_by_side(ids, 0, len(ids))
    train = run.config.train
    try:
        streams: Streams = getattr(task.cut(ids, run.config.data, train.batch_size, train.seq_length), split)
    except DataError as error:
        raise DataError(f"{source.name} is too short to be split as the run's text was; leave out --split") from error
    if not len(streams):
        raise DataError(f"the run's data.split leaves no {split} text; leave out --split")
    return streams


def _predicted(source: Text, streams: Streams) -> Iterator[str]:
    """Yields the characters that `streams` predict, some at a time."""
    for first, length in zip(streams.first + 1, streams.lengths, strict=True):
        yield from source.pieces(first, first + length)
