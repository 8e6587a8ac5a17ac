"""`make results ROW=NAME`: trains with the shipped config of a result's name and judges on the fixed test file.

    python tools/results/measure.py ROW [--data DIR] [--scratch DIR] [--seeds N] [--variant NAME] [--set KEY=VALUE ...]

Each figure stands beside what baselines reach that learn from the same examples, or in the rows of `texts`, beside what
was published. Without a row it lists them.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # for `results`, as in the tests

from charrnn.cli.common import library
from charrnn.runs.checkpoint import load
from charrnn.runs.run import Run
from results import baselines, cutting, machine, texts
from results.arguments import count
from results.rows import PRETRAINED, ROWS, Row
from results.running import HERE, charrnn, line, settings, written

DATA = HERE.parent / "shared" / "data" / "pairs"


def prepare(row: Row, data: Path, scratch: Path) -> tuple[Path, Path]:
    """Cuts the data of a row; the files to train and to test on."""
    try:
        parts = row.cut(data, row.file)
    except FileNotFoundError as error:
        raise SystemExit(
            f"{error.filename} is not there; say where the data are: --data DIR, or CHARRNN_PAIRS"
        ) from None
    paths = scratch / "train.tsv", scratch / "test.tsv"
    scratch.mkdir(parents=True, exist_ok=True)
    for pairs, path in zip(parts, paths, strict=True):
        cutting.write(pairs, path, made=row.made)
    return paths


def pretrained(row: Row, train: Path, scratch: Path, seed: int) -> Path:
    """Trains a language model of the inputs to begin with; its run."""
    out, text = scratch / f"language-model-{seed}", scratch / "train.txt"
    pairs = cutting.read(train)
    text.write_text("\n".join(second for _, second in pairs) + "\n", "utf-8", newline="\n")
    shutil.rmtree(out, ignore_errors=True)
    charrnn("train", text, "-c", "lstm", "-q", "-o", out, "--seed", seed, *settings(row.pretrain))
    return out


def train(name: str, row: Row, variant: str, seed: int, args: argparse.Namespace) -> tuple[Path, float]:
    """Trains once; the run, and how many seconds it took."""
    scratch = args.scratch / name
    out = scratch / "-".join(filter(None, [variant.replace(" ", "-"), str(seed)]))
    shutil.rmtree(out, ignore_errors=True)
    begin = ["--init-from", pretrained(row, scratch / "train.tsv", scratch, seed)] if variant == PRETRAINED else []
    began = time.perf_counter()
    options = settings([*row.variants[variant], *args.set])
    charrnn("train", scratch / "train.tsv", "-c", row.config or name, "-q", "-o", out, "--seed", seed, *begin, *options)
    return out, time.perf_counter() - began


def judge(row: Row, out: Path, test: Path) -> dict[str, float]:
    """The figures of a run on the test file."""
    run: Run = load(out)
    task: Any = run.task
    pairs = type(task).read(library(), [str(test)], run.config.data)
    beam = {"beam": row.beam} if row.beam > 1 else {}
    figures = task.report(run.model, run.weights, task.encode(pairs), **beam)
    if "f1" in row.figures:
        answers = [tagged.text for tagged in task.predict(run.model, run.weights, pairs.first)]
        figures["f1"] = baselines.f1_of_changes(pairs.first, pairs.second, answers)
    figures["parameters"] = run.model.num_parameters
    figures["iterations"] = run.iteration
    return figures


def measure(name: str, row: Row, args: argparse.Namespace) -> None:
    """Prints the table of a row, and keeps all figures as JSON in the scratch directory."""
    trained_on, test = prepare(row, args.data, args.scratch / name)
    print(f"{name}: {machine.describe()}")
    print(line(["", *row.figures, "parameters", "seconds"]))
    print(line(["---"] + ["---:"] * (len(row.figures) + 2)))
    for label, figures in baselines.of(row.task, cutting.read(trained_on), cutting.read(test)):
        print(line([label, *(written(figures.get(figure)) for figure in row.figures), "", ""]), flush=True)
    kept: list[dict[str, Any]] = []
    for variant in [args.variant] if args.variant is not None else row.variants:
        found = []
        for seed in range(1, (args.seeds or row.seeds) + 1):
            out, seconds = train(name, row, variant, seed, args)
            found.append({"variant": variant, "seed": seed, "seconds": seconds} | judge(row, out, test))
            kept.append(found[-1])
            (args.scratch / name / "figures.json").write_text(json.dumps(kept, indent=1))
            show(variant or "charrnn", f"seed {seed}", row, found[-1:])
        if len(found) > 1:
            show(variant or "charrnn", f"mean of {len(found)}, and range", row, found)


def show(variant: str, which: str, row: Row, runs: list[dict[str, Any]]) -> None:
    """A line of the table: of one run, or the means of several with what they are between."""
    cells = []
    for figure in row.figures:
        values = [run[figure] for run in runs]
        spread = f" ({written(min(values))} to {written(max(values))})" if len(values) > 1 else ""
        cells.append(written(statistics.mean(values)) + spread)
    seconds = statistics.mean(run["seconds"] for run in runs)
    print(line([f"{variant}, {which}", *cells, f"{runs[0]['parameters']:,}", f"{seconds:.0f}"]), flush=True)


def main() -> None:
    """Measures a row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    known = [*ROWS, *texts.GROUPS, *texts.ROWS]
    parser.add_argument("row", nargs="?", help=", ".join(known))
    given = os.environ.get("CHARRNN_PAIRS")
    parser.add_argument("--data", type=Path, default=Path(given) if given else DATA, help="where the tables are")
    parser.add_argument("--scratch", type=Path, default=HERE / "runs" / "results", help="where runs are kept")
    parser.add_argument("--seeds", type=count, help="how many runs, instead of the row's own number")
    parser.add_argument("--variant", help="only this one")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as for `charrnn train`")
    args = parser.parse_args()
    if args.row not in known:
        raise SystemExit(
            f"{args.row or 'no row'}: say which result, as in `make results ROW=names`: {', '.join(known)}"
        )
    args.scratch = args.scratch.resolve()
    if args.row in ROWS:
        measure(args.row, ROWS[args.row], args)
    else:
        texts.measure(texts.GROUPS.get(args.row, (args.row,)), args)


if __name__ == "__main__":
    main()
