"""Processes that meet see what the others wrote before, and whoever waits in vain is told."""

from __future__ import annotations

import os
import time

import numpy as np
import pytest

from charrnn.training import meeting as module
from charrnn.training.meeting import Meeting
from charrnn.training.shared_memory import SharedMemory

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="begins processes by fork")
PROCESSES, TIMES = 3, 400


def nothing():
    pass


def together(work, processes=PROCESSES):
    """Lets processes do `work(meeting, number, array)`; what they leave in the array of integers is returned."""
    memory = SharedMemory.new()
    arrivals, array = memory.arrays([Meeting.layout(processes), ((processes, TIMES), "<i8")])
    children = []
    for number in range(1, processes):
        if (child := os.fork()) == 0:
            code = 1
            try:
                work(Meeting(arrivals, number, nothing), number, array)
                code = 0
            finally:
                os._exit(code)
        children.append(child)
    work(Meeting(arrivals, 0, nothing), 0, array)
    ended = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    memory.close()
    assert ended == [0] * (processes - 1)
    return array


def add_up(meeting, number, array):
    """Each adds up, at each step, what all have come to in the step before."""
    array[number, 0] = number + 1
    for step in range(1, TIMES):
        meeting.meet()
        array[number, step] = (array[:, step - 1].sum() + number) % 1009


@pytest.mark.parametrize("in_order", [True, False], ids=["x86", "a processor that must be told"])
def test_those_who_meet_see_what_all_wrote_before(in_order, monkeypatch):
    monkeypatch.setattr(module, "SHOWS_STORES_IN_ORDER", in_order)
    expected = np.zeros((PROCESSES, TIMES), int)
    expected[:, 0] = np.arange(PROCESSES) + 1
    for step in range(1, TIMES):
        expected[:, step] = (expected[:, step - 1].sum() + np.arange(PROCESSES)) % 1009
    np.testing.assert_array_equal(together(add_up), expected)


def test_those_who_wait_long_sleep_and_wake(monkeypatch):
    monkeypatch.setattr(module, "SPINS", 1)
    monkeypatch.setattr(module, "YIELDS", 2)
    slept = []
    monkeypatch.setattr(module.time, "sleep", lambda seconds, sleep=time.sleep: (slept.append(seconds), sleep(seconds)))

    def late(meeting, number, array):
        for step in range(3):
            if number:
                end = time.monotonic() + 0.03
                while time.monotonic() < end:
                    pass
            array[number, step] = step
            meeting.meet()

    together(late, 2)
    assert slept
    assert max(slept) <= module.LAST_SLEEP
    assert min(slept) == module.FIRST_SLEEP


def test_whoever_waits_in_vain_is_told(monkeypatch):
    monkeypatch.setattr(module, "SPINS", 1)
    monkeypatch.setattr(module, "YIELDS", 2)
    arrivals = np.zeros((2, 8), np.int64)

    def lost():
        raise ChildProcessError("nobody is there")

    with pytest.raises(ChildProcessError, match="nobody"):
        Meeting(arrivals, 0, lost).meet()
    assert arrivals[0, 0] == 1


def test_no_two_counters_share_a_cache_line():
    shape, dtype = Meeting.layout(5)
    assert shape[0] == 5
    assert shape[1] * np.dtype(dtype).itemsize >= 64
