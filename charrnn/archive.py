"""Named arrays and a JSON in one `.npz`, read without believing it.

NumPy's own reader is made for files one trusts: it evaluates headers, allocates what they declare, and does not notice
all damage. This one is told beforehand which arrays there are, of which type and shape, and compares before it
allocates. It knows nothing of what the arrays mean.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from charrnn.errors import CheckpointError
from charrnn.nn.numerics import Array

META = "__meta__"
"""The member that holds the JSON, as an array of bytes."""

MAX_META = 16 << 20

_HEADER = re.compile(
    rb"\{'descr': '([<>|][a-z]\d{1,2})', 'fortran_order': False, 'shape': \((\d{1,18}(?:, \d{1,18})*)?,?\), \} *\n"
)


class DamagedError(Exception):
    """What is wrong with a file, in words."""


def to_bytes(meta: dict[str, Any], arrays: dict[str, Array]) -> bytes:
    """The content of a file; the same `meta` and `arrays` give the same bytes. The JSON gets a manifest."""
    manifest = {
        name: [a.dtype.str, list(a.shape), hashlib.sha256(a.tobytes()).hexdigest()] for name, a in arrays.items()
    }
    encoded = json.dumps({**meta, "arrays": manifest}, allow_nan=False).encode()
    buffer = io.BytesIO()
    np.savez(buffer, **{META: np.frombuffer(encoded, np.uint8)}, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


class Archive:
    """An open file. Its methods raise DamagedError."""

    def __init__(self, archive: zipfile.ZipFile, size: int) -> None:
        self._archive = archive
        self.size = size
        """Of the whole file in bytes; what it declares about itself is not to be believed."""
        for member in archive.infolist():
            if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1:
                raise DamagedError(f"its member {member.filename!r} is compressed or encrypted")
        self.names = sorted(member.filename.removesuffix(".npy") for member in archive.infolist())
        if META not in self.names:
            raise DamagedError(f"it has no {META}")

    def read_meta(self) -> Any:
        """The JSON, whatever it is; to be read before the arrays."""
        with self._archive.open(f"{META}.npy") as member:
            dtype, shape = _read_header(member)
            if dtype != np.uint8 or len(shape) != 1:
                raise DamagedError(f"its {META} is not a text")
            if shape[0] > MAX_META:
                raise DamagedError(f"its {META} is larger than {MAX_META >> 20} MiB")
            meta: Any = json.loads(member.read(shape[0] + 1))
        self._manifest: Any = meta["arrays"] if isinstance(meta, dict) else None
        return meta

    def fill(self, arrays: dict[str, Array]) -> None:
        """Reads every member but the JSON into `arrays`, which must be exactly they, in type and shape."""
        if self.names != sorted([META, *arrays]):
            odd = sorted(set(self.names) ^ {META, *arrays}) or ["a duplicate"]
            raise DamagedError(f"its members do not fit its configuration: {odd[0]}")
        for name, array in arrays.items():
            with self._archive.open(f"{name}.npy") as member:
                dtype, shape = _read_header(member)
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


def _read_header(member: IO[bytes]) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """Type and shape of a `.npy` member, in the one form that NumPy writes them in."""
    magic = member.read(10)
    length = int.from_bytes(magic[8:], "little")
    match = _HEADER.fullmatch(member.read(length)) if magic[:8] == b"\x93NUMPY\x01\x00" and length <= 1000 else None
    if not match:
        raise DamagedError("a member is not an array as NumPy writes it")
    dtype, shape = match.groups()
    return np.dtype(dtype.decode()), tuple(int(n) for n in shape.split(b", ")) if shape else ()


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Opens a file for reading. Whatever is wrong with it, here or within the block, is one CheckpointError."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for its other end
            raise CheckpointError(f"{path} is not a file; give a checkpoint (.npz) or a run directory")
        with open(path, "rb") as file, zipfile.ZipFile(file) as archive:
            yield Archive(archive, status.st_size)
    except FileNotFoundError:
        raise CheckpointError(f"{path}: no such file; give a checkpoint (.npz) or a run directory") from None
    except zipfile.BadZipFile as error:
        raise CheckpointError(f"{path} is not a charrnn checkpoint, or is damaged: it is not a zip archive") from error
    except DamagedError as error:
        raise CheckpointError(f"{path} is not a charrnn checkpoint, or is damaged: {error}") from error
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}") from error
    except (
        ArithmeticError,
        AttributeError,
        EOFError,
        LookupError,
        MemoryError,
        NotImplementedError,
        RecursionError,
        RuntimeError,
        TypeError,
        ValueError,
        zlib.error,
    ) as error:  # what zipfile, json and NumPy raise for files that are not what they seem
        raise CheckpointError(f"{path} is not a charrnn checkpoint, or is damaged ({type(error).__name__})") from error
