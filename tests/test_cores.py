"""Cores are what a process may run on, what its control group has time for, and what a user has set."""

from __future__ import annotations

import math

import pytest

from charrnn import cgroups, cores, processor, system

V2 = "30 23 0:26 {root} /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n"
V1 = (
    "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"
    "32 31 0:29 {root} /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
    "33 31 0:30 {root} /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n"
)


@pytest.fixture
def tree(tmp_path):
    """Makes the files of a system: what is mounted, in which groups the process is, and what those say."""

    def make(mounts, groups, files, root="/"):
        named = {"proc/self/mountinfo": mounts.format(root=root), "proc/self/cgroup": groups}
        for name, content in {**named, **{f"sys/fs/cgroup/{name}": content for name, content in files.items()}}.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(content, "utf-8")
        return tmp_path

    return make


@pytest.mark.parametrize(
    ("groups", "files", "cpus"),
    [
        ("0::/\n", {"cpu.max": "100000 100000\n"}, 1),
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 1.5),
        ("0::/\n", {"cpu.max": "max 100000\n"}, math.inf),
        ("0::/\n", {"cpu.max": "200000\n"}, 2),
        ("0::/a/b\n", {"a/b/cpu.max": "50000 100000\n"}, 0.5),
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "300000 100000\n"}, 3),
        ("0::/a/b\n", {"a/b/cpu.max": "800000 100000\n", "a/cpu.max": "20000 10000\n"}, 2),
        ("0::/a/b\n", {"a/cpu.max": "max 100000\n", "other/cpu.max": "10000 100000\n"}, math.inf),
        ("0::/../../b\n", {"cpu.max": "100000 100000\n"}, 1),
        ("0::/a\n", {"a/cpu.max": "nonsense\n"}, math.inf),
        ("", {"cpu.max": "100000 100000\n"}, math.inf),
    ],
)
def test_version_2_has_one_tree_and_every_group_above_counts(tree, groups, files, cpus):
    assert cgroups.cpus(tree(V2, groups, files)) == cpus


@pytest.mark.parametrize(
    ("groups", "files", "cpus"),
    [
        ("3:cpu,cpuacct:/\n", {"cpu.cfs_quota_us": "150000", "cpu.cfs_period_us": "100000"}, 1.5),
        ("3:cpu,cpuacct:/\n", {"cpu.cfs_quota_us": "-1", "cpu.cfs_period_us": "100000"}, math.inf),
        ("3:cpuacct,cpu:/a\n", {"a/cpu.cfs_quota_us": "50000", "a/cpu.cfs_period_us": "50000"}, 1),
        ("3:memory:/\n", {"cpu.cfs_quota_us": "50000", "cpu.cfs_period_us": "50000"}, math.inf),
    ],
)
def test_version_1_has_a_tree_for_cpus(tree, groups, files, cpus):
    assert cgroups.cpus(tree(V1, groups, {f"cpu,cpuacct/{name}": content for name, content in files.items()})) == cpus


def test_a_container_sees_its_own_group_as_the_root(tree):
    files = {"cpu,cpuacct/cpu.cfs_quota_us": "100000", "cpu,cpuacct/cpu.cfs_period_us": "100000"}
    assert cgroups.cpus(tree(V1, "3:cpu,cpuacct:/docker/abc\n", files, root="/docker/abc")) == 1
    assert cgroups.cpus(tree(V2, "0::/docker/abc/in\n", {"in/cpu.max": "1000 1000"}, root="/docker/abc")) == 1
    assert cgroups.cpus(tree(V2, "0::/host/name\n", {"cpu.max": "3000 1000"}, root="/docker/abc")) == 3


def test_a_group_limits_processes_too(tree):
    assert cgroups.processes(tree(V2, "0::/a/b\n", {"a/pids.max": "7\n", "a/b/pids.max": "max\n"})) == 7
    assert cgroups.processes(tree(V1, "8:pids:/x\n", {"pids/x/pids.max": "5\n"})) == 5


def test_a_group_limits_memory_too(tree):
    assert cgroups.memory(tree(V2, "0::/a/b\n", {"a/memory.max": "4096\n", "a/b/memory.max": "max\n"})) == 4096
    mounted = V1.replace("pids", "memory")
    assert cgroups.memory(tree(mounted, "8:memory:/x\n", {"memory/x/memory.limit_in_bytes": "8192\n"})) == 8192


def test_memory_is_that_of_the_machine_or_of_the_group(monkeypatch):
    monkeypatch.setattr(cgroups, "memory", lambda: math.inf)
    whole = system.most_memory()
    monkeypatch.setattr(cgroups, "memory", lambda: 4096.0)
    assert system.most_memory() == 4096 < whole


def test_a_system_without_control_groups_limits_nothing(tmp_path):
    assert cgroups.cpus(tmp_path) == cgroups.processes(tmp_path) == cgroups.memory(tmp_path) == math.inf


