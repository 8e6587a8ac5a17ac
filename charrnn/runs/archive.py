"""Named arrays and a JSON in one `.npz`, read without believing it.

NumPy's own reader is made for files one trusts: it evaluates headers, allocates what they declare, and does not notice
all damage. This one is told beforehand which arrays there are, of which type and shape, and compares before it
allocates. It knows nothing of what the arrays mean.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import stat
import struct
import warnings
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import numpy as np

from charrnn.arrays import Array
from charrnn.errors import CheckpointError, ConfigError
from charrnn.files import keeps_nothing
from charrnn.runs.zip_format import pack

META = "__meta__"
"""The member that holds the JSON, as an array of bytes."""

MAX_META = 2 << 20
"""Bytes of the JSON, which may take forty times as much when it is read. The largest vocabulary has 800,000, the list
of the deepest model's arrays 250,000."""

MAX_DIRECTORY = 1 << 20
"""Bytes of the archive's list of members, of which zipfile makes an object each. The deepest model's takes 200,000."""

_HEADER = re.compile(
    rb"\{'descr': '([<>|][biuf][1248])', 'fortran_order': False, 'shape': \((\d{1,18}(?:, \d{1,18}){0,7})?,?\), \} *\n"
)

_FAULTS = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
    Warning,
    zipfile.BadZipFile,
)
"""What zipfile, json and NumPy raise for files that are not what they seem."""


class DamagedError(Exception):
    """Says what is wrong with a file."""


def to_bytes(meta: dict[str, Any], arrays: dict[str, Array]) -> bytes:
    """Returns the content of a file; the same `meta` and `arrays` give the same bytes.

    The JSON gets one more key, `arrays`: type, shape and sha256 of each array.
    """
    rows = {name: np.ascontiguousarray(array).reshape(array.shape) for name, array in arrays.items()}
    manifest = {name: [a.dtype.str, list(a.shape), hashlib.sha256(_raw(a)).hexdigest()] for name, a in rows.items()}
    encoded = json.dumps({**meta, "arrays": manifest}, allow_nan=False).encode()
    members = {META: np.frombuffer(encoded, np.uint8), **rows}
    return pack((f"{name}.npy", [_header(array), _raw(array)]) for name, array in members.items())


def _header(array: Array) -> bytes:
    """Returns what a `.npy` file has before its numbers."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(array))
    return header.getvalue()


def _raw(array: Array) -> memoryview:
    """Returns the bytes of an array that is stored by rows, without a copy."""
    return array.reshape(-1).view(np.uint8).data


class Archive:
    """Reads an open file. Its methods raise DamagedError."""

    def __init__(self, archive: zipfile.ZipFile, size: int) -> None:
        self._archive = archive
        self.size = size
        """Bytes of the whole file; what the file says of itself is not to be believed."""
        for member in archive.infolist():
            if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1:
                raise DamagedError(f"its member {_quoted(member.filename)} is compressed or encrypted")
        self.names = sorted(member.filename.removesuffix(".npy") for member in archive.infolist())
        if META not in self.names:
            raise DamagedError(f"it has no {META}")

    def read_meta(self) -> Any:
        """Returns the JSON, whatever it is; it must be read before the arrays."""
        with self._member(META) as (member, dtype, shape):
            if dtype != np.uint8 or len(shape) != 1:
                raise DamagedError(f"its {META} is not a text")
            if shape[0] > MAX_META:
                raise DamagedError(f"its {META} is larger than {MAX_META >> 20} MiB")
            encoded = member.read(shape[0] + 1)
        if len(encoded) != shape[0]:
            raise DamagedError(f"its {META} has more or fewer bytes than its header says")
        meta = _parse(encoded)
        self._manifest: Any = meta.get("arrays") if isinstance(meta, dict) else None
        return meta

    def fill(self, arrays: dict[str, Array]) -> None:
        """Reads every member but the JSON into `arrays`, which must be exactly they, in type and shape."""
        there, expected = Counter(self.names), Counter([META, *arrays])
        if odd := sorted((there - expected) | (expected - there)):
            raise DamagedError(
                f"its members do not fit its configuration: "
                f"it has {_quoted(odd[0])} {there[odd[0]]} times, and not {expected[odd[0]]}"
            )
        for name, array in arrays.items():
            with self._member(name) as (member, dtype, shape):
                if (dtype, shape) != (array.dtype, array.shape):
                    raise DamagedError(
                        f"{name} is {dtype} {shape}, and its configuration means {array.dtype} {array.shape}"
                    )
                data = member.read(array.nbytes + 1)
            if len(data) != array.nbytes:
                raise DamagedError(f"{name} has {len(data):,} bytes and not {array.nbytes:,}")
            if self._manifest[name] != [dtype.str, list(shape), hashlib.sha256(data).hexdigest()]:
                raise DamagedError(f"the sha256 of {name} differs")
            array[...] = np.frombuffer(data, array.dtype).reshape(array.shape)
            if not np.isfinite(array).all():
                raise DamagedError(f"{name} holds numbers that are not finite")

    @contextmanager
    def _member(self, name: str) -> Iterator[tuple[IO[bytes], np.dtype[Any], tuple[int, ...]]]:
        """Yields a member, to be read on from behind its header, and its type and shape."""
        try:
            with self._archive.open(f"{name}.npy") as member:
                yield member, *_read_header(member)
        except _FAULTS as error:
            raise DamagedError(f"its member {name} cannot be read ({type(error).__name__})") from error


def _read_header(member: IO[bytes]) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """Returns type and shape of a `.npy` member, in the one form that NumPy writes them in. Raises ValueError."""
    magic = member.read(10)
    length = int.from_bytes(magic[8:], "little")
    match = _HEADER.fullmatch(member.read(length)) if magic[:8] == b"\x93NUMPY\x01\x00" else None
    if not match:
        raise ValueError("not an array of numbers as NumPy writes it")
    dtype, shape = match.groups()
    return np.dtype(dtype.decode()), tuple(int(n) for n in shape.split(b", ")) if shape else ()


def _parse(encoded: bytes) -> Any:
    """Reads JSON as `to_bytes` writes it: UTF-8, no key twice, no NaN. Python's own reader takes all of these."""
    return json.loads(encoded.decode(), object_pairs_hook=_distinct, parse_constant=_no_number)


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    for key, count in Counter(key for key, _ in pairs).items():
        if count > 1:
            raise DamagedError(f"its {META} has the key {_quoted(key)} twice")
    return dict(pairs)


