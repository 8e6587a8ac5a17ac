"""Guesses of encodings: what shows by its form is known, and what cannot be known is not guessed."""

from __future__ import annotations

import sys
import types

import pytest

from charrnn.errors import DataError
from charrnn.text.detecting import doubt, guess, marked, wide
from charrnn.text.encoding import Reader, decode

FRENCH = "L\u2019été, “déjà” fini… c\u2019est là qu\u2019on va\n" * 20
RUSSIAN = "Все счастливые семьи похожи друг на друга.\n" * 20  # noqa: RUF001
GREEK = "Μῆνιν ἄειδε, θεά, Πηληϊάδεω Ἀχιλῆος\n" * 20
JAPANESE = (
    "海の近くの小さな町に、古い灯台があった。夜になると、その光は遠くの船まで届いた。\n"
    "子どもたちは浜で貝を集め、老人は網を直していた。春の風が吹く朝、見知らぬ船が港に入ってきた。\n"
) * 5


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("text", [FRENCH, RUSSIAN, GREEK, "plain\n", "🦊 foxes run\n" * 9], ids=lambda text: text[:5])
def test_wide_characters_are_known_without_a_mark_and_with_it(text, encoding):
    data = text.encode(encoding)
    assert wide(data) == guess(data) == encoding
    assert marked(data) is None
    assert guess("\ufeff".encode(encoding) + data) == encoding[:6]


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "cp1252", "cp1251", "shift_jis", "gb18030"])
@pytest.mark.parametrize(
    "text", [FRENCH, RUSSIAN, JAPANESE, "nul\0s\0 and\0", "\0" * 50, "a"], ids=lambda text: text[:5]
)
def test_nothing_else_is_taken_for_wide(text, encoding):
    assert wide(text.encode(encoding, "replace")) is None


def test_western_texts_are_latin_1_or_that_of_windows():
    assert guess(FRENCH.encode("cp1252")) == "cp1252"
    assert guess(FRENCH.encode("latin-1", "replace")) == "latin-1"
    assert guess(b"na\xefve \x81\x8d\n") == "latin-1"  # bytes that cp1252 has not


@pytest.mark.parametrize(("text", "encoding"), [(RUSSIAN, "cp1251"), (RUSSIAN, "koi8-r"), (JAPANESE, "euc-jp")])
def test_other_alphabets_are_not_guessed_without_the_extra(text, encoding, monkeypatch):
    monkeypatch.setitem(sys.modules, "charset_normalizer", None)
    assert guess(text.encode(encoding)) is None
    with pytest.raises(DataError, match=r"name its encoding, as with .*charrnn\[detect\]"):
        decode([text.encode(encoding)], "t.txt", "utf-8")


def test_the_extra_is_asked_where_it_is_installed(monkeypatch):
    class Matches(list):
        def best(self):
            return self[0] if self else None

    found = Matches([types.SimpleNamespace(encoding="cp1251")])
    asked = types.SimpleNamespace(from_bytes=lambda sample, **of: found)
    monkeypatch.setitem(sys.modules, "charset_normalizer", asked)
    assert guess(RUSSIAN.encode("cp1251")) == "cp1251"
    with pytest.raises(DataError, match=r"may be cp1251, by a guess: .*, as with `--set data\.encoding=cp1251`, or"):
        decode([RUSSIAN.encode("cp1251")], "t.txt", "utf-8")
    found.clear()
    assert guess(RUSSIAN.encode("cp1251")) is None


WESTERN = {
    "Danish": "Her på øen går æblerne i haven, når året slår om, og søen bliver blå. ",
    "English": "The naïve clerk read a résumé about Düsseldorf, São Paulo and Tromsø, and went on for many pages more. "
    + "All of it is plain, as English mostly is. " * 20,
    "German": "Grüße aus der schönen, großen Stadt; für alle Mädchen und Söhne schlägt es fünf. ",
    "Icelandic": "Það var nýr bær við ána, og þar bjó maður með syni sínum; þeir áttu mörg góð hús. ",
    "Portuguese": "Não é a mãe que põe as maçãs; às três há lições, e o avô lê ou vê a televisão até à manhã. ",
    "Spanish": "¿Qué año será? El niño comió jamón y el pingüino bebió; ¡mañana habrá más canción! ",
    "Swedish": "På ön går åtta män över ängen; då är sjön grå, och båten får vänta. ",
}
CENTRAL = {
    "Croatian": "Na šumskoj stazi đak vidi čudnu kuću; žena kuha čaj, a noć već pada. Ćuk šuti.\n",
    "Czech": "Na růžovém stole leží žlutý šátek; děti běží přes louku, křičí a smějí se až do večera.\n",
    "Hungarian": "A szőlő a hegyen érik, az ősz későn jön; a fűben ülő nő a felhőkről és az időről beszél.\n",
    "Polish": "W małym sadzie rosną jabłonie i śliwy; dziś pójdę tam z siostrą, żeby zerwać źdźbła i jeść.\n",
    "Romanian": "Fata aşteaptă lângă pădure până când luna răsare; apoi îşi ia cărţile şi pleacă încet.\n",
}
TURKISH = "Küçük kız bahçede oynuyor, ağaçların altında yaşlı adam çayını içiyor; akşam oldu, ışıklar yandı.\n"  # noqa: RUF001


