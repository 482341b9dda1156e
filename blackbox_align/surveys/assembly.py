"""From the rows of a file to an opinion survey: each row is checked, and what is left out is named.

Everything that a row alone cannot tell is decided here for the file as a whole: whom the labels
mean, which options are no answers, in which order a scale runs, and whether options were torn apart.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np

from ..errors import DataFileError, require_one_of
from ..files.report import Report
from ..populations.labels import Labels, read_labels
from ..populations.population import Population
from .non_response import look_alikes, non_responses
from .opinions import MISSING, Distribution, OpinionSurvey, Sample
from .scales import arranged, contradicts, is_ladder, refuse_dates
from .signs import INSTRUCTIONS, LABELS, LETTERS, lettered, with_labels
from .survey import Item, Survey

# Shares are printed in whole percents or to three digits: their sum is off by rounding, no more.
_SUM_TOLERANCE = 0.02
# Whole numbers that sum to fewer people are no counts of a survey.
_FEWEST_PEOPLE = 10
# Where more of the people are missing from the options than this, it is said.
_MOST_SILENT = 0.5


@dataclass(frozen=True)
class RawAnswers:
    """One distribution as it stands in a file: nothing about it is checked yet.

    ``item`` is the file's own name of the question, empty where it has none; ``ordered`` is None
    where the file does not say; ``missing`` are the options that the file itself calls no answer,
    None where it does not say; the first ``listed`` options are in the order in which this row has
    them, and the others are only known from other rows.
    """

    place: str
    question: str
    options: tuple[str, ...]
    label: str
    shares: tuple[float, ...]
    item: str = ""
    ordered: bool | None = None
    missing: frozenset[str] | None = None
    listed: int | None = None
    people: float | None = None


@dataclass(frozen=True)
class Unreadable:
    """A part of a file that is no distribution, and why."""

    place: str
    reason: str


@dataclass(frozen=True)
class Source:
    """What a file is and how it is read: see :func:`assemble`."""

    path: Path
    title: str
    name: str
    missing: str = "drop"
    labels: str = "letters"
    whole: bool = True
    split: bool = False
    groups: Mapping[str, Population] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass
class _Question:
    """An item under construction: its options as first seen, and those that are kept, in order."""

    item: Item
    options: tuple[str, ...]
    kept: tuple[str, ...]
    ordered: bool
    left_out: tuple[str, ...]


class _Tally:
    """What was read, and what was not, by reason."""

    def __init__(self) -> None:
        self.read = 0
        self.dropped: dict[str, list[str]] = {}
        self.reordered: list[str] = []
        self.counted: list[str] = []
        self.silent: list[tuple[float, str]] = []

    def drop(self, reason: str, place: str) -> None:
        self.dropped.setdefault(reason, []).append(place)

    def frozen(self) -> dict[str, tuple[str, ...]]:
        return {reason: tuple(places) for reason, places in self.dropped.items()}


def assemble(rows: Iterable[RawAnswers | Unreadable], source: Source) -> OpinionSurvey:
    """Check the rows of a file and make an opinion survey of those that hold.

    ``source.missing`` is ``drop`` to leave out the options that are no answer (see
    :mod:`.non_response`) and scale the others to sum to 1, or ``keep`` to treat them as any other;
    ``whole`` says whether the shares of a distribution have to sum to 1 (where non-response is in
    the denominator but not in the file, they do not); ``split`` whether the options were cut out of
    a text, and can have been torn; ``groups`` are the labels that are no countries.

    Raises
    ------
    DataFileError
        Nothing in the file can be used, the labels are of another scheme than countries', or the
        order of a scale cannot be known; the message says why.
    """
    require_one_of("missing", source.missing, MISSING)
    require_one_of("labels", source.labels, LABELS)
    table = list(rows)
    answers = [row for row in table if isinstance(row, RawAnswers)]
    labels = _read_samples(answers, source)
    torn = _refuse_torn(answers, source)
    tally = _Tally()
    questions: dict[tuple[str, str, frozenset[str]], _Question] = {}
    seen: dict[tuple[str, str], Distribution] = {}
    for row in table:
        tally.read += 1
        reason = row.reason if isinstance(row, Unreadable) else _fault(row, source.whole)
        if reason or isinstance(row, Unreadable):
            tally.drop(reason, row.place)
            continue
        question = _question(row, questions, source, tally)
        if question is None:
            continue
        if _bare(row.label)[0] in labels.sums and row.label not in source.groups:
            tally.drop("it sums up several countries", row.place)
            continue
        distribution = _distribution(row, question, _sample(row.label, labels, source), tally)
        if distribution is None:
            continue
        earlier = seen.setdefault((question.item.id, row.label), distribution)
        if earlier is not distribution:
            same = np.allclose(earlier.shares, distribution.shares, atol=0.002)
            tally.drop(
                f"it repeats an earlier one{'' if same else ' with other shares'}", row.place
            )
    if not seen:
        report = Report(tally.read, 0, tally.frozen(), notes=_suggested(labels))
        raise DataFileError(
            source.path, None, "nothing in it can be used. " + " ".join(report.lines())
        )
    used = {item_id for item_id, _ in seen}
    asked = [question for question in questions.values() if question.item.id in used]
    return _survey(asked, tuple(seen.values()), tally, source, labels, torn)


def _survey(
    asked: Sequence[_Question],
    distributions: tuple[Distribution, ...],
    tally: _Tally,
    source: Source,
    labels: Labels,
    torn: str,
) -> OpinionSurvey:
    survey = Survey(
        name=source.name,
        title=source.title,
        version=1,
        instruction=INSTRUCTIONS["letters"],
        items=tuple(question.item for question in asked),
        source=str(source.path),
    )
    left_out = Counter(option for question in asked for option in question.left_out)
    resembling: Counter[str] = Counter()
    if source.missing == "drop":
        resembling.update(o for question in asked for o in look_alikes(question.kept))
    notes = [*source.notes, *labels.notes, *_suggested(labels), *_told(tally), torn]
    report = Report(
        tally.read,
        len(distributions),
        tally.frozen(),
        sum(left_out.values()),
        options=dict(left_out.most_common()),
        look_alikes=dict(resembling.most_common()),
        notes=tuple(note for note in notes if note),
    )
    ordered = frozenset(question.item.id for question in asked if question.ordered)
    declared = {d.sample.country for d in distributions if d.sample.kind == "group"}
    groups = tuple(g for g in dict.fromkeys(source.groups.values()) if g.code in declared)
    survey = with_labels(survey, source.labels)
    return OpinionSurvey(survey, distributions, report, ordered, groups=groups)


def _told(tally: _Tally) -> list[str]:
    """Sentences on what was read in one of several ways."""
    notes = []
    if tally.reordered:
        notes.append(
            f"{len(tally.reordered):,} distributions list the options in another order than the first "
            f"of their item ({', '.join(tally.reordered[:3])}); they were aligned by name."
        )
    if tally.counted:
        notes.append(
            f"{len(tally.counted):,} distributions are counts or percents "
            f"({', '.join(tally.counted[:3])}); they were divided by their sums."
        )
    if tally.silent:
        share, place = min(tally.silent)
        notes.append(
            f"In {len(tally.silent):,} distributions fewer than half of the people are on the options "
            f"that are asked (fewest: {100 * share:.0f} %, {place}); their shares were scaled to sum to 1."
        )
    return notes


# -- whom, and what, a row is about -------------------------------------------------------------------------


def _read_samples(answers: Sequence[RawAnswers], source: Source) -> Labels:
    """The countries of all labels; :class:`DataFileError` where they are of another scheme."""
    labels = [_bare(row.label)[0] for row in answers if row.label not in source.groups]
    found = read_labels(labels)
    if found.doubt:
        raise DataFileError(source.path, None, found.doubt)
    return found


def _bare(label: str) -> tuple[str, str]:
    """A label such as ``India (Old national sample)`` as the country's and the sample's kind."""
    found = re.fullmatch(r"(.*?)\s*\((.*national) sample\)", label.strip(), re.IGNORECASE)
    return (found[1], found[2].casefold()) if found else (label.strip(), "")


def _sample(label: str, labels: Labels, source: Source) -> Sample | None:
    """Who answered, or None for no known country."""
    if label in source.groups:
        return Sample(label, source.groups[label].code, "group")
    bare, kind = _bare(label)
    country = labels.found.get(bare)
    if country is None:
        return None
    if country.is_region:
        return Sample(label, country.code, "region")
    return Sample(label, country.code, "non-national" if "non" in kind else "national")


def _suggested(labels: Labels) -> tuple[str, ...]:
    near = [f"{label!r}: perhaps {names}" for label, names in labels.unknown.items() if names]
    return (f"Labels that are no country: {'; '.join(near)}.",) if near else ()


def _question(
    row: RawAnswers,
    questions: dict[tuple[str, str, frozenset[str]], _Question],
    source: Source,
    tally: _Tally,
) -> _Question | None:
    """The item of a row, made where it is the first; None where it cannot be asked."""
    key = (row.item, " ".join(row.question.split()), frozenset(row.options))
    question = questions.get(key)
    if question is None:
        none = row.missing if row.missing is not None else non_responses(row.options)
        kept = tuple(o for o in row.options if source.missing == "keep" or o not in none)
        if not 2 <= len(kept) <= len(LETTERS):
            tally.drop(f"{len(kept)} options are left, not 2 to {len(LETTERS)}", row.place)
            return None
        item_id = row.item or _content_id(source.name, row.question, row.options)
        if row.item and any(item_id == other.item.id for other in questions.values()):
            tally.drop("the item has another question or other options before", row.place)
            return None
        refuse_dates(source.path, item_id, kept)
        kept = arranged(kept)
        ordered = bool(row.ordered or (row.ordered is None and is_ladder(kept)))
        item = Item(item_id, row.question.strip(), lettered([option.strip() for option in kept]))
        left_out = tuple(o for o in row.options if o not in kept)
        question = questions[key] = _Question(item, row.options, kept, ordered, left_out)
    listed = row.options[: row.listed]
    if contradicts(listed, question.options):
        if question.ordered and not is_ladder(question.kept):
            raise DataFileError(
                source.path,
                None,
                f"the options of {question.item.id!r}, which are ordered, stand in another order at "
                f"{row.place} than before ({' | '.join(question.options)}), so the order of the scale "
                "cannot be known; write them in the same order in every place.",
            )
        tally.reordered.append(row.place)
    return question


def _distribution(
    row: RawAnswers, question: _Question, sample: Sample | None, tally: _Tally
) -> Distribution | None:
    if sample is None:
        tally.drop(f"no country is known by the label {row.label!r}", row.place)
        return None
    by_option = dict(zip(row.options, row.shares, strict=True))
    shares = np.array([by_option[option] for option in question.kept])
    total = math.fsum(row.shares)
    if total > 1 + _SUM_TOLERANCE:
        tally.counted.append(row.place)
        shares, total = shares / total, 1.0
    if shares.sum() <= 0:
        tally.drop("nobody in the sample gave an opinion", row.place)
        return None
    if shares.sum() < _MOST_SILENT:
        tally.silent.append((float(shares.sum()), row.place))
    scaled = tuple(map(float, shares / shares.sum()))
    return Distribution(question.item.id, sample, scaled, row.people)


def _fault(row: RawAnswers, whole: bool) -> str:
    """Why a distribution cannot be used, or nothing."""
    if not row.question.strip():
        return "there is no question"
    if len(row.options) != len(row.shares):
        return "the numbers of options and of shares differ"
    if len(set(row.options)) < len(row.options):
        return "an option stands there twice"
    if not all(option.strip() for option in row.options):
        return "an option is blank"
    if not all(math.isfinite(share) and share >= 0 for share in row.shares):
        return "a share is negative or no number"
    total = math.fsum(row.shares)
    if total == 0:
        return "all shares are 0" if row.shares else "there are no shares"
    percents = abs(total - 100) <= 100 * _SUM_TOLERANCE
    counts = total >= _FEWEST_PEOPLE and all(share.is_integer() for share in row.shares)
    if percents or counts:
        return ""
    if total > 1 + _SUM_TOLERANCE:
        return (
            "the shares do not sum to 1 but to more: were several answers allowed, or sums listed?"
        )
    if whole and total < 1 - _SUM_TOLERANCE:
        return "the shares do not sum to 1"
    return ""


def _refuse_torn(answers: Sequence[RawAnswers], source: Source) -> str:
    """A note on options that look torn apart; an error where these are no single ones.

    A fragment begins in lower case behind an option with a capital, in an item whose other options
    have capitals: "Yes, but only on weekends" was cut into "Ye" and "ut only on weekends".
    """
    lists = list(
        dict.fromkeys(
            tuple(o for o in row.options if o not in (row.missing or non_responses(row.options)))
            for row in answers
        )
    )
    torn = [options for options in lists if _is_torn(options)]
    if not torn:
        return ""
    example = " | ".join(torn[0])[:120]
    if source.split and len(torn) > 0.02 * len(lists):
        raise DataFileError(
            source.path,
            None,
            f"it is corrupted: in {len(torn):,} of its {len(lists):,} questions the options look torn "
            f"apart ({example}), so the shares may belong to other options. Take the questions from "
            "another file.",
        )
    return f"Options that look torn apart, to be read through: {example}."


def _is_torn(options: Sequence[str]) -> bool:
    texts = [option.strip() for option in options]
    capitals = sum(text[:1].isupper() for text in texts)
    torn = any(b[:1].islower() and a[:1].isupper() for a, b in pairwise(texts))
    return torn and len(texts) > 2 and 2 * capitals > len(texts)


def _content_id(name: str, question: str, options: tuple[str, ...]) -> str:
    """A name made of what is asked: the same question has the same one in every file."""
    content = "\n".join((" ".join(question.split()), *options))
    return f"{name}-{hashlib.sha256(content.encode('utf-8', 'replace')).hexdigest()[:10]}"
