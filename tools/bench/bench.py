"""`make bench`: charrnn against PyTorch and JAX on the same work, and against what the matrix product allows.

What is measured is in `shapes.py`, how in `measuring.py`, and the programs that do the work are in `contenders.py`.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
from collections.abc import Iterable
from importlib import metadata
from typing import Any

import measuring
from measuring import Effort, measure, measure_disturbed, speed_up
from shapes import AROUND, CENTRE, FEW_SHAPES, NINE, SHAPES, Shape

from charrnn import cores, processor
from charrnn.environment import environment

FULL, QUICK, GROWTH = Effort(5, 1.5), Effort(3, 0.5), Effort(3, 0.8)

COLUMNS = [  # heading, width, key of the row, format
    ("", -10, "what", ""),
    ("network", -19, "network", ""),
    ("B", 4, "batch_size", "d"),
    ("T", 5, "seq_length", "d"),
    ("layout", 10, "layout", ""),
    ("chars/s", 10, "chars_per_s", ",.0f"),
    ("torch", 10, "torch_chars_per_s", ",.0f"),
    ("ratio", 6, "torch_ratio", ".2f"),
    ("jax", 8, "jax_chars_per_s", ",.0f"),
    ("ratio", 6, "jax_ratio", ".2f"),
    ("limit", 7, "share_of_limit", ".0%"),
    ("MiB", 7, "peak_mib", ",.0f"),
    ("torch", 7, "torch_peak_mib", ",.0f"),
]


def written(row: dict[str, Any], key: str, form: str) -> str:
    """A figure of a row, or nothing where it was not measured."""
    return "" if row.get(key) is None else format(row[key], form)


def show(row: dict[str, Any]) -> None:
    """A line of the table."""
    show_line(written(row, key, form) for _, _, key, form in COLUMNS)


def show_line(texts: Iterable[str]) -> None:
    """Texts in the columns of the table."""
    cells = [
        f"{text:{'<' if width < 0 else '>'}{abs(width)}}" for text, (_, width, _, _) in zip(texts, COLUMNS, strict=True)
    ]
    print("".join(cells).rstrip(), flush=True)


def window(row: dict[str, Any]) -> str:
    """The network and window of a line below the table."""
    return f"{row['network']}, B {row['batch_size']}, T {row['seq_length']}"


def show_disturbed(row: dict[str, Any]) -> None:
    """A line below the table."""
    shares = [f"charrnn keeps {row['share_of_undisturbed']:.2f} of its speed"]
    shares += [f"torch {row['torch_share_of_undisturbed']:.2f}"] if "torch_share_of_undisturbed" in row else []
    print(f"beside a busy core, {window(row)}: {', '.join(shares)}", flush=True)


def show_speed_up(row: dict[str, Any]) -> None:
    """A line below the table."""
    how = "by the cost model" if row["modelled"] else "measured"
    figure = f"{row['speed_up']:.2f} times the speed of one, as {row['layout']}"
    print(f"{row['cores']} cores, {window(row)}: {figure} ({how})", flush=True)


SHOW = {"disturbed": show_disturbed, "speed-up": show_speed_up}


def compare(kinds: list[str], args: argparse.Namespace) -> dict[str, Any]:
    """The table, with what follows from it, printed as it is measured; and as an object."""
    shapes, effort = (FEW_SHAPES, QUICK) if args.quick else (SHAPES, FULL)
    chosen = [(kind, shape) for kind in kinds for shape in shapes[kind]]
    chosen = [(kind, shape) for kind, shape in chosen if args.only in f"{kind} {' '.join(map(str, shape))}"]
    found: dict[str, Any] = {"rows": [], "disturbed": [], "speed_up": []}
    if not args.json and any(kind not in SHOW for kind, _ in chosen):
        show_line(title for title, _, _, _ in COLUMNS)
    against_torch: dict[Shape, float] = {}
    for kind, shape in chosen:
        if kind == "disturbed":
            row, place = measure_disturbed(shape, args.threads, effort), "disturbed"
        elif kind == "speed-up":
            row, place = speed_up(shape, effort), "speed_up"
        else:
            row, place = measure(kind, shape, args.threads, effort), "rows"
            if kind == "training" and shape in NINE and "torch_ratio" in row:
                against_torch[shape] = row["torch_ratio"]
        found[place].append(row)
        if not args.json:
            SHOW.get(kind, show)(row)
    if against_torch:
        found |= summed_up(against_torch)
        if not args.json:
            print(in_words(found))
    return found


def summed_up(against_torch: dict[Shape, float]) -> dict[str, Any]:
    """The mean of ratios to torch, and the worst: of those of the nine shapes that were measured."""
    worst = min(against_torch, key=lambda shape: against_torch[shape])
    return {
        "shapes": len(against_torch),
        "geometric_mean": statistics.geometric_mean(against_torch.values()),
        "worst": against_torch[worst],
        "worst_shape": str(worst),
    }


def in_words(found: dict[str, Any]) -> str:
    """The last line."""
    several = f"{len(NINE)} shapes" if found["shapes"] == len(NINE) else f"{found['shapes']} of the {len(NINE)} shapes"
    mean = f"geometric mean {found['geometric_mean']:.2f}"
    worst = f"worst {found['worst']:.2f} ({found['worst_shape']})"
    return f"training against torch, {several} (all but lstm 2x512): {mean}, {worst}"


GROWTH_COLUMNS = [  # heading, key of the row, format
    ("layout", "layout", ""),
    ("characters/s", "chars_per_s", ",.0f"),
    ("torch", "torch_chars_per_s", ",.0f"),
    ("ratio", "torch_ratio", ".2f"),
    ("limit", "share_of_limit", ".0%"),
    ("MiB", "peak_mib", ",.0f"),
]


def grow(args: argparse.Namespace) -> dict[str, Any]:
    """A table for each of H, B, T, V and the threads, all else as in the centre; and as an object."""
    numbers = [n for n in (1, 2, 4, 8, 16, 32, 64) if n < args.threads] + [args.threads]
    measured: dict[tuple[Shape, int], dict[str, Any]] = {}  # the centre stands in every table
    found: dict[str, Any] = {}
    for quantity, values in (AROUND | {"threads": numbers}).items():
        found[quantity] = []
        if not args.json:
            print(f"\n| {quantity} | {' | '.join(title for title, _, _ in GROWTH_COLUMNS)} |")
            print("| ---: " * (1 + len(GROWTH_COLUMNS)) + "|")
        for value in values:
            shape = CENTRE if quantity == "threads" else CENTRE._replace(**{quantity: value})
            threads = value if quantity == "threads" else args.threads
            if (shape, threads) not in measured:
                measured[shape, threads] = measure("training", shape, threads, GROWTH)
            row = {"threads": threads, **measured[shape, threads]}
            found[quantity].append(row)
            if not args.json:
                cells = [f"{value:,}", *(written(row, key, form) for _, key, form in GROWTH_COLUMNS)]
                print(f"| {' | '.join(cells)} |", flush=True)
    return {"grow": found}


def machine(threads: int) -> dict[str, Any]:
    """On what it was measured, and with which versions."""
    names = ["charrnn", "numpy", *filter(measuring.installed, ("torch", "jax"))]
    versions = {"python": platform.python_version()} | {name: metadata.version(name) for name in names}
    return {"processor": processor.name(), "threads": threads, "blas": environment()["blas"], "versions": versions}


def show_machine(on: dict[str, Any], effort: Effort, around: str) -> None:
    """The first two lines."""
    versions = ", ".join(f"{name} {version}" for name, version in on["versions"].items())
    threads = "1 thread" if on["threads"] == 1 else f"{on['threads']} threads"
    print(f"{threads} on {on['processor']}, {on['blas']}; {versions}")
    print(f"float32, Adam, clipped by norm; medians of {effort.rounds} interleaved rounds; {around}")


def main(arguments: list[str] | None = None) -> None:
    """Measures, and prints a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object, for machines")
    parser.add_argument("--quick", action="store_true", help="about a minute: fewer shapes, shorter rounds")
    parser.add_argument(
        "--threads", type=int, default=cores.available_cores(), help="of each contender (default: the cores)"
    )
    parser.add_argument(
        "--only", default="", help="of the table, the lines with this text, as in 'training lstm 1 512'"
    )
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--grow", action="store_true", help="instead, how speed changes with H, B, T, V and threads")
    mode.add_argument("--disturbed", action="store_true", help="only the speed beside a process that fills a core")
    args = parser.parse_args(arguments)
    on = machine(args.threads)
    if not args.json:
        effort = GROWTH if args.grow else QUICK if args.quick else FULL
        show_machine(on, effort, f"around {CENTRE}, V {CENTRE.V}" if args.grow else f"V {CENTRE.V}")
    found = grow(args) if args.grow else compare(["disturbed"] if args.disturbed else [*SHAPES], args)
    if args.json:
        print(json.dumps(on | found, indent=2))


if __name__ == "__main__":
    main()
