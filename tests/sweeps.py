"""Grids and sweeps of tiny runs; the folders that need these fixtures import them into their conftest.py."""

from __future__ import annotations

from functools import partial

import pytest

from charrnn.sweeping import children

BASE = "{model: {hidden_size: 6}, train: {batch_size: 4, seq_length: 8, iterations: 6, eval_every: 2, seed: 1}}"
TWO = "model.hidden_size: [6, 5]"


@pytest.fixture
def grid(tmp_path, text):
    """Writes `g.yaml`: the values, a base and a text, with changes."""

    def write(values=TWO, base=BASE, source=text):
        (tmp_path / "g.yaml").write_text(f"text: {source}\nbase: {base}\ngrid: {{{values}}}\n", "utf-8")

    return write


@pytest.fixture
def sweep(charrnn):
    return partial(charrnn, "sweep", "g.yaml", "-o", "out")


@pytest.fixture
def table(tmp_path):
    """The table in the directory of a sweep: a dict for each row."""

    def read():
        head, *rows = [line.split("\t") for line in (tmp_path / "out" / "sweep.tsv").read_text("utf-8").splitlines()]
        return [dict(zip(head, row, strict=True)) for row in rows]

    return read


@pytest.fixture
def pretend(monkeypatch):
    """Lets the process of each run be a line of Python; `NAME` is its run, and `PLACE` the directory of all."""

    def replace(line):
        head = "import os, pathlib, sys, time; run = pathlib.Path(sys.argv[sys.argv.index('-o') + 1]); "
        monkeypatch.setattr(children, "CHILD", f"{head}NAME, PLACE = run.name, run.parent\n{line}")

    return replace
