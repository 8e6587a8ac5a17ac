"""What `make bench` counts and prints, on work of no size. How fast anything is, no test says."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from importlib import util
from pathlib import Path

import numpy as np
import pytest

from charrnn import known_machine
from charrnn.environment import environment
from charrnn.machine import TYPICAL
from charrnn.nn.model import CharLM

FOLDER = Path(__file__).parents[2] / "tools" / "bench"


def module(name):
    """A file of the benchmark, which is no package: as a script, it imports from the files beside it."""
    spec = util.spec_from_file_location(f"bench_{name}", FOLDER / f"{name}.py")
    loaded = util.module_from_spec(spec)
    sys.modules[spec.name] = loaded
    sys.path.insert(0, str(FOLDER))
    try:
        spec.loader.exec_module(loaded)
    finally:
        sys.path.remove(str(FOLDER))
    return loaded


bench, contenders, tiles = module("bench"), module("contenders"), module("tiles")
measuring, shapes = sys.modules["measuring"], sys.modules["shapes"]
Shape = shapes.Shape


@pytest.fixture
def quickly(monkeypatch, tmp_path):
    """Without peers, for a moment, on a machine of few cores that has been measured before."""
    monkeypatch.setattr(measuring, "installed", lambda name: False)
    monkeypatch.setattr(measuring, "PRODUCT_SIZE", 100)
    monkeypatch.setattr(measuring, "SETTLE", 0)
    monkeypatch.setattr(measuring, "WARM", 0)
    monkeypatch.setattr(measuring.cores, "available_cores", lambda: 2)
    for effort in ("FULL", "GROWTH"):
        monkeypatch.setattr(bench, effort, bench.Effort(2, 0.005))
    monkeypatch.setenv("CHARRNN_CACHE", str(tmp_path))
    known = {"machines": {known_machine.key(): TYPICAL.to_dict()}}
    (tmp_path / known_machine.NAME).write_text(json.dumps(known), "utf-8")


@pytest.mark.parametrize("embedding", [None, 4])
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("cell", shapes.GATES)
def test_the_limit_counts_every_weight_but_those_that_the_input_gathers(cell, layers, embedding):
    H, V = 6, 11
    model = CharLM(V, cell=cell, hidden_size=H, num_layers=layers, embedding_size=embedding)
    weights = sum(math.prod(shape) for shape in model.shapes.values() if len(shape) == 2)
    gathered = V * (embedding or model.shapes["layers.0.W"][1])
    assert shapes.products_per_character(Shape(cell, layers, H, 1, 1, V, embedding)) == weights - gathered


def test_the_json_has_a_row_for_each_work(quickly, monkeypatch, capsys):
    works = {
        "training": [Shape("gru", 1, 128, 64, 64)],  # large enough for several processes
        "few rows": [Shape("lstm", 1, 8, 1, 4, E=3)],
        "sampling": [Shape("rnn", 2, 5, 2, 1)],
        "disturbed": [Shape("lstm", 2, 5, 1, 4)],
        "speed-up": [Shape("lstm", 1, 512, 64, 64)],
    }
    monkeypatch.setattr(bench, "SHAPES", works)
    bench.main(["--json", "--threads", "2"])
    found = json.loads(capsys.readouterr().out)
    training, few, sampling = found["rows"]
    assert [row["what"] for row in found["rows"]] == ["training", "few rows", "sampling"]
    assert min(row["chars_per_s"] for row in found["rows"]) > 0
    assert training["share_of_limit"] > 0 < few["share_of_limit"]
    assert training["layout"] in ("2x1", "1x2")
    assert (few["layout"], sampling["layout"]) == ("1", None)
    assert (few["network"], few["embedding_size"]) == ("lstm 1x8, E 3", 3)
    assert found["disturbed"][0]["share_of_undisturbed"] > 0
    assert (found["threads"], found["blas"]) == (2, environment()["blas"])
    (speed_up,) = found["speed_up"]
    assert (speed_up["cores"], speed_up["modelled"]) == (4, True)
    assert 1 < speed_up["speed_up"] <= 4.5


def test_where_there_are_the_cores_the_speed_up_is_measured(quickly, monkeypatch, capsys):
    monkeypatch.setattr(measuring, "SEVERAL", 2)
    monkeypatch.setattr(bench, "SHAPES", {"speed-up": [Shape("lstm", 1, 128, 64, 64)]})
    bench.main([])
    assert re.search(
        r"^2 cores, lstm 1x128, B 64, T 64: \d+\.\d\d times the speed of one, as (2x1|1x2) \(measured\)$",
        capsys.readouterr().out,
        re.MULTILINE,
    )


def test_the_last_line_is_of_the_nine_shapes(monkeypatch, capsys):
    large = next(shape for shape in shapes.TRAINING if shape not in shapes.NINE)
    ratios = {large: 0.1, shapes.NINE[0]: 8.0, shapes.NINE[1]: 0.5}
    monkeypatch.setattr(
        bench, "measure", lambda kind, shape, *rest: {"what": kind, "torch_ratio": ratios.get(shape, 2.0)}
    )
    monkeypatch.setattr(bench, "SHAPES", {kind: shapes.SHAPES[kind] for kind in ("training", "few rows")})
    bench.main([])
    *_, last = capsys.readouterr().out.splitlines()
    assert last == (
        "training against torch, 9 shapes (all but lstm 2x512): "
        "geometric mean 2.00, worst 0.50 (lstm 1x128, B 50, T 50)"
    )


def test_a_product_in_tiles_is_the_product(rng):
    x, W = rng.random((6, 5), np.float32), rng.random((5, 8), np.float32)
    left, right, out = tiles.in_tiles(x, W, tiles.Tiles(3, 4))
    assert np.matmul(left, right, out=out).shape == (2, 2, 3, 4)
    whole = out.transpose(0, 2, 1, 3).reshape(6, 8)
    np.testing.assert_allclose(whole, x @ W, rtol=1e-6)


@pytest.mark.parametrize("kernel", ["SkylakeX", "Haswell"])
def test_a_line_of_tiles_has_those_that_training_chooses(kernel, monkeypatch):
    monkeypatch.setattr("charrnn.nn.tiles._kernels_are_fast", lambda: kernel == "SkylakeX")
    told = tiles.line(16, 256, 128, seconds=0)
    assert told.endswith("of 16 x 64" if kernel == "SkylakeX" else "none")
    assert told.split()[:3] == ["16", "256", "128"]


def test_what_is_printed_of_growth_is_a_table_for_each_quantity(quickly, monkeypatch, capsys):
    monkeypatch.setattr(bench, "CENTRE", Shape("lstm", 1, 5, 2, 4))
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
