"""Every error that blackbox_align raises on purpose, in one tree.

::

    BlackboxAlignError
    ├── UnknownNameError (LookupError)        a country, survey, optimizer, model ... that is not there
    ├── DataFileError (ValueError)            a survey, target or constants file with a mistake in it
    ├── SpecificationError (ValueError)       settings that do not fit together
    │   └── ChangedSpecificationError         a run directory that was made with other settings
    ├── ModelError (RuntimeError)             a model that cannot be loaded, or cannot answer
    │   └── OutOfMemoryError                  memory that does not suffice for a single candidate
    ├── OptimizerError (ValueError)           an optimizer used against its contract
    ├── RunError (RuntimeError)               a run directory that cannot be read, written or continued
    ├── ExpertError (RuntimeError)            an expert that cannot be written, or does not do what it should
    └── MissingDependencyError (ImportError)  a package that is needed and not installed

Each is also the built-in exception that it specialises, so that ``except ValueError`` does what it
says. The message is always one sentence or a few: what was seen, what was expected, how to mend it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any


class BlackboxAlignError(Exception):
    """The root of the tree: a user's mistake or a machine's trouble, never a bug of ours."""

    def __reduce__(self) -> tuple[Any, ...]:
        # By its message: the arguments of the constructors below are not what an exception is pickled
        # with, and an error that cannot be pickled hangs or hides in a pool of workers.
        return _unpickled, (type(self), self.args), self.__dict__


class UnknownNameError(BlackboxAlignError, LookupError):
    """A name that is not in its table; the nearest ones are offered.

    ``known`` are the valid names; ``hint`` closes the sentence where similar names do not help.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], hint: str = "") -> None:
        self.kind, self.name, self.nearest = kind, name, nearest_names(name, known)
        message = f"Unknown {kind} {name!r}."
        if self.nearest:
            message += f" Did you mean {' or '.join(repr(n) for n in self.nearest)}?"
        super().__init__(f"{message} {hint}".rstrip())


class DataFileError(BlackboxAlignError, ValueError):
    """A mistake in a file that a user wrote: the file, the place in it, and how to mend it."""

    def __init__(self, path: Path | str, line: int | None, message: str) -> None:
        self.path, self.line = Path(path), line
        place = f"{path}, line {line}" if line is not None else f"{path}"
        super().__init__(f"{place}: {message}")


class SpecificationError(BlackboxAlignError, ValueError):
    """Settings that contradict each other or lie outside their range."""


class ChangedSpecificationError(SpecificationError):
    """A run directory was made with other settings than the ones asked for now."""


class ModelError(BlackboxAlignError, RuntimeError):
    """A language model that cannot be found, loaded or asked."""


class OutOfMemoryError(ModelError):
    """Memory ran out for a single candidate; with fewer questions at once it may suffice."""


class OptimizerError(BlackboxAlignError, ValueError):
    """An optimizer was used against its contract."""


class RunError(BlackboxAlignError, RuntimeError):
    """A run directory that cannot be read, written or continued."""


class ExpertError(BlackboxAlignError, RuntimeError):
    """An expert folder that cannot be written or read, or that does not reproduce its answers."""


class MissingDependencyError(BlackboxAlignError, ImportError):
    """A package is needed for what was asked and is not there; the message holds the pip line.

    The line names the package and no extra of ours, so that it works wherever ours was installed from.
    """

    def __init__(self, package: str, purpose: str) -> None:
        self.package = package
        super().__init__(
            f"{purpose} needs the package {package!r}, which is missing: pip install {package}"
        )


def require_one_of(what: str, value: object, known: Iterable[object]) -> None:
    """Raise :class:`SpecificationError` unless a value is one of those that are ``known``."""
    names = list(known)
    if value not in names:
        listed = ", ".join(map(repr, names))
        raise SpecificationError(f"{what} must be one of {listed}; not {value!r}.")


def nearest_names(name: str, known: Iterable[str], count: int = 3) -> list[str]:
    """Up to ``count`` of the ``known`` names that look most like ``name``, best first.

    Names with a word that begins as ``name`` does come first, for who asks for "Saudi" means Saudi
    Arabia, not Sudan; then those with two neighbouring letters exchanged (SUA is SAU), and then those
    that are spelled alike.
    """
    by_folded: dict[str, str] = {}
    for candidate in known:
        by_folded.setdefault(candidate.casefold(), candidate)
    asked = name.casefold().strip()
    word = re.compile(rf"\b{re.escape(asked)}")
    begun = [folded for folded in by_folded if asked and word.search(folded)]
    begun.sort(key=lambda folded: (not folded.startswith(asked), len(folded)))
    swapped = [folded for folded in by_folded if _is_swapped(asked, folded)]
    close = get_close_matches(asked, by_folded, n=count, cutoff=0.6)
    return [by_folded[folded] for folded in dict.fromkeys([*begun, *swapped, *close])][:count]


def _is_swapped(one: str, other: str) -> bool:
    """Whether two words differ by one exchange of neighbouring letters."""
    if len(one) != len(other):
        return False
    places = [n for n, (a, b) in enumerate(zip(one, other, strict=True)) if a != b]
    if len(places) != 2 or places[1] - places[0] != 1:
        return False
    first, second = places
    return one[first] == other[second] and one[second] == other[first]


def _unpickled(kind: type[BlackboxAlignError], args: tuple[Any, ...]) -> BlackboxAlignError:
    error = kind.__new__(kind, *args)
    error.args = args
    return error
