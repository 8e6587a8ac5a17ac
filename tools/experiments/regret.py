"""How much worse the chosen recipe is than the best of a grid: `python tools/experiments/regret.py --seconds 30`.

Every recipe of the grid and the one that `charrnn train` chooses are trained on each text for the same time, on one
core each. Learnt from is the beginning of a text; the test part is what comes behind it, 20,000 characters at least.
Each result is a row of docs/results/recipe.tsv (see trials.py). The best few recipes are trained from all `--seeds`,
the others from the first.

    python tools/experiments/regret.py --texts harbour:5000 tinyshakespeare.txt --seconds 30 120 --seeds 1 2
    python tools/experiments/regret.py --report

A text is a file, in `--data` or anywhere, or the name of a corpus; behind a colon, how many characters to learn from.
The whole grid on one text takes a quarter of an hour of a core for each half minute of `--seconds`.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # for `experiments`, as in the tests

from experiments import regret_table, trials
from experiments.regret_table import CHOSEN, GRID
from experiments.trials import Cut, Place, Row, Settings, Trial, as_words
from results.arguments import count

from charrnn.cli import common
from charrnn.config.resolve import Setting
from charrnn.recipes.choosing import choose

FITTED = ("enwik5:60000",)
"""A text that the rule was fitted to, as others were of which no grid was made: docs/decisions/0013-recipes.md."""

CHECKED = (
    "alice29.txt:6000",
    "japanese.txt",
    "lua_c.txt",
    "warpeace_input.txt",
)
"""Texts that no number of the rule was taken from."""

FEW = 4
"""Recipes that are trained from all seeds: the best of the first."""


def chosen_for(cut: Cut, seconds: int) -> Settings:
    """Returns the keys that `charrnn train` chooses on one core."""
    text = common.library().read([str(cut.learn)], "utf-8")
    given = [Setting("train.threads", 1, "here"), Setting("train.time_budget", seconds, "here")]
    return {setting.path: setting.value for setting in choose(given, text).settings}


def wanted(cuts: Sequence[Cut], args: argparse.Namespace, rows: Sequence[Row], *, first: bool) -> Iterator[Trial]:
    """Yields what is to be tried: all recipes from the first seed, or the best few of those from the others."""
    for cut in cuts:
        for seconds in args.seconds:
            chosen = chosen_for(cut, seconds)
            grid = [*GRID]
            if not first:
                place = ((cut.name, cut.characters, seconds), args.seeds[0])
                few = regret_table.best_of((row for row in rows if (row.place, row.seed) == place), FEW)
                grid = [settings for settings in GRID if as_words(settings) in few]
            for seed in args.seeds[:1] if first else args.seeds[1:]:
                yield Trial(cut, seconds, seed, CHOSEN, chosen)
                if not args.chosen:
                    yield from (Trial(cut, seconds, seed, "grid", settings) for settings in grid)


def by_part(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Returns the rows of texts that the rule was fitted to, of those that it was checked on, and of all others."""
    parts: dict[str, list[Row]] = {"Texts that the rule was fitted to": [], "Texts that it was checked on": []}
    for row in rows:
        known = [any(row.is_of(text) for text in texts) for texts in (FITTED, CHECKED)]
        title = next((title for title, is_known in zip(parts, known, strict=False) if is_known), "Other texts")
        parts.setdefault(title, []).append(row)
    return parts


def main(words: Sequence[str] | None = None) -> None:
    """Trains what has no row yet, and prints the regrets."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--texts", nargs="+", default=[*FITTED, *CHECKED], metavar="TEXT[:CHARACTERS]")
    parser.add_argument("--seconds", nargs="+", type=count, default=[30], help="how long each recipe is trained")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1], help="the first for all, others for the best few")
    parser.add_argument("--chosen", action="store_true", help="train what is chosen, and nothing of the grid")
    trials.add_options(parser, trials.TABLES / "recipe.tsv")
    args = parser.parse_args(words)
    now: dict[Place, str] = {}
    if not args.report:
        cuts = [trials.cut(text, args.data, args.scratch) for text in args.texts]
        for first in (True, False):
            trials.run_all(wanted(cuts, args, trials.read(args.out), first=first), args.out, args.scratch)
        for cut, seconds in itertools.product(cuts, args.seconds):
            now[cut.name, cut.characters, seconds] = as_words(chosen_for(cut, seconds))
    rows = trials.read(args.out)
    for title, some in by_part(rows).items():
        print(f"\n{title}:\n")
        print(*regret_table.lines(regret_table.regrets(some, now)), sep="\n")


if __name__ == "__main__":
    main()
