"""``bbalign runs`` and ``bbalign show``: what was fitted so far."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import BlackboxAlignError, RunError, SpecificationError
from .options import AsJson, find_run
from .output import print_population, print_result
from .screen import command, print_json, print_note, print_table

if TYPE_CHECKING:
    from ..fitting import Run


def runs_command(
    folder: Annotated[Path, typer.Argument(help="Folder of the runs.")] = Path("runs"),
    as_json: AsJson = False,
) -> None:
    """List the runs in a folder."""
    from ..fitting import find_runs

    rows = []
    for run in find_runs(folder):
        if run.trouble:
            print_note(run.trouble)
        else:
            rows.append(_row(run))
    if as_json:
        print_json(rows)
    elif rows:
        cells = [
            [
                "-" if v is None else f"{v:.2f}" if isinstance(v, float) else str(v)
                for v in row.values()
            ]
            for row in rows
        ]
        print_table(list(rows[0]), cells, right=(4, 6, 7))
    else:
        print_note(f"No runs in {folder} yet; this makes one: {command('fit', '--country', 'SAU')}")


def show_command(
    run: Annotated[
        str, typer.Argument(help="A run's name in runs/, or its folder.", show_default=False)
    ],
    country: Annotated[
        str | None,
        typer.Option(help="One country of a run of several, index by index.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the table of a run."""
    from ..fitting import Run
    from ..populations.groups import expand, parse_countries

    shown = Run.load(find_run(run))
    result = shown.result
    code = None
    if country is not None:
        codes = [found.code for found in expand(parse_countries(country))]
        if len(codes) != 1:
            raise SpecificationError(f"--country names one country of the run; not {country!r}.")
        code = codes[0]
    if code is not None and code not in result.provenance.populations:
        raise RunError(
            f"The run {run} holds {', '.join(result.provenance.populations)}: name one of them."
        )
    if as_json:
        found = result if code is None else result.of(code)
        print_json({**found.to_dict(), "run": str(shown.path), "status": shown.status})
        return
    if code is None:
        print_result(shown)
    else:
        print_population(result, code, str(shown.expert_of(code)))
    if shown.status != "done":
        print_note(f"This run is {shown.status}: the same fit command continues it.")


def _row(run: Run) -> dict[str, Any]:
    """What a listing says of a run; one that cannot be read says why, and the others are listed."""
    row: dict[str, Any] = dict.fromkeys(
        ("run", "country", "model", "optimizer", "seed", "status", "evaluations", "loss")
    )
    row["run"] = str(run.path)
    try:
        settings = run.specification
        row |= {
            "country": str(settings.country),
            "model": settings.model,
            "optimizer": settings.optimizer,
            "seed": settings.seed,
            "status": run.status,
        }
        if (run.path / "result.json").is_file():
            result = run.result
            row |= {
                "evaluations": result.search.evaluations if result.search else None,
                "loss": result.loss,
            }
    except (BlackboxAlignError, KeyError, TypeError, ValueError, AttributeError) as error:
        row["status"] = f"cannot be read: {error}"
    return row
