"""The rows that are language models: what a shipped config reaches on a part of its text, beside what was published."""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from charrnn.cli.common import library
from charrnn.runs.checkpoint import load
from charrnn.runs.run import Run
from charrnn.training.preparing import split_of
from results import machine
from results.running import charrnn, line, settings, written


class TextRow(NamedTuple):
    """A result on a text."""

    text: str
    """In the directory of data."""
    published: float | None = None
    """Nats per symbol of the test part, where somebody published them."""
    seeds: int = 3


WAR_AND_PEACE, SHAKESPEARE, TUNES = "../warpeace_input.txt", "../tinyshakespeare.txt", "../irish.abc"

ROWS = {
    "wp-lstm-64": TextRow(WAR_AND_PEACE, 1.449),
    "wp-gru-64": TextRow(WAR_AND_PEACE, 1.398),
    "wp-rnn-64": TextRow(WAR_AND_PEACE, 1.446),
    "wp-lstm-128": TextRow(WAR_AND_PEACE, 1.277),
    "wp-gru-128": TextRow(WAR_AND_PEACE, 1.230),
    "wp-rnn-128": TextRow(WAR_AND_PEACE, 1.417),
    "wp-lstm-2x128": TextRow(WAR_AND_PEACE, 1.227),
    "char-rnn": TextRow(SHAKESPEARE, seeds=1),
    "torch-rnn": TextRow(SHAKESPEARE, seeds=1),
    "min-char-rnn": TextRow(SHAKESPEARE, seeds=1),
    "textbook-lstm": TextRow(SHAKESPEARE, seeds=1),
    "zaremba": TextRow(SHAKESPEARE, seeds=1),
    "mit-lab": TextRow(TUNES, seeds=1),
}
"""By the name of the config. The figures of War and Peace are those of Karpathy et al. 2015, table 1."""

GROUPS = {
    "warpeace": tuple(name for name, row in ROWS.items() if row.text == WAR_AND_PEACE),
    "recipes": tuple(name for name, row in ROWS.items() if row.text in (SHAKESPEARE, TUNES)),
}
"""Rows that are measured one after the other, in one table."""

COLUMNS = ["config", "seed", "validation", "test", "published", "parameters", "best after", "iterations", "seconds"]


def measure(names: Iterable[str], args: argparse.Namespace) -> None:
    """Prints the table of some rows, and keeps the figures of each as JSON in the scratch directory."""
    print(machine.describe())
    print(line(COLUMNS))
    print(line(["---", "---"] + ["---:"] * (len(COLUMNS) - 2)), flush=True)
    for name in names:
        row, found = ROWS[name], []
        text = (args.data / row.text).resolve()
        if not text.is_file():
            raise SystemExit(f"{text} is not there; say where the data are: --data DIR, or CHARRNN_PAIRS")
        for seed in range(1, (args.seeds or row.seeds) + 1):
            found.append(_measured(name, text, seed, args))
            (args.scratch / name / "figures.json").write_text(json.dumps(found, indent=1))
            _show(name, f"{seed}", row, found[-1:])
        if len(found) > 1:
            _show(name, f"mean of {len(found)}", row, found)


def _measured(name: str, text: Path, seed: int, args: argparse.Namespace) -> dict[str, Any]:
    """Trains once, and judges the best checkpoint on all of the parts that were held out."""
    out = args.scratch / name / f"{seed}"
    shutil.rmtree(out, ignore_errors=True)
    began = time.perf_counter()
    charrnn("train", text, "-c", name, "-q", "-o", out, "--seed", seed, *settings(args.set))
    seconds = time.perf_counter() - began
    run: Run = load(out / "best.npz")
    return {
        "seed": seed,
        **_losses(run, text),
        "parameters": run.model.num_parameters,
        "best_at": run.iteration,
        "iterations": load(out / "last.npz").iteration,
        "seconds": seconds,
    }


def _losses(run: Run, text: Path) -> dict[str, float | None]:
    """The nats per symbol of the validation part and of the test part; None for one that the config leaves out."""
    task: Any = run.task
    split = split_of(task, run.config, type(task).read(library(), [str(text)], run.config.data))
    parts = {"validation": split.validation, "test": split.test}
    return {
        name: None if part is None else task.judge(run.model, run.weights, part, lambda: False)["nats"]
        for name, part in parts.items()
    }


def _show(name: str, which: str, row: TextRow, runs: list[dict[str, Any]]) -> None:
    """A line of the table: of one run, or the means of several, with what the losses are between."""
    cells = []
    for part in ("validation", "test"):
        values = [run[part] for run in runs if run[part] is not None]
        spread = f" ({written(min(values))} to {written(max(values))})" if len(values) > 1 else ""
        cells.append(written(statistics.mean(values)) + spread if values else "")
    means = [f"{statistics.mean(run[key] for run in runs):,.0f}" for key in ("best_at", "iterations", "seconds")]
    published = "" if row.published is None else f"{row.published:.3f}"
    print(line([name, which, *cells, published, f"{runs[0]['parameters']:,}", *means]), flush=True)
