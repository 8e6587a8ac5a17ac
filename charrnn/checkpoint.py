"""A run at one moment, and the `.npz` file that keeps it: written atomically, read with distrust.

The format is described in `docs/checkpoint-format.md`. Reading never unpickles and never believes the file: which
arrays there are, their types and shapes all follow from the configuration, within its bounds, and are compared before
anything of their size is allocated; then every array must have its sha256 and hold finite numbers.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import stat
import zipfile
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import numpy as np

import charrnn
from charrnn.config import writing
from charrnn.config.schema import Config, ModelConfig
from charrnn.errors import CheckpointError, ConfigError
from charrnn.files import write_atomically
from charrnn.nn.model import CharLM
from charrnn.nn.numerics import Array
from charrnn.nn.parameters import Parameters
from charrnn.nn.stack import State
from charrnn.text.vocabulary import Vocabulary
from charrnn.training import optim

FORMAT = "charrnn"
VERSION = 1
META = "__meta__"
MAX_META = 16 << 20


@dataclass(frozen=True)
class Corpus:
    """Which text the run learns from: what resuming compares."""

    name: str
    size: int
    sha256: str


@dataclass
class Checkpoint:
    """All that a run is between two updates. Training changes it in place; `save` keeps it; `load` brings it back."""

    config: Config
    vocabulary: Vocabulary
    corpus: Corpus
    params: Parameters
    slots: optim.Slots
    """The optimizer's."""
    state: State
    """What the streams carry from window to window."""
    rng: np.random.Generator
    iteration: int = 0
    """Updates done; it gives the place in the text too."""
    validation_nats: float | None = None
    """Of these weights, if this is where an evaluation stood."""
    best_nats: float | None = None
    """The lowest validation loss so far."""
    elapsed: float = 0.0
    """Seconds of training so far; kept only by runs that end on the clock, so that others' files are reproducible."""
    versions: dict[str, str] = field(default_factory=dict)
    """What wrote the file that this came from."""

    @cached_property
    def model(self) -> CharLM:
        """The network that the configuration describes."""
        return build_model(self.config.model, len(self.vocabulary))


def build_model(config: ModelConfig, vocab_size: int) -> CharLM:
    """The network of a configuration."""
    return CharLM(
        vocab_size,
        config.cell,
        config.hidden_size,
        config.num_layers,
        config.dropout,
        config.initial_state,
        config.activation,
    )


def build_optimizer(config: Config) -> optim.Transform:
    """The optimizer of a configuration, clipping included."""
    o = config.optim
    values = {name: getattr(o, name) for name in ("momentum", "alpha", "beta1", "beta2", "eps")}
    return optim.build(o.name, o.clip_norm, o.clip_value, **values)


def new(config: Config, vocabulary: Vocabulary, corpus: Corpus) -> Checkpoint:
    """A run before its first update. `config.train.seed` must be set."""
    checkpoint = _blank(config, vocabulary, corpus)
    m = config.model
    checkpoint.params.vector[...] = checkpoint.model.init_params(
        checkpoint.rng, config.train.dtype, m.init, m.init_scale, m.forget_bias
    ).vector
    return checkpoint


def _blank(config: Config, vocabulary: Vocabulary, corpus: Corpus) -> Checkpoint:
    """A checkpoint with every array that the configuration means, all zero."""
    dtype = np.dtype(config.train.dtype)
    model = build_model(config.model, len(vocabulary))
    params = Parameters.zeros(model.shapes, dtype)
    slots = build_optimizer(config).init(params.vector)
    state = model.zero_state(config.train.batch_size, dtype)
    rng = np.random.default_rng(config.train.seed)
    return Checkpoint(config, vocabulary, corpus, params, slots, state, rng)


# --- writing -------------------------------------------------------------------------------------------------------


def save(checkpoint: Checkpoint, path: Path) -> None:
    """Writes the checkpoint to `path`, whole or not at all. Raises OutputError; the old file is then untouched."""
    write_atomically(path, to_bytes(checkpoint))


