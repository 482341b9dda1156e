"""``bbalign runs`` and ``bbalign show``: what was fitted so far."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import RunError, SpecificationError
from .options import AsJson, find_run
from .output import print_country, print_result
from .screen import command, print_json, print_note, print_table


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
            continue
        result: dict[str, Any] = {}
        if (run.path / "result.json").is_file():
            try:
                result = run.result
            except RunError as error:
                print_note(str(error))
        rows.append(
            {
                "run": str(run.path),
                "country": str(run.specification.country),
                "model": run.specification.model,
                "optimizer": run.specification.optimizer,
                "seed": run.specification.seed,
                "status": run.status,
                "evaluations": result.get("evaluations"),
                "loss": result.get("loss"),
            }
        )
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
    if country is not None:
        codes = [found.code for found in expand(parse_countries(country))]
        if len(codes) != 1:
            raise SpecificationError(f"--country names one country of the run; not {country!r}.")
        result = shown.result_of(codes[0])
    if as_json:
        print_json({**result, "run": str(shown.path), "status": shown.status})
        return
    if country is None:
        print_result(shown)
    else:
        print_country(result, str(shown.expert_of(result["country"])))
    if shown.status != "done":
        print_note(f"This run is {shown.status}: the same fit command continues it.")
