"""Do biases that begin at random help? `python tools/experiments/first_biases.py RECIPE TEXT... [--seeds 1,2,3]`

It trains the same network with biases at zero, with biases drawn as PyTorch does, and with all drawn so, and prints
the validation loss along the way: a line for each run, and at the end a table in Markdown of the means, with the
lowest and the highest of the seeds. RECIPE is `default`, which is 1x128 and 2x128 in a short run of the default
recipe, or `plateau`, which is 2x128 with large batches, much dropout and a low rate: there the first plateau is long.
The runs of all variants take turns, so that what is there after a while compares them all.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator

import numpy as np

from charrnn import tasks
from charrnn.cli import common
from charrnn.config.resolve import Setting, resolve
from charrnn.nn import initializers
from charrnn.runs.run import Run
from charrnn.training import loop
from charrnn.training.gradients import alone
from charrnn.training.preparing import prepare

Values = dict[str, object]
Sizes = tuple[int, ...]

ALL: Values = {"train.threads": 1, "data.split": [0.9, 0.1, 0]}
PLATEAU: Values = {
    "train.batch_size": 128,
    "model.dropout": 0.5,
    "optim.learning_rate": 1e-3,
    "optim.schedule": "constant",
}
RECIPES: dict[str, tuple[Values, Sizes, Sizes]] = {
    "default": ({}, (1, 2), (50, 100, 200, 400)),
    "plateau": (PLATEAU, (2,), (100, 200, 300)),
}
"""Settings, numbers of layers, and after how many updates is judged; the last one ends the run."""


def as_they_are(run: Run) -> None:
    """Changes nothing."""


def two_draws(run: Run) -> None:
    """Adds to each bias what PyTorch draws: for a layer the sum of two, for the output layer one."""
    rng = np.random.default_rng(run.config.train.seed)
    for name, b in run.params.items():
        if name.endswith(".b"):
            for _ in range(1 if name == "head.b" else 2):
                drawn = np.empty_like(b)
                initializers.torch_bias(rng, drawn, run.config.model.hidden_size, 0.0)
                b += drawn


def no_draw(run: Run) -> None:
    """Puts all biases to zero but for what opens the forget gate."""
    for name, b in run.params.items():
        if name.endswith(".b"):
            b[...] = 0
        if name.endswith(".b") and name != "head.b":
            run.model.stacks[0].cell.init_bias(b, run.config.model.hidden_size, run.config.model.forget_bias)


VARIANTS: dict[str, tuple[Values, Callable[[Run], None]]] = {
    "`he`, biases zero": ({"model.init": "he"}, as_they_are),
    "`he`, biases drawn": ({"model.init": "he"}, two_draws),
    "`torch`, forget bias 1": ({"model.init": "torch", "model.forget_bias": 1.0}, as_they_are),
    "`torch`, forget bias 0": ({"model.init": "torch"}, as_they_are),
    "`torch`, biases zero": ({"model.init": "torch"}, no_draw),
}


def learn(text: str, values: Values, change: Callable[[Run], None], at: Sizes) -> Iterator[float]:
    """Trains a network, and yields its validation loss after each number of updates in `at`."""
    config = resolve([Setting(key, value, "here") for key, value in (ALL | values).items()])[0]
    examples = tasks.find(config.task.name, config.data).read(common.library(), [text], config.data)
    run, split, _ = prepare(config, examples)
    change(run)
    for _ in loop.updates(run, split.train, alone(run), lambda: run.iteration / at[-1]):
        if run.iteration in at:
            yield run.task.judge(run.model, run.weights, split.validation, lambda: False)["nats"]
        if run.iteration >= at[-1]:
            return


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("recipe", choices=RECIPES)
    parser.add_argument("texts", nargs="+", help="files, or names of corpora")
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--variants", default=",".join(map(str, range(len(VARIANTS)))), help="their numbers: 0,1")
    args = parser.parse_args()
    recipe, layers, at = RECIPES[args.recipe]
    chosen = [list(VARIANTS)[int(number)] for number in args.variants.split(",")]
    found: dict[tuple[str, int, str], list[list[float]]] = defaultdict(list)
    for seed in map(int, args.seeds.split(",")):
        for text in args.texts:
            for L in layers:
                for name in chosen:
                    own, change = VARIANTS[name]
                    began = time.perf_counter()
                    values = recipe | own | {"model.num_layers": L, "train.seed": seed, "train.iterations": at[-1]}
                    losses = list(learn(text, values, change, at))
                    found[text, L, name].append(losses)
                    words = " ".join(f"{loss:.3f}" for loss in losses)
                    print(
                        f"seed {seed} {text} {L}x128 {name}: {words} ({time.perf_counter() - began:.0f} s)", flush=True
                    )
    print(f"| text | network | weights | {' | '.join(f'{n} updates' for n in at)} |")
    print("| --- | --- | --- |" + " --: |" * len(at))
    for (text, L, name), runs in found.items():
        cells = [
            f"{statistics.mean(column):.3f} ({min(column):.3f} to {max(column):.3f})"
            for column in zip(*runs, strict=True)
        ]
        print(f"| {text.rpartition('/')[2]} | {L}x128 | {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
