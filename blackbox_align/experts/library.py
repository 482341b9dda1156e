"""The library: a folder of expert folders, from which a committee takes its experts.

What lies in it may come from anywhere. It is data and nothing else: JSON, safetensors and a README, plain
files in the expert's own folder. A link, a file of another kind, one that the record does not tell of, and
what is left of a copy that was killed are refused in a sentence each; nothing is run, and nothing outside is
read. An expert is copied in whole or not at all, and is there for the next look without a restart.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..errors import (
    BlackboxAlignError,
    ExpertError,
    RunError,
    SpecificationError,
    UnknownNameError,
)
from ..files.atomic import plain_errors
from .expert import RECORD, Expert, read_expert
from .peft_files import CONFIG, WEIGHTS

_CARD = "README.md"
_NAME = re.compile(r"[\w+-][\w.+-]{0,99}")
_MOST_FILES, _DEEPEST = 200, 2
_MOST_BYTES = {".json": 1 << 26, ".md": 1 << 22, ".safetensors": 1 << 32}


@dataclass(frozen=True)
class Entry:
    """A folder of the library: its expert, or the ``trouble`` with it in a sentence."""

    name: str
    expert: Expert | None
    trouble: str = ""


@dataclass(frozen=True)
class Library:
    """A folder of expert folders; ``Library(path).read(name)`` is one of them."""

    path: Path  # or its name

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", Path(self.path))

    def names(self) -> list[str]:
        """The folders that are there now, in order; none where the library is not there yet.

        Hidden ones are drafts, which :meth:`check` tells of.
        """
        return [name for name in self._inside() if not name.startswith(".")]

    def experts(self) -> list[Expert]:
        """All experts; :class:`ExpertError` for the first that is none."""
        return [self.read(name) for name in self.names()]

    def entries(self) -> Iterator[Entry]:
        """Every folder with its card or its trouble; the weights are not read."""
        for name in self.names():
            yield self._entry(name, whole=False)

    def check(self) -> Iterator[Entry]:
        """Every folder with all its weights read against their hashes, and what killed copies left."""
        for name in self._inside():
            if name.startswith("."):
                yield Entry(name, None, f"{self.path / name} was not finished; delete it.")
            else:
                yield self._entry(name, whole=True)

    def read(self, name: str) -> Expert:
        """An expert by its name.

        Raises
        ------
        UnknownNameError
            There is none of that name.
        ExpertError
            The folder is damaged, half written, or holds what is no part of an expert.
        """
        return read_guarded(self._folder(name))

    def add(self, source: Path | str, name: str = "") -> list[Expert]:
        """Copy the experts of a run, or the expert in a folder, into the library.

        ``name`` is what one expert is called here; by default the code of its population.

        Raises
        ------
        ExpertError
            A folder is no sound expert. Nothing is copied then.
        SpecificationError
            The name is taken, is none that a folder may have, or would be that of two. Nor then.
        """
        found = [read_guarded(folder) for folder in expert_folders(Path(source))]
        if name and len(found) > 1:
            raise SpecificationError(
                f"{source} holds {len(found)} experts, which cannot all be called {name!r}; add them "
                "without a name, or one by one."
            )
        named = {name or _plain_name(expert.country): expert for expert in found}
        if len(named) < len(found):
            raise SpecificationError(
                f"{source} holds two experts of one population; add them one by one."
            )
        for new, expert in named.items():
            self._check_free(new)
            expert.adapter()
        return [self._copy(expert, new) for new, expert in named.items()]

    def remove(self, name: str) -> None:
        """Delete an expert's folder, sound or not; :class:`ExpertError` where it never was one."""
        folder = self._folder(name)
        if folder.is_symlink():
            with plain_errors(folder):
                folder.unlink()
            return
        if not (folder / RECORD).is_file():
            raise ExpertError(
                f"{folder} holds no {RECORD}, so it was never an expert; delete it yourself."
            )
        away = folder.with_name(f".{name}.{os.getpid()}.old")
        with plain_errors(folder):
            folder.rename(away)  # at once: nobody meets half of an expert
            shutil.rmtree(away)

    # -- folders ---------------------------------------------------------------------------------

    def _inside(self) -> list[str]:
        if not self.path.exists():
            return []
        if not self.path.is_dir():
            raise SpecificationError(f"A library is a folder of experts; {self.path} is a file.")
        with _as_expert_error(), plain_errors(self.path):
            return sorted(
                entry.name
                for entry in os.scandir(self.path)
                if entry.is_symlink() or entry.is_dir()
            )

    def _folder(self, name: str) -> Path:
        names = self.names()
        if name not in names:  # so a name never leads out of the library
            hint = f"`bbalign experts list` shows those in {self.path}/."
            raise UnknownNameError("expert", name, names, hint)
        return self.path / name

    def _entry(self, name: str, whole: bool) -> Entry:
        try:
            expert = self.read(name)
            if whole:
                expert.adapter()
        except BlackboxAlignError as error:
            return Entry(name, None, str(error))
        return Entry(name, expert)

    def _check_free(self, name: str) -> None:
        if not _NAME.fullmatch(name):
            raise SpecificationError(
                f"An expert cannot be called {name!r}: a name is made of letters, digits, '-', '_', '+' "
                "and '.', does not begin with '.', and has at most 100 of them."
            )
        if os.path.lexists(self.path / name):
            raise SpecificationError(
                f"There is an expert {name!r} in {self.path} already; choose another name with --name, "
                f"or remove it first: `bbalign experts remove {name}`."
            )

    def _copy(self, expert: Expert, name: str) -> Expert:
        draft = self.path / f".{name}.{os.getpid()}.new"
        with plain_errors(draft):
            try:
                for file in _files(expert.path):
                    (draft / file).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(expert.path / file, draft / file, follow_symlinks=False)
                read_guarded(draft).adapter()  # the source may have changed while it was read
                draft.rename(self.path / name)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
        return self.read(name)


