"""Measures `charrnn compress` beside other compressors, and prints the table of docs/results.md.

    python tools/results/compression.py [--data DIR] [--scratch DIR]

Each archive of charrnn is restored and compared. Texts that are not in DIR are left out, and so is zpaq where it is not
installed (`pip install zpaq`).
"""

from __future__ import annotations

import argparse
import bz2
import gzip
import importlib.util
import lzma
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # for `results`, as in the tests

from results.running import HERE, charrnn

ALIKE = ("-c", "lstm", "--hidden-size", "320", "--set", "data.split=[0.9,0.1,0]", "--set", "train.eval_every=200")
SMALL = ("--epochs", "16", "--dropout", "0.6", "--batch-size", "16")
LARGE = ("--epochs", "4", "--dropout", "0.2", "--batch-size", "32")
TRAINING = {"harbour": (*ALIKE, *SMALL, "--seed", "1"), "tinyshakespeare": (*ALIKE, *LARGE, "--seed", "1")}
"""How a model of the first nine tenths of each text is trained."""

Compressor = Callable[[bytes], bytes]


class Text(NamedTuple):
    """A column of the table."""

    name: str
    data: bytes
    known: bytes
    """What stands before it: what compressors may know, as a model does that was trained on it."""
    model: str
    """The text whose first nine tenths the model has learnt."""


def others() -> dict[str, Compressor]:
    """The compressors that this machine has."""
    found: dict[str, Compressor] = {
        "gzip -9": lambda data: gzip.compress(data, 9),
        "bz2 -9": lambda data: bz2.compress(data, 9),
        "xz -9e": lambda data: lzma.compress(data, preset=9 | lzma.PRESET_EXTREME),
    }
    if importlib.util.find_spec("zpaq"):
        import zpaq

        found["zpaq -5, context mixing"] = lambda data: bytes(zpaq.compress(data, level=5, threads=1))
    return found


def texts(data: Path) -> Iterator[Text]:
    """The texts that are there."""
    harbour = (HERE / "corpora" / "harbour.txt").read_bytes()
    yield Text("harbour, all", harbour, b"", "")
    yield tenth("harbour", harbour)
    for name in ("tinyshakespeare", "alice29"):
        if (path := data / f"{name}.txt").exists():
            found = path.read_bytes()
            yield tenth(name, found) if name in TRAINING else Text(name, found, b"", "tinyshakespeare")


def tenth(name: str, data: bytes) -> Text:
    """The last tenth of a text, which the model of the rest has not seen; these texts are ASCII."""
    cut = len(data) - len(data) // 10
    return Text(f"{name}, last tenth", data[cut:], data[:cut], name)


def restored(file: Path, how: list[str | Path], run: list[Path]) -> tuple[int, float]:
    """The size of charrnn's archive of a file, and the seconds it took to write; it is compared with the file."""
    archive, again = file.with_suffix(".crnn"), file.with_suffix(".again")
    again.unlink(missing_ok=True)
    began = time.perf_counter()
    charrnn("compress", *how, file, "-o", archive, "-q")
    seconds = time.perf_counter() - began
    charrnn("decompress", *run, archive, "-o", again, "-q")
    assert again.read_bytes() == file.read_bytes()
    return archive.stat().st_size, seconds


def measured(text: Text, scratch: Path, models: dict[str, Path]) -> dict[str, str]:
    """A column: by the name of a method, its bits per byte."""

    def shown(size: int, seconds: float | None = None) -> str:
        return f"{8 * size / len(text.data):.3f}" + ("" if seconds is None else f" ({seconds:.0f} s)")

    compressors = others()
    found = {name: shown(len(compress(text.data))) for name, compress in compressors.items()}
    file = scratch / f"{text.name.replace(', ', '-').replace(' ', '-')}.txt"
    file.write_bytes(text.data)
    found["charrnn --from-scratch"] = shown(*restored(file, ["--from-scratch"], []))
    found["charrnn --from-scratch --rows 4"] = shown(*restored(file, ["--from-scratch", "--rows", "4"], []))
    if text.known:
        for name in ("xz -9e", *(name for name in compressors if name.startswith("zpaq"))):
            more = len(compressors[name](text.known + text.data)) - len(compressors[name](text.known))
            found[f"{name}, after the rest of the text"] = shown(more)
    if run := models.get(text.model):
        found["charrnn, a trained model"] = shown(*restored(file, [run], [run]))
        found["charrnn, a trained model, --dynamic"] = shown(*restored(file, [run, "--dynamic"], [run]))
    return found


def main() -> None:
    """Trains, measures, and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=HERE.parent / "shared" / "data")
    parser.add_argument("--scratch", type=Path, default=HERE / "runs" / "results" / "compression")
    args = parser.parse_args()
    args.scratch.mkdir(parents=True, exist_ok=True)
    columns = list(texts(args.data))
    models = {}
    for name in {text.model for text in columns} & TRAINING.keys():
        models[name] = args.scratch / name
        source = name if name == "harbour" else args.data / f"{name}.txt"
        if not models[name].exists():
            charrnn("train", source, *TRAINING[name], "-q", "-o", models[name])
    found = [measured(text, args.scratch, models) for text in columns]
    rows = dict.fromkeys(name for column in sorted(found, key=len, reverse=True) for name in column)
    print("| bits per byte |", " | ".join(f"{text.name}: {len(text.data):,}" for text in columns), "|")
    print("| --- |", " | ".join("---:" for _ in columns), "|")
    for name in rows:
        print(f"| {name} |", " | ".join(column.get(name, "") for column in found), "|")


if __name__ == "__main__":
    main()
