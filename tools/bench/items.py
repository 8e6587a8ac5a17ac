"""`python tools/bench/items.py`: training on items of unlike length, beside PyTorch on the same batches.

As in `bench.py`, each contender is a process of its own, and the figures are medians over interleaved rounds. Speed is
in symbols a second without padding: those of the text for `classify` and `tag`, of both for `transduce`.
The last column is charrnn's language model, one direction on full windows, at the same H and as many symbols a batch.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import statistics
from pathlib import Path
from typing import Any

import item_contenders
import measuring
from bench import written
from shapes import Shape

from charrnn import cores

ROUNDS, SECONDS = 5, 2.0
SYMBOLS = 4096
"""Of a batch, padding included."""
KINDS = ("classify", "tag", "transduce")


def works(threads: int) -> list[dict[str, Any]]:
    """What is measured: each task in one direction and in both, at two sizes."""
    return [
        {"task": task, "both": both, "hidden_size": H, "symbols": SYMBOLS, "threads": threads}
        for task, both, H in itertools.product(KINDS, (False, True), (128, 256))
    ]


def measure(work: dict[str, Any], rounds: int, seconds: float) -> dict[str, Any]:
    """A row of the table."""
    here = Path(__file__).with_name("item_contenders.py")
    names = ["charrnn", *(["torch"] if measuring.installed("torch") else [])]
    window = Shape("lstm", 1, work["hidden_size"], 64, SYMBOLS // 64)
    with contextlib.ExitStack() as stack:
        rivals = {name: measuring.Contender(name, window, work["threads"], here, work) for name in names}
        rivals["text"] = measuring.Contender("charrnn_training", window, work["threads"])
        for rival in rivals.values():
            stack.callback(rival.close)
            rival.run(measuring.WARM)
        rates: dict[str, list[float]] = {name: [] for name in rivals}
        for _ in range(rounds):
            for name, rival in rivals.items():
                rates[name].append(rival.run(seconds))
    facts = item_contenders.facts(work)
    row = dict(work) | {"padded": facts["padded"]}
    row["charrnn"] = statistics.median(rates["charrnn"]) * facts["symbols"]
    if "torch" in rates:
        row["torch"] = statistics.median(rates["torch"]) * facts["symbols"]
        row["ratio"] = measuring.median_ratio(rates["charrnn"], rates["torch"])
    row["text"] = statistics.median(rates["text"]) * SYMBOLS
    return row


def main() -> None:
    """Prints the table, in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=cores.available_cores())
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="for each contender in a round, about")
    parser.add_argument("--only", default="", help="this task alone")
    args = parser.parse_args()
    print("| task | directions | H | padded | charrnn | torch | ratio | language model |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for work in works(args.threads):
        if args.only in work["task"]:
            row = measure(work, args.rounds, args.seconds)
            cells = [work["task"], str(1 + work["both"]), str(work["hidden_size"]), f"{row['padded']:.1%}"]
            cells += [f"{row['charrnn']:,.0f}", written(row, "torch", ",.0f"), written(row, "ratio", ".2f")]
            print(f"| {' | '.join([*cells, format(row['text'], ',.0f')])} |", flush=True)


if __name__ == "__main__":
    main()
