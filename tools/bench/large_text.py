"""What a text of 1 GB costs: `python tools/bench/large_text.py [GIGABYTES]`; on Linux, with a few gigabytes of disk.

Two texts are made, of letters alone and of many scripts. Each is trained on for some iterations, and so is a small one
like it: what the large one adds in memory, and in time to the end of the first iteration, is the cost of its size. A
walk then takes every window of an epoch, as a run of days would.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from charrnn.cli import common
from charrnn.text.streams import Windows, split_tail
from charrnn.text.vocabulary import Vocabulary

SMALL = 1_000_000
"""Bytes of the texts that the large ones are compared with."""

B, T = 32, 64

LETTERS = "".join(map(chr, range(ord("a"), ord("z") + 1)))
SCRIPTS = {
    "ASCII": LETTERS,
    "Unicode": LETTERS
    + "éüñß“”—"
    + "".join(map(chr, [*range(0x3B1, 0x3CA), *range(0x430, 0x450), *range(0x4E00, 0x5600)])),
}


def make(path: Path, alphabet: str, size: int) -> None:
    """A text of about `size` bytes: lines of words of random letters, not all of them different."""
    rng = random.Random(1)
    words = ["".join(rng.choices(alphabet, k=rng.randint(1, 9))) for _ in range(20_000)]
    lines = [" ".join(rng.choices(words, k=12)) + "\n" for _ in range(5_000)]
    with open(path, "wb") as file:
        while file.tell() < size:
            file.write("".join(rng.sample(lines, 1_000)).encode())


def seconds_to_read(path: Path) -> float:
    """Reading it once, from the disk, without anything done with it."""
    with open(path, "rb", buffering=0) as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        began = time.perf_counter()
        while file.read(1 << 20):
            pass
        return time.perf_counter() - began


def run(*arguments: object) -> tuple[float, float]:
    """Seconds and peak MiB of a command."""
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, *map(str, arguments)])
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{arguments} failed")
    return time.perf_counter() - began, usage.ru_maxrss / 1024


def train(path: Path, *settings: str) -> tuple[float, float]:
    """The same of a training run."""
    with tempfile.TemporaryDirectory() as folder:
        always = (f"train.batch_size={B}", f"train.seq_length={T}", "train.seed=1")
        words = [word for setting in always + settings for word in ("--set", setting)]
        return run("-m", "charrnn", "train", path, "-c", "lstm", "-q", "-o", Path(folder) / "run", *words)


def walk(path: Path) -> None:
    """Takes every window of an epoch."""
    text = common.library().read(str(path), "utf-8")
    windows = Windows(split_tail(text.ids(Vocabulary.of(text.symbols)), (0.9, 0.05, 0.05), B, T).train, T)
    for iteration in range(len(windows)):
        windows.batch(iteration)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("gigabytes", type=float, nargs="?", default=1.0)
    parser.add_argument("--iterations", type=int, default=200)
    parser.add_argument("--folder", type=Path, help="where to make the texts")
    parser.add_argument("--walk", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.walk:
        walk(arguments.walk)
        return
    print("text      bytes          read    start    peak    of a small text    of a walk")
    for name, alphabet in SCRIPTS.items():
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            large, small = Path(folder) / "large.txt", Path(folder) / "small.txt"
            make(large, alphabet, int(arguments.gigabytes * 1e9))
            make(small, alphabet, SMALL)
            read = seconds_to_read(large)
            begin = "train.iterations=1", "data.split=[1,0,0]"
            start = train(large, *begin)[0] - train(small, *begin)[0]
            peaks = [train(path, f"train.iterations={arguments.iterations}")[1] for path in (large, small)]
            peaks.append(run(__file__, "--walk", large)[1])
            shown = "    ".join(f"{peak:,.0f} MiB" for peak in peaks)
            print(f"{name:8}  {large.stat().st_size:13,}  {read:.1f} s  {start:.1f} s    {shown}", flush=True)


if __name__ == "__main__":
    main()
