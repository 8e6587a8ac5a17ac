"""`charrnn sample`: lengths, prompts, filters, stops, and the exact bytes."""

from __future__ import annotations

import re

import pytest

from charrnn.runs.checkpoint import load


@pytest.fixture
def sample(charrnn, trained):
    """What the shared model writes, as text."""

    def run(*words, **more):
        result = charrnn("sample", trained, *words, **more).ok()
        assert re.fullmatch(r"(skipped characters of the prompt .+\n)?(seed \d+ was drawn; .+\n)?", result.err)
        return result.out.decode("utf-8")

    return run


@pytest.mark.parametrize("n", [0, 1, 100])
def test_the_length_is_exact(sample, n):
    assert len(sample("-n", n)) == n


def test_the_usual_length_is_500(sample):
    assert len(sample()) == 500


def test_the_same_seed_writes_the_same_and_another_something_else(sample):
    a, b, c = (sample("-n", 200, "--seed", seed) for seed in (7, 7, 8))
    assert a == b
    assert a != c


def test_without_a_seed_each_text_is_new(sample):
    assert sample("-n", 200) != sample("-n", 200)


def test_what_is_written_are_characters_of_the_model(sample, trained):
    assert set(sample("-n", 300, "--seed", 1, "--temperature", 5)) <= set(load(trained).task.vocabulary.symbols)


def test_the_prompt_comes_first_and_counts_extra(sample):
    text = sample("-n", 50, "--prompt", "Verse 12: ")
    assert text.startswith("Verse 12: ")
    assert len(text) == 50 + len("Verse 12: ")


def test_the_prompt_is_read_and_not_only_shown(sample):
    after = {prompt: sample("-n", 20, "--temperature", 0, "--prompt", prompt).removeprefix(prompt) for prompt in "Vqx"}
    assert len(set(after.values())) == 3
    assert after["q"].startswith("u")


@pytest.mark.parametrize(
    "greedy",
    [
        ["--top-k", 1],
        ["--min-p", 1],
        ["--top-p", 1e-9],
        ["--temperature", 1e-6],
        ["--temperature", 0, "--top-k", 5, "--top-p", 0.5],
    ],
    ids=str,
)
def test_temperature_0_takes_the_likeliest_as_the_narrowest_filters_do(sample, greedy):
    words = ["-n", 60, "--prompt", "Verse"]  # without one, what is read first is left to chance
    assert sample(*words, "--temperature", 0) == sample(*words, "--seed", 3, *greedy)


@pytest.mark.parametrize("words", [["--top-k", 3], ["--top-p", 0.6], ["--min-p", 0.3], ["--temperature", 0.5]], ids=str)
def test_filters_change_what_is_written(sample, words):
    assert sample("-n", 200, "--seed", 2, *words) != sample("-n", 200, "--seed", 2)


@pytest.mark.parametrize("words", [["--top-k", 10000], ["--top-p", 1], ["--min-p", 0]], ids=str)
def test_filters_that_let_everything_through_change_nothing(sample, words):
    assert sample("-n", 100, "--seed", 2, *words) == sample("-n", 100, "--seed", 2)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--temperature", "-1"),
        ("--temperature", "nan"),
        ("--temperature", "inf"),
        ("--temperature", "hot"),
        ("--top-k", "0"),
        ("--top-k", "2.5"),
        ("--top-p", "0"),
        ("--top-p", "1.5"),
        ("--top-p", "nan"),
        ("--min-p", "-0.1"),
        ("--min-p", "2"),
        ("--min-p", "nan"),
        ("-n", "-1"),
        ("--samples", "0"),
        ("--seed", "-1"),
        ("--unknown", "guess"),
    ],
)
def test_numbers_that_mean_nothing_are_usage_errors(charrnn, trained, option, value):
    charrnn("sample", trained, option, value).fails(2, option.lstrip("-"))


def test_a_prompt_comes_from_a_file_to_the_byte(charrnn, learned_unicode, tmp_path):
    (tmp_path / "prompt.txt").write_bytes("\ufeffaé€𝄞\r\na".encode())
    result = charrnn("sample", learned_unicode, "--prompt-file", "prompt.txt", "-n", 3, "--temperature", 0).ok()
    assert result.out == "aé€𝄞\r\naé€𝄞".encode()
    assert result.err == "--prompt-file prompt.txt begins with a byte order mark, which is no part of the text\n"


def test_a_prompt_comes_from_stdin_to_the_byte(charrnn, learned_unicode):
    prompt = "𝄞\r\naé".encode()
    result = charrnn("sample", learned_unicode, "--prompt-file", "-", "-n", 4, "--temperature", 0, stdin=prompt).ok()
    assert result.out == prompt + "€𝄞\r\n".encode()


def test_prompts_from_two_places_are_refused(charrnn, trained):
    charrnn("sample", trained, "--prompt", "a", "--prompt-file", "-").fails(2, "--prompt", "--prompt-file")


def test_a_prompt_file_that_cannot_be_read_is_named(charrnn, trained, tmp_path):
    charrnn("sample", trained, "--prompt-file", "nowhere.txt").fails(2, "nowhere.txt")
    charrnn("sample", trained, "--prompt-file", tmp_path).fails(2, str(tmp_path))
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    charrnn("sample", trained, "--prompt-file", "latin.txt").fails(2, "latin.txt", "utf-8")


