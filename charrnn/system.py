"""The limits that the system sets to this process, named for what they are when something fails at one of them."""

from __future__ import annotations

import errno
import math
import mmap
import os
import threading

from charrnn import cgroups

FEW = 512
"""Processes and threads that are enough for us, whoever else has some of them."""

LITTLE = 1 << 30
"""Bytes of address space below which BLAS is not given more than one thread: each of them takes dozens of MiB."""

NO_THREAD = "can't start new thread"
"""What Python says where a thread cannot be started."""


def limit(name: str) -> float:
    """Returns a limit of this process, such as that of `RLIMIT_NOFILE`; infinite where there is none."""
    try:
        import resource
    except ImportError:  # Windows
        return math.inf
    number = getattr(resource, name, None)
    soft = -1 if number is None else resource.getrlimit(number)[0]
    return math.inf if soft in (-1, resource.RLIM_INFINITY) else soft


def most_processes() -> float:
    """Returns how many processes and threads the user, or the control group, may have; infinite without a limit."""
    return min(limit("RLIMIT_NPROC"), cgroups.processes())


def most_memory() -> float:
    """Returns the bytes of memory of this machine, or what the control group may have; infinite where nobody tells."""
    try:
        there = float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):  # Windows
        there = math.inf
    return min(there, cgroups.memory())


def few_processes() -> bool:
    """Tells whether so few may be started that it is worth a try whether there are enough for us."""
    return most_processes() < FEW


def allows_threads(count: int) -> bool:
    """Tells whether so many threads could be started now. They are, for a moment, where only few are allowed.

    The system may count them for some time after that: who is to need n should ask for 2 n.
    """
    if not few_processes():
        return True
    over, threads = threading.Event(), []
    try:
        for _ in range(count):
            thread = threading.Thread(target=over.wait, daemon=True)
            thread.start()
            threads.append(thread)
        return True
    except RuntimeError:
        return False
    finally:
        over.set()
        for thread in threads:
            thread.join()


def require(size: int) -> None:
    """Raises MemoryError where there is no room for so many bytes within the limit of the address space."""
    if limit("RLIMIT_AS") < math.inf:
        try:
            mmap.mmap(-1, size).close()
        except OSError as error:
            raise MemoryError from error


def explain(error: BaseException) -> str | None:
    """Says which limit an error comes from, and what to do; None where it comes from none."""
    if isinstance(error, OSError):
        return _of_number(error.errno)
    if isinstance(error, MemoryError):
        return out_of_memory()
    if isinstance(error, RuntimeError) and NO_THREAD in str(error):
        return out_of_memory() if _address_space_ends() else _of_number(errno.EAGAIN)
    if isinstance(error, ImportError) and limit("RLIMIT_AS") < LITTLE:
        return out_of_memory()
    return None


def _of_number(number: int | None) -> str | None:
    """Says what an error of the operating system means that has this number."""
    reason = os.strerror(number or 0)
    match number:
        case errno.EAGAIN:
            most = most_processes()
            return f"no more processes or threads can be started{_of(most, 'ulimit -u')}; raise that, or end some"
        case errno.EMFILE:
            return f"{reason}{_of(limit('RLIMIT_NOFILE'), 'ulimit -n')}; raise that"
        case errno.ENFILE:
            return f"{reason} of all programs; close some"
        case errno.EFBIG:
            return f"{reason}{_of(limit('RLIMIT_FSIZE') / 1024, 'ulimit -f', ' KiB')}; raise that"
        case errno.EDQUOT:
            return f"{reason}; remove files of yours or choose another place"
        case errno.ENOSPC:
            return f"{reason}; make room or choose another place"
        case errno.EROFS:
            return f"{reason}; choose another place"
        case errno.ENOMEM:
            return out_of_memory()
    return None


def out_of_memory() -> str:
    """Says that there is no more memory, and whose limit that is."""
    most = limit("RLIMIT_AS")
    if most < math.inf:
        return f"out of memory{_of(most / 2**20, 'ulimit -v', ' MiB')}; raise that, or use less"
    return "out of memory; use a smaller model, batch_size or seq_length"


def or_raise_memory() -> str:
    """Says which limit of memory could be raised as well; nothing where there is none."""
    most = limit("RLIMIT_AS")
    return f", or raise the limit of {most / 2**20:,.0f} MiB (ulimit -v)" if most < math.inf else ""


def _of(most: float, command: str, unit: str = "") -> str:
    """Says how much is allowed, and by what; nothing where that is not known."""
    return f" (the limit is {most:,.0f}{unit}: {command})" if most < math.inf else ""


def _address_space_ends() -> bool:
    """Tells whether there is no room for the stack of another thread."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            used = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        used = 0
    return limit("RLIMIT_AS") - used < 16 << 20
