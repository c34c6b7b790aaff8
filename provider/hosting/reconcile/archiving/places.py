"""Where a backup lies, as its Job sees it: a mounted volume here, a bucket in `objects`, which only its commands import."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from provider.hosting.reconcile.archiving import NotFound

SUFFIX = ".kamaji-backup"
PARTIAL = ".partial"


class Place(Protocol):
    """Of one backup, and of those beside it. StoreError, OSError."""

    def drafted(self) -> AbstractContextManager[Path]:
        """A file to write it to, which goes again: it is a backup only once it is kept."""

    def keep(self, draft: Path) -> None:
        """What is in the file, whole or not at all, under its name; one that is there already is replaced."""

    def held(self) -> AbstractContextManager[Path]:
        """A file to read it from, twice if need be. NotFound."""

    def thin(self, keep: int) -> None:
        """Beside it, the newest stay, as many as these with it; and nothing that was left half."""


class Volume:
    """A path of a mounted volume."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def drafted(self) -> Iterator[Path]:
        """Beside it; one that a Job before left half is replaced."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        partial = self._path.with_name(self._path.name + PARTIAL)
        try:
            yield partial
        finally:
            partial.unlink(missing_ok=True)

    def keep(self, draft: Path) -> None:
        """It is there: it gets its name."""
        draft.replace(self._path)

    @contextmanager
    def held(self) -> Iterator[Path]:
        """The file itself."""
        if not self._path.is_file():
            raise NotFound(f"there is no file {self._path.name} in {self._path.parent}: look at spec.source.file")
        yield self._path

    def thin(self, keep: int) -> None:
        """By when they were written."""
        folder = self._path.parent
        found = sorted(folder.glob(f"*{SUFFIX}"), key=lambda each: each.stat().st_mtime_ns, reverse=True)
        for each in found[keep:]:
            each.unlink(missing_ok=True)
        for each in folder.glob(f"*{SUFFIX}{PARTIAL}"):
            each.unlink(missing_ok=True)
