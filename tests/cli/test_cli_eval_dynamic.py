"""`charrnn eval --dynamic`: the model as it is, and as it is when it goes on learning from what it has scored."""

from __future__ import annotations

import math

import pytest
from driving import FOXES

VERSES = "".join(f"Verse {n}: seven wizards box in the fog\n" for n in range(40))


@pytest.fixture
def verses(tmp_path):
    """A text in the characters of the shared one, in another order."""
    known = set(FOXES)
    (tmp_path / "verses.txt").write_text("".join(c for c in VERSES if c in known))
    return tmp_path / "verses.txt"


def test_before_and_after_are_told(charrnn, trained, verses):
    plain = charrnn("eval", trained, verses, "--json").ok().json
    both = charrnn("eval", trained, verses, "--json", "--dynamic", "--dynamic-rate", "0.01").ok().json
    after = both.pop("dynamic")
    assert both == plain
    assert after["nats_per_char"] < plain["nats_per_char"]
    assert after["bits_per_char"] == pytest.approx(after["nats_per_char"] / math.log(2))
    assert {key: after[key] for key in ("chars", "bytes")} == {key: plain[key] for key in ("chars", "bytes")}
    assert {key: after[key] for key in ("segment", "rate", "decay")} == {"segment": 50, "rate": 0.01, "decay": 0.003}
    lines = charrnn("eval", trained, verses, "--dynamic", "--dynamic-rate", "0.01").ok().text.splitlines()
    assert lines[0] == f"{plain['nats_per_char']:.4f} nats per character"
    assert any(line.startswith(f"{after['nats_per_char']:.4f} nats, ") for line in lines)


def test_a_part_and_several_texts_are_told_alike(charrnn, trained, text, verses):
    part = charrnn("eval", trained, text, "--split", "validation", "--dynamic", "--json").ok().json
    assert part["dynamic"]["chars"] == part["chars"]
    several = charrnn("eval", trained, text, verses, "--dynamic", "--json").ok().json
    alone = [charrnn("eval", trained, each, "--dynamic", "--json").ok().json["dynamic"] for each in (text, verses)]
    assert [each["dynamic"] for each in several["texts"]] == alone
    nats = sum(each["nats_per_char"] * each["chars"] for each in alone)
    assert several["dynamic"]["nats_per_char"] == pytest.approx(nats / several["chars"])
    table = charrnn("eval", trained, text, verses, "--dynamic").ok().text.splitlines()
    assert "dynamic nats" in table[0]
    assert all(f"{each['nats_per_char']:.4f}" in line for each, line in zip(alone, table[1:], strict=False))


def test_characters_that_are_skipped_or_spelled_are_scored_as_ever(charrnn, trained, train, tmp_path):
    (tmp_path / "odd.txt").write_text(FOXES.replace("fox", "fox é"))
    skipping = charrnn("eval", trained, "odd.txt", "--dynamic", "--unknown", "skip", "--json").ok().json
    assert skipping["skipped"] == 45
    assert skipping["dynamic"]["chars"] == skipping["chars"]
    train("-o", "fallback", "--set", "data.max_vocab=20").ok()
    spelled = charrnn("eval", "fallback", "odd.txt", "--dynamic", "--dynamic-segment", "7", "--json").ok().json
    assert spelled["dynamic"]["nats_per_char"] < spelled["nats_per_char"]


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (["--dynamic", "--lines"], "--lines tells what the model thinks that does not learn"),
        (["--dynamic", "--surprising", "3"], "--surprising"),
        (["--dynamic", "--heat", "page.html"], "--heat"),
        (["--dynamic-segment", "9"], "add --dynamic"),
        (["--dynamic", "--dynamic-rate", "inf"], "is no number"),
        (["--dynamic", "--dynamic-decay", "2"], "--dynamic-decay"),
    ],
)
def test_what_does_not_go_together_is_said(charrnn, trained, text, options, part):
    charrnn("eval", trained, text, *options).fails(2, part)


def test_a_run_that_knows_no_one_text_is_refused(charrnn, train, tmp_path):
    train("-o", "lines", "--set", "data.documents=lines").ok()
    (tmp_path / "t.txt").write_text(FOXES)
    charrnn("eval", "lines", "t.txt", "--dynamic").fails(2, "with data.documents")


def test_the_advice_about_unknown_characters_keeps_the_options(charrnn, trained, tmp_path):
    (tmp_path / "odd.txt").write_text(FOXES + "é")
    said = charrnn("eval", trained, "odd.txt", "--dynamic", "--dynamic-rate", "0.01").fails(3).err
    assert "--dynamic --dynamic-segment 50 --dynamic-rate 0.01 --dynamic-decay 0.003 --unknown skip" in said
