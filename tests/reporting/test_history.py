"""Lines that were written while a run was trained, as a crash or somebody's editor left them."""

from __future__ import annotations

import json

import pytest

from charrnn.reporting.history import History


@pytest.fixture
def read(tmp_path):
    def read(content):
        (tmp_path / "metrics.jsonl").write_bytes(content)
        return History.read(tmp_path / "metrics.jsonl")

    return read


def line(iteration, **more):
    return json.dumps({"iteration": iteration, **more}).encode() + b"\n"


def test_where_there_is_no_file_there_are_no_lines(tmp_path):
    assert History.read(tmp_path / "metrics.jsonl") == History([])


@pytest.mark.parametrize(
    "bad",
    [
        b'{"iteration": 3, "tra',
        b"\xff\xfe\x00",
        b"[1, 2]",
        b"7",
        b"{}",
        b'{"iteration": null}',
        b'{"iteration": "3"}',
        b'{"iteration": -1}',
        b'{"iteration": true}',
        b"[" * 100_000,
    ],
    ids=range(10),
)
def test_what_is_no_line_is_passed_over_and_counted(read, bad):
    history = read(line(1, val_nats=2.0) + bad + b"\n" + line(5, val_nats=1.5) + bad)
    assert history.points("val_nats") == [(1, 2.0), (5, 1.5)]
    assert history.passed_over == 2


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "null", '"many"', "true", "[1]"])
def test_what_is_no_number_is_left_out_of_a_curve(read, value):
    history = read(line(1, grad_norm=2.0) + f'{{"iteration": 2, "grad_norm": {value}}}\n'.encode())
    assert history.points("grad_norm") == [(1, 2.0)]
    assert history.last("grad_norm") == 2.0


def test_where_a_run_went_back_the_later_lines_count(read):
    history = read(line(10, a=1) + line(20, a=2) + line(30, a=3) + line(20, a=4) + line(25, a=5))
    assert history.points("a") == [(10, 1), (20, 4), (25, 5)]


def test_scores_are_named_in_the_order_in_which_they_came(read):
    assert read(line(1) + line(2, val_nats=1, val_accuracy=0.5) + line(3, val_f1=0)).scores() == [
        "nats",
        "accuracy",
        "f1",
    ]
