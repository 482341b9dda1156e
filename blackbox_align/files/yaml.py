"""YAML that remembers its lines, so that an error can name the place of a mistake."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import yaml
from yaml.reader import ReaderError

from ..errors import DataFileError
from .tables import read_text

Key = str | int

_MOST_VALUES = 1_000_000
_PLAIN_TAGS = {
    f"tag:yaml.org,2002:{kind}"
    for kind in ("bool", "float", "int", "map", "null", "seq", "str", "timestamp")
}


class YamlDocument:
    """A parsed YAML file: plain Python values under :attr:`value`, and where each of them stands.

    Only the plain types of YAML are read (``yaml.SafeLoader``): nothing in a file can run code.
    """

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self._lines: dict[tuple[Key, ...], int] = {(): 1}
        try:
            loader = yaml.SafeLoader(text)
            node = loader.get_single_node()
            self.value: Any = None if node is None else self._convert(loader, node, ())
        except ReaderError as error:
            line = text.count("\n", 0, error.position) + 1
            message = f"the character {chr(error.character)!r} cannot stand in YAML; remove it."
            raise DataFileError(path, line, message) from error
        except yaml.MarkedYAMLError as error:
            mark, problem = error.problem_mark, f"{error.problem}"
            if error.context_mark and "stream" in problem:  # say what was opened, not where it ends
                mark, problem = error.context_mark, f"{error.context}, {problem}"
            place = mark.line + 1 if mark else None
            raise DataFileError(path, place, f"this is not valid YAML: {problem}.") from error
        except RecursionError:
            message = "it refers to itself, or is nested too deeply."
            raise DataFileError(path, None, message) from None

    def _convert(self, loader: yaml.SafeLoader, node: yaml.Node, place: tuple[Key, ...]) -> Any:
        self._lines[place] = line = node.start_mark.line + 1
        if len(self._lines) > _MOST_VALUES:  # a few lines of anchors can mean billions of values
            self._fail_at(line, f"the file holds more than {_MOST_VALUES:,} values.")
        if node.tag not in _PLAIN_TAGS:
            self._fail_at(line, f"the tag {node.tag!r} is not read here; write a plain value.")
        if isinstance(node, yaml.MappingNode):
            mapping: dict[Key, Any] = {}
            for key_node, value_node in node.value:
                key = self._convert(loader, key_node, (*place, ""))
                line = key_node.start_mark.line + 1
                if isinstance(key, bool) or not isinstance(key, (str, int)):
                    written = key_node.value if isinstance(key_node, yaml.ScalarNode) else key
                    self._fail_at(line, f"{written!r} cannot be a key; put it in quotes.")
                if key in mapping:
                    self._fail_at(line, f"{key!r} stands here twice; remove one of them.")
                here = (*place, key)
                mapping[key] = self._convert(loader, value_node, here)
                self._lines[here] = line  # the line of the key: a block begins on the next one
            return mapping
        if isinstance(node, yaml.SequenceNode):
            return [self._convert(loader, v, (*place, n)) for n, v in enumerate(node.value)]
        try:
            return loader.construct_object(node, deep=True)
        except ValueError as error:  # 2020-13-01 looks like a date, and is none
            self._fail_at(line, f"{node.value!r} cannot be read ({error}); put it in quotes.")

    def fail(self, place: tuple[Key, ...], message: str) -> NoReturn:
        """Raise a :class:`DataFileError` at ``place``, or at the nearest thing around it."""
        self._fail_at(self.line(place), message)

    def line(self, place: tuple[Key, ...]) -> int:
        """The line of ``place``, or of the nearest thing around it."""
        while place not in self._lines:
            place = place[:-1]
        return self._lines[place]

    def _fail_at(self, line: int, message: str) -> NoReturn:
        raise DataFileError(self.path, line, message)

    def require(self, mapping: Any, place: tuple[Key, ...], key: str, kind: type, what: str) -> Any:
        """``mapping[key]``, which must be there and be a ``kind``; ``what`` says what it is for."""
        if not isinstance(mapping, Mapping):
            self.fail(place, f"expected 'key: value' pairs here, found {_kind(mapping)}.")
        if key not in mapping:
            self.fail(place, f"{key!r} is missing here: {what}.")
        value = mapping[key]
        if isinstance(value, bool) or not isinstance(value, kind):
            expected = {
                str: "text",
                int: "a whole number",
                dict: "'key: value' pairs",
                list: "a list",
            }
            self.fail(
                (*place, key),
                f"{key!r} must be {expected[kind]} ({what}), found {_kind(value)}.",
            )
        if isinstance(value, str) and not value.strip():
            self.fail((*place, key), f"{key!r} is blank here: {what}.")
        return value

    def only(self, mapping: Mapping[Key, Any], place: tuple[Key, ...], known: set[str]) -> None:
        """Refuse keys that mean nothing here: most are slips of the pen."""
        for key in mapping:
            if key not in known:
                names = ", ".join(sorted(known))
                self.fail((*place, key), f"{key!r} is not known here; the keys are: {names}.")


def is_yaml(path: Path) -> bool:
    """Whether a file's name ends as one of YAML does, in small letters or capitals, gzipped or not."""
    name = path.name.casefold().removesuffix(".gz")
    return name.endswith((".yaml", ".yml"))


def read_yaml(path: Path) -> YamlDocument:
    """Parse ``path``; a file that cannot be read is a :class:`DataFileError` as well."""
    return YamlDocument(path, read_text(path))


def _kind(value: Any) -> str:
    names = {dict: "'key: value' pairs", list: "a list", type(None): "nothing"}
    return names.get(type(value), f"{value!r}")
