"""Frozen dataclasses to JSON's own kinds and back: a file that is damaged is refused in a sentence.

NaN, which JSON does not have, is written as null, and null is read as NaN where a number is expected.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from functools import lru_cache
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np

from ..errors import RunError

T = TypeVar("T")


def to_plain(value: Any) -> Any:
    """Dictionaries, lists, texts, numbers and None from a dataclass and all that it holds."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, np.ndarray):
        return to_plain(value.tolist())
    if isinstance(value, np.generic):
        return to_plain(value.item())
    if isinstance(value, Mapping):
        return {str(key): to_plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def from_plain(kind: type[T], value: Any, where: str) -> T:
    """An instance of the dataclass ``kind`` from what :func:`to_plain` made of one.

    What is missing takes its default, and what is not known is refused.

    Raises
    ------
    RunError
        Something is not of the kind that it should be; the sentence begins with its place.
    """
    found: T = _dataclass(kind, value, where)
    return found


# Hundreds of figures are of one kind: what its annotations mean is found out once.
_hints = lru_cache(get_type_hints)


def _dataclass(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, Mapping):
        raise _wrong(where, value, "an object with named entries")
    hints, known = _hints(kind), {f.name: f for f in fields(kind)}
    for name in value:
        if name not in known:
            raise RunError(
                f"{where}: {name!r} is not known here; the file is damaged or of a later version."
            )
    given = {}
    for name, entry in known.items():
        if name in value:
            given[name] = _read(hints[name], value[name], f"{where}, {name}")
        elif entry.default is MISSING and entry.default_factory is MISSING:
            raise RunError(f"{where}: {name!r} is missing; the file is damaged.")
    try:
        return kind(**given)
    except ValueError as error:  # what the class itself refuses
        raise RunError(f"{where}: {error}") from None


def _read(kind: Any, value: Any, where: str) -> Any:
    origin, inner = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if is_dataclass(kind):
        return _dataclass(kind, value, where)
    if origin in (Union, UnionType):
        if value is None and type(None) in inner:
            return None
        (kind,) = (k for k in inner if k is not type(None))
        return _read(kind, value, where)
    if origin is Literal:
        if value not in inner:
            raise _wrong(where, value, f"one of {', '.join(map(repr, inner))}")
        return value
    if origin is tuple:
        return _tuple(inner, value, where)
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise _wrong(where, value, "an object with named entries")
        return {str(key): _read(inner[1], entry, f"{where}, {key}") for key, entry in value.items()}
    return _scalar(kind, value, where)


def _tuple(inner: Sequence[Any], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise _wrong(where, value, "a list")
    if inner[1:] == (...,):
        return tuple(_read(inner[0], entry, f"{where}, {n + 1}") for n, entry in enumerate(value))
    if len(value) != len(inner):
        raise _wrong(where, value, f"a list of {len(inner)}")
    return tuple(_read(kind, entry, where) for kind, entry in zip(inner, value, strict=True))


def _scalar(kind: Any, value: Any, where: str) -> Any:
    if kind is float and value is None:
        return math.nan
    if kind is float and is_number(value):
        return float(value)
    if kind is bool and isinstance(value, bool):
        return value
    if kind is int and isinstance(value, int) and not isinstance(value, bool):
        return value
    if kind is str and isinstance(value, str):
        return value
    expected = {float: "a number", int: "a whole number", bool: "true or false", str: "text"}
    raise _wrong(where, value, expected[kind])


def is_number(value: Any) -> bool:
    """Whether it is a number that has a finite float; ``True`` is none, nor is 10**400."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _wrong(where: str, value: Any, expected: str) -> RunError:
    seen = repr(value)
    seen = seen if len(seen) < 60 else seen[:57] + "..."
    return RunError(f"{where}: {seen} is not {expected}; the file is damaged.")
