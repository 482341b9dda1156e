"""What a file holds, for a person to read through before anything is run.

What will be asked, in which order, of whom; what was left out and why; what resembles what was left
out but was kept.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..files.report import Report
from ..populations.countries import countries
from ..populations.targets import TargetSet
from .knowledge import KnowledgeTest
from .non_response import look_alikes
from .opinions import OpinionSurvey
from .survey import NO_ANSWERS, Survey

Table = tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]
"""The heads of the columns, and the rows."""


@dataclass(frozen=True)
class Check:
    """What a file holds: ``counts`` by what is counted, ``tables`` by title, ``left_out`` by reason.

    ``options`` are options that are no answers and ``look_alikes`` those that were kept though they
    resemble them, each with the number of items that have it; ``notes`` are sentences.
    """

    title: str
    kind: str
    counts: Mapping[str, int]
    tables: Mapping[str, Table]
    left_out: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    options: Mapping[str, int] = field(default_factory=dict)
    look_alikes: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def check(content: Survey | OpinionSurvey | KnowledgeTest | TargetSet) -> Check:
    """The check of what a loader gave."""
    if isinstance(content, TargetSet):
        return _targets(content)
    if isinstance(content, OpinionSurvey):
        return _opinions(content)
    if isinstance(content, KnowledgeTest):
        return _knowledge(content)
    alike = Counter(o for item in content.items for o in look_alikes(item.scale.options))
    kind = "a survey that is read through indices" if content.indices else "a questionnaire"
    bring = () if content.indices else (f"It can be asked, but {NO_ANSWERS}",)
    return Check(
        content.title,
        kind,
        {
            "items": len(content.items),
            "scales": len({item.scale for item in content.items}),
            "indices": len(content.indices),
        },
        {
            "asked": _asked(
                content,
                {item.id: content.direction(item) for item in content.items},
                "a higher code",
            )
        },
        look_alikes=dict(alike.most_common()),
        notes=(*content.left_out, *bring),
    )


def _asked(survey: Survey, about: Mapping[str, str], head: str) -> Table:
    rows = tuple(
        (item.id, item.text, item.scale.line(), about.get(item.id, "")) for item in survey.items
    )
    return ("item", "question", "options in order", head), rows


def _counts(report: Report) -> dict[str, int]:
    return {
        f"{report.unit} read": report.read,
        f"{report.unit} kept": report.kept,
        'options for "don\'t know" and the like left out': report.options_left_out,
    }


def _opinions(opinions: OpinionSurvey) -> Check:
    report = opinions.report
    samples = Counter(d.item for d in opinions.distributions)
    about = {
        item.id: f"{'yes' if item.id in opinions.ordered else 'no'}, {samples[item.id]} samples"
        for item in opinions.survey.items
    }
    names = {code: country.name for code, country in countries().items()}
    names |= {group.code: group.name for group in opinions.groups}
    numbers = Counter(d.sample for d in opinions.distributions)
    people = {
        sample: [d.people for d in opinions.distributions if d.sample == sample and d.people]
        for sample in numbers
    }
    rows = tuple(
        (
            sample.label,
            names.get(sample.country, sample.country),
            sample.country,
            sample.kind,
            str(number),
            f"{max(people[sample]):,.0f}" if people[sample] else "",
        )
        for sample, number in numbers.items()
    )
    heads = ("label in the file", "read as", "code", "sample", "items", "people")
    groups = tuple((group.code, group.name, group.preamble()) for group in opinions.groups)
    tables: dict[str, Table] = {
        "asked": _asked(opinions.survey, about, "ordered"),
        "of whom": (heads, rows),
    }
    if groups:
        tables["groups"] = (("code", "group", "told to the model"), groups)
    return Check(
        opinions.survey.title,
        "an opinion survey",
        {
            "items": len(opinions.survey.items),
            "groups" if groups else "countries": len(groups or opinions.countries),
            **_counts(report),
        },
        tables,
        report.dropped,
        report.options or {},
        report.look_alikes or {},
        (*report.notes, *_without_question(opinions)),
    )


def _without_question(opinions: OpinionSurvey) -> tuple[str, ...]:
    """A sentence on the items whose question is only their name."""
    texts = [item.text.strip(" \"'“”„«»") for item in opinions.survey.items]
    named = [
        text for text in texts if len(text.split()) == 1 and not text.endswith(("?", "？", "؟"))
    ]
    if not named:
        return ()
    return (
        f"The question of {', '.join(named[:12])} is but its name, and a model is asked just that: write "
        f"it out.",
    )


def _knowledge(test: KnowledgeTest) -> Check:
    right = {
        item.id: item.scale.options[judgement.right]
        for item, judgement in zip(test.survey.items, test.judgements, strict=True)
    }
    rows = tuple((countries()[code].name, code, str(n)) for code, n in test.countries.items())
    return Check(
        test.survey.title,
        "a test of knowledge",
        {
            "items": len(test.survey.items),
            "countries": len(test.countries),
            **_counts(test.report),
        },
        {
            "asked": _asked(test.survey, right, "right"),
            "of whom": (("country", "code", "questions"), rows),
        },
        test.report.dropped,
        notes=test.report.notes,
    )


def _targets(targets: TargetSet) -> Check:
    labels = {code: label for label, code in targets.labels.items()}
    rows = tuple(
        (
            labels.get(code, code),
            countries()[code].name,
            code,
            *("" if math.isnan(value) else f"{value:g}" for value in row),
        )
        for code, row in targets.figures.items()
    )
    return Check(
        targets.title,
        "a target set",
        {
            "rows": len(targets),
            "complete rows": len(targets.complete()),
            "indices": len(targets.indices),
            "estimates": len(targets.estimates),
        },
        {"figures": (("label in the file", "read as", "code", *targets.indices), rows)},
        notes=targets.notes,
    )
