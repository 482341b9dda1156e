"""``bbalign runs`` and ``bbalign show``: what was fitted so far."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ..errors import SpecificationError
from .options import AsJson, find_run, group, named_values
from .screen import command, print_json, print_note, print_table, say


class _ListFirst(TyperGroup):
    """A group whose first command is meant where none is named: ``runs FOLDER`` is ``runs list FOLDER``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or args[0] not in (*self.commands, *ctx.help_option_names):
            args = ["list", *args]
        parsed: list[str] = super().parse_args(ctx, args)
        return parsed


runs_app = group("List the runs in a folder; compare two of them, or remove some.", cls=_ListFirst)
_Name = Annotated[
    str, typer.Argument(help="A run's name in runs/, or its folder.", show_default=False)
]


@runs_app.command("list")
def list_command(
    folder: Annotated[Path, typer.Argument(help="Folder of the runs.")] = Path("runs"),
    where: Annotated[
        list[str] | None,
        typer.Option(help="NAME=VALUE: a column or a setting, such as country=SAU; all must hold."),
    ] = None,
    sort: Annotated[
        str | None, typer.Option(help="A column, such as loss; -loss for the largest first.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the runs in a folder, all or some of them; this is what `bbalign runs` does."""
    from ..fitting import find_runs
    from ..fitting.keeping import COLUMNS, matching, ordered

    pairs = named_values(where or [], "--where is NAME=VALUE, such as country=SAU")
    wanted = {name.replace("-", "_"): value for name, value in pairs}
    sound = []
    for run in find_runs(folder):
        if run.trouble:
            print_note(run.trouble)
        else:
            sound.append(run)
    rows = matching(sound, wanted)
    if sort is not None:
        rows = ordered(rows, sort)
    if as_json:
        print_json(rows)
    elif rows:
        cells = [[_cell(row[name]) for name in COLUMNS] for row in rows]
        print_table(list(COLUMNS), cells, right=(4, 6, 7))
    elif sound:
        print_note(f"None of the {len(sound)} runs in {folder} is as asked for.")
    else:
        print_note(f"No runs in {folder} yet; this makes one: {command('fit', '--country', 'SAU')}")


def _cell(value: Any) -> str:
    return "-" if value is None else f"{value:.2f}" if isinstance(value, float) else str(value)


@runs_app.command("diff")
def diff_command(a: _Name, b: _Name, as_json: AsJson = False) -> None:
    """Say in what two runs differ: settings, what these stood for, and what came out."""
    from ..fitting import Run
    from ..fitting.keeping import difference

    found = difference(Run.load(find_run(a)), Run.load(find_run(b)))
    if as_json:
        print_json({**asdict(found), "comparable": found.comparable})
        return
    asked = [(name, spoken(x), spoken(y)) for name, x, y in (*found.settings, *found.facts)]
    if asked:
        print_table(("what differs", a, b), asked, whole=(0,))
    else:
        print_note("Both were asked for with the same settings, under the same conditions.")
    if not found.comparable:
        print_note(
            "They were not scored against the same thing: their figures do not belong side by side."
        )
    if found.figures:
        say()
        rows = [
            (population, f"{metric}, {split}", _number(x), _number(y),
             "" if x is None or y is None else f"{y - x:+.3f}")
            for population, metric, split, x, y in found.figures
        ]  # fmt: skip
        print_table(("", "fitted", a, b, "difference"), rows, right=(2, 3, 4), whole=(0, 1))


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def spoken(value: Any) -> str:
    """A value in a table of differences; a long one by its beginning."""
    text = "-" if value in (None, "", [], {}) else str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


@runs_app.command("remove")
def remove_command(
    runs: Annotated[list[str], typer.Argument(help="Runs by name or folder.", show_default=False)],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove runs for good, with all that was evaluated; one that is worked on stays."""
    from ..fitting.keeping import remove

    folders = list(dict.fromkeys(find_run(one) for one in runs))
    if not yes:
        names = ", ".join(map(str, folders))
        if not typer.confirm(f"Remove {names} with all that was evaluated?", err=True):
            print_note("Nothing was removed.")
            raise typer.Exit(1)
    for folder in folders:
        remove(folder)
        print_note(f"Removed {folder}.")


def show_command(
    run: Annotated[
        str, typer.Argument(help="A run's name in runs/, or its folder.", show_default=False)
    ],
    country: Annotated[
        str | None, typer.Option(help="One country of a run of several, index by index.")
    ] = None,
    plot: Annotated[
        bool, typer.Option("--plot", help="Also draw it; `bbalign report` draws it better.")
    ] = False,
    answers: Annotated[
        Path | None,
        typer.Option(
            "--csv",
            help="Write the answers here, a row per condition, item and option: a .csv, or a .sav with "
            "labels for SPSS.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the table of a run."""
    from ..fitting import Run
    from ..populations.groups import expand, parse_countries
    from ..results.statistical_files import write_answers
    from .output import print_population, print_result
    from .pictures import print_pictures

    shown = Run.load(find_run(run))
    result = shown.result
    code = None
    if country is not None:
        codes = [found.code for found in expand(parse_countries(country))]
        if len(codes) != 1:
            raise SpecificationError(f"--country names one country of the run; not {country!r}.")
        code = codes[0]
    if code is not None and code not in result.provenance.populations:
        raise SpecificationError(
            f"The run {run} holds {', '.join(result.provenance.populations)}: name one of them."
        )
    if answers is not None:
        write_answers(result, answers, code)
    if as_json:
        found = result if code is None else result.of(code)
        print_json({**found.to_dict(), "run": str(shown.path), "status": shown.status})
        return
    if code is None:
        print_result(shown)
    else:
        print_population(result, code, str(shown.expert_of(code)))
    codes = list(result.provenance.populations)
    if plot and (code is not None or len(codes) == 1):
        print_pictures(shown, code or codes[0])
    elif plot:
        print_note(f"Name one to be drawn, with --country: {', '.join(codes)}.")
    if shown.status != "done":
        print_note(f"This run is {shown.status}: the same fit command continues it.")
