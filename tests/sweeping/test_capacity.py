"""How many runs are trained at once, with how many cores."""

from __future__ import annotations

import math

import pytest

from charrnn.config.resolve import Setting, resolve
from charrnn.sweeping import capacity
from charrnn.sweeping.combining import Combination

GIB = 1 << 30


@pytest.fixture
def machine(monkeypatch):
    """A machine of eight cores, and so much memory."""

    def make(memory=math.inf):
        monkeypatch.setattr("charrnn.cores.available_cores", lambda: 8)
        monkeypatch.setattr("charrnn.system.most_memory", lambda: memory)

    return make


def runs(count, **changes):
    config, _ = resolve([Setting(name.replace("__", "."), value, "test") for name, value in changes.items()])
    return [Combination(str(n), (), {}, config) for n in range(count)]


@pytest.mark.parametrize(
    ("jobs", "threads", "count", "expected"),
    [
        (None, None, 9, (8, 1)),
        (None, None, 2, (2, 4)),
        (None, None, 0, (1, 8)),
        (3, None, 9, (3, 2)),
        (16, None, 20, (16, 1)),
        (None, 4, 9, (2, 4)),
    ],
)
def test_runs_do_not_fight_for_cores(machine, jobs, threads, count, expected):
    machine()
    found = capacity.find(jobs, runs(count, train__threads=threads))
    assert (found.jobs, found.threads, found.short) == (*expected, False)


def test_runs_do_not_fight_for_memory_but_where_they_are_told_to(machine):
    large = runs(9, model__hidden_size=1024, train__batch_size=256, train__seq_length=256)
    size = capacity.memory_of(large[0])
    machine(3.5 * size)
    assert capacity.find(None, large) == (3, 2, size, True)
    assert capacity.find(None, [*runs(8), *large[:1]])[:2] == (3, 2)
    assert capacity.find(None, runs(9))[:2] == (8, 1)
    assert capacity.find(5, large)[:2] == (5, 1)
    machine(size / 2)
    assert capacity.find(None, large)[:2] == (1, 8)


def test_a_larger_run_takes_more(machine):
    small, wide, long = (
        runs(1, **{key: 512})[0] for key in ("train__eval_every", "model__hidden_size", "train__seq_length")
    )
    assert capacity.PROCESS < capacity.memory_of(small) < capacity.memory_of(wide) < GIB
    assert capacity.memory_of(small) < capacity.memory_of(long) < GIB