@pytest.mark.parametrize("language", WESTERN)
def test_a_text_of_western_europe_is_known_by_its_letters(language, monkeypatch):
    monkeypatch.setitem(sys.modules, "charset_normalizer", None)
    text = WESTERN[language] * 9
    assert guess(text.encode("latin-1")) == "latin-1"
    assert guess(f"{text}\u201cq\u201d".encode("cp1252")) == "cp1252"


OTHERS = [(text, encoding) for text in CENTRAL.values() for encoding in ("cp1250", "iso8859-2")]
OTHERS += [(TURKISH, "cp1254"), (TURKISH, "iso8859-9")]


@pytest.mark.parametrize(("text", "encoding"), OTHERS, ids=lambda text: text[:9])
def test_few_odd_letters_do_not_make_a_text_western(text, encoding, monkeypatch):
    data = (text * 20).encode(encoding)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "charset_normalizer", None)
        assert guess(data) is None
        with pytest.raises(DataError, match=r"name its encoding, as with .*=cp1250.*charrnn\[detect\]"):
            decode([data], "t.txt", "utf-8")
    pytest.importorskip("charset_normalizer", reason="charrnn[detect] is not installed")
    likely = guess(data)
    assert likely is not None
    assert data.decode(likely) == text * 20
    with pytest.raises(DataError, match=f"it may be {likely}, by a guess"):
        decode([data], "t.txt", "utf-8")


@pytest.mark.parametrize(("text", "encoding"), [(RUSSIAN, "cp1251"), (RUSSIAN, "koi8-r"), (JAPANESE, "shift_jis")])
def test_the_extra_knows_other_alphabets(text, encoding):
    pytest.importorskip("charset_normalizer", reason="charrnn[detect] is not installed")
    likely = guess(text.encode(encoding))
    assert likely is not None
    assert text.encode(encoding).decode(likely) == text


def test_a_text_that_is_damaged_in_one_place_is_told_from_one_in_another_encoding():
    data = RUSSIAN.encode()
    assert guess(data[:100] + b"\xff" + data[100:]) == "utf-8"
    with pytest.raises(DataError, match="the rest is utf-8, so it is damaged there: mend it, or read bytes"):
        decode([data[:100] + b"\xff" + data[100:]], "t.txt", "utf-8")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "latin-1", "cp1252", "bytes", "shift_jis"])
def test_a_text_in_its_own_encoding_is_not_doubted(encoding):
    data = "plain\n".encode("utf-8" if encoding == "bytes" else encoding)
    assert doubt(encoding, data, "plain\n") is None


def test_the_tail_of_a_character_that_is_cut_does_not_hide_utf_8(monkeypatch):
    monkeypatch.setattr("charrnn.text.detecting.SAMPLE", 10)
    assert doubt("latin-1", "abcdefgéé".encode(), "abcdefgÃ©") == ("it is valid utf-8", "utf-8")
    assert doubt("latin-1", b"abcdefg" + b"\xe9 ", "abcdefgé ") is None


def test_only_the_files_that_speak_against_an_encoding_are_doubted():
    with Reader("latin-1") as reader:
        for name, data in {"1": b"caf\xe9\n", "2": b"\x93caf\xe9\x94\n", "3": b"caf\xe9\n", "4": b"\x93\n"}.items():
            reader.begin(name)
            reader.feed(data)
            reader.feed(b"")
    assert [doubt.partition(" ")[0] for doubt in reader.doubts] == ["2", "4"]


def test_a_control_character_is_doubted_wherever_it_stands_in_a_file():
    with Reader("latin-1") as reader:
        reader.begin("late.txt")
        for chunk in (b"plain\n", b"\x92\n", b""):
            reader.feed(chunk)
    assert "late.txt was read as latin-1, and it has U+0092" in reader.doubts[0]
