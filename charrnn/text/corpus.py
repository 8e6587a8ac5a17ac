"""Where a text comes from: a file, standard input, or a corpus by name, which a recipe in `corpora/` describes.

A recipe is a small YAML file with one of three kinds:

    included:  file, a text in `corpora/` itself
    gathered:  from this Python's standard library, without some folders
    download:  address, bytes, sha256, and for an archive the member to take out
"""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import http.client
import io
import sys
import sysconfig
import tokenize
import urllib.request
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from charrnn import advice
from charrnn.errors import ConfigError, DataError, OutputError
from charrnn.files import as_output_error, write_atomically
from charrnn.text.options import KEEP
from charrnn.text.origin import Origin, listed, name_of
from charrnn.text.reading import Known, Manner, Readers, Remarks
from charrnn.text.sources import Opened, Opener
from charrnn.text.text import EmptyText, Text
from charrnn.text.vocabulary import BYTES

OnProgress = Callable[[int, int], None]
"""Is called with how many bytes have arrived, and of how many."""


@dataclass(frozen=True)
class Library:
    """Knows the recipes in `folder`, and the user's `cache` that keeps what they fetch or gather."""

    folder: Path
    cache: Path
    naming: str = "data.encoding"
    """The option, or the key, by which the user of a command names an encoding."""
    encoding: str | None = None
    """The encoding that a user has named for what is read, whatever the configuration says."""
    or_bytes: bool = False
    """Whether what cannot be decoded is read as bytes."""
    known: Known | None = None
    """What a model knows that is to read texts, which may then have another encoding than its own text."""

    def names(self) -> list[str]:
        """Returns the names of all corpora."""
        return sorted(path.stem for path in self.folder.glob("*.yaml"))

    def recipe(self, name: str) -> dict[str, Any]:
        """Returns what the recipe of a corpus says. Raises ConfigError where there is none of that name."""
        if name not in self.names():
            near = difflib.get_close_matches(name, self.names(), n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(self.names())}"
            raise ConfigError(f"no corpus is called {name!r}; {hint}")
        loaded: dict[str, Any] = yaml.safe_load((self.folder / f"{name}.yaml").read_text("utf-8"))
        return loaded

    def path(self, name: str) -> Path:
        """Returns where the text of the corpus is, whether or not it is there yet."""
        recipe = self.recipe(name)
        if recipe["kind"] == "included":
            return self.folder / str(recipe["file"])
        # What is gathered differs between Pythons, so its name says which one it is of.
        version = f"-{sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}"
        return self.cache / f"{name}{version if recipe['kind'] == 'gathered' else ''}.txt"

    def provide(self, name: str) -> Path:
        """Returns the path of the corpus, which is gathered now if it is of that kind and new.

        Raises DataError where it would have to be downloaded first.
        """
        path = self.path(name)
        if path.exists():
            return path
        if self.recipe(name)["kind"] == "gathered":
            self._store(path, gather_python_sources(self.recipe(name)["without"]))
            return path
        raise DataError(f"the corpus {name!r} is not here yet; run: {advice.command('corpus', 'fetch', name)}")

    def fetch(self, name: str, progress: OnProgress = lambda done, total: None) -> Path:
        """Downloads the corpus, verifies size and sha256, and only then puts it in the cache.

        What is there already is verified and kept. Raises OutputError if the network or the disk fails, DataError if
        the file is not the one that the recipe means.
        """
        recipe, path = self.recipe(name), self.path(name)
        if recipe["kind"] != "download":
            return self.provide(name)
        if path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == recipe["sha256"]:
            return path
        address = str(recipe["address"])
        archive = recipe.get("archive", {})
        try:
            request = urllib.request.Request(address, headers={"User-Agent": "charrnn"})
            with urllib.request.urlopen(request, timeout=60) as response:
                data = _read(response, int(archive.get("bytes", recipe["bytes"])), progress)
        except (OSError, ValueError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            raise OutputError(f"cannot fetch {address}: {reason}; try again later") from error
        if archive:
            _verify(data, archive["sha256"], archive["bytes"], address)
            try:
                with (
                    zipfile.ZipFile(io.BytesIO(data)) as archived,
                    archived.open(archive["member"]) as member,
                ):
                    data = member.read(recipe["bytes"] + 1)
            except (zipfile.BadZipFile, KeyError, OSError, ValueError) as error:
                raise DataError(f"{address} is not the archive expected: {error}") from error
        _verify(data, recipe["sha256"], recipe["bytes"], address)
        self._store(path, data)
        return path

    def _store(self, path: Path, data: bytes) -> None:
        with as_output_error(self.cache):
            self.cache.mkdir(parents=True, exist_ok=True)
        write_atomically(path, data)

    def read(self, sources: Sequence[str], encoding: str, newlines: str = KEEP) -> Text:
        """Reads all files of `sources` as one text, each once, one after another, with nothing between.

        Raises DataError if one cannot be read or decoded, OutputError if it is large and cannot be kept.
        """
        sources, remarks = listed(sources), Remarks(self._manner(encoding, newlines))
        if len(sources) > 1:
            remarks.lines.append(f"{name_of(sources)}: read in this order, with nothing between")
        with Readers(remarks.manner, self.cache) as readers:
            for file in self._files(sources, remarks):
                readers.take(file)
            reader = readers.chosen()
            remarks.add(readers)
            origin = Origin(sources, tuple(reader.files), remarks.notes(joined=True))
            return reader.text(name_of(sources), origin)

    def each(self, sources: Sequence[str], encoding: str, newlines: str = KEEP) -> Iterator[Text]:
        """Reads each file of `sources` as a text of its own, but for empty ones. Raises what `read` does.

        The `origin` of the last one says what is to be said of all; where all are empty, there is none.
        """
        remarks, before = Remarks(self._manner(encoding, newlines)), None
        for file in self._files(listed(sources), remarks):
            if before is not None:
                yield before
                before = None
            with Readers(remarks.manner, self.cache) as readers:
                readers.take(file)
                reader = readers.chosen()
            remarks.add(readers)
            with suppress(EmptyText):
                before = reader.text(file.name)
        if before is not None:
            yield dataclasses.replace(before, origin=Origin((), (), remarks.notes(joined=False)))

    def decoded(self, data: bytes, name: str, encoding: str, newlines: str = KEEP) -> Text:
        """Returns the text of a file that was read elsewhere. Raises DataError where it is none."""
        remarks = Remarks(self._manner(encoding, newlines))
        with Readers(remarks.manner, self.cache) as readers:
            for file in self._opener(remarks).given(io.BytesIO(data), name):
                readers.take(file)
            reader = readers.chosen()
            remarks.add(readers)
            return reader.text(name, Origin((), (), remarks.notes(joined=False)))

    def _manner(self, encoding: str, newlines: str) -> Manner:
        known = self.known if self.encoding is None else None
        return Manner(self.encoding or encoding, newlines, self.naming, self.or_bytes, self.encoding is not None, known)

    def _files(self, sources: tuple[str, ...], remarks: Remarks) -> Iterator[Opened]:
        """Yields the files of all sources."""
        opener = self._opener(remarks)
        for source in sources:
            yield from opener.files(source)

    def _opener(self, remarks: Remarks) -> Opener:
        return Opener(self._find, self.names, raw=remarks.manner.encoding == BYTES, notes=remarks.lines)

    def _find(self, source: str) -> Path:
        path = Path(source)
        if source in self.names() and (path.is_dir() or not path.exists()):
            return self.provide(source)
        return path


def gather_python_sources(without: list[str]) -> bytes:
    """Returns the Python sources of the running interpreter's standard library, ordered by path, in UTF-8.

    `without` names folders to leave out wherever they are. A source that cannot be decoded is left out too.
    """
    root = Path(sysconfig.get_path("stdlib"))
    parts = []
    for path in sorted(root.rglob("*.py"), key=lambda p: p.relative_to(root).parts):
        if set(path.relative_to(root).parts).isdisjoint(without):
            try:
                with tokenize.open(path) as file:  # decodes as Python itself would
                    parts.append(file.read())
            except (SyntaxError, UnicodeError, OSError):
                continue
    return "\n".join(parts).encode()


def _read(response: Any, expected: int, progress: OnProgress) -> bytes:
    """Reads at most one byte more than expected, so that a wrong file is noticed and an endless one ends."""
    chunks, done = [], 0
    while done <= expected and (chunk := response.read(min(1 << 16, expected + 1 - done))):
        chunks.append(chunk)
        done += len(chunk)
        progress(done, expected)
    return b"".join(chunks)


def _verify(data: bytes, sha256: str, size: int, address: str) -> None:
    if len(data) != size:
        least = "more than " if len(data) > size else ""
        raise DataError(f"{address} has {least}{min(len(data), size):,} bytes and not {size:,}; nothing was kept")
    if hashlib.sha256(data).hexdigest() != sha256:
        raise DataError(f"{address} is not the text expected: its sha256 differs; nothing was kept")
