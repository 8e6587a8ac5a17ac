"""`make results ROW=cells`: every cell with as many parameters, for as long, on two texts; which is best?

    python tools/results/cells.py [--seconds 30] [--parameters 120000] [--seeds 3] [--texts NAME=TEXT ...] [--rates ...]

Each rate of the list is tried by the first seed. The one with the lowest validation loss is the cell's own, which the
other seeds take; the figures are of the test part. A run is a process on one core, and there are as many at once as
cores. Every run that ends is a line of `docs/results/cells.tsv`, and the same command goes on from there.
As it stands it has 140 runs of half a minute, which take forty minutes on two cores.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # for `results` and `pictures`, as in the tests

from pictures import plot

from charrnn import cores
from charrnn.cli.common import library
from charrnn.errors import CharrnnError
from charrnn.tasks.language_model import LanguageModel
from charrnn.text.options import DataConfig
from results import cell_findings
from results.arguments import count
from results.cell_rows import Row, Rows
from results.cell_runs import ENTRIES, Job

HERE = Path(__file__).resolve().parents[2]
DATA = HERE.parent / "shared" / "data"
ROWS, PICTURE = HERE / "docs" / "results" / "cells.tsv", HERE / "docs" / "images" / "cells.svg"
FILES = {"prose": "warpeace_input.txt", "sources": "lua_c.txt"}
"""The texts, in the directory of data: a novel, and a program in C."""
SHIPPED = {"prose": "harbour", "sources": "python-stdlib"}
"""What is everywhere."""

SECONDS, PARAMETERS, SEEDS, RATES = 30.0, 120_000, 3, (0.003, 0.01, 0.03)


def do(job: Job) -> Row:
    """Runs it in a process of its own."""
    command = [sys.executable, str(Path(__file__).with_name("cell_runs.py")), json.dumps(job)]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, env=os.environ | {"OPENBLAS_NUM_THREADS": "1"})
    if done.returncode:
        raise SystemExit(f"a run of {job.entry} on {job.text} failed; what it said is above")
    found: Row = json.loads(done.stdout)
    return found


class Study:
    """The runs of one call: which there are, and what came of them."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.rows = Rows(args.rows)
        self.texts: dict[str, str] = args.texts
        self.sums = {name: _sha256(source) for name, source in self.texts.items()}

    def jobs(self, rates: Mapping[tuple[str, str], Sequence[float]], seeds: Iterable[int]) -> list[Job]:
        """The runs of these seeds, for each text and entry with its rates."""
        fixed = self.args.seconds, self.args.parameters
        return [
            Job(text, source, entry, rate, seed, *fixed)
            for seed in seeds
            for text, source in self.texts.items()
            for entry in self.args.entries
            for rate in rates[text, entry]
        ]

    def run(self, jobs: Sequence[Job]) -> None:
        """Runs those that have not ended before, as many at once as may be."""
        left = [job for job in jobs if self.rows.find(job, self.sums[job.text]) is None]
        with ThreadPoolExecutor(self.args.at_once) as pool:
            waiting = {pool.submit(do, job): job for job in left}
            try:
                for number, future in enumerate(as_completed(waiting), 1):
                    job = waiting[future]
                    row = self.rows.add(job, self.sums[job.text], future.result())
                    print(
                        f"{number} of {len(left)}: {job.text}, {job.entry}, rate {job.rate:g}, seed {job.seed}: "
                        f"{row['test']:.3f} nats, {row['chars_per_s']:,.0f} characters/s",
                        file=sys.stderr,
                        flush=True,
                    )
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    def best_rate(self, text: str, entry: str) -> float:
        """The rate with the lowest validation loss of the first seed; of those that all diverged, the lowest."""
        jobs = self.jobs({(t, e): self.args.rates for t in self.texts for e in self.args.entries}, [1])
        own = [job for job in jobs if (job.text, job.entry) == (text, entry)]
        return min(own, key=lambda job: (self.row(job)["validation"], job.rate)).rate

    def row(self, job: Job) -> Row:
        """What came of a run."""
        found = self.rows.find(job, self.sums[job.text])
        assert found is not None, "it was run"
        return found

    def all(self) -> dict[str, dict[str, list[Row]]]:
        """Runs everything; the rows of each text and entry with its own rate, one for each seed."""
        places = [(text, entry) for text in self.texts for entry in self.args.entries]
        self.run(self.jobs(dict.fromkeys(places, self.args.rates), [1]))
        own = {place: [self.best_rate(*place)] for place in places}
        jobs = self.jobs(own, range(1, self.args.seeds + 1))
        self.run(jobs)
        found: dict[str, dict[str, list[Row]]] = {text: {} for text in self.texts}
        for job in jobs:
            found[job.text].setdefault(job.entry, []).append(self.row(job))
        return found