def _no_number(constant: str) -> None:
    raise DamagedError(f"its {META} has {constant} for a number")


def _quoted(name: str) -> str:
    """Quotes a name from the file, which may hold anything, for a message."""
    return repr(name if len(name) <= 60 else name[:57] + "...")


def _check_end(file: IO[bytes], size: int) -> None:
    """Raises DamagedError unless the archive fills the whole file, and its list of members is short.

    Others' readers, zipfile among them, look for an archive within the file, and not all for the same.
    """
    file.seek(max(0, size - 98))
    tail = file.read(98)
    whole = tail[-22:-18] == b"PK\5\6" and tail[-2:] == b"\0\0"  # the last two would be the length of a comment
    length, start = struct.unpack("<2I", tail[-10:-2]) if whole else (0, 0)
    end = size - 22
    if tail[-42:-38] == b"PK\6\7":  # in files beyond 4 GiB another record stands before this one, and overrules it
        end = size - 98
        whole = whole and tail[:4] == b"PK\6\6" and tail[-34:-26] == struct.pack("<Q", end)
        length, start = struct.unpack("<2Q", tail[-58:-42])
    if not whole:
        raise DamagedError("it is not a zip archive, or not a whole one")
    if start + length != end:
        raise DamagedError("there is more before or behind its archive than there should be, or less")
    if length > MAX_DIRECTORY:
        raise DamagedError("it has more members than any checkpoint")


GIVE = "give a checkpoint (.npz) or a run directory"


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Opens a file for reading. Whatever is wrong with it, here or within the block, is one CheckpointError."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe would wait for its other end
            raise CheckpointError(f"{path} is not a file; {GIVE}")
        with open(path, "rb") as file:
            size = os.stat(file.fileno()).st_size  # of this file: by now, the name may be another's
            _check_end(file, size)
            with warnings.catch_warnings(action="error"):  # some are zipfile's way to accept odd names
                archive = zipfile.ZipFile(file)
            yield Archive(archive, size)
    except FileNotFoundError:
        raise CheckpointError(f"{path}: no such file; {GIVE}") from None
    except DamagedError as error:
        raise CheckpointError(f"{path} is not a charrnn checkpoint, or is damaged: {error}; {GIVE}") from error
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}") from error
    except MemoryError:
        raise CheckpointError(f"{path} cannot be read: it needs more memory than there is; make room") from None
    except _FAULTS as error:
        raise CheckpointError(
            f"{path} is not a charrnn checkpoint, or is damaged ({type(error).__name__}); {GIVE}"
        ) from error


def refuse_to_overwrite(path: Path, kind: str, what: str) -> None:
    """Raises ConfigError where an archive would take the place of anything but another of its `kind` and an empty file.

    `kind` is what its description calls the `format`, and `what` what people call one, as in `a checkpoint`.
    """
    if not path.exists() or keeps_nothing(path) or not path.stat().st_size:
        return
    with suppress(CheckpointError), open_archive(path) as opened:
        meta = opened.read_meta()
        if isinstance(meta, dict) and meta.get("format") == kind:
            return
    raise ConfigError(f"{path} is there already, and is not {what}; nothing was written: name another file")
