"""The open YAML form of an opinion survey: questions, options, and shares of the answers by country.

``surveys/world-opinions/opinions.yaml`` is the example; ``docs/assessment.md`` explains the form.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from ..files.yaml import YamlDocument
from ..populations.population import GROUP_WORDING, Population
from .assembly import RawAnswers

_KEYS = {"name", "title", "source", "groups", "items"}
_ITEM_KEYS = {"id", "question", "options", "ordered", "missing", "source", "shares"}


def is_opinion_yaml(document: YamlDocument) -> bool:
    """Whether a YAML file means to be an opinion survey, and no survey with scales and indices."""
    top = document.value
    items = top.get("items") if isinstance(top, Mapping) else None
    return (
        isinstance(items, list)
        and "scales" not in top
        and any(isinstance(item, Mapping) and {"question", "shares"} & set(item) for item in items)
    )


def read_head(document: YamlDocument) -> tuple[str, str, str]:
    """The name, the title and the source of the survey; the last two may be missing."""
    top = document.value
    name = document.require(top, (), "name", str, "a short name without blanks")
    document.only(top, (), _KEYS)
    title = document.require({"title": name} | top, (), "title", str, "what it is called")
    source = document.require({"source": "none"} | top, (), "source", str, "where it is from")
    return name, title, source if "source" in top else ""


def read_groups(document: YamlDocument) -> dict[str, Population]:
    """The groups of people that a file declares, by the code under which their shares stand."""
    table = document.require({"groups": {}} | document.value, (), "groups", dict, "code: {name}")
    groups = {}
    for code, entry in table.items():
        place = ("groups", code)
        entry = {"name": entry} if isinstance(entry, str) else entry
        name = document.require(entry, place, "name", str, "what the group is called")
        document.only(entry, place, {"name", "wording"})
        told = {"wording": GROUP_WORDING} | entry
        wording = document.require(told, place, "wording", str, "the sentence that names the group")
        groups[str(code)] = Population(str(code), name.strip(), wording.strip())
    return groups


def read_sources(document: YamlDocument) -> dict[str, str]:
    """Where the figures of an item are from, for the items that say so."""
    items = enumerate(document.value["items"])
    return {
        str(item["id"]): document.require(item, ("items", n), "source", str, "where it is from")
        for n, item in items
        if "source" in item
    }


def read_answers(document: YamlDocument) -> Iterator[RawAnswers]:
    """One distribution per item and country; a mistake is an error, not a row that is left out.

    Only a country that is not known is left to the report of :func:`.opinions.assemble`.
    """
    entries = document.require(
        document.value, (), "items", list, "- {id, question, options, shares}"
    )
    parsed = [_item(document, ("items", number), entry) for number, entry in enumerate(entries)]
    if not parsed:
        document.fail(("items",), "an opinion survey needs at least one item.")
    whole = (
        100.0 if any(v > 1 for *_, table in parsed for row in table.values() for v in row) else 1.0
    )
    seen: set[str] = set()
    for number, (item_id, question, options, ordered, missing, table) in enumerate(parsed):
        if item_id in seen:
            document.fail(
                ("items", number, "id"), f"item {item_id!r} stands here twice; rename one of them."
            )
        seen.add(item_id)
        for country, shares in table.items():
            place = ("items", number, "shares", country)
            total = math.fsum(shares)
            if abs(total - whole) > 0.02 * whole:
                document.fail(
                    place,
                    f"the shares of {item_id!r} in {country} sum to {total:g}, not to {whole:g}; those "
                    "who gave no opinion need an option too, such as 'No answer'.",
                )
            scaled = tuple(share / total for share in shares)
            yield RawAnswers(
                f"line {document.line(place)}",
                question,
                options,
                str(country),
                scaled,
                item_id,
                ordered,
                missing,
            )


_Item = tuple[
    str, str, tuple[str, ...], bool | None, frozenset[str] | None, dict[Any, tuple[float, ...]]
]


def _item(document: YamlDocument, place: tuple[str | int, ...], entry: Any) -> _Item:
    item_id = document.require(entry, place, "id", str, "the item's name")
    document.only(entry, place, _ITEM_KEYS)
    question = document.require(entry, place, "question", str, "what people were asked")
    listed = document.require(entry, place, "options", list, "the answers to choose from, in order")
    options = []
    for number, option in enumerate(listed):
        here = (*place, "options", number)
        if isinstance(option, bool) or not isinstance(option, (str, int, float)):
            document.fail(here, f"option {number + 1} is {option!r}, not text; put it in quotes.")
        options.append(str(option).strip())
        if not options[-1] or options[-1] in options[:-1]:
            document.fail(here, f"option {number + 1} is blank or stands there before.")
    ordered = entry.get("ordered")
    if ordered is not None and not isinstance(ordered, bool):
        document.fail((*place, "ordered"), f"'ordered' must be true or false; not {ordered!r}.")
    table = document.require(entry, place, "shares", dict, "country: [a share for every option]")
    if not table:
        document.fail((*place, "shares"), f"item {item_id!r} needs the shares of a country.")
    shares = {}
    for country, row in table.items():
        here = (*place, "shares", country)
        if not isinstance(row, list) or len(row) != len(options):
            found = f"{len(row)} shares" if isinstance(row, list) else f"{row!r}"
            document.fail(
                here,
                f"{country} needs a list of {len(options)} shares, one for every option of "
                f"{item_id!r}; found {found}.",
            )
        for number, share in enumerate(row):
            plain = isinstance(share, (int, float)) and not isinstance(share, bool)
            if not plain or not 0 <= share <= 100:  # NaN as well
                document.fail(
                    (*here, number),
                    f"the share is {share!r}; write a number from 0 to 1, or percents.",
                )
        shares[country] = tuple(float(share) for share in row)
    missing = _missing(document, place, entry, options)
    return item_id, question.strip(), tuple(options), ordered, missing, shares


def _missing(
    document: YamlDocument, place: tuple[str | int, ...], entry: Any, options: list[str]
) -> frozenset[str] | None:
    """The options that the file itself calls no answer: a list of them, which may be empty."""
    if "missing" not in entry:
        return None
    listed = document.require(entry, place, "missing", list, "the options that are no answers")
    for number, option in enumerate(listed):
        if str(option) not in options:
            document.fail(
                (*place, "missing", number), f"{option!r} is none of the options of this item."
            )
    return frozenset(map(str, listed))
