"""A product in tiles is the product, and the tiles are such as BLAS multiplies without copying."""

from __future__ import annotations

import numpy as np
import pytest

from charrnn.arrays import Batch
from charrnn.nn import tiles as module
from charrnn.nn.cells import CELLS
from charrnn.nn.model import CharLM
from charrnn.nn.parameters import Parameters
from charrnn.nn.tiles import parts, tiles

FLOAT = np.float32


@pytest.fixture
def avx512(monkeypatch):
    monkeypatch.setattr(module, "_kernels_are_fast", lambda: True)


@pytest.fixture
def another_processor(monkeypatch):
    monkeypatch.setattr(module, "_kernels_are_fast", lambda: False)


@pytest.mark.parametrize(
    ("rows", "inner", "columns", "expected"),
    [
        (25, 128, 128, (25, 64)),
        (64, 256, 256, (32, 64)),
        (64, 512, 512, (16, 64)),
        (8, 1024, 512, (8, 64)),
        (50, 512, 100, (25, 50)),
        (64, 4096, 64, (4, 32)),
        (25, 128, 48, (25, 48)),
        (17, 128, 7, (17, 7)),
    ],
)
def test_tiles_divide_the_product_and_are_small(rows, inner, columns, expected, avx512):
    assert tiles(rows, inner, columns, FLOAT) == expected
    assert rows % expected[0] == columns % expected[1] == 0
    assert expected[0] * inner * expected[1] <= module.WITHOUT_A_COPY


@pytest.mark.parametrize(
    ("rows", "inner", "columns"),
    [(1, 128, 128), (37, 2048, 64), (64, 128, 97), (64, 9000, 64)],
    ids=["one row", "a prime number of rows", "a prime number of columns", "too much to sum"],
)
def test_what_has_no_good_tiles_stays_whole(rows, inner, columns, avx512):
    assert tiles(rows, inner, columns, FLOAT) == (rows, columns)


def test_numbers_of_another_type_have_no_tiles(avx512):
    assert tiles(25, 128, 128, np.float64) == (25, 128)
    assert parts(64, 4, 1024, np.complex128) == 1


def test_another_processor_has_tiles_for_few_rows_alone(another_processor):
    assert tiles(8, 512, 512, FLOAT) == (8, 64)
    assert tiles(9, 512, 512, FLOAT) == (9, 512)
    assert parts(64, 4, 1024, FLOAT) == 1


def test_a_long_sum_is_made_in_parts_of_whole_gates(avx512):
    assert [parts(64, 4, width, FLOAT) for width in (256, 257, 512, 513, 5000)] == [1, 2, 2, 4, 4]
    assert parts(64, 3, 512, FLOAT) == 3


SMALL = {"WITHOUT_A_COPY": 100, "COLUMNS": 4, "LEAST_COLUMNS": 2, "MOST_INNER": 8, "LEAST_ROWS": 2}
"""With these, a network of some units has tiles of rows and of columns, and sums in parts."""


@pytest.mark.parametrize("cell", CELLS)
def test_a_network_computes_the_same_in_tiles(cell, avx512, rng, monkeypatch):
    def loss_and_grads():
        model = CharLM(11, cell=cell, hidden_size=8, num_layers=2)
        grads = Parameters.zeros(model.shapes, FLOAT)
        loss, final = model.loss_and_grads(params, batch, model.zero_state(6), grads)
        tape = next(iter(model._workspaces._kept.values()))[1].tapes[0]
        return loss, final, grads.vector, tape.W_h.shape, tape.W_hT.shape, len(tape._read_tiles[0])

    shapes = CharLM(11, cell=cell, hidden_size=8, num_layers=2).shapes
    params = Parameters.zeros(shapes, FLOAT)
    params.vector[...] = rng.normal(0, 0.4, params.vector.size)
    x, y = rng.integers(11, size=(2, 5, 6))
    batch = Batch(x, y, np.ones(6, bool))
    whole = loss_and_grads()
    for name, value in SMALL.items():
        monkeypatch.setattr(module, name, value)
    tiled = loss_and_grads()
    assert tiled[0] == pytest.approx(whole[0], rel=1e-6)
    np.testing.assert_allclose(tiled[2], whole[2], rtol=0, atol=1e-6)
    np.testing.assert_allclose(tiled[1][0]["h"], whole[1][0]["h"], rtol=0, atol=1e-6)
    apart = CharLM(11, cell=cell, hidden_size=8).stack.cell.product == "of a gated state"
    assert (tiled[3] == whole[3]) == apart, "a cell with a product for each gate keeps them whole"
    if cell == "lstm":
        assert tiled[3] == (4, 2, 8, 4)
        assert tiled[4] == (4, 1, 2, 8, 4)
        assert tiled[5] == 2, "groups of rows"
