"""The text and the configuration of small runs to report."""

from __future__ import annotations

PROSE = "".join(f"Verse {n}: the quick brown fox & {n * n % 17} lazy dogs sing <loud>.\n" for n in range(300))
SMALL = {
    "model.hidden_size": 8,
    "train.batch_size": 4,
    "train.seq_length": 16,
    "train.iterations": 60,
    "train.eval_every": 10,
    "train.sample_every": 20,
    "train.seed": 1,
    "train.threads": 1,
}


def settings(**changes):
    values = SMALL | {key.replace("__", "."): value for key, value in changes.items()}
    return [word for key, value in values.items() for word in ("--set", f"{key}={value}")]
