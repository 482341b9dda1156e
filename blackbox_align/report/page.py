"""One self-contained HTML page: what it holds, and how it is written.

The numbers of a page are those of the CSV files beside it: a file is written first, then read again, and
what was read is drawn and tabulated.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import SpecificationError
from ..files.atomic import plain_errors, write_text
from ..files.policy import policy_hash
from ..plots import Picture
from ..plots.style import COLOURS
from ..version import __version__
from .svg import inline_svg

if TYPE_CHECKING:
    import pandas as pd

SIMULATED = (
    "Simulated answers: what a language model puts out when it is asked a questionnaire, a model-based "
    "approximation. No person was asked anything for this page."
)
ROWS_SHOWN = 40
"""Rows of a table on the page; the CSV beside it holds all."""


@dataclass(frozen=True)
class Block:
    """Text under a heading: sentences, names with their values, a command to copy, a table."""

    heading: str
    sentences: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    commands: tuple[str, ...] = ()
    table: pd.DataFrame | None = None
    csv: str = ""


@dataclass(frozen=True, eq=False)
class Page:
    """A page from the top down: title, what was found, blocks and pictures in their order."""

    title: str
    lead: tuple[str, ...]
    parts: tuple[Block | Picture, ...]
    disclaimer: str = ""
    files: tuple[tuple[str, pd.DataFrame], ...] = field(default=())
    """Further tables that are only written, by name."""


def write_page(page: Page, folder: Path | str, *, figures: Sequence[str] = ()) -> Path:
    """Write ``folder/report.html``, and ``folder/report/NAME.csv`` for every figure and table.

    ``figures`` are further formats for papers, ``svg`` or ``pdf``, in the same folder as the CSV files.

    Raises :class:`..errors.SpecificationError` where matplotlib or Jinja2 are not installed.
    """
    unknown = [name for name in figures if name not in ("svg", "pdf", "png")]
    if unknown:
        raise SpecificationError(f"A figure's format is svg, pdf or png; not {unknown[0]!r}.")
    template = _template()
    beside = Path(folder) / "report"
    with plain_errors(beside):
        beside.mkdir(parents=True, exist_ok=True)
    for name, frame in page.files:
        write_csv(beside / f"{name}.csv", frame)
    shown = [
        _picture(part, number, beside, figures)
        if isinstance(part, Picture)
        else _block(part, beside)
        for number, part in enumerate(page.parts, start=1)
    ]
    style, script = _text("style.css"), _text("script.js")
    text = template.render(
        page=page,
        parts=shown,
        simulated=SIMULATED,
        style=_colours() + style,
        script=script,
        script_hash=policy_hash(script),
        version=__version__,
    )
    target = Path(folder) / "report.html"
    write_text(target, re.sub(r"\n\s*\n+", "\n", text))
    return target


def write_csv(path: Path, frame: pd.DataFrame) -> None:
    """The same frame is the same bytes."""
    write_text(path, frame.to_csv(index=False, lineterminator="\n"))


def read_csv(path: Path) -> pd.DataFrame:
    """What :func:`write_csv` wrote: an empty text stays a text, an empty number is NaN."""
    import pandas as pd

    frame = pd.read_csv(path, keep_default_na=False, na_values=[""])
    for name in frame.columns[[not pd.api.types.is_numeric_dtype(kind) for kind in frame.dtypes]]:
        frame[name] = frame[name].fillna("").astype(object)
    return frame


def _template() -> Any:
    try:
        from jinja2 import Environment, StrictUndefined
    except ImportError:
        raise SpecificationError(
            "Reports are made with Jinja2, which is not installed: pip install 'blackbox-align[report]'."
        ) from None
    engine = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    engine.filters["cell"] = cell
    return engine.from_string(_text("page.html"))


def _text(name: str) -> str:
    return (files(__package__) / "parts" / name).read_text(encoding="utf-8")


def _colours() -> str:
    """The variables that figures and page share, for a light page and a dark one."""
    light, dark = (
        "".join(f"--{name}:{both[side]};" for name, both in COLOURS.items()) for side in (0, 1)
    )
    return (
        f":root{{{light}color-scheme:light dark}}\n"
        f"@media screen and (prefers-color-scheme:dark){{:root:not([data-theme=light]){{{dark}}}}}\n"
        f"@media screen{{:root[data-theme=dark]{{{dark}color-scheme:dark}}"
        ":root[data-theme=light]{color-scheme:light}}\n"
    )


def _picture(picture: Picture, number: int, beside: Path, figures: Sequence[str]) -> dict[str, Any]:
    file = beside / f"{picture.name}.csv"
    write_csv(file, picture.frame)
    drawn = replace(picture, frame=read_csv(file))
    axes = drawn.plot()
    for kind in figures:
        write_figure(axes, beside / f"{picture.name}.{kind}")
    # What is in the title and the description is told once more below, for all.
    svg = inline_svg(axes, f"f{number}", picture.title, picture.caption)
    return {
        "kind": "picture", "id": f"f{number}", "title": picture.title, "caption": picture.caption,
        "svg": svg, "csv": f"report/{picture.name}.csv", **_table(drawn.frame),
    }  # fmt: skip


def write_figure(axes: Any, path: Path) -> None:
    """The figure of ``axes`` as a file; the same figure is the same bytes."""
    from ..plots.style import styled

    metadata = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}.get(path.suffix[1:], {})
    with styled(), plain_errors(path):
        axes.figure.savefig(path, metadata=metadata, facecolor="white")


def _block(block: Block, beside: Path) -> dict[str, Any]:
    table = {"columns": [], "rows": [], "left_out": 0, "all_rows": 0}
    csv = ""
    if block.table is not None and block.csv:
        file = beside / f"{block.csv}.csv"
        write_csv(file, block.table)
        table, csv = _table(read_csv(file), most=250), f"report/{block.csv}.csv"
    return {"kind": "block", "block": block, "csv": csv, **table}


def _table(frame: pd.DataFrame, most: int = ROWS_SHOWN) -> dict[str, Any]:
    """Columns whose every row says the same (a unit, a baseline) are in the caption, and in the CSV."""
    same = [
        name for name in frame
        if len(frame) > 1 and frame[name].nunique(dropna=False) == 1
        and name in _SAID
    ]  # fmt: skip
    shown = frame.drop(columns=same).head(most)
    return {
        "columns": [str(name).replace("_", " ") for name in shown],
        "rows": list(shown.itertuples(index=False, name=None)),
        "left_out": max(0, len(frame) - most),
        "all_rows": len(frame),
    }


_SAID = (
    "unit", "x_axis", "y_axis", "target", "baseline", "critical_difference", "model", "problems",
    "friedman_p", "pairs", "searches", "split", "instrument",
)  # fmt: skip


def cell(value: Any) -> str:
    """A value as it stands in a table of the page: four digits are what a reader compares."""
    if isinstance(value, float):
        if value != value:
            return "–"
        if value in (float("inf"), float("-inf")):
            return "not reached"
        return f"{value:,.0f}" if value == round(value) or abs(value) >= 1000 else f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
