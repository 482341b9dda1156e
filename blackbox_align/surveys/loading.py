"""Surveys from YAML files: those that ship with the package, and a user's own.

The format is that of ``surveys/vsm2013/survey.yaml``; ``docs/data.md`` explains it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..errors import UnknownNameError
from ..files.data import data_folder
from ..files.missing import missing_codes
from ..files.yaml import Key, YamlDocument, read_yaml
from .non_response import non_responses
from .signs import with_single_signs
from .survey import Index, Item, Scale, Survey

_SURVEY_KEYS = {
    "name", "title", "version", "source", "instruction", "missing", "scales", "items", "indices"
}  # fmt: skip


_FORM = (
    "this is no questionnaire in our form, which has on lines of their own: name: mine / instruction: "
    'Answer with one letter. / scales: {yn: {A: "Yes", B: "No"}} / items: [{id: q1, scale: yn, '
    'text: "Do you ...?"}] (docs/data.md).'
)


def load_survey(name_or_file: str | Path) -> Survey:
    """:func:`.reading.load_survey`, where scripts for earlier versions import it from."""
    from .reading import load_survey as load

    return load(name_or_file)


def survey_names() -> list[str]:
    """The surveys that ship with the package."""
    return sorted(path.parent.name for path in data_folder().glob("*/survey.yaml"))


def read_survey(path: Path) -> Survey:
    """A survey from a YAML file; :class:`DataFileError` names the line of a mistake and the mend."""
    document = read_yaml(path)
    top = document.value
    if isinstance(top, list):
        document.fail((), f"expected 'key: value' pairs here, found a list: {_FORM}")
    if isinstance(top, dict) and not {"name", "scales", "items", "instruction"} & top.keys():
        document.fail((), _FORM)
    name = document.require(top, (), "name", str, "a short name without blanks")
    document.only(top, (), _SURVEY_KEYS)
    table = document.require(top, (), "scales", dict, "name: {label: option}")
    scales = _scales(document, table)
    scales, left_out = _without_non_response(document, scales, top.get("missing", "drop"))
    items = _items(
        document, document.require(top, (), "items", list, "- {id, scale, text}"), scales
    )
    survey = Survey(
        name=name,
        title=document.require({"title": name} | top, (), "title", str, "what it is called"),
        version=document.require({"version": 1} | top, (), "version", int, "the wording's edition"),
        instruction=document.require(top, (), "instruction", str, "how answers are to be given"),
        items=items,
        indices=_indices(document, top.get("indices", {}), {item.id for item in items}),
        source=str(top.get("source", "")),
        left_out=left_out,
    )
    return with_single_signs(survey)


@lru_cache
def packaged_survey(name: str) -> Survey:
    """A survey that ships with the package; :class:`UnknownNameError` where there is none of that name."""
    if name not in survey_names():
        raise UnknownNameError(
            "survey", name, survey_names(), "Surveys in files end in .yaml; see `bbalign surveys`."
        )
    return read_survey(data_folder() / name / "survey.yaml")


def _scales(document: YamlDocument, table: Mapping[Key, Any]) -> dict[str, Scale]:
    scales = {}
    for name, options in table.items():
        place = ("scales", name)
        if not isinstance(options, dict) or len(options) < 2:
            document.fail(place, f"scale {name!r} needs at least two 'label: option' lines.")
        for label, option in options.items():
            if not isinstance(option, str):
                document.fail(
                    (*place, label),
                    f"option {label!r} of scale {name!r} is {option!r}, not text; put it in quotes.",
                )
        labels = tuple(str(label).strip() for label in options)
        if len(set(labels)) < len(labels) or "" in labels:
            document.fail(place, f"scale {name!r} needs labels that are distinct and not blank.")
        numbered = [re.fullmatch(r"-?\d+", label) is not None for label in labels]
        if any(numbered) and not all(numbered):
            document.fail(
                place,
                f"scale {name!r} mixes numbers with other labels ({', '.join(labels)}), so their "
                "codes are unclear; use whole numbers only, or other labels only (coded 1, 2, ...).",
            )
        codes = tuple(float(c) for c in (labels if all(numbered) else range(1, len(labels) + 1)))
        scales[str(name)] = Scale(str(name), labels, tuple(options.values()), codes)
    return scales


def _without_non_response(
    document: YamlDocument, scales: dict[str, Scale], missing: Any
) -> tuple[dict[str, Scale], tuple[str, ...]]:
    """The scales without the options that are no answers, which would enter item means by their codes.

    ``missing`` is ``drop``, ``keep``, or a list of the options that are no answers.
    """
    if missing == "keep":
        return scales, ()
    if missing != "drop" and not isinstance(missing, list):
        document.fail(
            ("missing",), f"'missing' must be drop, keep or a list of options; not {missing!r}."
        )
    kept, notes = {}, []
    for name, scale in scales.items():
        none = non_responses(scale.options) if missing == "drop" else set(map(str, missing))
        places = [n for n, option in enumerate(scale.options) if option not in none]
        if missing == "drop":
            _ask_about_codes(document, scale, places)
        if len(places) < 2 or len(places) == len(scale):
            kept[name] = scale
            continue
        kept[name] = Scale(
            name,
            tuple(scale.labels[n] for n in places),
            tuple(scale.options[n] for n in places),
            tuple(scale.codes[n] for n in places),
        )
        out = [f"{scale.labels[n]} = {o}" for n, o in enumerate(scale.options) if n not in places]
        notes.append(
            f"Left out of the scale {name}, because they are no answers: {', '.join(out)}."
        )
    return kept, tuple(notes)


def _ask_about_codes(document: YamlDocument, scale: Scale, places: Sequence[int]) -> None:
    """Refuse an answer whose code, such as 98 behind 1 to 4, would enter an item's mean."""
    codes = missing_codes([int(scale.codes[n]) for n in places])
    strange = [n for n in places if scale.codes[n] in codes]
    if strange:
        listed = ", ".join(f"{scale.labels[n]} = {scale.options[n]}" for n in strange)
        document.fail(
            ("scales", scale.name),
            f"in the scale {scale.name!r} {listed} stands where codes for no answer do, and would enter "
            "means by its code. List it at the top under 'missing' (with any others that are no answers) "
            "if it is none; write 'missing: keep' if all options are answers.",
        )


