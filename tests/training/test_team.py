"""Several processes compute what one does, and none outlives its run."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from architectures import ARCHITECTURES
from driving import started

from charrnn.arrays import Batch
from charrnn.cores import Plan
from charrnn.errors import OutputError
from charrnn.nn.cells import CELLS
from charrnn.nn.model import CharLM
from charrnn.nn.parameters import Parameters
from charrnn.optim import OPTIMIZERS, optimizers
from charrnn.optim.clipping import norm
from charrnn.optim.options import OptimConfig
from charrnn.runs import checkpoint as checkpoints
from charrnn.training import team as team_module
from charrnn.training.gradients import Alone
from charrnn.training.shared_memory import SharedMemory
from charrnn.training.team import LOST, LostWorkerError, Team
from charrnn.training.updating import UpdateStep

pytestmark = pytest.mark.skipif(os.name != "posix", reason="one process alone where descriptors are not inherited")
T, B, V = 6, 5, 7
OPTIONS = {name: chosen for name, chosen in ARCHITECTURES.items() if name.startswith("lstm-")}


@pytest.fixture
def team(request):
    """Makes teams, and ends them."""

    def make(model, params, plan):
        optim = OptimConfig(name="sgd")
        made = Team(model, plan, optim, params, optimizers.build(optim).init(params.vector))
        request.addfinalizer(made.close)
        return made

    return make


def window(model, dtype, rng):
    params = Parameters.zeros(model.shapes, dtype)
    params.vector[...] = rng.normal(0, 0.5, params.vector.size)
    x, y = rng.integers(V, size=(2, T, B))
    starts = np.array([False, True, False, False, True])
    state = [
        {name: rng.normal(size=zero.shape).astype(dtype) for name, zero in layer.items()}
        for layer in model.zero_state(B, dtype)
    ]
    return params, Batch(x, y, starts), state


def assert_a_team_agrees(together, model, params, batch, state, seeds):
    grads = Parameters.zeros(model.shapes, np.float64)
    for seed in seeds:
        noise = model.noise(np.random.default_rng(seed), T, B, np.float64)
        loss, final = model.loss_and_grads(params, batch, state, grads, noise)
        shared_loss, shared_final = together.compute([batch], state, [seed])
        assert shared_loss == pytest.approx(loss, abs=1e-12)
        np.testing.assert_allclose(together.grads.vector, grads.vector, rtol=0, atol=1e-12)
        assert together.norm() == together.measure() == pytest.approx(norm(grads.vector), rel=1e-12)
        for mine, theirs in zip(final, shared_final, strict=True):
            for name, array in mine.items():
                np.testing.assert_allclose(theirs[name], array, rtol=0, atol=1e-12)


SEEDS = 5, 5, 2**63 - 1
"""The second time, with what the first has left, and the greatest that there is."""


@pytest.mark.parametrize("plan", [Plan(), Plan(2), Plan(3), Plan(1, 2), Plan(2, 2)], ids=str)
@pytest.mark.parametrize("cell", CELLS)
def test_a_team_computes_what_one_process_does(cell, plan, team, rng):
    model = CharLM(V, cell=cell, hidden_size=5, num_layers=2, dropout=0.3, initial_state="learned")
    if plan.units > 1 and not model.splits_units:
        pytest.skip("it does not split its units")
    params, batch, state = window(model, np.float64, rng)
    assert_a_team_agrees(team(model, params, plan), model, params, batch, state, SEEDS)


@pytest.mark.parametrize("plan", [Plan(2), Plan(1, 2)], ids=str)
@pytest.mark.parametrize("architecture", OPTIONS.values(), ids=OPTIONS)
def test_a_team_draws_the_noise_of_one_process(architecture, plan, team, rng):
    model = CharLM(V, hidden_size=4, num_layers=2, **architecture)
    if plan.units > 1 and not model.splits_units:
        pytest.skip("it does not split its units")
    params, batch, state = window(model, np.float64, rng)
    assert_a_team_agrees(team(model, params, plan), model, params, batch, state, SEEDS)


UPDATES = {
    **{name: {"name": name} for name in OPTIMIZERS},
    "decay": {"name": "adam", "weight_decay": 0.1},
    "average": {"name": "adam", "average": 0.9, "clip_norm": 0.1},
    "clip_value": {"name": "rmsprop", "clip_value": 0.01},
}


@pytest.mark.parametrize("plan", [Plan(3), Plan(2, 2)], ids=str)
@pytest.mark.parametrize("keys", UPDATES.values(), ids=UPDATES)
def test_a_team_makes_the_updates_of_one_process(keys, plan, request, rng):
    model, optim = CharLM(V, hidden_size=5), OptimConfig(**keys)
    params, batch, state = window(model, np.float64, rng)
    found = []
    for kind in (Alone, Team):
        start = Parameters(model.shapes, params.vector.copy())
        mean = Parameters(model.shapes, params.vector.copy()) if optim.average else None
        slots = optimizers.build(optim).init(params.vector)
        one = kind(model, *([plan] if kind is Team else []), optim, start, slots, mean)
        if kind is Team:
            request.addfinalizer(one.close)
        for number in range(3):
            one.compute([batch], state, [0])
            one.update(UpdateStep(0.1, one.norm(), made=number, number=number + 1))
        found.append([one.params.vector, *one.slots.values(), *([one.average.vector] if optim.average else [])])
    assert not np.array_equal(found[0][0], params.vector)
    for alone, together in zip(*found, strict=True):
        np.testing.assert_allclose(together, alone, rtol=1e-9, atol=1e-12)


def test_another_seed_is_another_noise_for_all_of_a_team(team, rng):
    model = CharLM(V, cell="lstm", hidden_size=4, dropout=0.5)
    params, batch, state = window(model, np.float64, rng)
    together = team(model, params, Plan(3))
    drawn = []
    for seed in (1, 2):
        together.compute([batch], state, [seed])
        drawn.append(together.fixed.grads.copy())
    assert [(one != other).any() for one, other in zip(*drawn, strict=True)] == [True] * 3


@pytest.mark.parametrize("plan", [Plan(2), Plan(1, 2)], ids=str)
def test_the_same_plan_gives_the_same_bytes(plan, team, rng):
    model = CharLM(V, cell="lstm", hidden_size=16, num_layers=1)
    params, batch, state = window(model, np.float32, rng)
    results = []
    for _ in range(2):
        together = team(model, params, plan)
        together.compute([batch], state, [0])
        results.append(together.grads.vector.tobytes())
    assert results[0] == results[1]


@pytest.mark.parametrize("plan", [Plan(3), Plan(1, 2)], ids=str)
def test_a_worker_that_dies_is_told_and_does_not_hang(plan, team, rng):
    model = CharLM(V, cell="gru", hidden_size=4)
    params, batch, state = window(model, np.float32, rng)
    together = team(model, params, plan)
    together.compute([batch], state, [0])
    together.workers[0].kill()
    together.workers[0].wait()
    with pytest.raises(LostWorkerError, match="worker") as lost:
        together.compute([batch], state, [0])
    assert not lost.value.torn


def test_what_a_worker_left_half_updated_is_known_as_that(team, rng):
    model = CharLM(V, cell="gru", hidden_size=4)
    params, batch, state = window(model, np.float32, rng)
    together = team(model, params, Plan(2))
    together.compute([batch], state, [0])
    together.workers[0].kill()
    together.workers[0].wait()
    with pytest.raises(LostWorkerError, match="worker") as lost:
        together.update(UpdateStep(0.1, 1.0, 0, 1))
    assert lost.value.torn


ADVICE = {
    "saved": (True, None, "--resume --set train.threads=1"),
    "not saved": (False, None, "try --set train.threads=1"),
    "with a layout that was set": (True, "2x1", "--resume --set train.layout=1x1"),
}


@pytest.mark.parametrize(("saves", "layout", "advice"), ADVICE.values(), ids=ADVICE)
def test_what_is_advised_when_a_worker_dies_can_be_done(saves, layout, advice, begin, always_two):
    run = begin(train__batch_size=6, train__layout=layout)
    records = run.records()
    for _ in range(7 if saves else 0):
        next(records)
    ended = [False]

    def with_a_dead_worker(*rest):
        ended[0] = True
        raise LostWorkerError(LOST)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Team, "compute", with_a_dead_worker)
        if saves:
            patch.setattr("charrnn.training.loop._compute", with_a_dead_worker)
        with pytest.raises(OutputError, match=f"a worker process ended.*{advice}"):
            list(records)
    assert ended[0]
    assert (run.directory.path / "last.npz").exists() == saves


def test_workers_import_nothing_from_where_the_user_happens_to_be(begin, always_two, tmp_path, monkeypatch):
    for name in ("json", "tempfile", "token", "numpy"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported from the current directory')")
    monkeypatch.chdir(tmp_path)
    assert len(list(begin(train__batch_size=6, train__iterations=3).records())) == 3


def test_memory_that_cannot_be_had_for_a_team_is_told_as_that(begin, always_two, monkeypatch):
    run = begin(train__batch_size=6)

    def none_left(*rest):
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    monkeypatch.setattr("charrnn.training.shared_memory.mmap.mmap", none_left)
    with pytest.raises(OutputError, match="out of memory: 1 x 6 units"):
        list(run.records())


@pytest.mark.parametrize("plan", [Plan(3), Plan(3, 2)], ids=str)
def test_a_group_without_rows_adds_nothing_of_the_batch_before(plan, team, rng):
    model = CharLM(V, cell="lstm", hidden_size=4, embedding_size=3)
    params, batch, state = window(model, np.float64, rng)
    together, grads = team(model, params, plan), Parameters.zeros(model.shapes, np.float64)
    for count in (B, 2, 1, 4):
        rows = slice(0, count)
        few, begun = batch.rows(rows), [{name: array[rows] for name, array in entry.items()} for entry in state]
        loss, _ = model.loss_and_grads(params, few, begun, grads)
        assert together.compute([few], begun, [0])[0] == pytest.approx(loss, abs=1e-12)
        np.testing.assert_allclose(together.grads.vector, grads.vector, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1"])
def test_a_worker_leaves_signals_to_its_leader_who_may_save(name, team, rng):
    model = CharLM(V, cell="gru", hidden_size=4)
    params, batch, state = window(model, np.float32, rng)
    together = team(model, params, Plan(2))
    os.kill(together.workers[0].pid, getattr(signal, name))
    time.sleep(0.05)
    together.compute([batch], state, [0])
    assert together.workers[0].poll() is None


def test_a_batch_for_which_there_was_no_memory_is_told_again(team, rng, monkeypatch):
    model = CharLM(V, cell="gru", hidden_size=4)
    params, batch, state = window(model, np.float64, rng)
    together = team(model, params, Plan(2))

    def none_left(self, layout):
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(SharedMemory, "arrays", none_left)
        with pytest.raises(MemoryError):
            together.compute([batch], state, [0])
    assert_a_team_agrees(together, model, params, batch, state, SEEDS)


def test_a_team_that_is_interrupted_as_it_begins_leaves_nobody(monkeypatch, rng):
    model, started = CharLM(V, hidden_size=4), []
    params, _, _ = window(model, np.float32, rng)
    popen = subprocess.Popen

    def begins(*arguments, **options):
        if len(started) == 2:
            raise KeyboardInterrupt
        started.append(popen(*arguments, **options))
        return started[-1]

    closed, close = [], SharedMemory.close
    monkeypatch.setattr(SharedMemory, "close", lambda memory: (closed.append(memory), close(memory)))
    monkeypatch.setattr(subprocess, "Popen", begins)
    with pytest.raises(KeyboardInterrupt):
        Team(model, Plan(4), OptimConfig(name="sgd"), params, {})
    assert [worker.returncode for worker in started] == [-signal.SIGKILL] * 2
    assert all(worker.stdin.closed and worker.stdout.closed for worker in started)
    assert len(set(closed)) == 2 + 4


ENDINGS = {"before it is told anything": b"", "in the middle of a line": b'{"model": ', "before it is heard": None}


@pytest.mark.parametrize("told", ENDINGS.values(), ids=ENDINGS)
def test_a_worker_whose_leader_is_gone_ends_without_a_word(told, team, rng):
    order = told
    if told is None:  # it has its whole order, of a process that was another's before this one began
        model = CharLM(V, cell="gru", hidden_size=4)
        heard, tell = [], team_module._tell
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(team_module, "_tell", lambda worker, what: (heard.append(what), tell(worker, what)))
            together = team(model, window(model, np.float32, rng)[0], Plan(2))
        order = json.dumps({**heard[0], "leader": 1}).encode() + b"\n"
        passed = [memory.descriptor for memory in together._memories]
    command = [sys.executable, "-P", "-c", team_module.WORKER, json.dumps(sys.path)]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=passed if told is None else (),
    ) as worker:
        _, err = worker.communicate(order, timeout=60)
    assert (worker.returncode, err) == (0, b"")


@pytest.mark.anywhere
def test_workers_end_with_the_process_that_is_killed():
    script = (
        "import numpy as np, time; from charrnn.nn.model import CharLM; from charrnn.training.team import Team\n"
        "from charrnn.cores import Plan; from charrnn.optim.options import OptimConfig\n"
        "model = CharLM(5, cell='rnn', hidden_size=3)\n"
        "params = model.init_params(np.random.default_rng(0))\n"
        "team = Team(model, Plan(3), OptimConfig(name='sgd'), params, {})\n"
        "print(*(worker.pid for worker in team.workers), flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        workers = [int(pid) for pid in process.stdout.readline().split()]
        process.kill()
    assert len(workers) == 2
    for _ in range(200):
        if not any(alive(pid) for pid in workers):
            return
        time.sleep(0.05)
    pytest.fail("a worker lives on")


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def always_two(monkeypatch):
    monkeypatch.setattr("charrnn.training.trainer.plan", lambda run: Plan(2))


def test_a_run_of_two_processes_learns_what_one_learns_every_time_the_same(begin, monkeypatch, always_two):
    both = {"train__iterations": 6, "train__batch_size": 6, "model__dropout": 0.2, "train__dtype": "float64"}
    two = begin("two", **both)
    losses = [record.train_nats for record in two.records()]
    again = begin("again", **both)
    assert [record.train_nats for record in again.records()] == losses
    assert checkpoints.to_bytes(again.run) == checkpoints.to_bytes(two.run)
    monkeypatch.setattr("charrnn.training.trainer.plan", lambda run: Plan())
    one = begin("one", **both)
    assert [record.train_nats for record in one.records()] == pytest.approx(losses, abs=1e-9)


@pytest.mark.anywhere
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs signals")
def test_an_interrupted_run_of_several_processes_is_saved_and_none_stays(tmp_path):
    sets = [
        "model.hidden_size=64",
        "train.batch_size=32",
        "train.threads=2",
        "train.epochs=1000",
        "train.eval_every=1000",
    ]
    words = [word for pair in sets for word in ("--set", pair)]
    with started("train", "harbour", "-o", tmp_path / "run", *words, cwd=tmp_path) as process:
        said = [process.stderr.readline().decode() for _ in range(2)]
        metrics = tmp_path / "run" / "metrics.jsonl"
        for _ in range(600):
            if metrics.exists() and metrics.stat().st_size:
                break
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert "2 processes" in said[1]
    assert process.returncode == 130
    assert "--resume" in err.decode()
    assert checkpoints.load(tmp_path / "run" / "last.npz").iteration >= 20
