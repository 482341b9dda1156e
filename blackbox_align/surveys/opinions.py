"""Opinion surveys: a survey, and how samples of people in many countries answered it.

The unit is a *distribution*: the shares of the answers to one item in one sample. Whatever a file
holds besides is counted, with the reason why it was left out: see :class:`Report`.
"""

from __future__ import annotations

import hashlib
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from ..errors import DataFileError, SpecificationError, UnknownNameError
from ..files.report import Report
from ..populations.countries import countries, find_country
from .survey import Item, Scale, Survey

SAMPLES = ("national", "non-national", "all")
MISSING = ("drop", "keep")
LABELS = ("letters", "digits")
_SIGNS = {
    "letters": "Answer with one letter.",
    "digits": "Answer with one number.",
    "both": "Answer with the one sign in front of it.",
}
INSTRUCTIONS = {
    labels: f"Choose the answer that fits best. {sign}" for labels, sign in _SIGNS.items()
}
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
# Shares are printed in whole percents or to three digits: their sum is off by rounding, no more.
_SUM_TOLERANCE = 0.02


@dataclass(frozen=True)
class Sample:
    """Who answered: the ``label`` in the source, the ``country`` as a code, and the ``kind``.

    ``kind`` is ``national``, or ``non-national`` where the source says that the sample does not
    stand for the whole country (it was drawn in its cities, for instance).
    """

    label: str
    country: str
    kind: str = "national"


@dataclass(frozen=True)
class Distribution:
    """``shares`` of the options of ``item`` in ``sample``, in the scale's order; they sum to 1."""

    item: str
    sample: Sample
    shares: tuple[float, ...]


@dataclass(frozen=True)
class OpinionSurvey:
    """A survey with the distributions of the answers to it.

    ``ordered`` names the items whose options form a ladder; only for those has a distance between
    options a meaning (see :func:`..statistics.distances.earth_movers_distance`). ``sources`` says where the
    figures of an item are from, for the items of which that is known.
    """

    survey: Survey
    distributions: tuple[Distribution, ...]
    report: Report
    ordered: frozenset[str] = frozenset()
    sources: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.distributions)

    @cached_property
    def items(self) -> Mapping[str, Item]:
        return {item.id: item for item in self.survey.items}

    @cached_property
    def countries(self) -> Mapping[str, int]:
        """The number of distributions of every country, by code, the largest first."""
        return dict(Counter(d.sample.country for d in self.distributions).most_common())

    def shares(self) -> np.ndarray:
        """(distributions, survey.width) float64; rows sum to 1, zeros behind an item's options."""
        table = np.zeros((len(self), self.survey.width))
        for row, distribution in zip(table, self.distributions, strict=True):
            row[: len(distribution.shares)] = distribution.shares
        return table

    def without(self, items: Collection[str]) -> OpinionSurvey:
        """The survey without some of its items and their distributions."""
        return self._of([d for d in self.distributions if d.item not in items])

    def select(
        self, *, samples: str = "all", countries: Sequence[str] | None = None
    ) -> OpinionSurvey:
        """The distributions of one kind of samples (of :data:`SAMPLES`) and of some countries.

        Items that nobody is left for go as well. The report stays that of the file.

        Raises
        ------
        SpecificationError
            A country has no such sample here; the message says which ones of its continent have.
        """
        if samples not in SAMPLES:
            known = ", ".join(repr(name) for name in SAMPLES)
            raise SpecificationError(f"The samples must be one of {known}; not {samples!r}.")
        kept = [d for d in self.distributions if samples in ("all", d.sample.kind)]
        if countries is not None:
            codes = {_code(name, self, samples) for name in countries}
            kept = [d for d in kept if d.sample.country in codes]
        if not kept:
            raise SpecificationError(
                f"{self.survey.title} has no distribution of a {samples} sample."
            )
        return self._of(kept)

    def _of(self, kept: Sequence[Distribution]) -> OpinionSurvey:
        asked = {d.item for d in kept}
        items = tuple(item for item in self.survey.items if item.id in asked)
        return replace(
            self,
            survey=replace(self.survey, items=items),
            distributions=tuple(kept),
            ordered=self.ordered & asked,
        )


