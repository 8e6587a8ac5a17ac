"""What is said on stderr may be lost; the run may not."""

from __future__ import annotations


def test_a_stop_text_beyond_ascii_is_found_in_bytes_mode(charrnn, tmp_path):
    (tmp_path / "bytes.txt").write_bytes("aé".encode() * 400)
    sets = [
        "data.encoding=bytes",
        "model.hidden_size=16",
        "train.batch_size=4",
        "train.seq_length=8",
        "train.epochs=30",
    ]
    charrnn("train", "bytes.txt", "-q", "-o", "run", *(word for pair in sets for word in ("--set", pair))).ok()
    whole = charrnn("sample", "run", "--temperature", 0, "--prompt", "a", "-n", 9).ok().out
    assert "é".encode() in whole[1:]
    assert charrnn("sample", "run", "--temperature", 0, "--prompt", "a", "-n", 9, "--stop", "é").ok().out == b"a"


def test_info_reads_standard_input_once_whatever_its_encoding(charrnn):
    assert "not utf-8" in charrnn("info", "-", stdin=b"\xff\xfeabc\n").ok().text


def test_eval_of_a_split_of_a_short_text_advises_what_eval_can_do(charrnn, trained, tmp_path):
    (tmp_path / "short.txt").write_text("the")
    result = charrnn("eval", trained, "short.txt", "--split", "test")
    result.fails(3, "leave out --split")
    assert "--set" not in result.err
