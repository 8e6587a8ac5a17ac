"""What two studies found about cells, asked of the figures of `cells.py`: yes or no on each text, with the numbers.

Greff et al. 2015 (arXiv 1503.04069) changed the LSTM in one thing at a time; theirs has peepholes. Jozefowicz et al.
2015 looked for something better than the LSTM, and found that its forget gate should begin open.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from results.cell_runs import NO_FORGET_BIAS

Losses = Mapping[str, Sequence[float]]
"""The losses of each entry on one text, one for each seed."""

GREFF, JOZEFOWICZ = "Greff et al.", "Jozefowicz et al."
VARIANTS = ("peephole", "cifg", "nfg", "nig", "nog", "niaf", "noaf", "fgr")


class Answer(NamedTuple):
    """What one text says about a claim."""

    yes: bool
    figures: str


class Table:
    """The losses on one text, and how large a difference between two means must be to count."""

    def __init__(self, losses: Losses) -> None:
        self.losses = losses
        spreads = [some for some in losses.values() if len(some) > 1 and all(map(math.isfinite, some))]
        deviations = [(len(some) - 1, statistics.variance(some)) for some in spreads]
        self.freedom = sum(n for n, _ in deviations)
        self.deviation = math.sqrt(sum(n * v for n, v in deviations) / self.freedom) if self.freedom else math.nan
        """Standard deviation between seeds, from all entries together; not a number where each has one seed."""

    def mean(self, entry: str) -> float:
        return statistics.fmean(self.losses[entry])

    def noise(self, one: str, other: str) -> float:
        """Two standard errors of the difference between two means."""
        return 2 * self.deviation * math.sqrt(sum(1 / len(self.losses[entry]) for entry in (one, other)))

    def worse(self, one: str, than: str) -> bool:
        """Whether the loss of the one is higher by more than noise."""
        return self.mean(one) - self.mean(than) > self.noise(one, than)

    def compared(self, one: str, other: str) -> str:
        """Both means, and their difference with its noise."""
        apart, noise = self.mean(one) - self.mean(other), self.noise(one, other)
        return f"{one} {self.mean(one):.3f}, {other} {self.mean(other):.3f}: {apart:+.3f} ± {noise:.3f}"


class Claim(NamedTuple):
    """Something that was found."""

    source: str
    words: str
    needs: tuple[str, ...]
    """The entries that it is about."""
    ask: Callable[[Table], Answer]


def hurts(one: str, than: str = "lstm") -> Callable[[Table], Answer]:
    """Whether the one is worse."""
    return lambda table: Answer(table.worse(one, than), table.compared(one, than))


def costs_nothing(one: str, than: str = "lstm") -> Callable[[Table], Answer]:
    """Whether the one is not worse."""
    return lambda table: Answer(not table.worse(one, than), table.compared(one, than))


def _none_is_better(table: Table) -> Answer:
    better = [name for name in map("lstm_{}".format, VARIANTS) if table.worse("lstm", name)]
    said = "; ".join(table.compared(name, "lstm") for name in better)
    return Answer(not better, said or f"lstm {table.mean('lstm'):.3f}, and none is below it by more than noise")


def _two_matter_most(table: Table) -> Answer:
    order = sorted(map("lstm_{}".format, VARIANTS), key=table.mean, reverse=True)
    both = {"lstm_nfg", "lstm_noaf"}
    worst = set(order[:2]) == both and all(table.worse(name, "lstm") for name in both)
    return Answer(worst, _in_order(table, order[:4]))


def _gates_in_order(table: Table) -> Answer:
    gates = ("lstm_nfg", "lstm_nig", "lstm_nog")
    return Answer(table.worse(gates[0], gates[1]) and table.worse(gates[1], gates[2]), _in_order(table, gates))


def _in_order(table: Table, entries: Sequence[str]) -> str:
    return ", ".join(f"{entry} {table.mean(entry):.3f}" for entry in entries)


CLAIMS = (
    Claim(GREFF, "no variant is better than the LSTM", tuple(f"lstm_{v}" for v in VARIANTS), _none_is_better),
    Claim(
        GREFF,
        "the forget gate and the output activation matter most",
        tuple(f"lstm_{v}" for v in VARIANTS),
        _two_matter_most,
    ),
    Claim(GREFF, "coupled input and forget gates cost nothing", ("lstm_cifg",), costs_nothing("lstm_cifg")),
    Claim(GREFF, "peepholes can be left away", ("lstm_peephole",), costs_nothing("lstm", "lstm_peephole")),
    Claim(GREFF, "gates that feed all gates gain nothing", ("lstm_fgr",), costs_nothing("lstm", "lstm_fgr")),
    Claim(JOZEFOWICZ, "a forget gate that begins open helps", (NO_FORGET_BIAS,), hurts(NO_FORGET_BIAS)),
    Claim(
        JOZEFOWICZ,
        "without a gate it is worse: most without f, then i, least without o",
        ("lstm_nfg", "lstm_nig", "lstm_nog"),
        _gates_in_order,
    ),
    Claim(
        JOZEFOWICZ,
        "the GRU is better than an LSTM without that bias (there: on all but language)",
        ("gru", NO_FORGET_BIAS),
        hurts(NO_FORGET_BIAS, "gru"),
    ),
    Claim(
        JOZEFOWICZ,
        "an LSTM whose forget gate begins open is not worse than a GRU",
        ("gru",),
        costs_nothing("lstm", "gru"),
    ),
    Claim(JOZEFOWICZ, "the plain network is worse than the LSTM", ("rnn",), hurts("rnn")),
)


def lines(texts: Mapping[str, Losses]) -> Iterator[str]:
    """A line for each claim that the entries which were run can answer, in Markdown."""
    tables = {text: Table(losses) for text, losses in texts.items()}
    if not tables or any(not table.freedom for table in tables.values()):
        yield "What was found elsewhere is asked of two seeds or more, as one has no spread."
        return
    for text, table in tables.items():
        yield f"- On {text}, the standard deviation between seeds is {table.deviation:.4f} nats."
    for claim in CLAIMS:
        if any(name not in table.losses for table in tables.values() for name in (*claim.needs, "lstm")):
            continue
        answers = {text: claim.ask(table) for text, table in tables.items()}
        said = "; ".join(f"{'yes' if yes else 'no'} on {text} ({figures})" for text, (yes, figures) in answers.items())
        yield f"- {claim.source}: {claim.words}: {said}"
