"""``bbalign surveys``: what can be asked, the items of one survey, and the check of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import AsJson
from .screen import print_hint, print_json, print_table, say

if TYPE_CHECKING:
    from ..assessment.score import Instrument

surveys_app = typer.Typer(help="List the surveys and target sets, show one, or check a file.")


@surveys_app.callback(invoke_without_command=True)
def list_command(context: typer.Context, as_json: AsJson = False) -> None:
    """List the surveys and target sets that ship with the package; show one, or check a file."""
    if context.invoked_subcommand is not None:
        return
    from ..populations import target_sets
    from ..surveys import load_survey, survey_names
    from ..surveys.opinion_files import load_opinions, opinion_names

    surveys = [
        *((load_survey(name), 0) for name in survey_names()),
        *((o.survey, len(o.countries)) for o in map(load_opinions, opinion_names())),
    ]
    sets = target_sets()
    if as_json:
        print_json(
            {
                "surveys": [
                    {"name": s.name, "title": s.title, "items": len(s.items), "countries": n}
                    for s, n in surveys
                ],
                "targets": [
                    {
                        "name": t.name,
                        "title": t.title,
                        "rows": len(t),
                        "source": t.source,
                        "note": t.note,
                    }
                    for t in sets
                ],
            }
        )
        return
    print_table(
        ("survey", "items", "people's answers", "title"),
        [
            (s.name, str(len(s.items)), f"of {n} countries" if n else "in target sets", s.title)
            for s, n in surveys
        ],
        right=(1,),
    )
    say()
    print_table(
        ("targets", "rows", "complete", "note"),
        [(t.name, str(len(t)), str(len(t.complete())), t.note) for t in sets],
        right=(1, 2),
    )


@surveys_app.command("show")
def show_command(
    name: Annotated[str, typer.Argument(help="A survey's name or file.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """List the items of a survey: what a higher answer does, or where the figures are from."""
    from ..assessment import load_instrument
    from ..surveys import Survey
    from ..surveys.opinions import OpinionSurvey

    instrument = load_instrument(name)
    survey = instrument if isinstance(instrument, Survey) else instrument.survey
    if isinstance(instrument, OpinionSurvey):
        key, head, about = "source", "source", instrument.sources
    else:
        key, head = "effect", "a higher code"
        about = {item.id: survey.direction(item) for item in survey.items}
    items = [
        {
            "item": item.id,
            "scale": item.scale.line(),
            "question": item.text,
            key: about.get(item.id, ""),
        }
        for item in survey.items
    ]
    if as_json:
        print_json(items)
    else:
        print_table(("item", "question", head), [(i["item"], i["question"], i[key]) for i in items])


@surveys_app.command("check")
def check_command(
    file: Annotated[
        str,
        typer.Argument(
            help="A survey in YAML, people's answers or a test of knowledge in any form that is read.",
            show_default=False,
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Read a file as a fit or a score would, and say what is in it; exit 2 for a mistake."""
    from ..assessment import load_instrument

    found = _summary(load_instrument(file))
    if as_json:
        print_json(found)
        return
    say(f"{found['title']}: {found['kind']}")
    counts = {name: value for name, value in found.items() if isinstance(value, int)}
    say(", ".join(f"{value:,} {name}" for name, value in counts.items()))
    for reason, places in found["left_out"].items():
        say(f"\n{len(places):,} left out: {reason}")
        print_hint("  " + ", ".join(places))


def _summary(instrument: Instrument) -> dict[str, Any]:
    """What a file holds: numbers under the names of what is counted, and what was left out of it."""
    from ..surveys import Survey
    from ..surveys.opinions import OpinionSurvey

    if isinstance(instrument, Survey):
        return {
            "title": instrument.title,
            "kind": "a survey that is read through indices",
            "items": len(instrument.items),
            "scales": len({item.scale for item in instrument.items}),
            "indices": len(instrument.indices),
            "left_out": {},
        }
    report = instrument.report
    head = {"title": instrument.survey.title, "kind": "a test of knowledge"}
    if isinstance(instrument, OpinionSurvey):
        head["kind"] = "an opinion survey"
    return {
        **head,
        "items": len(instrument.survey.items),
        "countries": len(instrument.countries),
        f"{report.unit} read": report.read,
        f"{report.unit} kept": report.kept,
        'options for "don\'t know" and the like left out': report.options_left_out,
        "left_out": {reason: list(places) for reason, places in report.dropped.items()},
    }
