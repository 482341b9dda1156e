"""``bbalign surveys``: what can be asked, the items of one survey, and the check of a file."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import DataFileError
from .options import AsJson, Missing
from .screen import print_hint, print_json, print_note, print_table, say

if TYPE_CHECKING:
    from ..populations import TargetSet
    from ..surveys.checking import Check
    from ..surveys.instruments import Questionnaire as Instrument

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
    from ..surveys import Survey
    from ..surveys.instruments import load_instrument
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
            help="A survey in YAML, people's answers, a test of knowledge, or targets, in any form "
            "that is read.",
            show_default=False,
        ),
    ],
    model: Annotated[
        str | None, typer.Option(help="Also say which items this model cannot be asked.")
    ] = None,
    missing: Missing = "drop",
    as_json: AsJson = False,
) -> None:
    """Read a file as a fit or a score would, and show what is asked, of whom, and what is left out.

    It ends with 2 for a mistake in the file.
    """
    from ..surveys.checking import check
    from ..surveys.reading import read

    content = read(file, missing=missing)
    found = check(content)
    unaskable = _cannot_be_asked(content, model) if model else {}
    if as_json:
        print_json(_as_json(found, unaskable))
    else:
        _print(found, unaskable, model)


@surveys_app.command("tabulate")
def tabulate_command(
    file: Annotated[
        Path,
        typer.Argument(
            help="Respondents' rows: CSV, Excel, SPSS, Stata, SAS or parquet.", show_default=False
        ),
    ],
    country: Annotated[
        str, typer.Option(help="The column that says where, or of which group, somebody is.")
    ],
    weight: Annotated[str | None, typer.Option(help="The column of weights.")] = None,
    item: Annotated[
        list[str] | None,
        typer.Option(help="A column to tabulate; repeat it. Default: all answers."),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(help="Only people for whom COLUMN=VALUE holds, such as a wave; repeat it."),
    ] = None,
    survey: Annotated[
        Path | None,
        typer.Option(
            help="The questionnaire of the rows, as Qualtrics (QSF), LimeSurvey or XLSForm write it: its "
            "questions and labels."
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="The file to write. Default: FILE-shares.csv.")
    ] = None,
) -> None:
    """Make the shares of the answers per country from the rows of respondents."""
    import csv
    import io

    from ..files.atomic import write_text
    from ..surveys.reading import read_form
    from ..surveys.respondents import only_where, read_respondents, with_form
    from ..surveys.tabulate import tabulate

    people = read_respondents(file)
    for condition in where or ():
        people = only_where(people, condition)
    if survey is not None:
        form = read_form(survey)
        if form is None:
            raise DataFileError(survey, None, "this is no QSF, LimeSurvey structure or XLSForm.")
        people = with_form(people, form)
    table = tabulate(people, country, weight, item or ())
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(table.header)
    rows.writerows(table.rows)
    path = output or Path(f"{file.name.partition('.')[0]}-shares.csv")
    write_text(path, text.getvalue())
    for note in table.notes:
        print_note(note)
    items = len({row[0] for row in table.rows})
    say(f"{path}: {items:,} items.")
    print_hint(f"Read it through with: {shlex.join(['bbalign', 'surveys', 'check', str(path)])}")


def _cannot_be_asked(content: Instrument | TargetSet, model: str) -> dict[str, str]:
    """The items whose labels a model cannot answer with, and why."""
    from contextlib import closing

    from .. import engines
    from ..assessment.asking import Asking, unaskable
    from ..populations import TargetSet
    from ..surveys import Survey

    if isinstance(content, TargetSet):
        return {}
    survey = content if isinstance(content, Survey) else content.survey
    with closing(engines.open(model, device="cpu")) as engine:
        return unaskable(engine, survey, Asking("1", "own"))


def _as_json(found: Check, unaskable: Mapping[str, str]) -> dict[str, Any]:
    return {
        "title": found.title,
        "kind": found.kind,
        **found.counts,
        "left_out": {reason: list(places) for reason, places in found.left_out.items()},
        "options_left_out": dict(found.options),
        "look_alikes_kept": dict(found.look_alikes),
        "notes": list(found.notes),
        "cannot_be_asked": dict(unaskable),
        "tables": {
            name: [dict(zip(heads, row, strict=True)) for row in rows]
            for name, (heads, rows) in found.tables.items()
        },
    }


def _print(found: Check, unaskable: Mapping[str, str], model: str | None) -> None:
    say(f"{found.title}: {found.kind}")
    counts = ", ".join(f"{value:,} {name}" for name, value in found.counts.items())
    say(counts)
    for name, (heads, rows) in found.tables.items():
        say(f"\n{name.capitalize()}:")
        print_table(heads, rows)
    for reason, places in found.left_out.items():
        say(f"\n{len(places):,} left out: {reason}")
        say("  " + ", ".join(places))
    for head, options in (
        ("Options left out, because they are no answers", found.options),
        ("Kept as answers, though they resemble what is none", found.look_alikes),
    ):
        if options:
            listed = "; ".join(f"{option} ({number})" for option, number in options.items())
            say(f"\n{head} (number of items): {listed}")
    if found.options or found.look_alikes:
        say(
            "A column 'missing' (yes or no) in CSV, a list 'missing' in YAML, or --missing keep says "
            "otherwise."
        )
    for note in found.notes:
        say(f"\n{note}")
    if model and not unaskable:
        say(f"\n{model} can be asked every item.")
    for item, reason in unaskable.items():
        say(f"\n{model} cannot be asked {item}: {reason}")