def expert_folders(source: Path) -> list[Path]:
    """The expert folders in ``source``: itself, or those of a run."""
    for folder in (source, source / "expert"):
        if (folder / RECORD).is_file():
            return [folder]
    several = sorted(path.parent for path in (source / "experts").glob(f"*/{RECORD}"))
    if not several:
        raise SpecificationError(
            f"{source} is neither an expert folder nor a run that has one: there is no {RECORD} in it."
        )
    return several


def read_guarded(folder: Path) -> Expert:
    """The expert in a folder of unknown origin; :class:`ExpertError` where it holds anything else."""
    with _as_expert_error():
        files = _files(folder)
        if RECORD not in files:
            left = (
                "it is empty"
                if not files
                else "it was not written to the end, or is something else"
            )
            raise ExpertError(f"{folder} holds no {RECORD}: {left}.")
        expert = read_expert(folder)
    told = {CONFIG, WEIGHTS} if expert.parts is None else set(expert.parts.sha256)
    strangers = sorted(set(files) - told - {RECORD, _CARD})
    if strangers:
        raise ExpertError(
            f"{folder / strangers[0]} is not of this expert: its {RECORD} does not tell of it; delete it."
        )
    return expert


def _files(folder: Path) -> list[str]:
    """The files in an expert's folder, by name from there, each of a kind that an expert may hold."""
    if folder.is_symlink():
        raise ExpertError(f"{folder} is a link; a library holds the folders themselves.")
    found: list[str] = []
    waiting = [(folder, 0)]
    while waiting:
        here, depth = waiting.pop()
        with plain_errors(here), os.scandir(here) as entries:
            for entry in entries:
                path = Path(entry.path)
                about = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(about.st_mode) and depth + 1 < _DEEPEST:
                    waiting.append((path, depth + 1))
                else:
                    _refuse_unfit(path, about)
                    found.append(path.relative_to(folder).as_posix())
                if len(found) + len(waiting) > _MOST_FILES:
                    raise ExpertError(
                        f"{folder} holds more than {_MOST_FILES} files; this is no expert's folder."
                    )
    return sorted(found)


def _refuse_unfit(path: Path, about: os.stat_result) -> None:
    """Before anything of a file is read: a pipe would never end, and a link leads elsewhere."""
    if stat.S_ISLNK(about.st_mode):
        raise ExpertError(
            f"{path} is a link; an expert's files lie in its folder, and nothing else is read."
        )
    if stat.S_ISDIR(about.st_mode):
        raise ExpertError(f"{path} is a folder in a folder of an expert, where there can be none.")
    if not stat.S_ISREG(about.st_mode):
        raise ExpertError(f"{path} is no regular file.")
    if path.suffix not in _MOST_BYTES or (path.suffix == ".md" and path.name != _CARD):
        raise ExpertError(
            f"{path} is no part of an expert, which holds JSON, safetensors and a {_CARD} alone; delete it."
        )
    if about.st_size > _MOST_BYTES[path.suffix]:
        most = _MOST_BYTES[path.suffix] >> 20
        raise ExpertError(
            f"{path} has {about.st_size >> 20:,} MiB, where at most {most:,} are read."
        )


def _plain_name(population: str) -> str:
    return re.sub(r"[^\w.+-]+", "-", population).lstrip(".") or "expert"


@contextmanager
def _as_expert_error() -> Iterator[None]:
    try:
        yield
    except RunError as error:
        raise ExpertError(str(error)) from None
