"""A run that was interrupted and resumed is the run that was not, whatever became of its files meanwhile."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import math
import os
import pkgutil
import platform
import random
import re
import shutil
import time

import pytest
from architectures import ARCHITECTURES, KINDS, fits
from crafting import craft, put
from crashing import ALWAYS, CHANGING, RESUME, Fault, Faults, metrics_of, watched
from driving import in_process
from interrupting import again, begin, differing, interrupt, leave, resume, to_the_end

from charrnn.config.schema import keys, types_of_keys
from charrnn.cores import Plan
from charrnn.environment import environment
from charrnn.errors import DivergedError, OutputError
from charrnn.nn.cells import CELLS
from charrnn.nn.model import CharLM
from charrnn.optim import OPTIMIZERS
from charrnn.runs import checkpoint as checkpoints
from charrnn.runs.places import BEST, CHECKPOINTS, LAST, METRICS, PREVIOUS
from charrnn.runs.run import Run
from charrnn.training import loop
from charrnn.training.team import Team


def sets(*settings):
    return [word for setting in settings for word in ("--set", setting)]


def sample(few, many):
    """A parameter for the tests of every day, and another one for the long ones."""
    return [pytest.param(few, id="few"), pytest.param(many, id="many", marks=pytest.mark.long)]


# --- rows 26 and 27: damaged checkpoints ------------------------------------------------------------------------------

DAMAGE = {
    LAST: lambda data: data[: len(data) // 2],
    PREVIOUS: lambda data: data[:5000] + bytes([data[5000] ^ 4]) + data[5001:],
    BEST: lambda data: b"",
}
"""What becomes of each."""

ITERATIONS = {LAST: 12, PREVIOUS: 10, BEST: 5}
"""Of each in `finished`."""

LONGER = sets("train.iterations=20")


@pytest.fixture(scope="module")
def finished(text, tiny, tmp_path_factory):
    """A run directory with three checkpoints of three iterations; not to be changed."""
    folder = tmp_path_factory.mktemp("finished")
    words = ["train", text, "-c", tiny, "-o", "run", "-q"]
    in_process(*words, *sets("train.iterations=5"), cwd=folder).ok()
    best = (folder / "run" / BEST).read_bytes()
    in_process(*words, "--resume", *sets("train.iterations=12"), cwd=folder).ok()
    (folder / "run" / BEST).write_bytes(best)
    assert {name: checkpoints.load(folder / "run" / name).iteration for name in CHECKPOINTS} == ITERATIONS
    return folder / "run"


@pytest.fixture(scope="module")
def longer(text, tiny, tmp_path_factory):
    """The last checkpoint of the same run, trained for longer and never interrupted."""
    folder = tmp_path_factory.mktemp("longer")
    in_process("train", text, "-c", tiny, "-o", "run", "-q", *LONGER, cwd=folder).ok()
    return (folder / "run" / LAST).read_bytes()


@pytest.fixture
def run(finished, tmp_path):
    """A copy of `finished`, in the directory where commands run."""
    return shutil.copytree(finished, tmp_path / "run")


def damage(run, names):
    """The damaged content by name."""
    damaged = {name: DAMAGE[name]((run / name).read_bytes()) for name in names}
    for name, content in damaged.items():
        (run / name).write_bytes(content)
    return damaged


@pytest.mark.parametrize("quiet", [["-q"], []], ids=["quiet", "loud"])
@pytest.mark.parametrize(
    "names", [names for n in (1, 2) for names in itertools.combinations(CHECKPOINTS, n)], ids=" ".join
)
def test_row_26_a_run_resumes_its_newest_whole_file_and_keeps_damaged_ones(train, run, longer, names, quiet):
    damaged = damage(run, names)
    whole = max((ITERATIONS[name], name) for name in CHECKPOINTS if name not in names)[0]
    said = train("-o", "run", "--resume", *LONGER, *quiet).ok().err.splitlines()
    warnings = [line for line in said if line.startswith("charrnn: warning: ")]
    assert [re.search(r"run/(\w+\.npz) .*; passed over, and kept$", line)[1] for line in warnings] == list(names)
    assert (run / LAST).read_bytes() == longer
    assert metrics_of(run)[-1]["iteration"] == 20
    for name, content in damaged.items():
        assert (run / f"{name}.damaged-1").read_bytes() == content
        assert checkpoints.load(run / name).iteration > whole
    assert len(list(run.glob("*.damaged-*"))) == len(names)


@pytest.mark.parametrize(("names", "iteration"), [([], 12), ([LAST], 10), ([LAST, PREVIOUS], 5), ([LAST, BEST], 10)])
def test_row_26_where_a_run_goes_on_is_said(charrnn, run, names, iteration):
    damage(run, names)
    assert f"resuming at iteration {iteration}\n" in charrnn("train", "-o", "run", "--resume", *LONGER).ok().err


def test_row_26_a_checkpoint_is_damaged_once_more_and_each_is_kept(train, run, longer):
    contents = []
    for end in (16, 18, 20):
        contents += damage(run, [LAST]).values()
        train("-o", "run", "--resume", *sets(f"train.iterations={end}")).ok()
    assert [(run / f"{LAST}.damaged-{n}").read_bytes() for n in (1, 2, 3)] == contents
    assert (run / LAST).read_bytes() == longer


def test_row_26_what_a_disk_failed_to_read_is_whole_under_its_other_name(train, run, longer):
    content = (run / LAST).read_bytes()
    with watched(run, Faults([Fault("EIO", "read", on=LAST, last=ALWAYS)])):
        said = train("-o", "run", "--resume", *LONGER)
    assert "Input/output error; passed over, and kept" in said.ok().err
    assert (run / f"{LAST}.damaged-1").read_bytes() == content
    assert (run / LAST).read_bytes() == longer


@pytest.mark.skipif(os.name == "nt", reason="it has no fork and no SIGKILL")
@pytest.mark.parametrize("stride", sample(16, 1))
@pytest.mark.parametrize("names", [(LAST,), (PREVIOUS,), (LAST, PREVIOUS)], ids=" ".join)
def test_row_26_killed_at_any_call_a_resumed_run_keeps_damage_and_goes_on(
    forks, finished, longer, tmp_path, names, stride
):
    whole = max(ITERATIONS[name] for name in CHECKPOINTS if name not in names)
    command, kills = [*RESUME, "-q", *LONGER], 0
    for call in itertools.count(1, stride):
        run = shutil.copytree(finished, tmp_path / "now" / "run")
        damaged = damage(run, names)
        outcome = forks.run(command, run.parent, Fault("kill", CHANGING, first=call))
        assert max(map(iteration_of, run.glob("*.npz"))) >= max([whole, *outcome.saved]), f"killed at call {call}"
        if outcome.code:
            outcome.killed()
            kills += 1
            assert forks.run(command, run.parent).code in (0, 2)  # which says that it is complete
        files = [path.read_bytes() for path in run.iterdir()]
        assert all(content in files for content in damaged.values()), f"killed at call {call}"
        assert (run / LAST).read_bytes() == longer, f"killed at call {call}"
        if not outcome.code:
            break
        shutil.rmtree(run)
    print(f"{kills} kills, 0 losses")
    assert kills > 40 / stride


def iteration_of(path):
    """Of a checkpoint; -1 where it is damaged."""
    with contextlib.suppress(Exception):
        return checkpoints.load(path).iteration
    return -1


def test_row_27_without_a_whole_checkpoint_each_is_told_why_and_none_changes(train, run):
    def files():
        return {path.name: path.read_bytes() for path in run.iterdir() if path.name != ".lock"}

    damage(run, CHECKPOINTS)
    before = files()
    for quiet in ([], ["-q"]):
        said = train("-o", "run", "--resume", *LONGER, *quiet).fails(4, lines=3).err.splitlines()
        for line, name, why in zip(
            said, CHECKPOINTS, ["not a whole one", "its member ", "not a whole one"], strict=True
        ):
            assert f"run/{name} is not a charrnn checkpoint, or is damaged: " in line
            assert why in line
    assert files() == before


def test_row_27_those_that_are_not_there_are_not_named(train, run):
    damage(run, [PREVIOUS])
    (run / LAST).unlink()
    (run / BEST).unlink()
    train("-o", "run", "--resume").fails(4, "prev.npz is not a charrnn checkpoint, or is damaged")


# --- row 28: what is not the run --------------------------------------------------------------------------------------

RESUMABLE = {
    "train.epochs",
    "train.iterations",
    "train.time_budget",
    "train.patience",
    "train.threads",
    "train.layout",
    "train.eval_every",
    "train.eval_chars",
    "train.checkpoint_every",
    "train.sample_every",
    "train.on_divergence",
    "optim.learning_rate",
}
FIXED = [name for name in keys() if name not in RESUMABLE and name not in ("model.activation", "task.name")]
OTHERS = {
    "data.encoding": "bytes",
    "data.split": [0.8, 0.1, 0.1],
    "data.documents": "lines",
    "data.max_vocab": 50,
    "data.min_count": 2,
    "data.columns": [2, 1],
    "data.validation": "other.txt",
    "data.test": "other.txt",
    "model.bidirectional": True,
    "model.embedding_size": 5,
    "optim.min_learning_rate": 1e-4,
    "optim.clip_value": 1.5,
    "optim.average": 0.99,
}
"""Values where no rule makes another one of the old."""


def another(name, old):
    """Another value of a key."""
    if name in OTHERS:
        return OTHERS[name]
    if choices := keys()[name].metadata["choices"]:
        return next(choice for choice in choices if choice != old)
    if isinstance(old, bool):
        return not old
    return old + 1 if types_of_keys()[name] in (int, int | None) else old / 2 + 0.125


@pytest.mark.parametrize("name", FIXED)
def test_row_28_a_key_that_makes_it_another_run_is_refused_with_both_values(train, finished, contents, name):
    section, _, key = name.partition(".")
    old = contents(finished / LAST)[1]["config"][section][key]
    new = another(name, old)
    said = train("-o", finished, "--resume", *LONGER, "--set", f"{name}={new}")
    fits_no_old_weights = section in ("data", "model", "task") or key in ("dtype", "gradient")
    instead = "with another -o and without --resume" if fits_no_old_weights else "with --init-from"
    said.fails(2, f"{name} was {old!r} and cannot become {new!r} in a resumed run; ", f"begin a new run, {instead}")


def test_row_28_all_such_keys_are_named_at_once(train, finished):
    words = ["--seed", 77, *sets("train.batch_size=3", "optim.name=sgd", "model.cell=rnn", "model.activation=relu")]
    said = train("-o", finished, "--resume", *LONGER, *words)
    both = ["train.seed was 1", "77", "'adam'", "'sgd'", "'lstm'", "'rnn'", "'tanh'", "'relu'"]
    said.fails(2, "train.batch_size was 4 and cannot become 3", *both, lines=5)


def test_row_28_the_configuration_of_another_run_is_refused_key_by_key(train, finished, tmp_path):
    (tmp_path / "other.yaml").write_text("model: {hidden_size: 9}\noptim: {name: momentum, learning_rate: 0.5}\n")
    said = train("-o", finished, "--resume", "-c", "other.yaml", *LONGER)
    said.fails(2, "model.hidden_size was 8 and cannot become 9", "optim.name was 'adam' and cannot become", lines=2)


@pytest.mark.parametrize(
    "change",
    [lambda old: old.replace(b"fox", b"cat", 1), lambda old: old + b"~", lambda old: old[:-1], lambda old: b"\r" + old],
    ids=["other words", "a new character at the end", "shorter", "a new character at the beginning"],
)
def test_row_28_another_text_is_refused_and_both_are_named(train, finished, tmp_path, text, change):
    (tmp_path / "other.txt").write_bytes(change(text.read_bytes()))
    sizes = [f"{path.name} ({path.stat().st_size:,} bytes, sha256 " for path in (tmp_path / "other.txt", text)]
    said = train("-o", finished, "--resume", *LONGER, source="other.txt")
    said.fails(4, *sizes, "is not what this run learns from", "--init-from")


def test_row_28_a_text_that_changed_under_its_name_is_another(charrnn, train, text, tmp_path):
    shutil.copy(text, tmp_path / "mine.txt")
    train("-o", "run", source="mine.txt").ok()
    (tmp_path / "mine.txt").write_bytes(text.read_bytes() + b"and one more line\n")
    charrnn("train", "-o", "run", "--resume", *LONGER).fails(4, "mine.txt (2,", "is not what this run learns from")


def test_row_28_a_file_to_validate_on_that_changed_is_named(charrnn, train, tmp_path):
    other = tmp_path / "other.txt"
    other.write_text("a line\nand another\n")
    train("-o", "run", *sets("data.documents=lines", "data.validation=other.txt", "data.split=[1,0,0]")).ok()
    other.write_text("a line\nand another one\n")
    charrnn("train", "-o", "run", "--resume", *LONGER).fails(4, "each with other.txt; give that")


def test_row_28_a_forged_vocabulary_that_is_not_the_texts_is_refused(train, run):
    for name in CHECKPOINTS:
        symbols = checkpoints.load(run / name).task.vocabulary.symbols.replace("q", "\u00e9")
        forged = craft((run / name).read_bytes(), put("vocabulary.symbols", "".join(sorted(symbols))))
        (run / name).write_bytes(forged)
    train("-o", "run", "--resume", *LONGER).fails(3, "'q'")


# --- row 29: interrupted anywhere -------------------------------------------------------------------------------------

ALL = range(1, 30)
NOISES = {
    "plain": {},
    "dropout": {"model__dropout": 0.3},
    "dropout per window": {"model__dropout": 0.3, "model__dropout_per": "window"},
    "zoneout": {"model__zoneout_h": 0.2},
    "random": {"model__initial_state": "random"},
    "learned": {"model__initial_state": "learned", "model__num_layers": 2},
    "layer norm": {"model__layer_norm": True},
}
SCHEDULES = {
    "constant": {"optim__schedule": "constant"},
    "step": {"optim__schedule": "step", "optim__warmup": 4, "optim__decay": 0.5, "optim__decay_after": 1},
    "linear": {"optim__schedule": "linear", "optim__warmup": 9},
    "cosine": {"optim__schedule": "cosine", "optim__warmup": 1, "optim__min_learning_rate": 1e-3},
    "one_cycle": {"optim__schedule": "one_cycle", "optim__average": 0.9},
    "plateau": {"optim__schedule": "plateau", "optim__patience": 1, "optim__average": 0.8},
}
SPLITS = {split_by: {"data__split_by": split_by} for split_by in ("tail", "columns")}
EVENTFUL = NOISES["dropout"] | NOISES["random"] | SCHEDULES["linear"]
"""A run in which most that there is matters."""


def product(cell, optimizer):
    """Every choice of the others."""
    noises = [name for name in NOISES if name != "layer norm" or fits(cell, "layer_norm")]
    for noise, schedule, split_by in itertools.product(noises, SCHEDULES, SPLITS):
        chosen = {"model__cell": cell, "optim__name": optimizer}
        yield chosen | NOISES[noise] | SCHEDULES[schedule] | SPLITS[split_by]


def everything(kind):
    """A network of that kind with all that fits it, in an unusual run."""
    architecture = ARCHITECTURES[f"{kind}-everything"]
    changes = {f"model__{name}": value for name, value in architecture.items()}
    unusual = {"train__dtype": "float64", "optim__weight_decay": 0.1, "optim__clip_value": 0.01}
    return changes | unusual | {"train__eval_every": 16}


CELLS_OF_ALL_RUNS = ("rnn", "gru", "lstm")


@pytest.mark.parametrize("number", range(3 * len(OPTIMIZERS)))
def test_row_29_a_run_that_was_interrupted_and_resumed_is_the_run_that_was_not(no_sync, tmp_path, number):
    cell, optimizer = list(itertools.product(CELLS_OF_ALL_RUNS, OPTIMIZERS))[number]
    runs = list(product(cell, optimizer))
    interrupt(tmp_path, ALL[number % 7 :: 7], **runs[number * 11 % len(runs)])  # so that every choice has its turn


@pytest.mark.long
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("cell", CELLS_OF_ALL_RUNS)
def test_row_29_a_run_interrupted_at_any_iteration_is_the_run_that_was_not(no_sync, tmp_path, cell, optimizer):
    runs = list(product(cell, optimizer))
    count = sum(interrupt(tmp_path, ALL, **changes) for changes in runs)
    print(f"{cell}, {optimizer}: {len(runs)} runs, {count:,} interruptions, 0 differences")
    assert count == len(runs) * 29


@pytest.mark.parametrize("kind", KINDS)
def test_row_29_so_is_one_of_any_cell_with_all_that_fits_it(no_sync, tmp_path, kind):
    number = list(KINDS).index(kind)
    optimizer = list(OPTIMIZERS)[number % len(OPTIMIZERS)]
    interrupt(tmp_path, [1 + 12 * number % 29], **everything(kind), optim__name=optimizer)


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_row_29_so_is_one_of_any_cell_with_all_that_fits_it_at_any_iteration(no_sync, tmp_path, kind):
    count = sum(interrupt(tmp_path, ALL, **everything(kind), optim__name=name) for name in OPTIMIZERS)
    print(f"{kind}: {count} interruptions, 0 differences")
    assert count == len(OPTIMIZERS) * 29


UNUSUAL = {
    "without evaluations": {"data__split": [1, 0, 0]},
    "counted in epochs": {"train__iterations": None, "train__epochs": 3},
    "of windows as long as an evaluation's": {"train__seq_length": 64, "train__batch_size": 1, "train__epochs": 30},
}


@pytest.mark.parametrize("iterations", sample([8, 21], ALL))
@pytest.mark.parametrize("changes", UNUSUAL.values(), ids=UNUSUAL)
def test_row_29_so_is_one_of_an_unusual_kind(no_sync, tmp_path, changes, iterations):
    interrupt(tmp_path, iterations, **EVENTFUL | changes)


RTRL = EVENTFUL | {"train__gradient": "rtrl", "train__iterations": 12, "model__hidden_size": 2}


@pytest.mark.parametrize(
    ("cell", "iterations"),
    [("rnn", [9]), *(pytest.param(cell, range(1, 12), marks=pytest.mark.long) for cell in CELLS)],
)
def test_row_29_so_is_one_by_real_time_recurrent_learning(no_sync, tmp_path, cell, iterations):
    interrupt(tmp_path, iterations, **RTRL, model__cell=cell)


@pytest.fixture
def two_processes(monkeypatch):
    """For windows of any size."""
    monkeypatch.setattr("charrnn.training.trainer.plan", lambda run: Plan(2, 1))


needs_processes = pytest.mark.skipif(os.name != "posix", reason="one process alone where descriptors are not inherited")


@needs_processes
@pytest.mark.parametrize("iterations", sample([8, 21], ALL))
def test_row_29_so_is_one_of_two_processes(no_sync, two_processes, tmp_path, iterations):
    interrupt(tmp_path, iterations, **EVENTFUL)


@needs_processes
def test_row_29_so_is_one_that_lost_a_process(no_sync, two_processes, tmp_path, monkeypatch):
    whole = to_the_end(begin(tmp_path / "whole", **EVENTFUL))
    windows, exact = itertools.count(1), Team.compute

    def lossy(team, *window):
        if next(windows) == 11:
            team.workers[0].kill()
            team.workers[0].wait()
        return exact(team, *window)

    monkeypatch.setattr(Team, "compute", lossy)
    with pytest.raises(OutputError, match="worker"):
        to_the_end(begin(tmp_path / "run", **EVENTFUL))
    assert checkpoints.load(tmp_path / "run" / LAST).iteration == 10
    to_the_end(resume(tmp_path / "run"))
    assert differing(tmp_path / "run", whole) == set()


def test_row_29_so_is_one_that_was_interrupted_after_each_of_its_iterations(no_sync, tmp_path):
    whole = to_the_end(begin(tmp_path / "whole", **EVENTFUL))
    for iteration in ALL:
        assert leave(again(tmp_path / "run", **EVENTFUL), records=1) == iteration
    to_the_end(resume(tmp_path / "run"))
    assert differing(tmp_path / "run", whole) == set()


@pytest.mark.parametrize(("split_by", "windows_of_one"), [("tail", 3), ("columns", 2)])
def test_row_29_so_is_one_left_in_an_evaluation_which_it_then_begins_with(no_sync, tmp_path, split_by, windows_of_one):
    changes = EVENTFUL | SPLITS[split_by]
    whole = to_the_end(begin(tmp_path / "whole", **changes))
    iterations = [7, 14, 21, 28, 30]
    for windows in range(1, windows_of_one * len(iterations) + 1):
        run = tmp_path / f"run-{windows}"
        here = iterations[(windows - 1) // windows_of_one]
        assert leave(begin(run, **changes), windows=windows) == here
        assert checkpoints.load(run / LAST).scores is None
        with contextlib.closing(resume(run)) as resumed:
            first, *_ = resumed.records()
        assert (first.iteration, first.val_nats is None) == (here, False)
        assert differing(run, whole) == set(), f"left in window {windows}"
    assert leave(begin(tmp_path / "run", **changes), windows=windows + 1) is None


def test_row_29_so_is_one_killed_after_it_made_up_for_an_evaluation(no_sync, tmp_path):
    whole = to_the_end(begin(tmp_path / "whole", **EVENTFUL))
    assert leave(begin(tmp_path / "run", **EVENTFUL), windows=1) == 7
    assert leave(resume(tmp_path / "run"), records=3, save=False) == 9
    to_the_end(resume(tmp_path / "run"))
    assert differing(tmp_path / "run", whole) == set()


@pytest.mark.parametrize(
    "place",
    ["nn.model.CharLM.loss_and_grads", "optim.optimizers._divide_by_root", "nn.head.nats", "runs.checkpoint.to_bytes"],
)
def test_row_29_so_is_one_that_ran_out_of_memory(no_sync, tmp_path, monkeypatch, place):
    """At that call. What is half done then is not saved; a save that fails is a warning."""
    whole = to_the_end(begin(tmp_path / "whole", **EVENTFUL))
    calls, exact = itertools.count(1), pkgutil.resolve_name(f"charrnn.{place}")

    def greedy(*arguments, **more):
        if next(calls) == 8:
            raise MemoryError
        return exact(*arguments, **more)

    monkeypatch.setattr(f"charrnn.{place}", greedy)
    with contextlib.suppress(OutputError):
        to_the_end(begin(tmp_path / "run", **EVENTFUL))
    assert next(calls) > 8
    to_the_end(resume(tmp_path / "run"))
    assert differing(tmp_path / "run", whole) == set()


@pytest.mark.parametrize("histories", sample(10, 1000))
def test_row_29_so_is_one_that_was_interrupted_left_and_killed_time_and_again(no_sync, tmp_path, histories):
    whole = to_the_end(begin(tmp_path / "whole", **EVENTFUL))
    rng, count = random.Random(histories), 0
    for _ in range(histories):
        run, history, reached = tmp_path / "run", [], 0
        while reached is not None:
            how = {rng.choice(["records", "windows"]): rng.randint(1, 9), "save": rng.random() < 0.5}
            reached = leave(again(run, **EVENTFUL), **how)
            history.append((how, reached))
        assert differing(run, whole) == set(), history
        count += len(history) - 1
        shutil.rmtree(run)
    print(f"{count:,} interruptions, 0 differences")
    assert count > 2 * histories


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_row_29_a_complete_run_given_more_is_the_run_that_had_it_at_first(train, tmp_path, optimizer):
    words = sets("model.dropout=0.3", "model.num_layers=2", "model.initial_state=learned", f"optim.name={optimizer}")
    train("-o", "whole", *words, *sets("train.iterations=23")).ok()
    train("-o", "run", *words, *sets("train.iterations=7")).ok()
    train("-o", "run", "--resume", *words, *sets("train.iterations=23")).ok()
    assert (tmp_path / "run" / LAST).read_bytes() == (tmp_path / "whole" / LAST).read_bytes()


# --- row 29: windows that were bad, and are so again ---


@pytest.fixture
def training(monkeypatch):
    """The checkpoints of runs that train, the newest last."""
    checkpoints, updates = [], loop.updates

    def noted(checkpoint, *rest):
        checkpoints.append(checkpoint)
        return updates(checkpoint, *rest)

    monkeypatch.setattr(loop, "updates", noted)
    return checkpoints


@pytest.fixture
def poison(training, monkeypatch):
    """Makes bad those windows for which a function of the checkpoint before them says so."""
    exact = CharLM.loss_and_grads

    def poison(is_bad, value=math.nan):
        def loss_and_grads(*arguments, **more):
            loss, final = exact(*arguments, **more)
            return (value if is_bad(training[-1]) else loss), final

        monkeypatch.setattr(CharLM, "loss_and_grads", loss_and_grads)

    return poison


SKIPPING = EVENTFUL | {"train__on_divergence": "skip"}
GOING_BACK = EVENTFUL | {"train__on_divergence": "rollback"}


@pytest.mark.parametrize("counts", sample([1, 5, 6, 13, 14, 28, 29], ALL))
def test_row_29_so_is_one_that_skipped_windows(no_sync, tmp_path, poison, counts):
    poison(lambda run: run.iteration in (0, 4, 5, 6, 13, 20, 27, 29))
    whole = to_the_end(begin(tmp_path / "whole", **SKIPPING))
    assert metrics_of(whole)[-1]["skipped"] == 8
    for count in counts:
        run = tmp_path / f"run-{count}"
        leave(begin(run, **SKIPPING), records=count)
        to_the_end(resume(run))
        assert differing(run, whole) == set(), f"interrupted after iteration {count}"


@pytest.mark.parametrize("counts", sample([1, 13, 15, 17, 18, 25], range(1, 30)))
def test_row_29_so_is_one_that_went_back_if_to_the_same_checkpoint(no_sync, tmp_path, poison, counts):
    """What an interruption leaves is newer than any other checkpoint, and then what there is to go back to."""
    poison(lambda run: run.iteration == 17 and not run.rollbacks)
    whole = begin(tmp_path / "whole", **GOING_BACK)
    to_the_end(whole)
    back = int(re.search(r"back to iteration (\d+),", whole.warnings[0])[1])
    assert back in (12, 14)
    for count in counts:
        run = tmp_path / f"run-{count}"
        iteration = leave(begin(run, **GOING_BACK), records=count)
        resumed = resume(run)
        to_the_end(resumed)
        if back < count <= 17:
            assert f"back to iteration {iteration}," in resumed.warnings[0]
            assert LAST in differing(run, tmp_path / "whole")
        else:
            assert differing(run, tmp_path / "whole") == set(), f"interrupted after record {count}"


# --- row 29: what a checkpoint has, it needs ---


def forgetting(part):
    """A function that makes an array or a field of a checkpoint what it was before the first update."""

    def forget(checkpoint):
        new = Run.new(checkpoint.config, checkpoint.task, checkpoint.corpus)
        if part in new.arrays():
            checkpoint.arrays()[part][...] = new.arrays()[part]
        else:
            assert getattr(checkpoint, part) != getattr(new, part)
            setattr(checkpoint, part, getattr(new, part))

    return forget


def changed_by_forgetting(parts, run):
    """By part, what is another in the end where it was forgotten when the run was resumed."""
    folder, changed = run.parent, {}
    whole = to_the_end(resume(shutil.copytree(run, folder / "whole")))
    for part in parts:
        to_the_end(resume(shutil.copytree(run, folder / part), forgetting(part)))
        changed[part] = differing(folder / part, whole)
    return changed


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_row_29_without_any_one_of_its_arrays_it_would_be_another_run(no_sync, tmp_path, optimizer):
    changes = NOISES["learned"] | UNUSUAL["without evaluations"]
    run = begin(tmp_path / "run", **changes, optim__name=optimizer, optim__average=0.9)
    names = list(run.run.arrays())
    assert "layers.0.h0" in names
    leave(run, records=19)
    assert all(LAST in changed for changed in changed_by_forgetting(names, tmp_path / "run").values())


def test_row_29_without_the_sensitivity_of_rtrl_it_would_be_another_run(no_sync, tmp_path):
    leave(begin(tmp_path / "run", **RTRL), records=9)
    assert changed_by_forgetting(["optim.sensitivity"], tmp_path / "run") == {
        "optim.sensitivity": {LAST, BEST, METRICS}
    }


FIELDS = {
    "iteration": ({"records": 11}, {LAST, BEST, METRICS}),
    "chars": ({"records": 11}, {LAST, BEST, METRICS}),
    "rng": ({"records": 11}, {LAST, BEST, METRICS}),
    "skipped": ({"records": 11}, {LAST, BEST, METRICS}),
    "rollbacks": ({"records": 22}, {LAST, BEST, METRICS}),
    "best": ({"records": 22}, {LAST, BEST}),
    "best_at": ({"records": 22}, {LAST}),
    # Where an evaluation stood: without its result there would be another one, with a line of its own.
    "scores": ({"records": 21}, {METRICS}),
    # Between two lines of metrics: they are of the next one alone.
    "losses": ({"records": 11}, {METRICS}),
    # Within an evaluation, so that no update will come before the next line.
    "grad_norm": ({"windows": 2}, {METRICS}),
    "learning_rate": ({"windows": 2}, {METRICS}),
}
"""By field of a checkpoint: where a run is left, and what would be another in the end if the field were forgotten."""


@pytest.mark.parametrize("field", FIELDS)
def test_row_29_without_any_one_of_its_numbers_it_would_be_another_run(
    no_sync, tmp_path, poison, training, monkeypatch, field
):
    how, expected = FIELDS[field]
    if field in ("best", "best_at"):  # it is best at iteration 21
        monkeypatch.setattr(
            "charrnn.tasks.language_model.evaluate", lambda *rest: 1.0 + abs(training[-1].iteration - 21)
        )
    if field == "rollbacks":
        poison(lambda run: run.iteration == 16 and not run.rollbacks)
    else:
        poison(lambda run: run.iteration in (4, 5))
    leave(begin(tmp_path / "run", **GOING_BACK if field == "rollbacks" else SKIPPING), **how)
    assert changed_by_forgetting([field], tmp_path / "run") == {field: expected}


@pytest.mark.parametrize(("field", "records"), [("without_best", 8), ("reductions", 22)])
def test_row_29_without_its_count_of_a_standstill_it_would_be_another_run(
    no_sync, tmp_path, training, monkeypatch, field, records
):
    """Evaluations stand at 7, 14, 21 and 28, and none but the first finds anything better."""
    monkeypatch.setattr("charrnn.tasks.language_model.evaluate", lambda *rest: 1.0 + training[-1].iteration)
    monkeypatch.setattr("charrnn.runs.run.Run.is_better", lambda run, score: False)
    leave(begin(tmp_path / "run", **EVENTFUL | SCHEDULES["plateau"] | {"optim__patience": 2}), records=records)
    assert changed_by_forgetting([field], tmp_path / "run") == {field: {LAST, METRICS}}


def test_row_29_without_the_count_of_windows_skipped_it_would_skip_too_many(no_sync, tmp_path, poison):
    def last_words(run):
        with pytest.raises(DivergedError) as error:
            to_the_end(run)
        return re.match(r"diverged at iteration \d+", str(error.value))[0]

    poison(lambda run: run.iteration >= 4)
    whole = last_words(begin(tmp_path / "whole", **SKIPPING))
    leave(begin(tmp_path / "run", **SKIPPING), records=11)
    copy = shutil.copytree(tmp_path / "run", tmp_path / "forgetful")
    assert last_words(resume(tmp_path / "run")) == whole
    poison(lambda run: run.iteration in range(4, 26))
    to_the_end(resume(copy, forgetting("skipped_in_a_row")))


@pytest.mark.parametrize("field", ["lowest", "hopeless_in_a_row"])
def test_row_29_without_its_count_of_hopeless_windows_it_would_diverge_later(no_sync, tmp_path, poison, field):
    def last_words(run):
        with pytest.raises(DivergedError) as error:
            to_the_end(run)
        return re.match(r"diverged at iteration \d+", str(error.value))[0]

    poison(lambda run: run.iteration >= 4, 50.0)
    whole = last_words(begin(tmp_path / "whole", **EVENTFUL))
    assert whole == "diverged at iteration 14"
    leave(begin(tmp_path / "run", **EVENTFUL), records=9)
    copy = shutil.copytree(tmp_path / "run", tmp_path / "forgetful")
    assert last_words(resume(tmp_path / "run")) == whole
    if field == "lowest":  # 50 nats are then the best that there was
        to_the_end(resume(copy, forgetting(field)))
    else:
        assert last_words(resume(copy, forgetting(field))) == "diverged at iteration 19"


def test_row_29_without_its_seconds_a_run_of_two_seconds_would_take_longer(no_sync, tmp_path, monkeypatch):
    ticks = itertools.count()
    monkeypatch.setattr(time, "monotonic", lambda: next(ticks) / 100)  # each look at the clock takes 10 ms
    run = begin(tmp_path / "run", train__iterations=None, train__time_budget=2)
    assert leave(run, records=20) == 20  # a line of metrics says what time it was after 20 iterations
    (tmp_path / "run" / METRICS).unlink()
    copy = shutil.copytree(tmp_path / "run", tmp_path / "forgetful")
    ends = [resume(tmp_path / "run"), resume(copy, forgetting("elapsed"))]
    for end in ends:
        to_the_end(end)
    assert ends[1].run.iteration == pytest.approx(ends[0].run.iteration + 20, abs=3)


def test_row_29_nothing_that_a_checkpoint_has_was_left_out_here():
    whole = {"config", "task", "model", "corpus", "environment"}  # see rows 28 and 30
    arrays = {"params", "average", "slots", "state"}
    others = {"skipped_in_a_row", "elapsed", "without_best", "reductions", "lowest", "hopeless_in_a_row"}
    others |= {"to_beat", "without_improvement"}  # see `tests/training/test_patience.py`
    others |= {"openings"}  # which are found again where a file has none
    assert {field.name for field in dataclasses.fields(Run)} == {*FIELDS, *whole, *arrays, *others}


# --- row 30: what computes is another ---------------------------------------------------------------------------------


def warned(result):
    """What is said of what computes; nothing else may be."""
    (line,) = result.ok().err.splitlines()
    assert line.endswith(": the run goes on well, but not bit for bit as it would have")
    return line.removeprefix("charrnn: warning: ").partition(":")[0]


def last_loss(metrics, run):
    return metrics(run)[-1]["val_nats"]


SHAPES = {
    "2 processes": sets("model.hidden_size=80", "train.batch_size=16", "train.seq_length=64"),
    "2 threads": sets("model.hidden_size=256", "train.batch_size=4", "train.seq_length=4"),
}
ASKED = {"2 processes": "train.layout=2x1", "2 threads": "train.threads=2"}


@needs_processes
@pytest.mark.parametrize("plan", SHAPES)
def test_row_30_another_number_of_cores_is_told_and_the_losses_are_as_good(train, metrics, tmp_path, plan):
    """Of one process, which goes on with two, or with two threads."""
    train("-o", "run", *SHAPES[plan], *sets("train.threads=1", "train.iterations=4")).ok()
    shutil.copytree(tmp_path / "run", tmp_path / "other")
    assert train("-o", "run", "--resume", *SHAPES[plan], *sets("train.iterations=8")).ok().err == ""
    other = train("-o", "other", "--resume", *SHAPES[plan], *sets("train.iterations=8", ASKED[plan]))
    assert warned(other) == f"cores 1 process became {plan}"
    assert last_loss(metrics, tmp_path / "other") == pytest.approx(last_loss(metrics, tmp_path / "run"), rel=1e-3)


@pytest.mark.parametrize("kernel", ["Prescott", "Nehalem"])
def test_row_30_another_kernel_of_blas_is_told_and_the_losses_are_as_good(train, process, metrics, tmp_path, kernel):
    blas = environment()["blas"]
    if not re.fullmatch(r"openblas \S+ \w+", blas) or platform.machine().lower() not in ("x86_64", "amd64"):
        pytest.skip(f"only OpenBLAS for x86 can be told which kernel to take, and this is {blas}")
    train("-o", "run").ok()
    shutil.copytree(tmp_path / "run", tmp_path / "other")
    train("-o", "run", "--resume", *LONGER).ok()
    words = ["train", "-o", "other", "--resume", "-q", *LONGER]
    result = process(*words, env={"OPENBLAS_CORETYPE": kernel}).ok()
    other = checkpoints.load(tmp_path / "other" / LAST).environment["blas"]
    if other == blas:
        pytest.skip("that is what computes here")
    assert warned(result) == f"blas {blas} became {other}"
    assert last_loss(metrics, tmp_path / "other") == pytest.approx(last_loss(metrics, tmp_path / "run"), rel=1e-3)


@pytest.mark.parametrize("names", [["numpy"], ["charrnn"], ["machine"], ["blas"], ["numpy", "machine"]], ids="+".join)
def test_row_30_another_version_is_told_with_both(train, run, names):
    for path in (run / name for name in CHECKPOINTS):
        for name in names:
            path.write_bytes(craft(path.read_bytes(), put(f"environment.{name}", "of old")))
    said = warned(train("-o", "run", "--resume", *LONGER))
    assert said == "; ".join(f"{name} of old became {environment()[name]}" for name in environment() if name in names)
    end = checkpoints.load(run / LAST)
    assert end.environment == {**environment(), "cores": "1 process"}


def test_row_30_where_nothing_differs_nothing_is_said(train, run, longer):
    assert train("-o", "run", "--resume", *LONGER).ok().err == ""
    assert (run / LAST).read_bytes() == longer


def test_row_30_a_difference_is_told_once_and_not_again(train, run):
    (run / LAST).write_bytes(craft((run / LAST).read_bytes(), put("environment.numpy", "of old")))
    warned(train("-o", "run", "--resume", *sets("train.iterations=16")))
    assert train("-o", "run", "--resume", *LONGER).ok().err == ""


# --- row 31: seeds ----------------------------------------------------------------------------------------------------


def test_row_31_the_same_seed_gives_the_same_bytes_in_any_process(process, text, tiny, tmp_path):
    for hashes in "12":
        words = ["train", text, "-c", tiny, "-q", "-o", hashes, *sets("model.dropout=0.2")]
        process(*words, env={"PYTHONHASHSEED": hashes}).ok()
    assert differing(tmp_path / "1", tmp_path / "2") == set()


def test_row_31_two_seeds_give_two_runs(train, contents, tmp_path):
    for seed in (1, 2):
        train("-o", f"run-{seed}", "--seed", seed).ok()
    one, other = (contents(tmp_path / f"run-{seed}" / LAST)[0] for seed in (1, 2))
    assert {name for name in one if one[name] == other[name]} == {"optim.count"}


def test_row_31_a_seed_that_was_drawn_is_kept_and_gives_the_same_run_again(train, contents, tmp_path):
    for name in ("one", "other"):
        train("-o", name, "--set", "train.seed=null").ok()
    seeds = [contents(tmp_path / name / LAST)[1]["config"]["train"]["seed"] for name in ("one", "other")]
    assert seeds[0] != seeds[1]
    train("-o", "again", "--seed", seeds[0]).ok()
    assert differing(tmp_path / "again", tmp_path / "one") == set()
    assert LAST in differing(tmp_path / "other", tmp_path / "one")
