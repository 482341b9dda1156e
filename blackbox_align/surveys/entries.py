"""Entries of a file, one at a time: what is malformed in one of them costs that one alone."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .assembly import RawAnswers, Unreadable

Rows = Iterator[RawAnswers | Unreadable]

# What numpy and pandas print around a list or a number.
_WRAPPED = re.compile(
    r"(?:np\.|numpy\.)?(?:array|float64|float32|str_)\(\s*((?:\[[^\[\]]*\])|[-+.\deE]+|'[^']*'|\"[^\"]*\")\s*"
    r"(?:,\s*dtype=[^)]*)?\)"
)


class MalformedError(Exception):
    """An entry that does not have the form of its neighbours."""


def each(entries: Any, parse: Callable[[str, Any], Rows], place: str = "entry") -> Rows:
    """The rows of all entries; one that is malformed becomes :class:`Unreadable`."""
    pairs = entries.items() if isinstance(entries, Mapping) else enumerate(entries, start=1)
    for number, entry in pairs:
        where = f"{place} {str(number)[:60]}"
        try:
            yield from parse(where, entry)
        except MalformedError as error:
            yield Unreadable(where, str(error))


def field_of(entry: Any, key: str) -> Any:
    if not isinstance(entry, Mapping) or key not in entry:
        raise MalformedError(f"there is no {key!r}")
    return entry[key]


def text_of(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise MalformedError(f"{what} is not text")
    return value


def options_of(value: Any) -> tuple[str, ...]:
    """Options as text; some files hold numbers among them (``1.0``)."""
    if not isinstance(value, (list, tuple)):
        raise MalformedError("the options are not a list")
    options = []
    for option in value:
        if isinstance(option, float) and option.is_integer():
            option = int(option)
        if isinstance(option, bool) or not isinstance(option, (str, int, float)):
            raise MalformedError("an option is neither text nor a number")
        options.append(str(option))
    return tuple(options)


def shares_of(value: Any) -> tuple[float, ...]:
    if not isinstance(value, (list, tuple)):
        raise MalformedError("the shares are not a list")
    for share in value:
        if isinstance(share, bool) or not isinstance(share, (int, float)):
            raise MalformedError("a share is negative or no number")
    try:
        return tuple(float(share) for share in value)
    except OverflowError:
        raise MalformedError("a share is negative or no number") from None


def _with_commas(text: str) -> str:
    """The text with a comma between two texts or numbers that only a blank parts: ``['a' 'b']``, ``[0.1
    0.9]``.

    In Python two such texts would be one.
    """
    pieces: list[str] = []
    before = None
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type in (tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT):
                continue
            value = token.type in (tokenize.STRING, tokenize.NUMBER)
            pieces += [","] if value and before else []
            pieces.append(token.string)
            before = value
    except (tokenize.TokenError, IndentationError, SyntaxError):
        return text
    return " ".join(pieces)


def literal(text: str, what: str) -> Any:
    """A Python literal; never run, and refused where a key of a dict stands twice.

    ``defaultdict(<class 'list'>, {...})`` and numpy's ``array([...])`` are read as what is in them, and
    so are numpy's lists without commas.
    """
    text = text.strip()
    if text.startswith("defaultdict(") and "{" in text and "}" in text:
        text = text[text.index("{") : text.rindex("}") + 1]
    text = _with_commas(_WRAPPED.sub(r"\1", text))
    try:
        tree = ast.parse(text.strip(), mode="eval")
        value = ast.literal_eval(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Dict):
                keys = [ast.dump(key) for key in node.keys if key is not None]
                if len(set(keys)) < len(node.keys):
                    raise MalformedError(f"a key stands twice in the {what}")
        return value
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
        raise MalformedError(f"the {what} cannot be read as Python literals") from None