def _items(
    document: YamlDocument, rows: list[Any], scales: Mapping[str, Scale]
) -> tuple[Item, ...]:
    items: dict[str, Item] = {}
    for number, row in enumerate(rows):
        place = ("items", number)
        item_id = document.require(row, place, "id", str, "the item's name, such as m01")
        document.only(row, place, {"id", "scale", "text"})
        text = document.require(row, place, "text", str, "the question")
        scale = document.require(row, place, "scale", str, "one of the scales above")
        if scale not in scales:
            document.fail(
                (*place, "scale"),
                f"item {item_id!r} uses the scale {scale!r}, which is not defined; "
                f"the scales are: {', '.join(scales)}.",
            )
        if item_id in items:
            document.fail(
                (*place, "id"), f"item {item_id!r} stands here twice; rename one of them."
            )
        items[item_id] = Item(item_id, text.strip(), scales[scale])
    if not items:
        document.fail(("items",), "a survey needs at least one item.")
    return tuple(items.values())


def _indices(document: YamlDocument, table: Any, item_ids: set[str]) -> tuple[Index, ...]:
    if isinstance(table, str):  # indices: vsm2013 — the scoring key of a survey that ships with us
        if table not in survey_names():
            document.fail(("indices",), str(UnknownNameError("survey", table, survey_names())))
        indices = packaged_survey(table).indices
    elif isinstance(table, dict):
        indices = tuple(_index(document, str(name), table[name]) for name in table)
    else:
        document.fail(
            ("indices",), "'indices' must be 'name: {title, weights}' or a survey's name."
        )
    for index in indices:
        for item_id in index.weights:
            if item_id not in item_ids:
                document.fail(
                    ("indices", index.name, "weights", item_id),
                    f"index {index.name} needs the item {item_id!r}, which the survey does not have; "
                    "add it under 'items', or take the index out.",
                )
    return indices


def _index(document: YamlDocument, name: str, entry: Any) -> Index:
    place = ("indices", name)
    weights = document.require(entry, place, "weights", dict, "item: weight")
    document.only(entry, place, {"title", "weights"})
    for item_id, weight in weights.items():
        number = isinstance(weight, (int, float)) and not isinstance(weight, bool)
        if not number or not math.isfinite(weight):
            document.fail(
                (*place, "weights", item_id),
                f"the weight of {item_id!r} is {weight!r}, not a number.",
            )
    return Index(
        name, str(entry.get("title", name)), {str(k): float(w) for k, w in weights.items()}
    )