def _code(name: str, opinions: OpinionSurvey, samples: str) -> str:
    """The code of a country that has samples of the kind asked for; else the error says who has."""
    country = find_country(name)
    kinds = {d.sample.kind for d in opinions.distributions if d.sample.country == country.code}
    if kinds if samples == "all" else samples in kinds:
        return country.code
    kind = "" if samples == "all" else f"{samples} "
    message = f"{opinions.survey.title} has no {kind}sample of {country.name}"
    if kinds:
        message += f", but {' and '.join(sorted(kinds))} ones: ask for samples 'all'."
    else:
        table = countries()
        near = [c for c in opinions.countries if table[c].continent == country.continent]
        names = ", ".join(f"{table[code].name} ({opinions.countries[code]})" for code in near[:6])
        message += f"; with the most questions on the same continent: {names}." if near else "."
    raise SpecificationError(message)


# -- from the rows of a file to an opinion survey ------------------------------------------------


@dataclass(frozen=True)
class RawAnswers:
    """One distribution as it stands in a file: nothing about it is checked yet.

    ``item`` is the file's own name of the question, empty where it has none; ``ordered`` is None
    where the file does not say.
    """

    place: str
    question: str
    options: tuple[str, ...]
    label: str
    shares: tuple[float, ...]
    item: str = ""
    ordered: bool | None = None


@dataclass(frozen=True)
class Unreadable:
    """A part of a file that is no distribution, and why."""

    place: str
    reason: str


@dataclass
class _Tally:
    read: int = 0
    dropped: dict[str, list[str]] = field(default_factory=dict)

    def drop(self, reason: str, place: str) -> None:
        self.dropped.setdefault(reason, []).append(place)


def assemble(
    rows: Iterable[RawAnswers | Unreadable],
    path: Path | str,
    *,
    title: str,
    name: str,
    missing: str = "drop",
    labels: str = "letters",
    whole: bool = True,
) -> OpinionSurvey:
    """Check the rows of a file and make an opinion survey of those that hold.

    Parameters
    ----------
    missing : ``drop`` leaves out the options that are no opinion (see :func:`is_missing`) and
        scales the others to sum to 1; ``keep`` treats them as options like any other
    labels : see :func:`with_labels`
    whole : whether the shares of a distribution have to sum to 1; where non-response is in the
        denominator but not in the file, they do not

    Raises
    ------
    DataFileError
        Nothing in the file can be used; the message says why.
    """
    if missing not in MISSING or labels not in LABELS:
        raise SpecificationError(
            f"missing must be one of {MISSING} and labels one of {LABELS}; "
            f"not {missing!r} and {labels!r}."
        )
    tally = _Tally()
    items: dict[tuple[str, str, tuple[str, ...]], Item] = {}
    kept_options: dict[str, tuple[int, ...]] = {}
    ordered: set[str] = set()
    seen: dict[tuple[str, str], Distribution] = {}
    for row in rows:
        tally.read += 1
        reason = row.reason if isinstance(row, Unreadable) else _fault(row, whole)
        if reason or isinstance(row, Unreadable):
            tally.drop(reason, row.place)
            continue
        key = (row.item, " ".join(row.question.split()), row.options)
        item_id = row.item or _content_id(name, row.question, row.options)
        if key not in items:
            kept = [n for n, o in enumerate(row.options) if missing == "keep" or not is_missing(o)]
            if not 2 <= len(kept) <= len(_LETTERS):
                tally.drop(f"{len(kept)} options are left, not 2 to {len(_LETTERS)}", row.place)
                continue
            if item_id in kept_options:
                tally.drop("the item has another question or other options before", row.place)
                continue
            options = tuple(row.options[n] for n in kept)
            items[key] = Item(item_id, row.question.strip(), _scale(options))
            kept_options[item_id] = tuple(kept)
            if row.ordered or (row.ordered is None and _is_ladder(options)):
                ordered.add(item_id)
        sample = _sample(row.label)
        if sample is None:
            tally.drop(f"no country is known by the label {row.label!r}", row.place)
            continue
        shares = np.array([row.shares[n] for n in kept_options[item_id]])
        if shares.sum() <= 0:
            tally.drop("nobody in the sample gave an opinion", row.place)
            continue
        distribution = Distribution(item_id, sample, tuple(map(float, shares / shares.sum())))
        earlier = seen.setdefault((item_id, row.label), distribution)
        if earlier is not distribution:
            same = np.allclose(earlier.shares, distribution.shares, atol=0.002)
            tally.drop(
                f"it repeats an earlier one{'' if same else ' with other shares'}", row.place
            )
    if not seen:
        report = Report(tally.read, 0, {k: tuple(v) for k, v in tally.dropped.items()})
        raise DataFileError(
            Path(path), None, "nothing in it can be used. " + " ".join(report.lines())
        )
    used = {item_id for item_id, _ in seen}
    asked = {item.id: (item, key[2]) for key, item in items.items() if item.id in used}
    left_out = sum(len(options) - len(item.scale) for item, options in asked.values())
    survey = Survey(
        name=name,
        title=title,
        version=1,
        instruction=INSTRUCTIONS["letters"],
        items=tuple(item for item, _ in asked.values()),
        source=str(path),
    )
    dropped = {reason: tuple(places) for reason, places in tally.dropped.items()}
    report = Report(tally.read, len(seen), dropped, left_out)
    survey = with_labels(survey, labels)
    return OpinionSurvey(survey, tuple(seen.values()), report, frozenset(ordered & used))


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
    if total > 1 + _SUM_TOLERANCE or (whole and total < 1 - _SUM_TOLERANCE):
        return "the shares do not sum to 1"
    return ""


