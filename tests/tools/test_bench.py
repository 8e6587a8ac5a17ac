"""What `make bench` counts and prints, on work of no size. How fast anything is, no test says."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from importlib import util
from pathlib import Path

import pytest

from charrnn.nn.model import CharLM


def module(name):
    """A file of the benchmark, which is no package."""
    spec = util.spec_from_file_location(f"bench_{name}", Path(__file__).parents[2] / "tools" / "bench" / f"{name}.py")
    loaded = util.module_from_spec(spec)
    sys.modules[spec.name] = loaded
    spec.loader.exec_module(loaded)
    return loaded


bench, contenders = module("bench"), module("contenders")


@pytest.fixture
def quickly(monkeypatch):
    """Without peers, for a moment."""
    monkeypatch.setattr(bench, "installed", lambda name: False)
    monkeypatch.setattr(bench, "PRODUCT_SIZE", 100)
    monkeypatch.setattr(bench, "SETTLE", 0)
    monkeypatch.setattr(bench, "WARM", 0)
    for effort in ("FULL", "GROWTH"):
        monkeypatch.setattr(bench, effort, bench.Effort(2, 0.005))


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("cell", bench.GATES)
def test_the_limit_counts_every_weight_but_those_that_the_input_gathers(cell, layers):
    H, V = 6, 11
    model = CharLM(V, cell=cell, hidden_size=H, num_layers=layers)
    weights = sum(math.prod(shape) for shape in model.shapes.values() if len(shape) == 2)
    gathered = V * model.shapes["layers.0.W"][1]
    assert bench.products_per_character(cell, layers, H, V) == weights - gathered


def test_the_json_has_a_row_for_each_work(quickly, monkeypatch, capsys):
    shapes = {
        "training": [bench.Shape("gru", 1, 128, 16, 64, V=300)],  # large enough for several processes
        "sampling": [bench.Shape("rnn", 2, 5, 2, 1)],
        "disturbed": [bench.Shape("lstm", 2, 5, 1, 4)],
    }
    monkeypatch.setattr(bench, "SHAPES", shapes)
    bench.main(["--json", "--threads", "2"])
    found = json.loads(capsys.readouterr().out)
    training, sampling = found["rows"]
    assert (training["what"], sampling["what"]) == ("training", "sampling")
    assert training["chars_per_s"] > 0 < sampling["chars_per_s"]
    assert training["share_of_limit"] > 0
    assert found["disturbed"][0]["share_of_undisturbed"] > 0
    assert found["threads"] == 2


def test_what_is_printed_of_growth_is_a_table_for_each_quantity(quickly, monkeypatch, capsys):
    monkeypatch.setattr(bench, "CENTRE", bench.Shape("lstm", 1, 5, 2, 4))
    monkeypatch.setattr(bench, "AROUND", {"H": [5]})
    bench.main(["--grow", "--threads", "1"])
    _, *tables = capsys.readouterr().out.strip().split("\n\n")
    rows = [[line.strip("|").split("|") for line in table.splitlines()] for table in tables]
    assert [[row[0].strip() for row in table] for table in rows] == [["H", "---:", "5"], ["threads", "---:", "1"]]
    assert {len(row) for table in rows for row in table} == {1 + len(bench.GROWTH_COLUMNS)}
    assert rows[0][2][1:] == rows[1][2][1:]  # the centre, measured once


@pytest.mark.skipif(contenders.peak_mib() is None, reason="only Linux tells the memory of a process")
def test_the_peak_has_what_is_a_workers_own_and_not_what_it_shares():
    shared = "import mmap; block = mmap.mmap(-1, 90 << 20); block.write(bytes(90 << 20)); "
    own = "memory = b'x' * (120 << 20); print(flush=True); input()"
    alone = contenders.peak_mib()
    worker = subprocess.Popen([sys.executable, "-c", shared + own], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    worker.stdout.readline()
    both = contenders.peak_mib()
    worker.communicate(b"\n")
    assert 120 <= both - alone < 150
