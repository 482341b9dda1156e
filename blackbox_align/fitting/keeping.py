"""Keeping order among runs: which there are, how two of them differ, and taking one away."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import BlackboxAlignError, RunError, SpecificationError, UnknownNameError
from ..files.atomic import plain_errors
from ..results import Result
from ..results.names import FITTED
from .record import Record
from .run import Run
from .settled import as_recorded

COLUMNS = ("run", "country", "model", "optimizer", "seed", "status", "evaluations", "loss")


def row_of(run: Run) -> dict[str, Any]:
    """What a listing says of a run; of one that cannot be read, why."""
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    row["run"] = str(run.path)
    try:
        settings = run.specification
        row |= {
            "country": str(settings.country) or "+".join(settings.group),
            "model": settings.model,
            "optimizer": settings.optimizer,
            "seed": settings.seed,
            "status": run.status,
        }
        if (run.path / "result.json").is_file():
            result = run.result
            row["evaluations"] = result.search.evaluations if result.search else None
            row["loss"] = result.loss
    except (BlackboxAlignError, KeyError, TypeError, ValueError, AttributeError) as error:
        row["status"] = f"cannot be read: {error}"
    return row


def matching(runs: list[Run], where: Mapping[str, str]) -> list[dict[str, Any]]:
    """The rows of the runs of which every named column or setting is as wanted.

    A country of several matches each of them. :class:`..errors.UnknownNameError` where no run knows a name.
    """
    found, known = [], set(COLUMNS)
    for run in runs:
        row = row_of(run)
        settings = (
            {} if run.trouble else as_recorded(run.specification, run.record["facts"]).to_dict()
        )
        known |= set(settings)
        values = {**settings, **row}
        if all(_is(values.get(name), wanted) for name, wanted in where.items()):
            found.append(row)
    for name in where:
        if runs and name not in known:
            raise UnknownNameError("column or setting of a run", name, sorted(known))
    return found


def _is(value: Any, wanted: str) -> bool:
    if isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool)):
        try:
            return float(wanted) == value
        except ValueError:
            return False
    parts = [str(one) for one in value] if isinstance(value, list) else str(value).split("+")
    return wanted.casefold() in {str(value).casefold(), *(part.casefold() for part in parts)}


def ordered(rows: list[dict[str, Any]], by: str) -> list[dict[str, Any]]:
    """Rows by one column, those without a value last; ``-`` in front turns the order around."""
    name = by.removeprefix("-")
    if name not in COLUMNS:
        raise UnknownNameError("column of the list", name, list(COLUMNS))
    known = [row for row in rows if row[name] is not None]
    known.sort(key=lambda row: row[name], reverse=by.startswith("-"))
    return known + [row for row in rows if row[name] is None]


@dataclass(frozen=True)
class Difference:
    """What two runs do not share: ``settings`` and ``facts`` (name, of a, of b), and ``figures`` of both.

    A figure is (population, metric, split, of a, of b), fitted; None where one has none.
    """

    settings: tuple[tuple[str, Any, Any], ...]
    facts: tuple[tuple[str, Any, Any], ...]
    figures: tuple[tuple[str, str, str, float | None, float | None], ...]

    @property
    def comparable(self) -> bool:
        """Whether both were scored against the same thing, so that figures may be set side by side."""
        judged = {
            "survey_sha256",
            "targets_sha256",
            "opinions_sha256",
            "fit_questions",
            "constants",
        }
        return not judged & {name for name, _, _ in self.facts}


def difference(a: Run, b: Run) -> Difference:
    """How two runs differ in what was asked, in what that stood for, and in what came out."""
    settings = _differing({**a.specification.to_dict(), **a.record["stopping"]},
                          {**b.specification.to_dict(), **b.record["stopping"]})  # fmt: skip
    ours = ({**_facts(run), **_conditions(run)} for run in (a, b))
    return Difference(settings, _differing(*ours), _figures(a, b))


def _facts(run: Run) -> dict[str, Any]:
    """What settings stood for; what was measured on the way is no reason for figures to differ."""
    facts = _flat(run.record["facts"])
    measured = ("noise", "price")  # of the machine at that hour
    return {name: value for name, value in facts.items() if not name.startswith(measured)}


def _conditions(run: Run) -> dict[str, Any]:
    last = (run.record.get("conditions") or [{}])[-1]
    return {name: value for name, value in _flat(last).items() if name != "evaluations"}


def _flat(values: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= (
            {f"{name} {k}": v for k, v in value.items()}
            if isinstance(value, Mapping)
            else {name: value}
        )
    return found


def _differing(a: Mapping[str, Any], b: Mapping[str, Any]) -> tuple[tuple[str, Any, Any], ...]:
    names = dict.fromkeys((*a, *b))
    return tuple((n, a.get(n), b.get(n)) for n in names if a.get(n) != b.get(n))


def _figures(a: Run, b: Run) -> tuple[tuple[str, str, str, float | None, float | None], ...]:
    found: list[dict[tuple[str, str, str], float]] = []
    for run in (a, b):
        try:
            found.append(_headlines(run.result))
        except RunError:
            found.append({})
    names = dict.fromkeys(key for one in found for key in one)
    return tuple((*key, found[0].get(key), found[1].get(key)) for key in names)


def _headlines(result: Result) -> dict[tuple[str, str, str], float]:
    """The fitted figures of the metrics to print first."""
    indices = [name for asked in result.provenance.instruments for name in asked.indices]
    wanted = {*result.headline, *indices}
    return {
        (f.population, f.metric, f.split): f.value
        for f in result.select(condition=FITTED)
        if f.metric in wanted
    }


def remove(path: Path) -> None:
    """Take a run away for good, unless somebody works on it; a kill on the way leaves no half of it.

    Raises
    ------
    RunError
        There is no run, or another process works on it.
    SpecificationError
        Something lies in the folder that no run left there.
    """
    record = Record(path)
    if not record.exists():
        raise RunError(f"{path} is not a run: it holds no run.json.")
    strange = sorted(one.name for one in path.iterdir() if not _is_ours(one.name))
    if strange:
        raise SpecificationError(
            f"{path} also holds {', '.join(strange[:3])}, which no run leaves there: move it away first."
        )
    away = path.with_name(f".{path.name}.removed")
    with record.writing(), plain_errors(path):
        shutil.rmtree(away, ignore_errors=True)
        path.rename(away)
    shutil.rmtree(away, ignore_errors=True)


_OURS = ("run.json", "journal.jsonl", "vectors.f64", "result.json", "answers.csv", "targets.csv", "lock",
         "expert", "experts", "report.html", "report")  # fmt: skip


def _is_ours(name: str) -> bool:
    return name in _OURS or name.startswith((".", "journal.jsonl.damaged-"))
