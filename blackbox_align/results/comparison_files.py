"""A comparison for other programs: every improvement for IOHinspector, the table for LaTeX."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from .comparison import Comparison

_SPECIAL = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{",
    "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}",
    ">": r"\textgreater{}",
}  # fmt: skip


def improvements(comparison: Comparison) -> pd.DataFrame:
    """One row per improvement of the best loss, and one for the last evaluation, of every search.

    The columns are called as IOHinspector calls them (and IOHanalyzer asks for them): a function is a
    country, an instance a seed, ``raw_y`` the best loss so far, to be made small.
    """
    import pandas as pd

    countries = sorted({cell.country for cell in comparison.cells})
    blocks = []
    for number, cell in enumerate(comparison.finished, start=1):
        changes = np.flatnonzero(np.diff(cell.best, prepend=np.inf) < 0)
        rows = np.unique([*changes, len(cell.best) - 1]).astype(int)
        blocks.append(
            pd.DataFrame(
                {
                    "data_id": number,
                    "run_id": number,
                    "algorithm_name": cell.method,
                    "function_id": countries.index(cell.country) + 1,
                    "function_name": cell.country,
                    "dimension": cell.dimension,
                    "instance": cell.settings.get("seed"),
                    "evaluations": rows + 1,
                    "raw_y": cell.best[rows],
                }
            )
        )
    return pd.concat(blocks, ignore_index=True) if blocks else pd.DataFrame()


def latex_table(comparison: Comparison) -> str:
    """The table of methods for a paper, with booktabs and what its caption has to say."""
    lines = [
        f"% {len(comparison.finished)} searches, at most {comparison.budget} evaluations each; ERT: "
        "expected "
        f"evaluations to a loss of {comparison.target:g}",
        f"% ({comparison.unit}); 95 % interval: a bootstrap {comparison.drawn};",
        "% rounds: the same in batches.",
        r"\begin{tabular}{lrrrrr}",
        r"\toprule",
        r"method & reached & ERT & 95\,\% interval & rounds & median loss \\",
        r"\midrule",
    ]
    for method, row in comparison.table().iterrows():
        ert, low, high = (
            _evaluations(row[key], comparison) for key in ("ert", "ert_low", "ert_high")
        )
        lines.append(
            f"{latex(str(method))} & {row.reached:.0f}/{row.runs:.0f} & {ert} & {low} to {high} & "
            rf"{_rounds(row.ert_rounds)} & {row.median_loss:.2f} \\"
        )
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def latex(text: str) -> str:
    """``text`` as LaTeX prints it, whatever it holds."""
    return "".join(_SPECIAL.get(character, character) for character in text)


def _rounds(value: float) -> str:
    return f"{value:,.0f}".replace(",", r"\,") if np.isfinite(value) else "--"


def _evaluations(value: float, comparison: Comparison) -> str:
    return f"{value:,.0f}".replace(",", r"\,") if np.isfinite(value) else f"$>${comparison.budget}"
