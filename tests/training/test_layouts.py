"""How a run is laid out over cores: as is fastest, as it is told, and when it is resumed as it was."""

from __future__ import annotations

import json

import pytest

from charrnn import cores, known_machine
from charrnn.config.reading import read_yaml
from charrnn.config.resolve import resolve
from charrnn.cores import Plan
from charrnn.errors import ConfigError
from charrnn.nn.network import Network
from charrnn.training import layouts


def configured(**train):
    return resolve(read_yaml(json.dumps({"train": train}), "my.yaml"))[0]


pytestmark = pytest.mark.skipif(not layouts.can_have_several(), reason="one process alone has nothing to share")


@pytest.fixture
def splits_units(monkeypatch):
    monkeypatch.setattr(Network, "splits_units", True)
    for kind in Network.__subclasses__():
        monkeypatch.setattr(kind, "splits_units", True, raising=False)


@pytest.fixture
def never_measured(monkeypatch):
    """Fails where it is asked how fast the machine is."""

    def known(**asked):
        raise AssertionError("nobody needs to know")

    monkeypatch.setattr(known_machine, "known", known)


def test_small_work_and_one_core_ask_nobody_how_fast_the_machine_is(begin, never_measured):
    run = begin().run
    assert layouts.choose(run, 4, 8) == Plan()
    assert layouts.choose(run, 100_000, 1).processes == 1
    with pytest.raises(AssertionError):
        layouts.choose(run, 1_000_000, 8)


def test_rows_are_shared_where_there_are_many(begin):
    assert layouts.choose(begin().run, 100_000, 4).processes == 4


def test_units_are_shared_only_where_the_network_can(begin, monkeypatch):
    run = begin(model__hidden_size=256, train__seq_length=64).run
    monkeypatch.setattr(type(run.model), "splits_units", False, raising=False)
    assert layouts.choose(run, 2, 4).units == 1
    monkeypatch.setattr(type(run.model), "splits_units", True, raising=False)
    assert layouts.choose(run, 2, 4).units > 1


@pytest.mark.parametrize(
    ("layout", "plan"),
    [("1x1", Plan()), ("2x1", Plan(2)), ("1x2", Plan(1, 2)), ("2X3", Plan(2, 3)), (" 3 * 1 ", Plan(3))],
)
def test_a_layout_that_is_set_is_taken_whatever_the_machine(begin, splits_units, never_measured, layout, plan):
    run = begin(train__layout=configured(layout=layout).train.layout).run
    assert layouts.choose(run, 4, 1) == plan
    assert cores.Plan.said(str(plan)) == plan


@pytest.mark.parametrize("layout", ["2", "0x1", "1x0", "x", "2x", "axb", "1x1x1", "-1x2", "99999x1", 2, True])
def test_what_is_no_layout_is_refused(layout):
    with pytest.raises(ConfigError, match=r"train\.layout.*such as 2x1"):
        configured(layout=layout)


@pytest.mark.parametrize(
    ("layout", "splits", "said"),
    [
        ("5x1", True, "4 rows to share; leave it out, or use --set train.layout=4x1"),
        ("1x900", True, "units to share; leave it out, or use --set train.layout=4x1"),
        ("2x2", False, "the units of this network cannot be shared; leave it out, or use --set train.layout=4x1"),
    ],
)
def test_a_layout_that_cannot_be_is_told_with_one_that_can(begin, monkeypatch, layout, splits, said):
    for kind in Network.__subclasses__():
        monkeypatch.setattr(kind, "splits_units", splits, raising=False)
    with pytest.raises(ConfigError, match=said):
        begin(train__layout=layout, train__batch_size=4)


def resumed(run, environment, cores_here, monkeypatch, **changes):
    """The plan that a run takes again which was computed so, where there are so many cores."""
    monkeypatch.setattr(cores, "available_cores", lambda: cores_here)
    run.iteration, run.environment = 3, {"cores": environment}
    config = configured(**changes)
    return layouts.taken_again(run, config)


def test_a_run_that_goes_on_takes_its_layout_again_where_there_are_the_cores(begin, monkeypatch):
    run = begin().run
    run.config = configured()
    assert resumed(run, "4 processes, 2x2 (rows x units)", 4, monkeypatch) == Plan(2, 2)
    assert resumed(run, "1 process", 4, monkeypatch) == Plan()
    assert resumed(run, "2 threads", 2, monkeypatch) == Plan(blas_threads=2)
    assert resumed(run, "4 processes, 2x2 (rows x units)", 3, monkeypatch) is None
    assert resumed(run, "2 threads", 1, monkeypatch) is None
    assert resumed(run, "2 ranks of 2 processes", 8, monkeypatch) is None
    assert resumed(run, "unknown", 8, monkeypatch) is None
    assert resumed(run, "2 processes", 8, monkeypatch, threads=4) is None
    assert resumed(run, "2 processes", 8, monkeypatch, layout="1x2") is None


def test_a_run_that_has_computed_nothing_chooses_anew(begin, monkeypatch):
    run = begin().run
    run.config = configured()
    assert resumed(run, "2 processes", 8, monkeypatch) == Plan(2)
    run.iteration = 0
    assert layouts.taken_again(run, run.config) is None
