"""Results as fits wrote them in format 1: nested dictionaries, with other names for the conditions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..errors import RunError
from ..statistics.distances import ABSOLUTE_ERROR, DISTRIBUTION_METRICS, Metric
from .names import COLUMNS, FITTED
from .plain import from_plain, to_plain
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
        result = from_plain(Result, to_plain(_result(parts, value)), where)  # looks at every kind
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
            {part["country"]: part["country_name"] for part in parts},
            model=first.get("model", ""),
            revision=facts.get("model_revision", ""),
            dtype=facts.get("dtype", ""),
            disclaimer=first.get("disclaimer", ""),
            orders="1",
            readout=first.get("readout", "expected"),
            fitted_items=tuple(facts.get("fit_questions", ())),
            resamples=1000 if "opinions" in first else 0,
            seed=first["seed"],
            versions=first.get("versions", {}),
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
            opinions["survey"]["name"],
            opinions["survey"]["title"],
            facts.get("opinions_sha256", ""),
            sum(opinions[side]["questions"] for side in _SPLITS),
            (Metric(_DISTANCE.name, _DISTANCE.title, False),),
            (_DISTANCE.name,),
        )
    if "table" in first:
        constants = first["constants"]
        yield Asked(
            _index_survey(first, settings),
            first["targets"]["title"],
            facts.get("survey_sha256", ""),
            0,
            (ABSOLUTE_ERROR,),
            (ABSOLUTE_ERROR.name,),
            indices={row["index"]: row["title"] for row in first["table"]},
            targets=first["targets"]["name"],
            targets_title=first["targets"]["title"],
            policy=constants["policy"],
            constants=constants["values"],
        )


def _index_survey(first: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    named: str = first.get("survey") or settings.get("survey") or "vsm2013"
    return named.partition("+")[0]


def _figures(part: Mapping[str, Any], settings: Mapping[str, Any]) -> Iterator[Figure]:
    code = part["country"]
    if "opinions" in part:
        yield from _opinion_figures(code, part["opinions"])
    if "table" in part:
        yield from _index_figures(code, part, _index_survey(part, settings))


def _opinion_figures(code: str, opinions: Mapping[str, Any]) -> Iterator[Figure]:
    for side, split in _SPLITS.items():
        rows = [(_NAMES[c], "", row) for c, row in opinions[side]["distances"].items()]
        rows += [(FITTED, _NAMES[c], row) for c, row in opinions[side]["fitted_minus"].items()]
        for condition, minus, row in rows:
            ends = row["value"], row["low"], row["high"]
            n = 0 if row["value"] is None else opinions[side]["questions"]
            name = opinions["survey"]["name"]
            yield Figure(code, condition, _DISTANCE.name, split, *ends, n, minus, name)


def _index_figures(code: str, part: Mapping[str, Any], name: str) -> Iterator[Figure]:
    nan = math.nan
    known = sum(row["target"] is not None for row in part["table"])
    for condition, error in part["errors"].items():
        metric = ABSOLUTE_ERROR.name
        yield Figure(code, _NAMES[condition], metric, "all", error, nan, nan, known, "", name)
    for condition in ("target", *part["errors"]):
        for row in part["table"]:
            value, n = row[condition], 0 if row[condition] is None else 1
            yield Figure(code, _NAMES[condition], row["index"], "all", value, nan, nan, n, "", name)


def _notes(part: Mapping[str, Any], alone: bool) -> Iterator[str]:
    country = part["country_name"]
    if part.get("missing"):
        missing = ", ".join(part["missing"])
        yield f"No figure is published for {country} {missing}: left out of the error."
    if part.get("estimate") and alone:
        yield f"The source calls its figures for {country} an estimate."


def _searched(
    parts: Sequence[Mapping[str, Any]], whole: Mapping[str, Any], settings: Mapping[str, Any]
) -> Searched:
    first = parts[0]
    return Searched(
        first["optimizer"],
        first["seed"],
        whole["evaluations"],
        whole.get("reason", ""),
        {part["country"]: part["loss"] for part in parts},
        {part["country"]: part.get("reached_after") for part in parts},
        {part["country"]: part["pareto_front"] for part in parts if "pareto_front" in part},
        first.get("objective", "vsm13"),
        first.get("placement", "first"),
        settings.get("tokens", 0),
        whole.get("target_loss"),
    )
