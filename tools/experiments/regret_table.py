"""The grid of recipes that the chosen one is compared with, and the regret."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from experiments.trials import Place, Row, Settings

CHOSEN = "chosen"
"""The name of the recipe that `charrnn train` chooses."""

NOTHING: Mapping[Place, str] = MappingProxyType({})

COMMON: Settings = {
    "model.init": "torch",
    "optim.clip_norm": 0.25,
    "optim.weight_decay": 0.1,
    "train.batch_size": 16,
}
"""What proved itself with every width (docs/decisions/0013-recipes.md), and so is in every recipe of the grid."""

RATES = {64: 2e-2, 128: 1.5e-2, 256: 1e-2, 512: 6e-3, 768: 4e-3}
"""The rate of each width, where a recipe has no other."""


def _recipe(cell: str, hidden: int, dropout: float, rate: float | None = None, **others: object) -> Settings:
    return COMMON | {
        "model.cell": cell,
        "model.hidden_size": hidden,
        "model.dropout": dropout,
        "model.recurrent_dropout": dropout / 2,
        "optim.learning_rate": RATES[hidden] if rate is None else rate,
        **{key.replace("__", "."): value for key, value in others.items()},
    }


GRID: tuple[Settings, ...] = (
    *(_recipe(cell, 64, dropout) for cell in ("gru", "lstm") for dropout in (0.0, 0.3)),
    *(
        _recipe(cell, hidden, dropout)
        for cell in ("gru", "lstm")
        for hidden in (128, 256)
        for dropout in (0.0, 0.3, 0.6)
    ),
    _recipe("lstm", 512, 0.3),
    *(_recipe("gru", 512, dropout) for dropout in (0.0, 0.3)),
    _recipe("gru", 768, 0.3),
    *(_recipe("gru", 128, 0.3, rate) for rate in (5e-3, 3e-2)),
    *(_recipe("gru", 256, 0.0, rate) for rate in (5e-3, 2e-2)),
    *(_recipe("gru", 128, dropout, model__num_layers=2) for dropout in (0.0, 0.3)),
    _recipe("gru", 64, 0.3, train__batch_size=8, train__seq_length=32),
    _recipe("gru", 128, 0.6, train__batch_size=8, train__seq_length=32),
)
"""The keys of each recipe; all others are those of `configs/lstm.yaml`."""


class Regret(NamedTuple):
    """Says how far the chosen recipe is from the best of the grid."""

    text: str
    characters: int
    seconds: int
    chosen: float
    """Test loss of the chosen recipe, as a mean over the seeds that both have."""
    best: float
    """That of the best recipe of the grid."""
    settings: str
    """The keys of that recipe."""
    seeds: int
    """How many seeds both are a mean of; of one, the best of many flatters itself."""
    recipes: int

    @property
    def regret(self) -> float:
        """By how much the chosen one is worse, in nats per character."""
        return self.chosen - self.best


def best_of(rows: Iterable[Row], count: int) -> list[str]:
    """Returns the settings of the best recipes of a grid, by their mean."""
    found = _by_seed(row for row in rows if row.recipe != CHOSEN)
    return sorted(found, key=lambda settings: statistics.fmean(found[settings].values()))[:count]


def regrets(rows: Iterable[Row], now: Mapping[Place, str] = NOTHING) -> Iterator[Regret]:
    """Yields the regret for each text and time where both the chosen recipe and a grid were measured.

    Where recipes have unequal numbers of seeds, only those that have most are compared: the others were worse in the
    first place. The chosen one is compared with the best of them by the seeds that both have. `now` are the settings
    that the rule chooses as it is; where it does not tell, those of the last row count, as a table may have rows of a
    rule that was before.
    """
    by_place = defaultdict(list)
    for row in rows:
        by_place[row.place].append(row)
    for place, some in sorted(by_place.items()):
        of_rule = [row for row in some if row.recipe == CHOSEN]
        latest = now.get(place, of_rule[-1].settings if of_rule else "")
        chosen = _by_seed(row for row in of_rule if row.settings == latest).get(latest, {})
        grid = _by_seed(row for row in some if row.recipe != CHOSEN)
        if not chosen or not grid:
            continue
        most = max(map(len, grid.values()))
        settings = min(
            (each for each in grid if len(grid[each]) == most), key=lambda each: statistics.fmean(grid[each].values())
        )
        if seeds := chosen.keys() & grid[settings].keys():
            means = [statistics.fmean(each[seed] for seed in seeds) for each in (chosen, grid[settings])]
            yield Regret(*place, *means, settings, len(seeds), len(grid))


def _by_seed(rows: Iterable[Row]) -> dict[str, dict[int, float]]:
    """Returns the test loss of each recipe from each seed."""
    found: dict[str, dict[int, float]] = {}
    for row in rows:
        found.setdefault(row.settings, {})[row.seed] = row.test_nats
    return found


def lines(found: Iterable[Regret]) -> Iterator[str]:
    """The regrets as Markdown, with their mean and the worst."""
    some = [*found]
    yield "| text | characters | seconds | chosen | best of the grid | regret | its recipe |"
    yield "| --- | --: | --: | --: | --: | --: | --- |"
    for each in some:
        best = f"{each.best:.4f} ({each.recipes} recipes, {each.seeds} seed{'s' * (each.seeds > 1)})"
        numbers = f"{each.characters:,} | {each.seconds} | {each.chosen:.4f} | {best} | {each.regret:+.4f}"
        yield f"| {each.text} | {numbers} | `{each.settings}` |"
    if some:
        mean, worst = statistics.fmean(each.regret for each in some), max(each.regret for each in some)
        yield ""
        yield f"Mean regret {mean:+.4f}, worst {worst:+.4f} nats per character, of {len(some)}."
