"""What root may do beyond others, and how a test gives it up."""

from __future__ import annotations

import ctypes
import os
import sys

import pytest

LINUX = sys.platform.startswith("linux")

needs_rights = pytest.mark.skipif(
    not LINUX and (os.name == "nt" or os.geteuid() == 0),
    reason="root may write anywhere, and gives that up on Linux alone",
)
"""For tests of a process that may not write somewhere."""


def drop_privileges() -> None:
    """Takes from this process, if it is root's, what root may do beyond others, but for reading anything.

    Another user might not be able to read this source and what is installed with it, wherever that is.
    """
    if not LINUX:
        return
    version, this_process, read_anything = 0x20080522, 0, 1 << 2  # _LINUX_CAPABILITY_VERSION_3, CAP_DAC_READ_SEARCH
    header = (ctypes.c_uint32 * 2)(version, this_process)
    held = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable, and the same of the numbers from 32 on
    _do("capget", header, held)
    kept = held[1] & read_anything
    _do("capset", header, (ctypes.c_uint32 * 6)(kept, kept))


needs_root = pytest.mark.skipif(not LINUX or os.geteuid() != 0, reason="only root on Linux can become a user of no one")
"""For tests of limits that do not hold for root, such as that of processes."""


def become_nobody() -> None:
    """Makes this process that of a user who has no other one, but who may read anything, also after an exec."""
    set_keepcaps, ambient, raise_, read_anything = 8, 47, 2, 2  # PR_SET_KEEPCAPS, PR_CAP_AMBIENT, and a capability
    user = 3_000_000 + os.getpid()
    _do("prctl", set_keepcaps, 1, 0, 0, 0)
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    bit = 1 << read_anything
    _do("capset", header, (ctypes.c_uint32 * 6)(bit, bit, bit))
    _do("prctl", ambient, raise_, read_anything, 0, 0)


def _do(call: str, *arguments: object) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, call)(*arguments):
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")