def _sha256(source: str) -> str:
    try:
        return LanguageModel.read(library(), [source], DataConfig()).sha256
    except CharrnnError as error:
        raise SystemExit(str(error)) from None


def table(entries: Mapping[str, Sequence[Row]]) -> Iterator[str]:
    """The entries on one text in Markdown, the best first."""
    yield "| cell | H | parameters | rate | characters/s | passes | nats | lowest to highest |"
    yield "| --- | --: | --: | --: | --: | --: | --: | --: |"

    def mean(name: str, rows: Sequence[Row]) -> float:
        return statistics.fmean(row[name] for row in rows)

    for entry, rows in sorted(entries.items(), key=lambda item: mean("test", item[1])):
        losses = [row["test"] for row in rows]
        first = rows[0]
        cells = [f"`{entry}`" if "," not in entry else f"`lstm`{entry.removeprefix('lstm')}", f"{first['hidden_size']}"]
        cells += [f"{first['num_parameters']:,}", f"{first['rate']:g}", f"{mean('chars_per_s', rows):,.0f}"]
        cells += [f"{mean('passes', rows):.1f}", in_nats(mean("test", rows))]
        cells += [f"{in_nats(min(losses))} to {in_nats(max(losses))}" if len(losses) > 1 else ""]
        yield f"| {' | '.join(cells)} |"


def in_nats(loss: float) -> str:
    """A loss, or that there is none."""
    return f"{loss:.3f}" if math.isfinite(loss) else "diverged"


def losses_of(found: Mapping[str, Mapping[str, Sequence[Row]]]) -> dict[str, dict[str, list[float]]]:
    """The test losses of each entry on each text."""
    return {
        text: {entry: [row["test"] for row in rows] for entry, rows in entries.items()}
        for text, entries in found.items()
    }


def picture(losses: Mapping[str, Mapping[str, Sequence[float]]], args: argparse.Namespace) -> str:
    """The losses as dots, in the order of the first text."""
    first = next(iter(losses.values()))
    names = sorted(first, key=lambda entry: statistics.fmean(first[entry]))
    panels = [plot.Panel(text, entries) for text, entries in losses.items()]
    title = f"Cells with {args.parameters:,} parameters after {args.seconds:g} seconds on one core"
    label = "test loss, nats per character: a dot for each seed, a bar at their mean"
    return plot.dots(panels, names, title, label, beside="lstm")


def default_texts(data: Path) -> dict[str, str]:
    """The texts of the directory of data, and where one is not there, another of its kind."""
    return {name: str(data / file) if (data / file).exists() else SHIPPED[name] for name, file in FILES.items()}


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of the processor, for each run")
    parser.add_argument("--parameters", type=count, default=PARAMETERS, help="of each network, about")
    parser.add_argument("--seeds", type=count, default=SEEDS, help="how many runs of each cell on each text")
    parser.add_argument("--rates", type=float, nargs="+", default=RATES, help="learning rates to choose from")
    parser.add_argument("--texts", nargs="+", metavar="NAME=TEXT", help="a file, or a corpus by name, each")
    parser.add_argument("--entries", nargs="+", choices=ENTRIES, default=list(ENTRIES), help="only these cells")
    parser.add_argument("--at-once", type=count, default=cores.available_cores(), help="runs (default: the cores)")
    parser.add_argument("--data", type=Path, default=DATA, help="where the texts are")
    parser.add_argument("--rows", type=Path, default=ROWS, help="the table of runs, which is read and added to")
    parser.add_argument("--picture", type=Path, default=PICTURE, help="where the picture is drawn")
    args = parser.parse_args()
    given = [text.partition("=") for text in args.texts or ()]
    args.texts = {name: source for name, _, source in given} or default_texts(args.data)
    if args.texts.get("prose") == SHIPPED["prose"]:
        print("the shipped text is short, so that cells are compared in learning it by heart: --texts has others")
    if not all(args.texts.values()):
        raise SystemExit("--texts: write NAME=TEXT, as in --texts prose=novel.txt sources=python-stdlib")
    return args


def main() -> None:
    """Runs what is left, and prints tables and findings."""
    args = arguments()
    study = Study(args)
    found = study.all()
    for text, entries in found.items():
        print(
            f"\n{text}: {Path(args.texts[text]).name}, {args.seconds:g} s on one core; "
            f"{'; '.join(sorted({row['machine'] for rows in entries.values() for row in rows}))}\n"
        )
        print("\n".join(table(entries)))
    losses = losses_of(found)
    print()
    print("\n".join(cell_findings.lines(losses)))
    args.picture.parent.mkdir(parents=True, exist_ok=True)
    args.picture.write_text(picture(losses, args), "utf-8", newline="\n")


if __name__ == "__main__":
    main()
