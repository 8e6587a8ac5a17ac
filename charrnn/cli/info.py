"""`charrnn info`."""

from __future__ import annotations

import codecs
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from charrnn.cli import common
from charrnn.errors import ConfigError, DataError, one_line

if TYPE_CHECKING:
    from charrnn.text.text import Text

QUOTED = ("symbols", "answers")
"""Facts that are characters, of which spaces and line ends would not be seen."""

PASTED = ("seed",)
"""Facts that are numbers to be typed again, which have no commas."""


@click.command("info", short_help="Say what is in a checkpoint or a text.")
@click.argument("source", required=False, metavar="CHECKPOINT|RUN_DIR|TEXT")
@click.option("--machine", is_flag=True, help="Say what this machine has for us: cores, speed, limits.")
@click.option("--measure-again", "again", is_flag=True, help="Of this machine, whose speed is known from before.")
@click.option("--encoding", metavar="NAME", help="Of a text [utf-8].")
@common.json_option
def command(source: str | None, machine: bool, again: bool, encoding: str | None, as_json: bool) -> None:
    """Say what is in a checkpoint, a run directory or a text; or with --machine, what there is to compute with.

    \b
    charrnn info runs/harbour-1
    charrnn info --machine
    """  # noqa: D301  # click wants the backspace itself
    if (source is None) != machine:
        raise click.UsageError(
            "Missing argument 'CHECKPOINT|RUN_DIR|TEXT', or --machine" if source is None else "--machine is of no file"
        )
    is_text = source is not None and not _is_checkpoint(source)
    if encoding is not None and not is_text:
        raise ConfigError("--encoding is of a text; leave it out")
    if again and source is not None:
        raise click.UsageError("--measure-again is for --machine")
    if source is None:
        _show_machine(again, as_json)
        return
    facts = _text(source, encoding) if is_text else _checkpoint(Path(source))
    if as_json:
        common.print_json(facts)
    else:
        _show(facts)


def _show(facts: dict[str, Any]) -> None:
    """Prints each fact in a line."""
    width = max(map(len, facts))
    for name, value in facts.items():
        click.echo(f"{name.replace('_', ' '):<{width}}  {one_line(_shown(name, value))}")


def _shown(name: str, value: Any) -> str:
    """Returns a fact as people read it."""
    if name in QUOTED:
        return repr(value)
    if type(value) is int:
        return str(value) if name in PASTED else f"{value:,}"
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def _show_machine(again: bool, as_json: bool) -> None:
    """Says what limits the cores of this process, what computes and how fast, and how batches are shared."""
    from charrnn.cli import machine

    facts = machine.facts(again)
    if as_json:
        common.print_json(facts)
        return
    _show(machine.in_words(facts))
    for lines in (machine.measured(facts["cost_model"]["seconds"]), machine.table(facts["layouts"])):
        click.echo("\n" + "\n".join(lines))


def _is_checkpoint(source: str) -> bool:
    """Tells whether this is the path of a checkpoint or a run, and not of a text, a folder of texts or an archive."""
    from charrnn.text.sources import is_run

    path = Path(source)
    if not source:
        return False
    if path.suffix == ".npz":
        return True
    try:
        if os.path.isdir(path):
            return is_run(path) or all(name.startswith(".") for name in os.listdir(path))
        if not os.path.isfile(path):  # what a pipe gives, it gives once
            return False
        with open(path, "rb") as file:
            head = file.read(1024)
            length = int.from_bytes(head[26:28], "little")
            return head.startswith(b"PK\x03\x04") and head[30 : 30 + length].endswith(b".npy")
    except (OSError, ValueError):
        return False


def _checkpoint(path: Path) -> dict[str, Any]:
    from charrnn.runs import checkpoint

    path = checkpoint.find(path)
    run = checkpoint.load(path)
    model, train, optim = run.config.model, run.config.train, run.config.optim
    scores = run.scores or dict.fromkeys([run.task.measure])
    return {
        "checkpoint": str(path),
        "task": run.config.task.name,
        "written_by": ", ".join(
            f"{name} {version}".removeprefix("cores ") for name, version in run.environment.items()
        ),
        "model": common.describe_model(model, run.params.vector.size),
        "parameters": run.params.vector.size,
        "dropout": model.dropout,
        **run.task.facts(),
        "corpus": run.corpus.name,
        "corpus_bytes": run.corpus.size,
        "corpus_sha256": run.corpus.sha256,
        "optimizer": f"{optim.name}, learning rate {optim.learning_rate:g}, {optim.schedule}",
        "batch_size": train.batch_size,
        "seq_length": train.seq_length,
        "seed": train.seed,
        "iteration": run.iteration,
        **{f"validation_{name}": score for name, score in scores.items()},
        f"best_{run.task.measure}": run.best,
    }


def _text(source: str, encoding: str | None) -> dict[str, Any]:
    from charrnn.text.detecting import guess
    from charrnn.text.encoding import decode
    from charrnn.text.lines import count_line_ends
    from charrnn.text.vocabulary import BYTES

    library = common.library_to_look(encoding)
    common.invite([source])
    text = library.read([source], "utf-8")  # once, for it may be a pipe
    read_as = text.encoding
    if text.encoding == BYTES and encoding != BYTES:
        data = (piece.encode("latin-1") for piece in text.pieces())
        likely = guess(next(text.pieces()).encode("latin-1"))
        with suppress(DataError):
            text = decode(data, text.name, likely or BYTES, library.cache)
        read_as = f"not utf-8, read as {text.encoding}" + " (likely; else bytes)" * (text.encoding != BYTES)
    common.tell(text.origin.notes)
    ends = count_line_ends(text)
    found = {name: count for name, count in ends.items() if count}
    return {
        "text": text.name,
        "encoding": read_as,
        "bytes": text.size,
        "characters": len(text),
        "distinct": len(text.symbols),
        "symbols": "".join(sorted(text.symbols)),
        "lines": sum(ends.values()),
        "line_ends": _in_words(found),
        "byte_order_mark": "yes" if text.marked or _has_mark(text) else "no",
        "sha256": text.sha256,
    }


def _has_mark(text: Text) -> bool:
    """Tells whether a text that was read as bytes begins with a byte order mark."""
    from charrnn.text.detecting import marked
    from charrnn.text.vocabulary import BYTES

    head = next(text.pieces(0, 4)).encode("latin-1") if text.encoding == BYTES else b""
    return head.startswith(codecs.BOM_UTF8) or marked(head) is not None


def _in_words(ends: dict[str, int]) -> str:
    """Says which line ends there are, with their numbers if they are of several kinds."""
    if len(ends) < 2:
        return next(iter(ends), "none")
    return "mixed: " + ", ".join(f"{count:,} {name}" for name, count in ends.items())
