"""Values at the edge of sense, and surroundings that nobody thinks of: clocks, locales, places, names."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
import time
import tracemalloc
from collections import Counter
from pathlib import Path

import pytest
import yaml
from driving import Result

import charrnn as package
from charrnn.cli import common, prompts
from charrnn.errors import ConfigError
from charrnn.runs.checkpoint import load

posix = pytest.mark.skipif(os.name == "nt", reason="file names, shells and environments are others there")


def in_a_shell(script, *arguments, cwd, env=None):
    """What a script for `sh` left, whose "$@" is `charrnn ARGUMENTS`."""
    words = [sys.executable, "-m", "charrnn", *map(str, arguments)]
    done = subprocess.run(
        ["sh", "-c", script, "sh", *words],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=env,
        check=False,
        timeout=60,
    )
    return Result(done.returncode, done.stdout, done.stderr.decode())


# --- 47: sampling ---


@pytest.fixture
def sample(charrnn, trained):
    """What the shared model writes, as bytes."""

    def run(*words, **more):
        result = charrnn("sample", trained, *words, **more).ok()
        assert re.fullmatch(r"(skipped characters of the prompt .+\n)?(seed \d+ was drawn; .+\n)?", result.err)
        return result.out

    return run


@pytest.mark.parametrize("temperature", ["-0.0", "1e-9", "1e-300", "5e-324"])
@pytest.mark.parametrize("seed", [1, 2])
def test_row_47_at_next_to_no_temperature_the_likeliest_character_is_written(sample, temperature, seed):
    words = ["-n", 100, "--prompt", "Verse"]
    greedy = sample(*words, "--temperature", 0)
    assert len(greedy) == 105
    assert sample(*words, "--temperature", temperature, "--seed", seed) == greedy
    assert greedy + b"\n" in sample(*words, "--temperature", temperature, "--seed", seed, "--samples", 2)


@pytest.mark.parametrize("temperature", ["1e9", "1e300", "1.7e308"])
def test_row_47_at_a_huge_temperature_all_characters_are_equally_likely(sample, trained, temperature):
    symbols = load(trained).task.vocabulary.symbols
    counts = Counter(sample("-n", 4000, "--temperature", temperature, "--seed", 1).decode())
    assert counts.keys() == set(symbols)
    expected = 4000 / len(symbols)
    assert sum((n - expected) ** 2 / expected for n in counts.values()) < 2 * len(symbols)  # chi squared, many sigmas


@pytest.mark.parametrize("temperature", ["nan", "inf", "1e400", "-inf", "-1e-9", "-1", "warm", ""])
def test_row_47_a_temperature_that_is_none_is_a_usage_error(charrnn, trained, temperature):
    charrnn("sample", trained, "--temperature", temperature).fails(2, "--temperature", "charrnn sample --help")


@pytest.mark.parametrize("words", [[], ["--prompt", ""], ["--samples", 1], ["--stop", "x"]], ids=str)
def test_row_47_nothing_is_written_where_nothing_is_asked_for(sample, words):
    assert sample("-n", 0, *words) == b""


@pytest.mark.parametrize("stream", ["--stream", "--no-stream"])
def test_row_47_a_length_of_nothing_writes_the_prompt_alone(sample, stream):
    assert sample("-n", 0, "--prompt", "Verse 1", stream) == b"Verse 1"
    assert sample("-n", 0, "--samples", 2, stream) == b"--- 1 of 2 ---\n\n\n--- 2 of 2 ---\n\n"


@pytest.mark.parametrize("nothing", [["--prompt", ""], ["--prompt-file", os.devnull], ["--prompt-file", "-"]], ids=str)
def test_row_47_an_empty_prompt_is_none(sample, nothing):
    assert sample("-n", 50, "--seed", 1, *nothing) == sample("-n", 50, "--seed", 1)


def test_row_47_an_empty_stop_is_refused_and_another_ends_an_endless_length(charrnn, trained, sample):
    charrnn("sample", trained, "--stop", "").fails(2, "--stop", "is empty")
    whole = sample("-n", 60, "--seed", 1)
    assert sample("-n", 10**30, "--seed", 1, "--stop", whole[50:].decode()) == whole[:50]


@pytest.mark.parametrize("prompt", ["Ve€rse ü", "Verse \x00", "Verse \udcff", "\U0010ffff"])
def test_row_47_characters_that_the_model_never_saw_are_named_or_skipped(charrnn, trained, sample, prompt):
    strange = [c for c in prompt if c not in load(trained).task.vocabulary.symbols]
    said = [f"U+{ord(c):04X}" for c in strange]
    charrnn("sample", trained, "--prompt", prompt).fails(2, "the model never saw", *said, "--unknown skip")
    known = "".join(c for c in prompt if c not in strange)
    words = ["-n", 30, "--seed", 1]
    assert sample(*words, "--prompt", prompt, "--unknown", "skip") == sample(*words, "--prompt", known)


def test_row_47_a_prompt_of_many_strange_characters_is_one_short_line(charrnn, trained):
    prompt = "".join(map(chr, range(0x10000, 0x10000 + 20_000))).encode()
    result = charrnn("sample", trained, "--prompt-file", "-", stdin=prompt)
    result.fails(2, "U+10000", "and 19,990 more", "--unknown skip")
    assert len(result.err) < 1000
    charrnn("sample", trained, "--prompt-file", "-", "--unknown", "skip", "-n", 3, stdin=prompt).ok()


def test_row_47_a_prompt_file_may_be_as_large_as_it_may_and_no_larger(charrnn, trained, tmp_path, monkeypatch):
    monkeypatch.setattr(prompts, "MAX_PROMPT", 100)
    for place, stdin in (("prompt.txt", b""), ("-", b"e" * 100)):
        (tmp_path / "prompt.txt").write_bytes(b"e" * 100)
        words = ["sample", trained, "-n", 0, "--prompt-file", place]
        assert charrnn(*words, stdin=stdin).ok().out == b"e" * 100
        (tmp_path / "prompt.txt").write_bytes(b"e" * 101)
        charrnn(*words, stdin=stdin + b"e").fails(2, f"--prompt-file {place} is larger than", "give its last part")


def test_row_47_a_prompt_of_a_hundred_megabytes_is_refused_in_little_memory(charrnn, trained, tmp_path):
    (tmp_path / "prompt.txt").touch()
    os.truncate(tmp_path / "prompt.txt", 100_000_000)
    tracemalloc.start()
    try:
        result = charrnn("sample", trained, "--prompt-file", "prompt.txt")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    result.fails(2, "--prompt-file prompt.txt is larger than 16 MiB; give its last part", "tail -c")
    assert peak < 50_000_000


@posix
@pytest.mark.parametrize("device", ["/dev/zero", "/dev/urandom"])
def test_row_47_a_prompt_without_end_is_refused(trained, tmp_path, device):
    if not os.path.exists(device):
        pytest.skip(f"there is no {device}")
    script = f'ulimit -v 4000000 2>/dev/null; exec "$@" <{device}'  # so that a failure does not take all memory
    for source in (device, "-"):
        result = in_a_shell(script, "sample", trained, "--prompt-file", source, cwd=tmp_path)
        result.fails(2, f"--prompt-file {source} is larger than 16 MiB; give its last part")


# --- 51: clocks ---


@pytest.fixture
def clock_runs_back(monkeypatch):
    """The clock that is on the wall: an hour earlier each time that somebody looks at it."""
    now = 1e9

    def earlier():
        nonlocal now
        now -= 3600
        return now

    monkeypatch.setattr(time, "time", earlier)
    monkeypatch.setattr(time, "time_ns", lambda: int(earlier() * 1e9))


@pytest.mark.usefixtures("clock_runs_back")
def test_row_51_a_clock_that_runs_back_changes_neither_the_run_nor_its_end(train, tmp_path, metrics):
    train("-o", "run", "--set", "train.iterations=60").ok()
    lines = metrics(tmp_path / "run")
    elapsed = [line["elapsed_s"] for line in lines]
    assert elapsed == sorted(elapsed)
    assert 0 <= elapsed[0] <= elapsed[-1] < 60
    assert all(line["chars_per_s"] > 0 for line in lines)
    words = ["--set", "train.iterations=null", "--time-budget", "0.3s"]
    train("-o", "budget", *words).ok()
    assert 0.1 < metrics(tmp_path / "budget")[-1]["elapsed_s"] < 30


def test_row_51_nothing_asks_the_clock_on_the_wall():
    asks = re.compile(
        r"\btime\.(time|time_ns|localtime|gmtime|ctime|strftime)\b|\b(now|utcnow|today)\(|from time import"
    )
    sources = {path: path.read_text("utf-8") for path in Path(package.__file__).parent.rglob("*.py")}
    # A plan tells a person when the run would end; nothing else depends on it.
    assert [path.name for path, source in sources.items() if asks.search(source)] == ["plan.py"]
    assert asks.search("now = time.time()")
    assert asks.search("datetime.date.today()")


def test_row_51_what_goes_on_is_what_is_further_not_what_a_clock_calls_newer(train, charrnn, tmp_path):
    train("-o", "run").ok()
    for name, seconds in {"last.npz": 0, "prev.npz": 1 << 32, "best.npz": 1 << 33}.items():
        os.utime(tmp_path / "run" / name, (seconds, seconds))
    resumed = charrnn("train", "-o", "run", "--resume", "--set", "train.iterations=15").ok()
    assert "resuming at iteration 12\n" in resumed.err


# --- 51: locales ---

LOCALES = [
    {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    {"LC_ALL": "C"},
    {"PYTHONIOENCODING": "ascii"},
    {"PYTHONIOENCODING": "utf-16"},
]


@pytest.mark.anywhere
@posix
@pytest.mark.parametrize("env", LOCALES, ids=str)
def test_row_51_text_is_utf_8_whatever_the_locale(process, learned_unicode, env):
    sampled = process("sample", learned_unicode, "-n", 6, "--temperature", 0, "--prompt", "a", env=env).ok()
    assert sampled.out == "aé€𝄞\r\na".encode()
    if "utf-16" in env.values():
        return
    shown = process("info", learned_unicode, "--json", env=env).ok()
    assert json.loads(shown.out)["symbols"] == "\n\ra\u00e9€𝄞"
    process("sample", learned_unicode, "--prompt", "\u00fc", env=env).fails(2)


@posix
@pytest.mark.parametrize("env", LOCALES[1:3], ids=str)
def test_row_51_a_prompt_in_utf_8_is_understood_whatever_the_locale(process, learned_unicode, env):
    sampled = process("sample", learned_unicode, "-n", 2, "--temperature", 0, "--prompt", "é", env=env)
    assert sampled.ok().out == "é€𝄞".encode()


@pytest.mark.anywhere
@posix
@pytest.mark.parametrize("env", LOCALES[:3], ids=str)
def test_row_51_a_text_with_a_name_beyond_ascii_is_learned_whatever_the_locale(process, text, tiny, tmp_path, env):
    (tmp_path / "füchse 🦊.txt").write_bytes(text.read_bytes())
    process("train", "füchse 🦊.txt", "-c", tiny, "--set", "model.cell=gru", env=env).ok()
    assert (tmp_path / "runs" / "füchse 🦊-1" / "last.npz").exists()
    facts = process("info", "runs/füchse 🦊-1", env=env).ok().text
    assert "gru 1x8" in facts
    process("train", "-o", "runs/füchse 🦊-1", "--resume", "--set", "train.iterations=14", env=env).ok()
    process("info", "keine füchse 🦊.txt", env=env).fails(3, "no such file")


# --- 51: places ---


@pytest.mark.anywhere
@posix
def test_row_51_where_there_is_no_home_everything_works(text, tiny, tmp_path):
    env = {k: v for k, v in os.environ.items() if k in ("PATH", "LD_LIBRARY_PATH")}
    for words in (
        ["train", text, "-c", tiny, "-o", "run"],
        ["sample", "run"],
        ["info", text],
        ["corpus", "list"],
        ["gradcheck", "--cell", "gru"],
    ):
        in_a_shell('exec "$@"', *words, cwd=tmp_path, env=env).ok()


@pytest.mark.anywhere
def test_row_51_where_nobody_knows_a_home_it_is_said_what_to_set(monkeypatch, tmp_path):
    def nobody():
        raise RuntimeError("Could not determine home directory.")

    for name in ("CHARRNN_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", nobody)
    with pytest.raises(ConfigError, match="set CHARRNN_CACHE to a directory"):
        common.cache_directory()
    monkeypatch.setenv("CHARRNN_CACHE", str(tmp_path))
    assert common.cache_directory() == tmp_path


@posix
def test_row_51_in_a_directory_that_is_gone_commands_work_on_whole_paths(text, tiny, tmp_path, trained):
    gone, run = tmp_path / "gone", tmp_path / "run"

    def there(*arguments):
        gone.mkdir()
        return in_a_shell('rmdir "$PWD" && exec "$@"', *arguments, cwd=gone)

    there("train", text, "-c", tiny, "-q", "-o", run).ok()
    there("train", "-o", run, "--resume", "-q", "--set", "train.iterations=15").ok()
    assert len(there("sample", trained, "-n", 20).ok().text) == 20
    there("eval", run, text, "--json").ok()
    there("info", text).ok()
    there("config", "validate", tiny).ok()
    there("gradcheck", "--cell", "gru").ok()
    there("train", "text.txt").fails(3, "text.txt: no such file")
    there("train", text, "-c", tiny, "-q").fails(6, "below runs", os.strerror(errno.ENOENT), "-o")


# --- 51: names ---

NAMES = {
    "spaces": "a name  with spaces ",
    "emoji": "füchse 🦊👩‍💻",
    "line breaks": "one\ntwo\r\nthree",
    "colours": "\x1b[31mred\x07",
    "for a shell": "'\"$(touch MARKER)`;&",
    "for yaml": "a: [b] # c",
    "separators": "a\u2028b\x85c",
} | ({} if sys.platform == "darwin" else {"bytes": os.fsdecode(b"caf\xe9")})  # file names there are text


@pytest.fixture
def session(charrnn, text, tiny, tmp_path):
    """What all commands say of a text, a config, a run directory and checkpoints in a folder of that name."""

    def run(name):
        (tmp_path / name).mkdir()
        source, config, out = (f"{name}/{name}{end}" for end in (".txt", ".yaml", ""))
        (tmp_path / source).write_bytes(text.read_bytes())
        (tmp_path / config).write_bytes(tiny.read_bytes())
        return {
            "train": charrnn("train", source, "-c", config, "-o", out).ok(),
            "again": charrnn("train", source, "-c", config, "-o", out).fails(2, "already holds a run"),
            "resume": charrnn("train", "-o", out, "--resume", "--set", "train.iterations=15").ok(),
            "finished": charrnn("train", "-o", out, "--resume", "-q").fails(2, "is complete"),
            "init": charrnn("train", source, "-c", config, "--init-from", f"{out}/last.npz").ok(),
            "sample": charrnn("sample", out, "-n", 10, "--temperature", 0, "--prompt-file", source).ok(),
            "eval": charrnn("eval", f"{out}/prev.npz", source).ok(),
            "heat": charrnn("eval", out, source, "--heat", f"{out}.html").ok(),
            "info": charrnn("info", out).ok(),
            "of the text": charrnn("info", source).ok(),
            "json": charrnn("info", out, "--json").ok(),
            "show": charrnn("config", "show", config).ok(),
            "validate": charrnn("config", "validate", config, config).ok(),
            "gradcheck": charrnn("gradcheck", f"{out}/last.npz").ok(),
            "no text": charrnn("train", f"{source}.gone").fails(3, "no such file"),
            "no config": charrnn("train", source, "-c", f"{config}.gone").fails(2, "no such config"),
            "no checkpoint": charrnn("sample", f"{out}.gone.npz").fails(4, "no such file"),
        }

    return run


@posix
@pytest.mark.parametrize("kind", NAMES)
def test_row_51_names_may_hold_anything_and_are_shown_in_one_line(session, kind):
    plain, odd = session("plain"), session(NAMES[kind])
    for command in plain:
        for stream in ("out", "err"):
            usual, shown = getattr(plain[command], stream), getattr(odd[command], stream)
            assert len(shown.splitlines()) == len(usual.splitlines()), (command, shown)
            assert not re.search("[\x07\x1b]", shown if stream == "err" else shown.decode("utf-8", "replace")), command
    assert yaml.safe_load(odd["show"].out) == yaml.safe_load(plain["show"].out)


def test_row_51_what_would_move_the_cursor_is_escaped_and_all_else_shown():
    assert common.one_line("a\nb\r\x1b[31m\x85\u2028ü 🦊\\") == r"a\nb\r\x1b[31m\x85\u2028ü 🦊" + "\\"


def test_row_51_an_assignment_in_several_lines_is_shown_in_one(charrnn):
    shown = charrnn("config", "show", "--set", "data.split=[0.8,\n  0.1,\n  0.1]").ok().out
    assert yaml.safe_load(shown)["data"]["split"] == [0.8, 0.1, 0.1]
    assert b"# --set data.split=[0.8, 0.1, 0.1]\n" in shown
