"""`charrnn info`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from charrnn.cli import common
from charrnn.errors import one_line

QUOTED = ("symbols", "answers")
"""Facts that are characters, of which spaces and line ends would not be seen."""


@click.command("info", short_help="Say what is in a checkpoint or a text.")
@click.argument("source", metavar="CHECKPOINT|RUN_DIR|TEXT")
@common.json_option
def command(source: str, as_json: bool) -> None:
    """Say what is in a checkpoint, a run directory or a text.

    \b
    charrnn info runs/harbour-1
    """  # noqa: D301  # click wants the backspace itself
    facts = _checkpoint(Path(source)) if _is_checkpoint(Path(source)) else _text(source)
    if as_json:
        common.print_json(facts)
        return
    width = max(map(len, facts))
    for name, value in facts.items():
        shown = f"{value:,}" if type(value) is int else repr(value) if name in QUOTED else str(value)
        click.echo(f"{name.replace('_', ' '):<{width}}  {one_line(shown)}")


def _is_checkpoint(path: Path) -> bool:
    if os.path.isdir(path) or path.suffix == ".npz":
        return True
    if not os.path.isfile(path):  # what a pipe gives, it gives once
        return False
    try:
        with open(path, "rb") as file:
            return file.read(4) == b"PK\x03\x04"
    except OSError:
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
        "written_by": ", ".join(f"{name} {version}" for name, version in run.environment.items()),
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


def _text(source: str) -> dict[str, Any]:
    from charrnn.errors import DataError
    from charrnn.text.encoding import decode
    from charrnn.text.vocabulary import BYTES

    library = common.library()
    text = library.read([source], BYTES)  # once, for it may be a pipe
    try:
        text = decode((piece.encode("latin-1") for piece in text.pieces()), text.name, "utf-8", library.cache)
    except DataError as error:
        if not isinstance(error.__cause__, UnicodeError):
            raise
    lines = pairs = 0
    before = ""
    for piece in text.pieces():
        lines += piece.count("\n")
        pairs += (before + piece).count("\r\n")
        before = piece[-1]
    return {
        "text": text.name,
        "encoding": text.encoding if text.encoding != BYTES else "not utf-8, read as bytes",
        "bytes": text.size,
        "characters": len(text),
        "distinct": len(text.symbols),
        "symbols": "".join(sorted(text.symbols)),
        "lines": lines,
        "line_ends": "CRLF" if pairs and pairs == lines else "LF and CRLF" if pairs else "LF",
        "byte_order_mark": "yes" if text.symbols.startswith("\ufeff") else "no",
        "sha256": text.sha256,
    }
