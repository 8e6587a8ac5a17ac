"""What the table of compressors is made of. What a network reaches, no test says."""

from __future__ import annotations

import gzip

from driving import FOXES
from results import compression
from results.compression import Text


def test_a_column_has_every_compressor_and_its_bits_per_byte(tmp_path, monkeypatch):
    asked = []

    def pretended(text, how, run):
        asked.append([*how, *run])
        return len(text.read_bytes()) // 4, 2.4

    monkeypatch.setattr(compression, "restored", pretended)
    data = FOXES.encode()
    run = tmp_path / "run"
    found = compression.measured(Text("foxes, last tenth", data, data, "foxes"), tmp_path, {"foxes": run})
    assert found["gzip -9"] == f"{8 * len(gzip.compress(data, 9)) / len(data):.3f}"
    assert found["charrnn, a trained model, --dynamic"] == f"{8 * (len(data) // 4) / len(data):.3f} (2 s)"
    assert float(found["xz -9e, after the rest of the text"]) < float(found["xz -9e"]) / 2
    assert asked[-1] == [run, "--dynamic", run]
    assert asked[0] == ["--from-scratch"]


def test_what_charrnn_makes_small_is_restored_and_compared(tmp_path, monkeypatch):
    typed = []

    def pretended(*words):
        typed.append([str(word) for word in words])
        if words[0] == "compress":
            (tmp_path / "foxes.crnn").write_bytes(b"four")
        else:
            (tmp_path / "foxes.again").write_text(FOXES)

    monkeypatch.setattr(compression, "charrnn", pretended)
    (tmp_path / "foxes.txt").write_text(FOXES)
    assert compression.restored(tmp_path / "foxes.txt", ["--from-scratch"], [])[0] == 4
    assert [words[0] for words in typed] == ["compress", "decompress"]


def test_the_last_tenth_is_what_the_model_has_not_seen(tmp_path):
    found = compression.tenth("harbour", b"0123456789" * 10 + b"x")
    assert found.data == b"123456789x"
    assert found.known + found.data == b"0123456789" * 10 + b"x"
    names = [text.name for text in compression.texts(tmp_path)]
    assert names == ["harbour, all", "harbour, last tenth"]