@lru_cache(4096)
def is_missing(option: str) -> bool:
    """Whether an option is no opinion: "don't know", refused, no answer, not asked, missing.

    Answers that people volunteered ("Neither (VOL)") are opinions. So is "I do not know anyone".
    """
    bare = unicodedata.normalize("NFKC", option).replace("’", "'").replace("‘", "'").casefold()
    bare = re.sub(r"\((vol\.?|do not read|dnr)\)", "", bare).strip(" .\"'")
    if re.match(r"(other )?missing\b|inap\b|not applicable\b|n/a$", bare):
        return True
    if re.fullmatch(r"(don'?t )?-\d+(:-\d+)?", bare):  # the code books' range for non-response
        return True
    parts = [part.strip(" .\"'") for part in re.split(r"[/;,]| or ", bare)]
    return all(part in _NO_OPINION for part in parts)


_NO_OPINION = {
    "dk", "don't know", "dont know", "do not know", "doesn't know", "can't say", "cannot say",
    "refused", "refuse", "refusal", "rf", "ref", "no answer", "no response", "nonresponse",
    "non-response", "answer refused", "missing", "not asked", "not available", "na",
    "prefer not to say", "prefer not to answer",
}  # fmt: skip


def _is_ladder(options: Sequence[str]) -> bool:
    """Whether the options are plainly a scale of numbers, with words at the ends perhaps."""
    numbers = [int(option) for option in options if re.fullmatch(r"\d{1,3}", option.strip())]
    return len(numbers) >= max(2, len(options) - 2) and numbers == sorted(numbers)


def _scale(options: tuple[str, ...]) -> Scale:
    codes = tuple(float(n + 1) for n in range(len(options)))
    signs = tuple(_LETTERS[: len(options)])
    return Scale("", signs, tuple(option.strip() for option in options), codes)


def with_labels(survey: Survey, labels: str) -> Survey:
    """A survey whose options are called by ``letters`` (A, B, ...) or ``digits`` (1, 2, ...).

    An item with more than nine options has letters all the same, because 10 is no single token.
    """
    used = set()
    items = []
    for item in survey.items:
        letters = labels == "letters" or len(item.scale) > 9
        signs = _LETTERS if letters else "123456789"
        used.add("letters" if letters else "digits")
        scale = replace(item.scale, labels=tuple(signs[: len(item.scale)]))
        items.append(replace(item, scale=scale))
    instruction, new = survey.instruction, _SIGNS[used.pop() if len(used) == 1 else "both"]
    for sign in _SIGNS.values():
        if instruction.endswith(sign):
            instruction = instruction.removesuffix(sign) + new
            break
    return replace(survey, items=tuple(items), instruction=instruction)


def _content_id(name: str, question: str, options: tuple[str, ...]) -> str:
    """A name made of what is asked: the same question has the same one in every file."""
    content = "\n".join((" ".join(question.split()), *options))
    return f"{name}-{hashlib.sha256(content.encode()).hexdigest()[:10]}"


@lru_cache(4096)
def _sample(label: str) -> Sample | None:
    """The sample of a label such as ``India (Old national sample)``; None for no known country."""
    found = re.fullmatch(r"(.*?)\s*\((.*national) sample\)", label.strip(), re.IGNORECASE)
    bare, kind = (found[1], found[2].casefold()) if found else (label, "")
    try:
        country = find_country(bare)
    except UnknownNameError:
        return None
    return Sample(label, country.code, "non-national" if "non" in kind else "national")