def to_bytes(checkpoint: Checkpoint) -> bytes:
    """The file's content; the same run gives the same bytes."""
    arrays = _arrays(checkpoint)
    meta = {
        "format": FORMAT,
        "version": VERSION,
        "versions": {"charrnn": charrnn.__version__, "numpy": np.__version__},
        "config": writing.to_dict(checkpoint.config),
        "vocabulary": {
            "symbols": checkpoint.vocabulary.symbols,
            "encoding": checkpoint.vocabulary.encoding,
        },
        "corpus": vars(checkpoint.corpus),
        "iteration": checkpoint.iteration,
        "validation_nats": checkpoint.validation_nats,
        "best_nats": checkpoint.best_nats,
        "elapsed": checkpoint.elapsed if checkpoint.config.train.time_budget else 0.0,
        "rng": checkpoint.rng.bit_generator.state,
        "arrays": {name: [array.dtype.str, list(array.shape), _sha256(array)] for name, array in arrays.items()},
    }
    encoded = json.dumps(meta, allow_nan=False).encode()
    buffer = io.BytesIO()
    np.savez(buffer, **{META: np.frombuffer(encoded, np.uint8)}, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def _arrays(checkpoint: Checkpoint) -> dict[str, Array]:
    """Every array of the file by its name there."""
    arrays = dict(checkpoint.params)
    for slot, vector in checkpoint.slots.items():
        if slot == optim.SCRATCH:
            continue
        if vector.shape == checkpoint.params.vector.shape:
            named = Parameters(checkpoint.params.shapes, vector)
            arrays |= {f"optim.{slot}.{name}": array for name, array in named.items()}
        else:
            arrays[f"optim.{slot}"] = vector
    for layer, state in enumerate(checkpoint.state):
        arrays |= {f"state.{layer}.{name}": array for name, array in state.items()}
    return arrays


def _sha256(array: Array) -> str:
    return hashlib.sha256(array.tobytes()).hexdigest()


# --- reading -------------------------------------------------------------------------------------------------------


def find(path: Path) -> Path:
    """The checkpoint that `path` means: itself, or in a run directory `best.npz`, else `last.npz`.

    Raises CheckpointError where there is none.
    """
    if not path.is_dir():
        return path
    for name in ("best.npz", "last.npz"):
        if (path / name).exists():
            return path / name
    raise CheckpointError(f"{path} holds no checkpoint (best.npz or last.npz); give the directory of a run")


def load(path: Path | str) -> Checkpoint:
    """The checkpoint in a file or a run directory (see `find`).

    Raises CheckpointError, with what is wrong, for anything but a whole checkpoint.
    """
    path = find(Path(path))
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise CheckpointError(f"{path} is not a file; give a checkpoint (.npz) or a run directory")
        with open(path, "rb") as file, zipfile.ZipFile(file) as archive:
            return _read(archive, path)
    except FileNotFoundError:
        raise CheckpointError(f"{path}: no such file; give a checkpoint (.npz) or a run directory") from None
    except zipfile.BadZipFile as error:
        raise CheckpointError(f"{path} is not a charrnn checkpoint, or is damaged: it is not a zip archive") from error
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}") from error
    except _Damaged as error:
        raise CheckpointError(f"{path} is not a charrnn checkpoint, or is damaged: {error}") from error
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
    ) as error:  # what zipfile, json and NumPy raise for files that are not what they seem
        raise CheckpointError(f"{path} is not a charrnn checkpoint, or is damaged ({type(error).__name__})") from error


class _Damaged(Exception):
    """What is wrong with the file, in words."""


