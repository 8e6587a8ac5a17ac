"""Metrics as files for TensorBoard, read back as its own format says; and one line where its library is missing."""

from __future__ import annotations

import json
import struct
import sys

import pytest

EXTRA = "charrnn[tensorboard]"


def records(path):
    """The records of an events file: a length, its checksum, the content, its checksum."""
    data, found, place = path.read_bytes(), [], 0
    while place < len(data):
        (length,) = struct.unpack_from("<Q", data, place)
        found.append(data[place + 12 : place + 12 + length])
        place += length + 16
    return found


@pytest.fixture
def events(report, runs):
    pytest.importorskip("tensorboardX", reason=f"the library of {EXTRA} is not installed")
    from tensorboardX.proto.event_pb2 import Event

    def events(*words):
        report(*words, "--tensorboard", "events").ok()
        (file,) = (runs / "events" / "one").iterdir()
        return [Event.FromString(record) for record in records(file)]

    return events


def test_each_number_of_each_line_is_there(events, runs):
    lines = [json.loads(line) for line in (runs / "one" / "metrics.jsonl").read_text("utf-8").splitlines()]
    expected = {
        (key, line["iteration"]): value
        for line in lines
        for key, value in line.items()
        if key != "iteration" and value is not None
    }
    found = {
        (value.tag, event.step): value.simple_value
        for event in events("one")
        for value in event.summary.value
        if value.HasField("simple_value")
    }
    assert found == pytest.approx(expected)


def test_samples_are_there_as_texts(events, runs):
    lines = [json.loads(line) for line in (runs / "one" / "samples.jsonl").read_text("utf-8").splitlines()]
    found = {
        event.step: value.tensor.string_val[0].decode()
        for event in events("one")
        for value in event.summary.value
        if value.HasField("tensor")
    }
    assert found == {line["iteration"]: line["text"] for line in lines}


def test_files_of_before_are_replaced_and_each_run_has_a_folder(events, report, runs):
    events("one")
    events("one", "two")
    assert sorted(path.name for path in (runs / "events").iterdir()) == ["one", "two"]


def test_runs_of_one_name_have_folders_of_their_own(events, report, runs):
    events("one")
    (runs / "more").mkdir()
    (runs / "two").rename(runs / "more" / "one")
    report("one", "more/one", "--tensorboard", "both").ok()
    assert sorted(path.name for path in (runs / "both").iterdir()) == ["more-one", "runs-one"]


def test_without_the_library_one_line_says_how_to_install_it(report, runs, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    report("one", "--tensorboard", "events").fails(2, f"pip install '{EXTRA}'")
    assert not (runs / "events").exists()


def test_what_has_no_metrics_is_refused(report, runs):
    pytest.importorskip("tensorboardX", reason=f"the library of {EXTRA} is not installed")
    (runs / "one" / "metrics.jsonl").unlink()
    report("one", "--tensorboard", "events").fails(2, "one has no lines in metrics.jsonl")
