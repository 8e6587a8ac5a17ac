"""Makes the golden checkpoints of this format version: `python tools/makers/make_golden.py`.

Run once for each version, before the first release that writes it, and committed; those of older versions are never
made again. They hold what today's charrnn must be able to read, for as long as there is a charrnn.
"""

from __future__ import annotations

import json
from pathlib import Path

import charrnn
from charrnn.config.resolve import Setting, resolve
from charrnn.runs import checkpoint as checkpoints
from charrnn.text.encoding import decode
from charrnn.training import loop
from charrnn.training.gradients import alone
from charrnn.training.preparing import prepare

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "tests" / "golden"
TEXT = "The tide came in; the tide went out.\nÀ la mer, said the boy, and the gulls said: more, more!\n" * 12
RUNS = {
    "lstm-adam": {"model.cell": "lstm", "model.num_layers": 2, "model.initial_state": "learned", "model.dropout": 0.1},
    "gru-adagrad": {"model.cell": "gru", "optim.name": "adagrad", "optim.learning_rate": 0.1},
    "rnn-sgd": {"model.cell": "rnn", "optim.name": "sgd", "optim.learning_rate": 0.5, "train.dtype": "float64"},
}
ALWAYS = {
    "model.hidden_size": 12,
    "train.batch_size": 4,
    "train.seq_length": 16,
    "train.iterations": 400,
    "optim.schedule": "constant",
}


def main() -> None:
    """Trains each for a moment and writes it, with what it samples."""
    folder = FOLDER / f"version-{checkpoints.VERSION}"
    folder.mkdir(parents=True)
    text = decode([TEXT.encode()], "a text", "utf-8")
    samples = {}
    for name, chosen in RUNS.items():
        settings = {**ALWAYS, "train.seed": 1, **chosen}
        config, _ = resolve([Setting(key, value, name) for key, value in settings.items()])
        run, split, _ = prepare(config, text)
        for _ in loop.updates(run, split.train, alone(run), lambda run=run: run.iteration / 400):
            pass
        checkpoints.save(run, folder / f"{name}.npz")
        back = charrnn.load(folder / f"{name}.npz")
        samples[name] = {
            "likeliest": "".join(charrnn.sample(back, "The ", 80, temperature=0)),
            "drawn": "".join(charrnn.sample(back, "The ", 80, seed=7)),
        }
    (folder / "samples.json").write_text(json.dumps(samples, indent=2, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
