"""`make bench`: charrnn against PyTorch and JAX on the same work, and against what the matrix product allows.

Each contender has a process of its own, which waits while another is measured. A round measures each once; the figures
are medians over the rounds, and ratios are medians of the rounds' own ratios, since a shared machine drifts.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from importlib import metadata, util
from pathlib import Path
from typing import Any, NamedTuple


class Shape(NamedTuple):
    """A network and its window."""

    cell: str
    L: int
    H: int
    B: int
    T: int
    V: int = 65


class Effort(NamedTuple):
    """How long to measure."""

    rounds: int
    seconds: float
    """For each contender in a round, about."""


FULL, QUICK, GROWTH = Effort(5, 1.5), Effort(3, 0.5), Effort(3, 0.8)

TRAINING = [
    Shape("lstm", 1, 128, 1, 25),
    Shape("lstm", 1, 128, 50, 50),
    Shape("lstm", 1, 256, 64, 64),
    Shape("lstm", 1, 512, 64, 64),
    Shape("lstm", 1, 512, 128, 64),
    Shape("lstm", 1, 1024, 64, 50),
    Shape("lstm", 2, 128, 50, 50),
    Shape("lstm", 2, 512, 128, 100),
    Shape("gru", 1, 256, 64, 64),
    Shape("rnn", 1, 256, 64, 64),
]
SAMPLING = [Shape("lstm", 1, 128, 1, 1), Shape("lstm", 1, 512, 1, 1)]
DISTURBED = [Shape("lstm", 1, 256, 64, 64), Shape("lstm", 1, 128, 1, 25)]
FOR_JAX = TRAINING[:1]
"""One row and a small network: there a compiled loop is the peer to beat, and elsewhere PyTorch is."""
SHAPES = {"training": TRAINING, "sampling": SAMPLING, "disturbed": DISTURBED}
FEW_SHAPES = {"training": [TRAINING[i] for i in (0, 1, 2, 4)], "sampling": SAMPLING[:1], "disturbed": DISTURBED[:1]}

CENTRE = Shape("lstm", 1, 256, 64, 64)
AROUND = {"H": [64, 128, 256, 512, 1024], "B": [1, 4, 16, 64, 256], "T": [16, 32, 64, 128, 256]}
AROUND |= {"V": [32, 65, 128, 256, 1024]}

PRODUCT_SIZE = 2000
"""Rows and columns of the two matrices whose product is the limit."""
GATES = {"lstm": 4, "gru": 3, "rnn": 1}
WARM = 0.3
"""Seconds that each works before it is measured."""
SETTLE = 0.05
"""Seconds before a turn: so long, the threads of the turn before may wait for more work in a loop that fills a core."""


class Contender:
    """A process of `contenders.py`, or of another file that is given work of another kind."""

    def __init__(
        self, name: str, shape: Shape, threads: int, file: Path | None = None, other: dict[str, Any] | None = None
    ) -> None:
        cell, L, H, B, T, V = shape
        work = {"cell": cell, "num_layers": L, "hidden_size": H, "batch_size": B, "seq_length": T, "vocab_size": V}
        work |= {"threads": threads, "product_size": PRODUCT_SIZE}
        here = file or Path(__file__).with_name("contenders.py")
        self.name = name
        self.process = subprocess.Popen(
            [sys.executable, str(here), name, json.dumps(other or work)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, seconds: float) -> float:
        """Works so long, or for one iteration if that takes longer; iterations per second."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        time.sleep(SETTLE)
        self.process.stdin.write(f"{seconds}\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} ended; what it said is above")
        answer = json.loads(line)
        self.peak_mib: float | None = answer["peak_mib"]
        rate: float = answer["rate"]
        return rate

    def close(self) -> None:
        """Ends the process."""
        self.process.communicate()  # closes its input, which ends it


@contextlib.contextmanager
def started(names: list[str], kind: str, shape: Shape, threads: int) -> Iterator[dict[str, Contender]]:
    """The contenders of these names, warm, and ended afterwards; "limit" is the matrix product."""
    with contextlib.ExitStack() as stack:
        found = {}
        for name in names:
            found[name] = Contender("matrix_product" if name == "limit" else f"{name}_{kind}", shape, threads)
            stack.callback(found[name].close)
            found[name].run(WARM)
        yield found


