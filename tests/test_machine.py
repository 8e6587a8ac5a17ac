"""This machine is measured once and then known; the cost model foresees from that which layout is fastest."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import pytest

from charrnn import known_machine, machine
from charrnn.machine import TYPICAL, Machine
from charrnn.nn import costs
from charrnn.nn.costs import ALONE, ProcessGrid
from charrnn.nn.encoder_decoder import EncoderDecoder
from charrnn.nn.model import CharLM
from charrnn.nn.work import work_of


def work(H=256, B=32, T=32, **options):
    return work_of(CharLM(65, hidden_size=H, **options), B, T)


def seconds(H, B, grid, machine=TYPICAL):
    return costs.seconds(machine, work(H, B), grid)


# --- measuring --------------------------------------------------------------------------------------------------------


def test_all_that_is_measured_is_a_time_and_survives_json():
    found = machine.measure(0.01)
    assert Machine.from_dict(json.loads(json.dumps(found.to_dict()))) == found
    assert 1e-13 < found.multiply_add < 1e-8
    assert found.vector[0][1] > found.multiply_add


@pytest.mark.parametrize(
    "changes",
    [
        {"call": 0},
        {"call": math.nan},
        {"call": "soon"},
        {"call": [[1, 2]]},
        {"packing": 1e-9},
        {"packing": []},
        {"packing": [[2, 1], [1, 1]]},
        {"packing": [[1, -1]]},
        {"packing": [1, 2]},
    ],
)
def test_what_is_no_machine_is_refused(changes):
    with pytest.raises((TypeError, ValueError)):
        Machine.from_dict(TYPICAL.to_dict() | changes)


@pytest.mark.parametrize(("size", "value"), [(1, 3), (16, 3), (64, 4), (256, 5), (1024, 5)])
def test_a_curve_goes_from_point_to_point_and_no_further(size, value):
    assert machine.at(((16, 3), (256, 5)), size) == pytest.approx(value)


# --- the cost model ---------------------------------------------------------------------------------------------------


def test_more_of_anything_takes_longer():
    usual = costs.seconds(TYPICAL, work(), ALONE)
    for more in (work(H=512), work(B=64), work(T=64), work(num_layers=2), work(embedding_size=512)):
        assert costs.seconds(TYPICAL, more, ALONE) > 1.2 * usual


def test_the_work_of_a_network_is_that_of_all_its_layers():
    assert work(H=8, num_layers=3).inputs == 2 * 8
    assert work(H=8, num_layers=2, bidirectional=True).inputs == 2 * 16
    assert work(H=8, num_layers=2, bidirectional=True).layers == 4
    assert work(H=8, embedding_size=5).inputs == 5
    assert work_of(EncoderDecoder(9, 9, hidden_size=8), 4, 4).layers == 2


def test_units_are_split_where_rows_are_few():
    assert seconds(512, 16, ProcessGrid(1, 4)) < 0.8 * seconds(512, 16, ProcessGrid(4, 1))
    assert seconds(128, 512, ProcessGrid(1, 4)) == pytest.approx(seconds(128, 512, ProcessGrid(4, 1)), rel=0.1)


def test_a_machine_whose_processes_meet_slowly_splits_rows():
    slow = dataclasses.replace(TYPICAL, meeting=1e-3)
    assert costs.choose(TYPICAL, work(512, 16), 4, splits_units=True) == ProcessGrid(1, 4)
    assert costs.choose(slow, work(512, 16), 4, splits_units=True) == ProcessGrid(4, 1)


@pytest.mark.parametrize("cores", [1, 2, 3, 4, 16])
@pytest.mark.parametrize("splits_units", [True, False])
@pytest.mark.parametrize(("H", "B"), [(64, 1), (64, 3), (100, 20), (512, 64)])
def test_what_is_chosen_has_a_core_and_something_to_do_for_each_process(cores, splits_units, H, B):
    grid = costs.choose(TYPICAL, work(H, B), cores, splits_units)
    assert grid.processes <= cores
    assert grid.rows <= B
    assert grid.units == 1 or splits_units
    assert costs.seconds(TYPICAL, work(H, B), grid) <= costs.seconds(TYPICAL, work(H, B), ALONE)


def test_no_processes_are_begun_for_next_to_nothing():
    assert costs.choose(TYPICAL, work(64, 1), 16, splits_units=True) == ALONE
    never = dataclasses.replace(TYPICAL, meeting=1.0)
    assert costs.choose(never, work(512, 64), 16, splits_units=True) == ALONE


def test_four_cores_are_three_times_as_fast_as_one_for_a_layer_of_512():
    assert seconds(512, 64, ALONE) / min(seconds(512, 64, grid) for grid in costs.grids(work(512, 64), 4, True)) > 3


# --- what is known ----------------------------------------------------------------------------------------------------


@pytest.fixture
def measured(monkeypatch, tmp_path):
    """Counts measurements, in a cache of its own; each finds another machine."""
    monkeypatch.setenv("CHARRNN_CACHE", str(tmp_path / "cache"))
    known_machine.forget()
    found = []

    def measure():
        found.append(dataclasses.replace(TYPICAL, call=1e-6 * (len(found) + 1)))
        return found[-1]

    monkeypatch.setattr(known_machine, "measure", measure)
    yield found
    known_machine.forget()


def test_a_machine_is_measured_once_for_all_processes(measured):
    first = known_machine.known()
    assert known_machine.known() is first
    known_machine.forget()
    assert known_machine.known() == first
    assert len(measured) == 1
    assert known_machine.known(again=True) == measured[1] != first
    known_machine.forget()
    assert known_machine.known() == measured[1]


def test_machines_that_share_a_home_are_kept_side_by_side(measured, monkeypatch):
    for number in range(known_machine.MOST + 1):
        monkeypatch.setattr(known_machine, "key", lambda number=number: f"machine {number}")
        known_machine.known(again=True)
    known_machine.forget()
    assert known_machine.known() == measured[-1]
    kept = json.loads(known_machine.place().read_bytes())["machines"]
    assert [*kept] == [f"machine {number}" for number in range(1, known_machine.MOST + 1)]


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\x00", b"[]", b"{}", b'{"machines": 3}', b'{"machines": {}}', b'{"machines": [1]}', b"[" * 100_000],
    ids=range(8),
)
def test_a_cache_that_is_damaged_is_measured_again_and_replaced(measured, content):
    place = known_machine.place()
    place.parent.mkdir(parents=True)
    place.write_bytes(content)
    assert known_machine.known() == measured[0]
    known_machine.forget()
    assert known_machine.known() == measured[0]
    assert len(measured) == 1


@pytest.mark.parametrize("entry", [None, 3, {}, {"call": 1}, TYPICAL.to_dict() | {"packing": [[1, "x"]]}])
def test_an_entry_that_is_damaged_is_measured_again(measured, entry):
    place = known_machine.place()
    place.parent.mkdir(parents=True)
    place.write_text(json.dumps({"machines": {known_machine.key(): entry}}))
    assert known_machine.known() == measured[0]


def test_another_processor_or_blas_is_another_machine(measured, monkeypatch):
    known_machine.known()
    monkeypatch.setattr("charrnn.processor.name", lambda: "another")
    known_machine.forget()
    assert known_machine.known() == measured[1]
    monkeypatch.setattr(known_machine, "environment", lambda: {"numpy": "9", "blas": "b"})
    known_machine.forget()
    assert known_machine.known() == measured[2]


def test_where_the_cache_cannot_be_written_it_is_measured_each_time(measured, tmp_path):
    (tmp_path / "cache").write_text("a file in its place")
    assert known_machine.known() == measured[0]
    known_machine.forget()
    assert known_machine.known() == measured[1]


def test_where_nobody_knows_a_home_it_is_measured_each_time(measured, monkeypatch):
    def nobody():
        raise RuntimeError("Could not determine home directory.")

    for name in ("CHARRNN_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", nobody)
    assert known_machine.known() == measured[0]


def test_where_memory_is_short_a_typical_machine_stands_in_and_nothing_is_kept(measured, monkeypatch):
    def short():
        raise MemoryError

    monkeypatch.setattr(known_machine, "measure", short)
    assert known_machine.known() == TYPICAL
    assert not known_machine.place().exists()