def test_writing_ends_before_the_stop_text(sample):
    whole = sample("-n", 200, "--seed", 4)
    stop = whole[90:94]
    assert sample("-n", 200, "--seed", 4, "--stop", stop) == whole[: whole.index(stop)]


def test_a_stop_text_that_never_appears_holds_nothing_back(sample):
    whole = sample("-n", 50, "--seed", 4)
    assert sample("-n", 50, "--seed", 4, "--stop", whole[-1] + "z<&V") == whole


def test_several_samples_are_shown_one_after_another_and_differ(sample):
    shown = sample("-n", 40, "--samples", 3, "--seed", 5, "--prompt", "Verse")
    _, *texts = re.split(r"(?:^|\n\n)--- \d of 3 ---\n", shown)
    assert re.findall(r"--- (\d) of 3 ---", shown) == ["1", "2", "3"]
    assert [len(text) for text in texts[:2]] == [45, 45]
    assert texts[2].endswith("\n")
    assert all(text.startswith("Verse") for text in texts)
    assert len(set(texts)) == 3


def test_several_samples_that_take_the_likeliest_are_each_the_single_one(sample):
    single = sample("-n", 40, "--temperature", 0)
    assert (
        sample("-n", 40, "--temperature", 0, "--samples", 2)
        == f"--- 1 of 2 ---\n{single}\n\n--- 2 of 2 ---\n{single}\n"
    )


def test_characters_that_the_model_never_saw_are_named(charrnn, trained):
    charrnn("sample", trained, "--prompt", "Verse €5 für 5").fails(2, "'€' (U+20AC)", "'ü' (U+00FC)", "--unknown skip")


def test_a_prompt_that_is_not_text_is_characters_the_model_never_saw(charrnn, trained):
    charrnn("sample", trained, "--prompt", "Verse \udcff").fails(2, "U+DCFF")


def test_unknown_characters_can_be_skipped(sample):
    words = ["-n", 30, "--seed", 1]
    assert sample(*words, "--prompt", "Ve€rse ü", "--unknown", "skip") == sample(*words, "--prompt", "Verse ")


def test_what_was_skipped_is_said(charrnn, trained):
    result = charrnn("sample", trained, "-n", 3, "--seed", 1, "--prompt", "Ve€rse ü€", "--unknown", "skip").ok()
    assert "skipped characters of the prompt that the model never saw: '€' (U+20AC), 'ü' (U+00FC)\n" in result.err


def test_a_prompt_of_nothing_but_skipped_characters_is_no_prompt(sample):
    words = ["-n", 30, "--seed", 1]
    assert sample(*words, "--prompt", "€€", "--unknown", "skip") == sample(*words)


def test_streaming_changes_nothing_but_the_moment(sample):
    assert sample("-n", 80, "--seed", 6, "--no-stream") == sample("-n", 80, "--seed", 6, "--stream")


@pytest.mark.parametrize("name", ["last.npz", "prev.npz", "best.npz"])
def test_a_checkpoint_can_be_named_itself(charrnn, trained, name):
    assert len(charrnn("sample", trained / name, "-n", 20).ok().text) == 20


def test_a_run_directory_means_its_best_checkpoint(charrnn, trained):
    outputs = [charrnn("sample", path, "--seed", 1).ok().out for path in (trained, trained / "best.npz")]
    assert outputs[0] == outputs[1]


def test_every_width_of_utf_8_and_crlf_come_back_as_they_were(charrnn, learned_unicode):
    result = charrnn("sample", learned_unicode, "--prompt", "a", "-n", 29, "--temperature", 0).ok()
    assert result.out == ("aé€𝄞\r\n" * 5).encode()


def test_the_byte_order_mark_is_no_symbol(charrnn, learned_unicode):
    assert load(learned_unicode).task.vocabulary.symbols == "\n\ra\u00e9€𝄞"


def test_a_model_of_bytes_writes_bytes(charrnn, train, tmp_path):
    (tmp_path / "latin.txt").write_bytes(b"\xff\x00caf\xe9\r\n" * 200)
    keys = ["data.encoding=bytes", "train.iterations=120", "optim.learning_rate=0.05"]
    train("-o", "run", *(word for key in keys for word in ("--set", key)), source="latin.txt").ok()
    (tmp_path / "prompt").write_bytes(b"\xff")
    result = charrnn("sample", "run/last.npz", "--prompt-file", "prompt", "-n", 8, "--temperature", 0).ok()
    assert result.out == b"\xff\x00caf\xe9\r\n\xff"


def test_a_prompt_for_a_model_of_bytes_stands_for_its_bytes(charrnn, train, tmp_path):
    (tmp_path / "utf-8.txt").write_text("thé café, s'il vous plaît\n" * 100, "utf-8")
    train("-o", "run", "--set", "data.encoding=bytes", source="utf-8.txt").ok()
    result = charrnn("sample", "run", "--prompt", "café", "-n", 7).ok()
    assert result.out.startswith("café".encode())
    assert len(result.out) == 5 + 7
