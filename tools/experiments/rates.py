"""A good rate for each optimizer: `python tools/experiments/rates.py` trains a network with each of them at five rates.

The recipe is the first of `tricks.py`, without weight decay, which is a share of the rate, and rates differ a
thousandfold here. Each result is a row of docs/results/rates.tsv (see trials.py). It prints the test loss of each
optimizer and rate, in nats per character.

    python tools/experiments/rates.py --only sgd momentum
    python tools/experiments/rates.py --report
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # for `experiments`, as in the tests

from experiments import trials, tricks
from experiments.trials import Row, Settings, Trial
from results.arguments import count

TEXT = next(iter(tricks.BASES))

RATES: dict[str, tuple[float, ...]] = {
    "sgd": (1.0, 3.0, 10.0, 30.0, 100.0),
    "momentum": (0.1, 0.3, 1.0, 3.0, 10.0),
    "nesterov": (0.1, 0.3, 1.0, 3.0, 10.0),
    "adagrad": (0.01, 0.03, 0.1, 0.3, 1.0),
    "rmsprop": (0.001, 0.003, 0.01, 0.03, 0.1),
    "adam": (0.001, 0.003, 0.01, 0.03, 0.1),
}
"""The rates that are tried, each about three times the one before; with `adamw` they are those of `adam`."""


def settings_of(optimizer: str, rate: float) -> Settings:
    """Returns the recipe with an optimizer and its rate."""
    recipe = dict(tricks.settings_of(TEXT, tricks.AS_IT_IS))
    return recipe | {"optim.name": optimizer, "optim.learning_rate": rate, "optim.weight_decay": 0.0}


def wanted(args: argparse.Namespace) -> Iterator[Trial]:
    """Yields what is to be tried."""
    cut = trials.cut(TEXT, args.data, args.scratch)
    for seed in args.seeds:
        for optimizer in args.only or RATES:
            for rate in RATES[optimizer]:
                yield Trial(cut, args.seconds, seed, optimizer, settings_of(optimizer, rate))


def lines(rows: Sequence[Row]) -> Iterator[str]:
    """Each optimizer with its losses as Markdown, the lowest of a line in bold.

    They are means over the seeds that all of its rates have that were tried: seeds differ by as much as rates.
    """
    yield "| optimizer | rate: test loss, the lowest in bold |"
    yield "| --- | --- |"
    for optimizer, rates in RATES.items():
        words = {rate: trials.as_words(settings_of(optimizer, rate)) for rate in rates}
        tried = {rate: {row.seed: row.test_nats for row in rows if row.settings == words[rate]} for rate in rates}
        found = {rate: some for rate, some in tried.items() if some}
        seeds = set.intersection(*map(set, found.values())) if found else set()
        means = {rate: statistics.fmean(some[seed] for seed in seeds) for rate, some in found.items() if seeds}
        if means:
            best = min(means.values())
            cells = [f"{rate:g}: {in_nats(nats, nats == best)}" for rate, nats in means.items()]
            yield f"| `{optimizer}` | {', '.join(cells)} |"


def in_nats(loss: float, is_best: bool) -> str:
    """A loss, or that there is none."""
    if not math.isfinite(loss):
        return "diverged"
    return f"**{loss:.3f}**" if is_best else f"{loss:.3f}"


def main(words: Sequence[str] | None = None) -> None:
    """Tries what has no row yet, and prints the losses."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", nargs="+", choices=list(RATES), metavar="OPTIMIZER", help="these, and no others")
    parser.add_argument("--seconds", type=count, default=30, help="how long each is trained")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1])
    trials.add_options(parser, trials.TABLES / "rates.tsv")
    args = parser.parse_args(words)
    if not args.report:
        trials.run_all(wanted(args), args.out, args.scratch)
    print(*lines([row for row in trials.read(args.out) if row.seconds == args.seconds]), sep="\n")


if __name__ == "__main__":
    main()
