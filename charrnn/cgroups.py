"""What a control group allows this process, as in a container: CPU time, processes, and memory.

A group is a directory below a mount point, and each directory above it may have a limit of its own. Version 2 has one
tree of all kinds of limits, and version 1 a tree for each kind. Linux alone has them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

ROOT = Path("/")


def cpus(root: Path = ROOT) -> float:
    """Returns how many processors' time this process may use, such as 1.5; infinite where nothing limits it.

    `root` is where the files of the system are, which a test may make of its own.
    """
    quotas = [math.inf]
    for folder in _folders(root, "cpu"):
        if words := _words(folder / "cpu.max"):  # version 2: quota and period, in microseconds
            quotas.append(_number(words[0]) / _number(words[1] if len(words) > 1 else "100000"))
        elif (quota := _words(folder / "cpu.cfs_quota_us")) and (period := _words(folder / "cpu.cfs_period_us")):
            quotas.append(_number(quota[0]) / _number(period[0]))
    return min(quota for quota in quotas if quota > 0)


def processes(root: Path = ROOT) -> float:
    """Returns how many processes and threads the group of this process may have; infinite where nothing limits it."""
    return _least(root, "pids", "pids.max")


def memory(root: Path = ROOT) -> float:
    """Returns how many bytes the processes of the group may take together; infinite where nothing limits it."""
    return _least(root, "memory", "memory.max", "memory.limit_in_bytes")  # version 2, and version 1


def _least(root: Path, kind: str, *names: str) -> float:
    """Returns the least of the limits that stand in files of these names."""
    limits = (_words(folder / name) for folder in _folders(root, kind) for name in names)
    return min((_number(words[0]) for words in limits if words), default=math.inf)


def _folders(root: Path, kind: str) -> Iterator[Path]:
    """Yields the directories of this process's groups that may limit a kind of thing, and those above each."""
    groups = {}
    for line in _lines(root / "proc/self/cgroup"):
        _, kinds, path = [*line.split(":", 2), "", ""][:3]
        groups.update(dict.fromkeys(kinds.split(","), path))
    for mounted_from, mount_point, is_of_kind in _mounts(root, kind):
        path = groups.get(kind if is_of_kind else "", "")
        if not path:
            continue
        try:
            below = PurePosixPath(path).relative_to(mounted_from)
        except ValueError:  # what is seen here is the group itself, though it has another name outside
            below = PurePosixPath()
        if ".." in below.parts:
            below = PurePosixPath()
        folder = root / mount_point.lstrip("/")
        yield from (folder / part for part in (below, *below.parents))


def _mounts(root: Path, kind: str) -> Iterator[tuple[str, str, bool]]:
    """Yields what is mounted of version 2, and of version 1 for this kind: from where, to where, and which it is."""
    for line in _lines(root / "proc/self/mountinfo"):
        before, _, after = line.partition(" - ")
        fields, of_system = before.split(), after.split()
        if len(fields) < 5 or len(of_system) < 3:
            continue
        if of_system[0] == "cgroup2":
            yield fields[3], fields[4], False
        elif of_system[0] == "cgroup" and kind in of_system[2].split(","):
            yield fields[3], fields[4], True


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return []


def _words(path: Path) -> list[str]:
    return " ".join(_lines(path)).split()


def _number(word: str) -> float:
    """Returns a limit as a number; what is none, as `max`, or below 0, is no limit."""
    try:
        return float(word) if float(word) > 0 else math.inf
    except ValueError:
        return math.inf