def _read(archive: zipfile.ZipFile, path: Path) -> Checkpoint:
    members = archive.infolist()
    for member in members:
        if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1:
            raise _Damaged(f"its member {member.filename!r} is compressed or encrypted")
    names = [member.filename.removesuffix(".npy") for member in members]
    if META not in names:
        raise _Damaged(f"it has no {META}")
    meta = _read_meta(archive)
    config, vocabulary = _read_config(meta)
    size = _expected_size(config, len(vocabulary))
    if sum(member.file_size for member in members) < size:
        raise _Damaged(f"it is smaller than the {size:,} bytes that its configuration means")
    checkpoint = _blank(config, vocabulary, Corpus(**meta["corpus"]))
    arrays = _arrays(checkpoint)
    if sorted(names) != sorted([META, *arrays]):
        odd = sorted(set(names) ^ {META, *arrays}) or ["a duplicate"]
        raise _Damaged(f"its members do not fit its configuration: {odd[0]}")
    for name, array in arrays.items():
        _read_array(archive, name, array, meta["arrays"][name])
    checkpoint.rng.bit_generator.state = meta["rng"]
    checkpoint.iteration = _count(meta["iteration"])
    checkpoint.validation_nats = _number(meta["validation_nats"])
    checkpoint.best_nats = _number(meta["best_nats"])
    checkpoint.elapsed = _number(meta["elapsed"]) or 0.0
    checkpoint.versions = {str(k): str(v) for k, v in meta["versions"].items()}
    return checkpoint


def _read_meta(archive: zipfile.ZipFile) -> dict[str, Any]:
    info = archive.getinfo(f"{META}.npy")
    if info.file_size > MAX_META:
        raise _Damaged(f"its {META} is larger than {MAX_META >> 20} MiB")
    with archive.open(info) as member:
        shape, dtype = _header(member)
        if dtype != np.uint8 or len(shape) != 1:
            raise _Damaged(f"its {META} is not a text")
        meta = json.loads(member.read())
    if not isinstance(meta, dict) or meta.get("format") != FORMAT:
        raise _Damaged("it was not written by charrnn")
    if meta["version"] != VERSION:
        by = str(meta.get("versions", {}).get("charrnn"))[:20]
        raise _Damaged(
            f"it has format version {meta['version']!r} (written by charrnn {by}), and this charrnn reads {VERSION}"
        )
    return meta


def _read_config(meta: dict[str, Any]) -> tuple[Config, Vocabulary]:
    try:
        config = writing.from_dict(meta["config"], META)
    except ConfigError as error:
        raise _Damaged(error.messages[0]) from error
    vocabulary = Vocabulary(**meta["vocabulary"])
    symbols = vocabulary.symbols
    if not isinstance(symbols, str) or not symbols or list(symbols) != sorted(set(symbols)):
        raise _Damaged("its vocabulary is not a sorted set of characters")
    if config.train.seed is None:
        raise _Damaged("its configuration has no seed")
    return config, vocabulary


def _expected_size(config: Config, vocab_size: int) -> int:
    """Bytes of the arrays of a configuration, counted without allocating any: at least the parameters."""
    shapes = build_model(config.model, vocab_size).shapes
    item = np.dtype(config.train.dtype).itemsize
    state = config.train.batch_size * config.model.hidden_size * config.model.num_layers
    return item * (sum(math.prod(shape) for shape in shapes.values()) + state)


def _header(member: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type of a `.npy` member, from its header alone."""
    if np.lib.format.read_magic(member) != (1, 0):
        raise _Damaged("an array is in another format than NumPy's 1.0")
    shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(member, max_header_size=1000)
    if fortran_order:
        raise _Damaged("an array is stored by columns")
    return shape, dtype


def _read_array(archive: zipfile.ZipFile, name: str, array: Array, entry: Any) -> None:
    """Fills `array`, which has the type and shape that the member must have."""
    with archive.open(f"{name}.npy") as member:
        shape, dtype = _header(member)
        if (shape, dtype) != (array.shape, array.dtype):
            raise _Damaged(f"{name} is {dtype} {shape}, and its configuration means {array.dtype} {array.shape}")
        data = member.read(array.nbytes + 1)
    if len(data) != array.nbytes:
        raise _Damaged(f"{name} has {len(data):,} bytes and not {array.nbytes:,}")
    if entry[2] != hashlib.sha256(data).hexdigest():
        raise _Damaged(f"the sha256 of {name} differs")
    array[...] = np.frombuffer(data, array.dtype).reshape(array.shape)
    if not np.isfinite(array).all():
        raise _Damaged(f"{name} holds numbers that are not finite")


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise _Damaged("a count is not a whole number")
    return value


def _number(value: Any) -> float | None:
    if value is None:
        return None
    if type(value) not in (int, float) or not math.isfinite(value):
        raise _Damaged("a loss is not a number")
    return float(value)
