"""`make results ROW=minutes`: what `charrnn train` reaches on tinyshakespeare in so many minutes, with no key set.

    python tools/results/minutes.py [--minutes 3 10 30] [--seeds 1] [--data FILE] [--scratch DIR] [--judge]

The last tenth is held out, all of it is validated on, and nothing is chosen by it but the best checkpoint. Beside the
loss of one pass, in which the state is carried from beginning to end, stands that of blocks of 256 characters which
begin with an empty state, as transformers are measured that know no more.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # for `results`, as in the tests

from charrnn.arrays import Array, Ids
from charrnn.cli.common import library
from charrnn.nn import head
from charrnn.nn.model import CharLM
from charrnn.runs.checkpoint import load
from charrnn.runs.run import Run
from charrnn.tasks.language_model import LanguageModel
from results import machine
from results.arguments import count
from results.running import HERE, charrnn, line

TEXT = HERE.parent / "shared" / "data" / "tinyshakespeare.txt"
BLOCK = 256
"""Characters of a block."""
AT_ONCE = 64
"""Blocks that are read side by side."""


def nats_in_blocks(model: CharLM, weights: dict[str, Array], ids: Ids, block: int = BLOCK) -> float:
    """Returns the mean loss over all whole blocks of a text `ids (N,)`, each read from an empty state."""
    count = (len(ids) - 1) // block
    x, y = (ids[start : start + count * block].reshape(count, block).T for start in (0, 1))  # (T, B)
    nats = []
    for first in range(0, count, AT_ONCE):
        rows = slice(first, first + AT_ONCE)
        logits, _ = model.forward(weights, x[:, rows], model.zero_state(x[:, rows].shape[1]))
        nats.append(head.nats(logits, y[:, rows]))
    return float(np.concatenate([part.ravel() for part in nats]).mean())


def rows(text: Path, minutes: list[int], seeds: list[int], scratch: Path, *, judge: bool) -> Iterator[list[str]]:
    """Trains, or with `judge` takes what was trained before, and yields a row for each run."""
    for budget in minutes:
        for seed in seeds:
            out = scratch / f"{budget}m-{seed}"
            if not judge:
                shutil.rmtree(out, ignore_errors=True)
                held_out = "data.split=[0.9, 0.1, 0]"
                charrnn("train", text, "--time-budget", f"{budget}m", "--seed", seed, "-o", out, "--set", held_out)
            run: Run = load(out / "best.npz")
            yield [f"{budget} min", f"{seed}", *figures(run, text)]


def figures(run: Run, text: Path) -> list[str]:
    """The network, its loss in one pass and in blocks, and after how many passes over the text it had it."""
    corpus = library().read([str(text)], "utf-8")
    model, config, task = run.model, run.config, run.task
    assert isinstance(task, LanguageModel)
    assert isinstance(model, CharLM)
    learnt_from = int(len(corpus) * config.data.split[0])
    ids = corpus.ids(task.vocabulary).take(np.arange(learnt_from, len(corpus)), mode="clip")
    per_pass = learnt_from / (config.train.batch_size * config.train.seq_length)
    blocks = nats_in_blocks(model, run.weights, ids)
    network = f"{config.model.cell} {config.model.num_layers}x{config.model.hidden_size}"
    return [network, f"{run.best:.3f}", f"{blocks:.3f}", f"{run.best_at / per_pass:.0f}"]


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=count, nargs="+", default=[3, 10, 30])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--data", type=Path, default=TEXT, help="the text")
    parser.add_argument("--scratch", type=Path, default=HERE / "runs" / "minutes", help="where runs are kept")
    parser.add_argument("--judge", action="store_true", help="only judge the runs that are there")
    args = parser.parse_args()
    if not args.data.is_file():
        raise SystemExit(f"{args.data} is not there; say where it is: --data FILE")
    print(machine.describe())
    for cells in (["budget", "seed", "network", "nats", "in blocks of 256", "passes"], ["---"] * 6):
        print(line(cells))
    for cells in rows(args.data, args.minutes, args.seeds, args.scratch.resolve(), judge=args.judge):
        print(line(cells), flush=True)


if __name__ == "__main__":
    main()