@pytest.mark.parametrize(
    ("affinity", "quota", "variables", "found"),
    [
        (8, math.inf, {}, 8),
        (8, 3.0, {}, 3),
        (2, 3.0, {}, 2),
        (8, 1.5, {}, 2),
        (8, 1.4, {}, 1),
        (8, 0.1, {}, 1),
        (8, math.inf, {"OMP_NUM_THREADS": 3}, 3),
        (8, 2.0, {"OMP_NUM_THREADS": 3}, 2),
        (8, math.inf, {"OMP_NUM_THREADS": 3, "OPENBLAS_NUM_THREADS": 1}, 1),
        (2, math.inf, {"OMP_NUM_THREADS": 16}, 2),
    ],
)
def test_cores_are_the_least_of_all(affinity, quota, variables, found):
    assert cores.Found(affinity, quota, variables).cores == found


@pytest.mark.parametrize(
    ("physical", "quota", "variables", "found", "why"),
    [
        (None, math.inf, {}, 8, "affinity"),
        (8, math.inf, {}, 8, "affinity"),
        (4, math.inf, {}, 4, "the second thread of a core is not counted"),
        (4, 2.0, {}, 2, "quota of the control group"),
        (4, math.inf, {"OMP_NUM_THREADS": 3}, 3, "OMP_NUM_THREADS"),
        (4, math.inf, {"OMP_NUM_THREADS": 8}, 4, "the second thread of a core is not counted"),
    ],
)
def test_cores_of_their_own_come_before_second_threads_of_them(physical, quota, variables, found, why):
    limits = cores.Found(8, quota, variables, physical)
    assert (limits.cores, limits.why) == (found, why)


@pytest.mark.parametrize(
    ("siblings", "allowed", "physical"),
    [
        (["0,4", "1,5", "2,6", "3,7", "0,4", "1,5", "2,6", "3,7"], range(8), 4),
        (["0-1", "0-1", "2-3", "2-3"], range(4), 2),
        (["0-1", "0-1", "2-3", "2-3"], [1, 2, 3], 2),
        (["0-1", "0-1", "2-3", "2-3"], [0, 1], 1),
        (["0", "1"], range(2), 2),
        ([], range(3), 3),
        (["", "\n"], range(2), 2),
    ],
)
@pytest.mark.parametrize("name", processor.SIBLINGS)
def test_threads_of_one_core_are_one_core(tmp_path, siblings, allowed, physical, name):
    for number, said in enumerate(siblings):
        folder = tmp_path / f"sys/devices/system/cpu/cpu{number}/topology"
        folder.mkdir(parents=True)
        (folder / name).write_text(f"{said}\n")
    assert processor.physical(allowed, tmp_path) == physical


def test_a_processor_has_a_name_wherever_it_is(tmp_path):
    assert processor.name(tmp_path)
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cpuinfo").write_text("processor\t: 0\nmodel name\t: A 9\ncpu family\t: 6\nmodel\t\t: 85\n\n" * 2)
    assert processor.name(tmp_path) == "A 9 family 6 model 85"


@pytest.mark.parametrize(
    "plan",
    [
        cores.Plan(),
        cores.Plan(3),
        cores.Plan(2, 2),
        cores.Plan(1, 2),
        cores.Plan(blas_threads=4),
        cores.Plan(2, 1, 1, 3),
    ],
    ids=str,
)
def test_a_plan_is_known_by_what_it_says_of_itself(plan):
    assert cores.Plan.said(str(plan)) == plan


@pytest.mark.parametrize("text", ["", "many processes", "2 processes, 2x", "x1", "2 ranks of"])
def test_what_is_no_plan_is_none(text):
    assert cores.Plan.said(text) is None


@pytest.mark.parametrize(
    ("value", "number"), [("3", 3), (" 4 ", 4), ("4,2", 4), ("0", None), ("", None), ("many", None), ("-1", None)]
)
def test_the_environment_is_read(monkeypatch, value, number):
    for name in cores.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert cores.find().variables == ({} if number is None else {"OMP_NUM_THREADS": number})


@pytest.fixture
def eight(monkeypatch):
    """A machine of eight cores, and nothing set."""
    for name in cores.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(8)), raising=False)
    monkeypatch.setattr(cgroups, "cpus", lambda: math.inf)
    monkeypatch.setattr(processor, "physical", len)
    return monkeypatch


def test_a_quota_leaves_fewer_cores(eight):
    assert cores.available_cores() == 8
    eight.setattr(cgroups, "cpus", lambda: 1.0)
    assert cores.available_cores() == 1


def test_blas_is_told_of_fewer_cores_and_else_of_nothing(eight):
    eight.setattr(system, "allows_threads", lambda count: True)
    cores.settle()
    assert not cores.find().variables
    eight.setattr(cgroups, "cpus", lambda: 3.0)
    cores.settle()
    assert cores.find().variables == dict.fromkeys(cores.VARIABLES, 3)
    eight.setattr(system, "allows_threads", lambda count: False)
    cores.settle()
    assert cores.available_cores() == 1


def test_variables_that_a_user_has_set_are_told_from_those_that_we_set(eight):
    eight.setattr(cores, "_ours", {})
    eight.setattr(system, "allows_threads", lambda count: True)
    eight.setattr(cgroups, "cpus", lambda: 3.0)
    eight.setenv("OMP_NUM_THREADS", "3")
    cores.settle()
    assert cores.find().variables == dict.fromkeys(cores.VARIABLES, 3)
    assert cores.variables_given() == {"OMP_NUM_THREADS": 3}
