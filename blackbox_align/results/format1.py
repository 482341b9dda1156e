"""Results as fits wrote them in format 1: nested dictionaries, with other names for the conditions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..errors import RunError
from ..statistics.distances import ABSOLUTE_ERROR, DISTRIBUTION_METRICS, Metric
from .names import COLUMNS, FITTED
from .plain import is_number
from .result import Asked, Figure, Provenance, Result, Searched, Split

_DISTANCE = DISTRIBUTION_METRICS["js_distance_nats"]
_NAMES = {old: name for name, old in COLUMNS.items()}
_SPLITS: dict[str, Split] = {"held_out": "held-out", "fit": "fit"}


def read_format1(value: Mapping[str, Any], where: str) -> Result:
    """The result of one country, or of several; also the metadata of an expert of that time.

    Raises :class:`RunError` where something is missing or is not what it should be.
    """
    try:
        parts = value.get("countries") or [value]
        result = _result(parts, value)
        if not math.isfinite(result.loss):
            raise ValueError("the loss is not a finite number")
        return result
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise RunError(f"{where}: this result is damaged ({what}).") from None


def _result(parts: Sequence[Mapping[str, Any]], whole: Mapping[str, Any]) -> Result:
    first = parts[0]
    facts, settings = first.get("facts", {}), first.get("specification", {})
    asked = tuple(_asked(first, facts, settings))
    notes = [note for part in parts for note in _notes(part, alone=len(parts) == 1)]
    return Result(
        tuple(figure for part in parts for figure in _figures(part, settings)),
        (),
        tuple(dict.fromkeys(notes)),
        Provenance(
            asked,
            {_text(part["country"]): _text(part["country_name"]) for part in parts},
            model=_text(first.get("model", "")),
            revision=_text(facts.get("model_revision", "")),
            dtype=_text(facts.get("dtype", "")),
            disclaimer=_text(first.get("disclaimer", "")),
            orders="1",
            readout=_text(first.get("readout", "expected")),
            fitted_items=tuple(map(_text, facts.get("fit_questions", ()))),
            resamples=1000 if "opinions" in first else 0,
            seed=_whole(first["seed"]),
            versions={_text(k): _text(v) for k, v in first.get("versions", {}).items()},
        ),
        "held-out" if "opinions" in first else "all",
        _searched(parts, whole, settings),
    )


def _asked(
    first: Mapping[str, Any], facts: Mapping[str, Any], settings: Mapping[str, Any]
) -> Iterator[Asked]:
    if "opinions" in first:
        opinions = first["opinions"]
        yield Asked(
            _text(opinions["survey"]["name"]),
            _text(opinions["survey"]["title"]),
            _text(facts.get("opinions_sha256", "")),
            sum(_whole(opinions[side]["questions"]) for side in _SPLITS),
            (Metric(_DISTANCE.name, _DISTANCE.title, False),),
            (_DISTANCE.name,),
        )
    if "table" in first:
        constants = first["constants"]
        yield Asked(
            _index_survey(first, settings),
            _text(first["targets"]["title"]),
            _text(facts.get("survey_sha256", "")),
            0,
            (ABSOLUTE_ERROR,),
            (ABSOLUTE_ERROR.name,),
            indices={_text(row["index"]): _text(row["title"]) for row in first["table"]},
            targets=_text(first["targets"]["name"]),
            targets_title=_text(first["targets"]["title"]),
            policy=_text(constants["policy"]),
            constants={_text(k): _number(v) for k, v in constants["values"].items()},
        )


def _index_survey(first: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    named = first.get("survey") or settings.get("survey") or "vsm2013"
    return _text(named).partition("+")[0]


def _figures(part: Mapping[str, Any], settings: Mapping[str, Any]) -> Iterator[Figure]:
    code = _text(part["country"])
    if "opinions" in part:
        yield from _opinion_figures(code, part["opinions"])
    if "table" in part:
        yield from _index_figures(code, part, _index_survey(part, settings))


def _opinion_figures(code: str, opinions: Mapping[str, Any]) -> Iterator[Figure]:
    name = _text(opinions["survey"]["name"])
    for side, split in _SPLITS.items():
        n = _whole(opinions[side]["questions"])
        for condition, row in opinions[side]["distances"].items():
            yield _with_interval(code, _NAMES[condition], split, row, n, "", name)
        for condition, row in opinions[side]["fitted_minus"].items():
            yield _with_interval(code, FITTED, split, row, n, _NAMES[condition], name)


def _with_interval(
    code: str, condition: str, split: Split, row: Mapping[str, Any], n: int, minus: str, name: str
) -> Figure:
    value, low, high = (_number(row[key]) for key in ("value", "low", "high"))
    if math.isnan(value):
        n = 0
    return Figure(code, condition, _DISTANCE.name, split, value, low, high, n, minus, name)


def _index_figures(code: str, part: Mapping[str, Any], name: str) -> Iterator[Figure]:
    nan = math.nan
    known = sum(row["target"] is not None for row in part["table"])
    for condition, error in part["errors"].items():
        yield Figure(
            code,
            _NAMES[condition],
            ABSOLUTE_ERROR.name,
            "all",
            _number(error),
            nan,
            nan,
            known,
            "",
            name,
        )
    for condition in ("target", *part["errors"]):
        for row in part["table"]:
            value = _number(row[condition])
            index, n = _text(row["index"]), 0 if math.isnan(value) else 1
            yield Figure(code, _NAMES[condition], index, "all", value, nan, nan, n, "", name)


def _notes(part: Mapping[str, Any], alone: bool) -> Iterator[str]:
    country = _text(part["country_name"])
    if part.get("missing"):
        missing = ", ".join(map(_text, part["missing"]))
        yield f"No figure is published for {country} {missing}: left out of the error."
    if part.get("estimate") and alone:
        yield f"The source calls its figures for {country} an estimate."


def _searched(
    parts: Sequence[Mapping[str, Any]], whole: Mapping[str, Any], settings: Mapping[str, Any]
) -> Searched:
    first = parts[0]
    fronts = {
        _text(part["country"]): tuple(
            {_text(k): _number(v) for k, v in row.items()} for row in part["pareto_front"]
        )
        for part in parts
        if "pareto_front" in part
    }
    target = whole.get("target_loss")
    return Searched(
        _text(first["optimizer"]),
        _whole(first["seed"]),
        _whole(whole["evaluations"]),
        _text(whole.get("reason", "")),
        {_text(part["country"]): _number(part["loss"]) for part in parts},
        {
            _text(part["country"]): None
            if part.get("reached_after") is None
            else _whole(part["reached_after"])
            for part in parts
        },
        fronts,
        _text(first.get("objective", "vsm13")),
        _text(first.get("placement", "first")),
        _whole(settings.get("tokens", 0)),
        None if target is None else _number(target),
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not text")
    return value


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{value!r} is not a whole number")
    return value


def _number(value: Any) -> float:
    if value is None:
        return math.nan
    if not is_number(value):
        raise TypeError(f"{value!r} is not a number")
    return float(value)