@contextlib.contextmanager
def busy_core() -> Iterator[None]:
    """Meanwhile, another process keeps one core busy, whichever the system gives it."""
    spin = "import os\nparent = os.getppid()\nprint(flush=True)\nwhile os.getppid() == parent: pass"
    process = subprocess.Popen([sys.executable, "-c", spin], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield
    finally:
        process.kill()
        process.communicate()


def products_per_character(cell: str, layers: int, H: int, V: int) -> int:
    """Multiply-adds that one character needs forward; the gathered input needs none."""
    G = GATES[cell]
    return G * H * H + (layers - 1) * 2 * G * H * H + H * V


def installed(name: str) -> bool:
    """Whether a peer is there to be measured."""
    return util.find_spec(name) is not None


def peers(kind: str, shape: Shape) -> list[str]:
    """The other libraries that do this work here."""
    wanted = ["torch", "jax"] if kind == "training" and shape in FOR_JAX else ["torch"]
    return [name for name in wanted if installed(name)]


def heading(kind: str, shape: Shape) -> dict[str, Any]:
    """What was measured: the first entries of its row."""
    network = f"{shape.cell} {shape.L}x{shape.H}"
    return {"what": kind, "network": network, "batch_size": shape.B, "seq_length": shape.T, "vocab_size": shape.V}


def measure(kind: str, shape: Shape, threads: int, effort: Effort) -> dict[str, Any]:
    """A row: speed and memory of all contenders in one kind of work, "training" or "sampling", on one shape."""
    names = ["charrnn", *peers(kind, shape)]
    limit = ["limit"] if kind == "training" else []
    with started(names + limit, kind, shape, threads) as contenders:
        rates: dict[str, list[float]] = {name: [] for name in contenders}
        for _ in range(effort.rounds):
            for name, contender in contenders.items():
                rates[name].append(contender.run(effort.seconds / (4 if name == "limit" else 1)))
    characters = shape.B * shape.T
    row = heading(kind, shape)
    for name in names:
        prefix = "" if name == "charrnn" else f"{name}_"
        row[f"{prefix}chars_per_s"] = statistics.median(rates[name]) * characters
        row[f"{prefix}peak_mib"] = contenders[name].peak_mib
        if name != "charrnn":
            row[f"{prefix}ratio"] = median_ratio(rates["charrnn"], rates[name])
    if kind == "training":
        used = 3 * 2 * products_per_character(shape.cell, shape.L, shape.H, shape.V) * characters
        row["share_of_limit"] = used / (2 * PRODUCT_SIZE**3) * median_ratio(rates["charrnn"], rates["limit"])
    return row


def measure_disturbed(shape: Shape, threads: int, effort: Effort) -> dict[str, Any]:
    """A row: the share of its speed in training that each contender keeps beside a process that fills a core."""
    row = heading("disturbed", shape)
    names = ["charrnn", *peers("disturbed", shape)]
    with started(names, "training", shape, threads) as contenders:
        quiet: dict[str, list[float]] = {name: [] for name in names}
        disturbed: dict[str, list[float]] = {name: [] for name in names}
        for _ in range(effort.rounds):
            for name, contender in contenders.items():
                quiet[name].append(contender.run(effort.seconds))
            with busy_core():
                for name, contender in contenders.items():
                    disturbed[name].append(contender.run(effort.seconds))
    for name in names:
        prefix = "" if name == "charrnn" else f"{name}_"
        row[f"{prefix}share_of_undisturbed"] = median_ratio(disturbed[name], quiet[name])
    return row


def median_ratio(rates: list[float], others: list[float]) -> float:
    """Of the rounds' own ratios."""
    return statistics.median(a / b for a, b in zip(rates, others, strict=True))


COLUMNS = [  # heading, width, key of the row, format
    ("", -10, "what", ""),
    ("network", -12, "network", ""),
    ("B", 4, "batch_size", "d"),
    ("T", 5, "seq_length", "d"),
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


def show_disturbed(row: dict[str, Any]) -> None:
    """A line below the table."""
    shares = [f"charrnn keeps {row['share_of_undisturbed']:.2f} of its speed"]
    shares += [f"torch {row['torch_share_of_undisturbed']:.2f}"] if "torch_share_of_undisturbed" in row else []
    window = f"B {row['batch_size']}, T {row['seq_length']}"
    print(f"beside a busy core, {row['network']}, {window}: {', '.join(shares)}", flush=True)


def compare(kinds: list[str], args: argparse.Namespace) -> dict[str, Any]:
    """The table, with what follows from it, printed as it is measured; and as an object."""
    shapes, effort = (FEW_SHAPES, QUICK) if args.quick else (SHAPES, FULL)
    chosen = [(kind, shape) for kind in kinds for shape in shapes[kind]]
    chosen = [(kind, shape) for kind, shape in chosen if args.only in f"{kind} {' '.join(map(str, shape))}"]
    found: dict[str, Any] = {"rows": [], "disturbed": []}
    if not args.json and any(kind != "disturbed" for kind, _ in chosen):
        show_line(title for title, _, _, _ in COLUMNS)
    for kind, shape in chosen:
        if kind == "disturbed":
            row = measure_disturbed(shape, args.threads, effort)
            found["disturbed"].append(row)
        else:
            row = measure(kind, shape, args.threads, effort)
            found["rows"].append(row)
        if not args.json:
            (show_disturbed if kind == "disturbed" else show)(row)
    ratios = [row["torch_ratio"] for row in found["rows"] if row["what"] == "training" and "torch_ratio" in row]
    if ratios:
        found |= {"geometric_mean": statistics.geometric_mean(ratios), "worst": min(ratios)}
        if not args.json:
            print(f"training against torch: geometric mean {found['geometric_mean']:.2f}, worst {found['worst']:.2f}")
    return found


GROWTH_COLUMNS = [  # heading, key of the row, format
    ("characters/s", "chars_per_s", ",.0f"),
    ("torch", "torch_chars_per_s", ",.0f"),
    ("ratio", "torch_ratio", ".2f"),
    ("limit", "share_of_limit", ".0%"),
    ("MiB", "peak_mib", ",.0f"),
]


def grow(args: argparse.Namespace) -> dict[str, Any]:
    """A table for each of H, B, T, V and the threads, all else as in the centre; and as an object."""
    cores = [n for n in (1, 2, 4, 8, 16, 32, 64) if n < args.threads] + [args.threads]
    measured: dict[tuple[Shape, int], dict[str, Any]] = {}  # the centre stands in every table
    found: dict[str, Any] = {}
    for quantity, values in (AROUND | {"threads": cores}).items():
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
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    processor = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "")
    names = ["charrnn", "numpy", *filter(installed, ("torch", "jax"))]
    versions = {"python": platform.python_version()} | {name: metadata.version(name) for name in names}
    return {"processor": processor or platform.machine(), "threads": threads, "versions": versions}


def usable_cores() -> int:
    """What this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def main(arguments: list[str] | None = None) -> None:
    """Measures, and prints a table or JSON."""
    given = sys.argv[1:] if arguments is None else arguments
    if "--time-to-loss" in given:
        import time_to_loss

        time_to_loss.main([word for word in given if word != "--time-to-loss"])
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object, for machines")
    parser.add_argument("--quick", action="store_true", help="about a minute: fewer shapes, shorter rounds")
    parser.add_argument("--threads", type=int, default=usable_cores(), help="of each contender (default: the cores)")
    parser.add_argument(
        "--only", default="", help="of the table, the lines with this text, as in 'training lstm 1 512'"
    )
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--grow", action="store_true", help="instead, how speed changes with H, B, T, V and threads")
    mode.add_argument("--disturbed", action="store_true", help="only the speed beside a process that fills a core")
    mode.add_argument("--time-to-loss", action="store_true", help="instead, how soon a loss is reached")
    args = parser.parse_args(arguments)
    on = machine(args.threads)
    if not args.json:
        versions = ", ".join(f"{name} {version}" for name, version in on["versions"].items())
        rounds = (GROWTH if args.grow else QUICK if args.quick else FULL).rounds
        print(f"{on['threads']} threads on {on['processor']}; {versions}")
        print(f"float32, Adam, clipped by norm; medians of {rounds} interleaved rounds", end="")
        around = "; around {} {}x{}, B {}, T {}, V {}".format(*CENTRE)
        print(around if args.grow else f"; V {CENTRE.V}")
    kinds = ["disturbed"] if args.disturbed else ["training", "sampling", "disturbed"]
    found = grow(args) if args.grow else compare(kinds, args)
    if args.json:
        print(json.dumps(on | found, indent=2))


if __name__ == "__main__":
    main()
