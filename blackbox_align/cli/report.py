"""``bbalign report``: runs, comparisons and scores as a page to look at and to hand on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import RunError, SpecificationError
from .options import find_run
from .screen import print_hint, print_note, stderr

if TYPE_CHECKING:
    from ..fitting import Run
    from ..report import Page


def report_command(
    runs: Annotated[
        list[str],
        typer.Argument(
            help="Runs by name or folder, a folder of runs such as a comparison's, or one result "
            "that `--json` of score or of palette assess printed.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="Folder of the page. Default: that of the run or runs.")
    ] = None,
    country: Annotated[
        str | None, typer.Option(help="One country of a run of several, in full.")
    ] = None,
    figures: Annotated[
        str, typer.Option(help="Also write every figure for a paper: svg, pdf, or both as svg,pdf.")
    ] = "",
) -> None:
    """Write what was found as one HTML page, with a CSV beside every figure.

    The page needs no network and no script, can be printed, and says what was compared, with n, intervals
    and targets. Simulated answers are called so. The CSV files are in report/ beside it.
    """
    from ..report import write_page

    kinds = [kind.strip().lower() for kind in figures.split(",") if kind.strip()]
    with stderr().status("drawing"):
        page, home = _page(runs, country)
        written = write_page(page, out or home, figures=kinds)
    print_hint(f"Report: {written}")


def _page(named: list[str], country: str | None) -> tuple[Page, Path]:
    """The page of what was named, and the folder where it belongs."""
    from ..fitting import Run, find_runs
    from ..report import is_study, result_page, study_page

    if len(named) == 1 and Path(named[0]).suffix == ".json" and Path(named[0]).is_file():
        from ..files.atomic import read_json
        from ..results import Result

        file = Path(named[0])
        value = read_json(file)
        if is_study(value):
            return study_page(value, file.name), file.parent
        known = ("run", "status", "checksum")
        if isinstance(value, dict):
            value = {key: part for key, part in value.items() if key not in known}
        return result_page(Result.from_dict(value, str(file)), file.name), file.parent
    if len(named) == 1:
        for folder in (Path(named[0]), Path("runs") / named[0]):
            if not (folder / "run.json").is_file() and next(folder.glob("*/run.json"), None):
                return _folder_page(folder, find_runs(folder)), folder
    found = [Run.load(find_run(one)) for one in named]
    home = found[0].path if len(found) == 1 else Path()
    return _runs_page(found, country), home


def _runs_page(found: list[Run], country: str | None) -> Page:
    from ..fitting.looking import fitted
    from ..populations.groups import parse_countries
    from ..report import fit_page, fits_page

    fits = [fitted(run) for run in found]
    codes = list(fits[0].result.provenance.populations)
    if country is not None:
        asked = country if country in codes else parse_countries([country])[0]
        if len(fits) > 1 or asked not in codes:
            raise SpecificationError(
                f"--country names one population of one run, here {', '.join(codes)}; not {country!r}."
            )
        return fit_page(fits[0], asked)
    if len(fits) == 1 and len(codes) == 1:
        return fit_page(fits[0])
    return fits_page(fits)


def _folder_page(folder: Path, runs: list[Run]) -> Page:
    """A folder of runs: those that have a result; and what their comparison says, if they are one."""
    from ..fitting.looking import fitted
    from ..fitting.plan import FILE, Plan, read_comparison, results_of
    from ..report import comparison_page, fits_page, multiverse_parts
    from ..results.multiverse import ways_varied

    fits, left_out = [], 0
    for run in runs:
        try:
            fits.append(fitted(run))
        except RunError as error:
            print_note(f"Left out: {error}")
            left_out += 1
    if not fits:
        raise RunError(f"No run in {folder} has a result yet.")
    if not (folder / FILE).is_file():
        return fits_page(fits)
    plan = Plan.load(folder)
    varied = ways_varied(plan.axes)
    more = multiverse_parts(results_of(plan, folder), varied) if varied else ()
    return comparison_page(read_comparison(plan, folder), fits, folder.name, more)
