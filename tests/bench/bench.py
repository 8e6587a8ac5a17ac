"""`make bench`: charrnn against PyTorch on the same work, interleaved, and against what the matrix product allows.

Each contender has a process of its own, which waits while another is measured. A round measures each once; the figures
are medians over the rounds, and ratios are medians of the rounds' own ratios, since a shared machine drifts.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

TRAINING = [  # cell, layers, H, B, T
    ("lstm", 1, 128, 1, 25),
    ("lstm", 1, 128, 50, 50),
    ("lstm", 1, 256, 64, 64),
    ("lstm", 1, 512, 64, 64),
    ("lstm", 1, 512, 128, 64),
    ("lstm", 1, 1024, 64, 50),
    ("lstm", 2, 128, 50, 50),
    ("lstm", 2, 512, 128, 100),
    ("gru", 1, 256, 64, 64),
    ("rnn", 1, 256, 64, 64),
]
SAMPLING = [("lstm", 1, 128, 1, 1), ("lstm", 1, 512, 1, 1)]
GATES = {"lstm": 4, "gru": 3, "rnn": 1}
V = 65


class Contender:
    """A process of `contenders.py`."""

    def __init__(self, name: str, work: dict[str, Any]) -> None:
        here = Path(__file__).with_name("contenders.py")
        self.process = subprocess.Popen(
            [sys.executable, str(here), name, json.dumps(work)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, iterations: int) -> dict[str, float]:
        """Runs the iterations; seconds, and the peak memory so far."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{iterations}\n")
        self.process.stdin.flush()
        answer: dict[str, float] = json.loads(self.process.stdout.readline())
        return answer

    def close(self) -> None:
        """Ends the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def products_per_character(cell: str, layers: int, H: int) -> int:
    """Multiply-adds that one character needs forward; the gathered input needs none."""
    G = GATES[cell]
    return G * H * H + (layers - 1) * 2 * G * H * H + H * V


def measure(kind: str, shape: tuple[str, int, int, int, int], args: argparse.Namespace) -> dict[str, Any]:
    """All contenders on one shape."""
    cell, layers, H, B, T = shape
    work = {"cell": cell, "num_layers": layers, "hidden_size": H, "batch_size": B, "seq_length": T}
    work |= {"vocab_size": V, "threads": args.threads}
    names = [f"charrnn_{kind}"] + ([f"torch_{kind}"] if args.torch else [])
    contenders = {name: Contender(name, work) for name in names}
    contenders["matrix_product"] = Contender("matrix_product", work)
    try:
        iterations = {}
        for name, contender in contenders.items():
            contender.run(2)
            iterations[name] = max(1, round(args.seconds / (contender.run(3)["seconds"] / 3)))
        rounds: dict[str, list[float]] = {name: [] for name in contenders}
        peaks: dict[str, float] = {}
        for _ in range(args.rounds):
            for name, contender in contenders.items():
                answer = contender.run(iterations[name])
                rounds[name].append(iterations[name] / answer["seconds"])
                peaks[name] = answer["peak_mib"]
    finally:
        for contender in contenders.values():
            contender.close()
    characters = B * T if kind == "training" else B
    speed = [rate * characters for rate in rounds[f"charrnn_{kind}"]]
    result = {
        "what": kind,
        "network": f"{cell} {layers}x{H}",
        "batch_size": B,
        "seq_length": T,
        "chars_per_s": statistics.median(speed),
        "peak_mib": peaks[f"charrnn_{kind}"],
    }
    if kind == "training":
        limit = [rate * 2 * 2000**3 for rate in rounds["matrix_product"]]
        used = 3 * 2 * products_per_character(cell, layers, H)
        result["share_of_limit"] = statistics.median(used * s / flops for s, flops in zip(speed, limit, strict=True))
    if args.torch:
        peer = [rate * characters for rate in rounds[f"torch_{kind}"]]
        result["torch_chars_per_s"] = statistics.median(peer)
        result["ratio"] = statistics.median(a / b for a, b in zip(speed, peer, strict=True))
        result["torch_peak_mib"] = peaks[f"torch_{kind}"]
    return result


def show(row: dict[str, Any]) -> None:
    """A line of the table."""
    cells = [
        f"{row['what']:<9}{row['network']:<13}{row['batch_size']:>4}{row['seq_length']:>5}",
        f"{row['chars_per_s']:>11,.0f}",
        f"{row['torch_chars_per_s']:>11,.0f}{row['ratio']:>7.2f}" if "ratio" in row else " " * 18,
        f"{row['share_of_limit']:>7.0%}" if "share_of_limit" in row else " " * 7,
        f"{row['peak_mib']:>9,.0f}",
        f"{row['torch_peak_mib']:>9,.0f}" if "ratio" in row else "",
    ]
    print("".join(cells), flush=True)


def main() -> None:
    """Measures, and prints a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object, for machines")
    parser.add_argument("--quick", action="store_true", help="about a minute: fewer shapes, shorter rounds")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of each contender")
    parser.add_argument("--only", default="", help="shapes whose row contains this text")
    args = parser.parse_args()
    args.torch = importlib.util.find_spec("torch") is not None
    args.rounds, args.seconds = (3, 0.5) if args.quick else (5, 2.0)
    chosen = [("training", shape) for shape in (TRAINING[1:4] if args.quick else TRAINING)]
    chosen += [("sampling", shape) for shape in (SAMPLING[:1] if args.quick else SAMPLING)]
    rows = []
    if not args.json:
        print(
            f"float32, V = {V}, Adam, clipped by norm, {args.threads} threads; "
            f"medians of {args.rounds} interleaved rounds"
        )
        print(
            f"{'':<9}{'network':<13}{'B':>4}{'T':>5}{'chars/s':>11}{'torch':>11}{'ratio':>7}{'limit':>7}{'MiB':>9}{'torch':>9}"
        )
    for kind, shape in chosen:
        if args.only in f"{kind} {' '.join(map(str, shape))}":
            rows.append(measure(kind, shape, args))
            if not args.json:
                show(rows[-1])
    ratios = [row["ratio"] for row in rows if row["what"] == "training" and "ratio" in row]
    summary = {}
    if ratios:
        summary = {"geometric_mean": statistics.geometric_mean(ratios), "worst": min(ratios)}
    if args.json:
        print(json.dumps({"threads": args.threads, "rows": rows, **summary}, indent=2))
    elif summary:
        print(f"training against torch: geometric mean {summary['geometric_mean']:.2f}, worst {summary['worst']:.2f}")


if __name__ == "__main__":
    main()
