"""What each trick gives in little time: `python tools/experiments/tricks.py` tries them, one at a time, on three texts.

Each text has a recipe to begin with, and a trick changes a key or two of it. All are trained for the same time, on one
core each, and tested on what comes behind the text. Each result is a row of docs/results/tricks.tsv (see trials.py).
It prints by how much each is better than the recipe as it was, in nats per character; less than zero is worse.

    python tools/experiments/tricks.py --only "half the rows" "LSTM" --seeds 1 2 3
    python tools/experiments/tricks.py --report
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # for `experiments`, as in the tests

from experiments import trials
from experiments.trials import Row, Settings, Trial, as_words
from results.arguments import count

AS_IT_IS = "as it is"
"""The name of the recipe without a trick."""

COMMON: Settings = {
    "model.cell": "lstm_cifg",
    "model.init": "torch",
    "model.forget_bias": 0.0,
    "model.dropout": 0.0,
    "model.recurrent_dropout": 0.0,
    "optim.learning_rate": 3e-2,
    "optim.weight_decay": 0.1,
    "optim.clip_norm": 0.25,
    "train.batch_size": 32,
    "train.seq_length": 32,
    "train.eval_every": 200,
}
OF_TUNES: Settings = {
    "model.hidden_size": 128,
    "model.dropout": 0.3,
    "model.recurrent_dropout": 0.15,
    "train.batch_size": 16,
    "train.seq_length": 64,
}
BASES: dict[str, Settings] = {
    "tinyshakespeare.txt": {"model.hidden_size": 192},
    "irish.abc:150000": OF_TUNES,
    "lua_c.txt": {"model.hidden_size": 192},
}
"""The texts, and the recipe that each trick changes, which is the one that is chosen (docs/decisions/0013-recipes.md):
prose in verse, tunes that are read often, and a program."""

TRICKS: dict[str, Mapping[str, object | Callable[[Any], object]]] = {
    AS_IT_IS: {},
    "half the rate": {"optim.learning_rate": lambda rate: rate / 2},
    "twice the rate": {"optim.learning_rate": lambda rate: 2 * rate},
    "a rate that rises for 100 updates first": {"optim.warmup": 100},
    "a rate in one cycle": {"optim.schedule": "one_cycle"},
    "a rate that falls evenly": {"optim.schedule": "linear"},
    "a constant rate": {"optim.schedule": "constant"},
    "a constant rate, and averaged weights": {"optim.schedule": "constant", "optim.average": 0.99},
    "averaged weights": {"optim.average": 0.99},
    "beta1 0.8": {"optim.beta1": 0.8},
    "beta2 0.99": {"optim.beta2": 0.99},
    "no weight decay": {"optim.weight_decay": 0.0},
    "three times the weight decay": {"optim.weight_decay": 0.3},
    "clipping at 5": {"optim.clip_norm": 5.0},
    "clipping at 1": {"optim.clip_norm": 1.0},
    "clipping at 0.1": {"optim.clip_norm": 0.1},
    "first weights of He, biases at zero": {"model.init": "he"},
    "first weights that are orthogonal": {"model.init": "orthogonal"},
    "first weights of char-rnn": {"model.init": "uniform"},
    "half the rows": {"train.batch_size": lambda rows: rows // 2},
    "twice the rows": {"train.batch_size": lambda rows: 2 * rows},
    "half the window": {"train.seq_length": lambda steps: steps // 2},
    "twice the window": {"train.seq_length": lambda steps: 2 * steps},
    "dropout of 0.1 more": {"model.dropout": lambda share: round(share + 0.1, 6)},
    "as much, with a mask for the window": {
        "model.dropout": lambda share: round(share + 0.1, 6),
        "model.dropout_per": "window",
    },
    "recurrent dropout of 0.1 more": {"model.recurrent_dropout": lambda share: round(share + 0.1, 6)},
    "zoneout of 0.05": {"model.zoneout_h": 0.05, "model.zoneout_c": 0.05},
    "two layers": {"model.hidden_size": lambda units: 2 * units // 3, "model.num_layers": 2},
    "a learned first state": {"model.initial_state": "learned"},
    "vectors for symbols": {"model.embedding_size": 64},
    "forget bias 1": {"model.forget_bias": 1.0},
    "layer norm": {"model.layer_norm": True},
    "LSTM": {"model.cell": "lstm"},
    "LSTM at half the rate": {"model.cell": "lstm", "optim.learning_rate": lambda rate: rate / 2},
    "GRU": {"model.cell": "gru"},
    "GRU at half the rate": {"model.cell": "gru", "optim.learning_rate": lambda rate: rate / 2},
    "GRU, reset before, at half the rate": {
        "model.cell": "gru_reset_before",
        "optim.learning_rate": lambda rate: rate / 2,
    },
}
"""What each changes: the value of a key, or what becomes of the value that the recipe has."""


def settings_of(text: str, trick: str) -> Settings:
    """Returns the recipe of a text, with a trick."""
    recipe = {**COMMON, **BASES[text]}
    changes = {key: new(recipe[key]) if callable(new) else new for key, new in TRICKS[trick].items()}
    return recipe | changes


def wanted(args: argparse.Namespace) -> Iterator[Trial]:
    """Yields what is to be tried."""
    cuts = {text: trials.cut(text, args.data, args.scratch) for text in BASES}
    for seed in args.seeds:
        for trick in args.only or TRICKS:
            for text, cut in cuts.items():
                yield Trial(cut, args.seconds, seed, trick, settings_of(text, trick))


def of_now(rows: Sequence[Row]) -> list[Row]:
    """Returns the rows of recipes and tricks as they are here; a table may have those of others, that were before."""
    known = {(text, trick): as_words(settings_of(text, trick)) for text in BASES for trick in TRICKS}
    return [
        row for row in rows if any(row.is_of(text) and row.settings == known.get((text, row.recipe)) for text in BASES)
    ]


def lines(rows: Sequence[Row]) -> Iterator[str]:
    """The gain of each trick on each text as Markdown, the best of all texts first; of equal seeds alone."""
    found = {(row.text, row.seed, row.recipe): row.test_nats for row in rows}
    texts = list(dict.fromkeys(row.text for row in rows))
    gains: dict[str, dict[str, list[float]]] = {}
    for (text, seed, trick), nats in found.items():
        if trick != AS_IT_IS and (text, seed, AS_IT_IS) in found:
            gains.setdefault(trick, {}).setdefault(text, []).append(found[text, seed, AS_IT_IS] - nats)
    yield f"| trick | {' | '.join(texts)} | mean | seeds |"
    yield f"| --- | {' | '.join('--:' for _ in texts)} | --: | --: |"
    means = {trick: statistics.fmean(statistics.fmean(some) for some in each.values()) for trick, each in gains.items()}
    for trick in sorted(means, key=lambda trick: -means[trick]):
        cells = [f"{statistics.fmean(gains[trick][text]):+.3f}" if text in gains[trick] else "" for text in texts]
        seeds = min(len(some) for some in gains[trick].values())
        yield f"| {' | '.join([trick, *cells, f'{means[trick]:+.3f}', str(seeds)])} |"


def main(words: Sequence[str] | None = None) -> None:
    """Tries what has no row yet, and prints the gains."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", nargs="+", choices=list(TRICKS), metavar="TRICK", help="these, and no others")
    parser.add_argument("--seconds", type=count, default=30, help="how long each is trained")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1])
    trials.add_options(parser, trials.TABLES / "tricks.tsv")
    args = parser.parse_args(words)
    if not args.report:
        trials.run_all(wanted(args), args.out, args.scratch)
    print(*lines(of_now([row for row in trials.read(args.out) if row.seconds == args.seconds])), sep="\n")


if __name__ == "__main__":
    main()
