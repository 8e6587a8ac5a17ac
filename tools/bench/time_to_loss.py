"""`make bench ARGS=--time-to-loss`: charrnn and PyTorch train the same network, and reach a loss in so many seconds.

    python tools/bench/time_to_loss.py [--text FILE] [--to NATS ...] [--updates N] [--set KEY=VALUE ...]

Both begin with the same weights and read the same batches, with the same optimizer, clipping and learning rates; the
losses of their first updates must agree. Each is a process of its own, which waits while the other works, and only its
own time of work counts: validation has none, and is done by one function for both. The points are kept as JSON after
each round, and `--redraw` prints and draws them again.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from importlib import metadata, util
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # for `pictures` and `results`, as in the tests

from pictures import plot
from racing import CHECKED, race
from results import machine
from results.arguments import count

from charrnn import cores
from charrnn.cli.common import library, read_assignments
from charrnn.errors import ConfigError

HERE = Path(__file__).resolve().parents[2]
POINTS, PICTURE = HERE / "docs" / "results" / "time-to-loss.json", HERE / "docs" / "images" / "time-to-loss.svg"
BENCHMARK = HERE.parent / "shared" / "data" / "tinyshakespeare.txt"

EVALUATIONS = 40
STEEP = 0.9
"""The picture leaves out losses that are more than this above the last threshold."""

COMMON = {
    "data.split": [0.9, 0.1, 0.0],
    "train.batch_size": 32,
    "train.seed": 1,
    "model.init": "torch",
    "model.dropout": 0.1,
    "optim.learning_rate": 1e-2,
    "optim.clip_norm": 0.25,
    "optim.weight_decay": 0.1,
}
"""Much as the recipe that is chosen for three minutes (docs/decisions/0013-recipes.md), but for an LSTM."""

MIRRORED = (
    *("data.split", "data.split_by", "data.encoding", "data.newlines", "train.batch_size", "train.seq_length"),
    *("train.seed", "train.layout", "model.hidden_size", "model.num_layers", "model.dropout"),
    *("model.init", "model.init_scale", "model.forget_bias", "optim.learning_rate", "optim.schedule", "optim.warmup"),
    *("optim.min_learning_rate", "optim.decay", "optim.decay_after", "optim.decay_every", "optim.clip_norm"),
    *("optim.beta1", "optim.beta2", "optim.eps", "optim.weight_decay"),
)
"""The keys that mean the same to both of them in `learners.py`."""


class Plan(NamedTuple):
    """What is done with a text."""

    thresholds: tuple[float, ...]
    updates: int
    settings: dict[str, Any]


LARGE = Plan((1.6, 1.5), 5000, COMMON | {"model.hidden_size": 384})
SMALL = Plan((1.8, 1.7), 1200, COMMON | {"model.hidden_size": 256})
"""For texts of a megabyte, and for the shipped one."""


def chosen_text() -> tuple[str, Plan]:
    """The usual benchmark where it is at hand, else the text that is shipped."""
    fetched = library().path("tinyshakespeare")
    for path in (fetched, BENCHMARK):
        if path.exists():
            return str(path), LARGE
    print("tinyshakespeare is not here, so that the shipped text is learnt; `charrnn corpus fetch` has it, or --text")
    return "harbour", SMALL


def seconds_to(points: Sequence[Sequence[float]], nats: float) -> float | None:
    """When a loss was reached first, in a straight line between two points; None if it was not."""
    before: Sequence[float] | None = None
    for point in points:
        _, seconds, found = point
        if found <= nats:
            if before is None:
                return seconds
            _, earlier, higher = before
            return earlier + (seconds - earlier) * (higher - nats) / (higher - found)
        before = point
    return None


def table(kept: dict[str, Any]) -> list[str]:
    """Seconds to each threshold and to the end, and the best loss: a line each, in Markdown."""
    points = kept["points"]
    names = list(points)
    lines = [f"| | {' | '.join(names)} |{' ratio |' if len(names) > 1 else ''}"]
    lines.append("| --- |" + " ---: |" * (len(names) + (len(names) > 1)))
    last = {name: points[name][-1][1] for name in names}
    rows = [(f"{nats:g} nats", {name: seconds_to(points[name], nats) for name in names}) for nats in kept["thresholds"]]
    for title, seconds in [*rows, (f"{points[names[0]][-1][0]:,} updates", last)]:
        cells = [in_seconds(seconds[name]) for name in names]
        ours, theirs = seconds[names[0]], seconds[names[-1]]
        if len(names) > 1:
            cells.append("" if ours is None or theirs is None else f"{theirs / ours:.2f}")
        lines.append(f"| {title} | {' | '.join(cells)} |")
    best = [f"{min(nats for _, _, nats in points[name]):.3f}" for name in names]
    lines.append(f"| best validation loss | {' | '.join([*best, *([''] if len(names) > 1 else [])])} |")
    return lines


def in_seconds(seconds: float | None) -> str:
    """A time, or that there is none."""
    return "not reached" if seconds is None else f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.2f} s"


def picture(kept: dict[str, Any]) -> str:
    """Both curves, as SVG."""
    drawn = [
        plot.Curve({"torch": "PyTorch"}.get(name, name), [(seconds, nats) for _, seconds, nats in points])
        for name, points in kept["points"].items()
    ]
    settings = kept["work"]["settings"]
    size = f"{settings.get('model.num_layers', 1)}x{settings.get('model.hidden_size', 128)}"
    title = f"The same LSTM {size} on {Path(kept['work']['text']).stem}, from the same weights, on the same batches"
    labels = "seconds of training", "validation loss, nats per character"
    return plot.curves(drawn, title, labels, kept["thresholds"], top=min(kept["thresholds"]) + STEEP)


def keep(kept: dict[str, Any], points: Path, drawn: Path) -> None:
    """Writes the points and the picture of them."""
    for path in (points, drawn):
        path.parent.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(f" {json.dumps(name)}: {json.dumps(value)}" for name, value in kept.items())
    points.write_text(f"{{\n{lines}\n}}\n", "utf-8", newline="\n")
    drawn.write_text(picture(kept), "utf-8", newline="\n")


def settings_of(assignments: Sequence[str]) -> dict[str, Any]:
    """The keys of `--set`. Ends where one of them means nothing to PyTorch here."""
    try:
        found = {setting.path: setting.value for setting in read_assignments(assignments)}
    except ConfigError as error:
        raise SystemExit(str(error)) from None
    for key in found:
        if key not in MIRRORED:
            raise SystemExit(f"--set {key}: this is not the same for both here; what is: {', '.join(MIRRORED)}")
    return found


def main(arguments: list[str] | None = None) -> None:
    """Lets both learn, prints the table, and draws the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--text", help="a file, or a corpus by name (default: tinyshakespeare, else harbour)")
    parser.add_argument("--to", type=float, nargs="+", metavar="NATS", help="the losses to reach")
    parser.add_argument("--updates", type=count, help="how many; the schedule of the learning rate ends with them")
    parser.add_argument("--evaluations", type=count, default=EVALUATIONS, help="points of each curve")
    parser.add_argument("--threads", type=count, default=cores.available_cores(), help="of each (default: the cores)")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as for `charrnn train`")
    parser.add_argument("--points", type=Path, default=POINTS, help="where the points are kept")
    parser.add_argument("--picture", type=Path, default=PICTURE, help="where the picture is drawn")
    parser.add_argument("--redraw", action="store_true", help="only print and draw the points that are kept")
    args = parser.parse_args(arguments)
    if args.redraw:
        if not args.points.exists():
            raise SystemExit(f"no points are kept in {args.points}; leave out --redraw to let them race")
        kept = json.loads(args.points.read_text("utf-8"))
        keep(kept, args.points, args.picture)
        print("\n".join(table(kept)))
        return
    settings = settings_of(args.set)
    text, plan = (args.text, SMALL if args.text == "harbour" else LARGE) if args.text else chosen_text()
    work = {"text": text, "settings": plan.settings | settings, "updates": args.updates or plan.updates}
    work |= {"checked": min(CHECKED, work["updates"]), "threads": args.threads}
    names = ["charrnn", *(["torch"] if util.find_spec("torch") else [])]
    on = {"machine": machine.describe(), "versions": {name: metadata.version(name) for name in names}}
    print(f"{on['machine']}; {', '.join(f'{name} {version}' for name, version in on['versions'].items())}")
    on |= {"work": work | {"text": Path(text).name}, "thresholds": list(args.to or plan.thresholds)}
    kept = {}
    for found in race(names, work, args.evaluations):
        kept = on | found
        keep(kept, args.points, args.picture)
    print("\n".join(table(kept)))
    print(f"kept in {args.points}, drawn in {args.picture}")


if __name__ == "__main__":
    main()
