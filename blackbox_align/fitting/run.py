"""A finished or unfinished fit, for reading: its tables, its history, its experts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import RunError
from ..files.atomic import read_sealed_json
from ..results import Figure, Result, Split
from ..results.names import COLUMNS, FITTED, PEOPLE
from ..results.tables import (
    ASKED,
    DISTANCE,
    errors,
    fitted_minus,
    index_rows,
    indices_of,
    opinions_of,
)
from .entry import Entry, rounds_of
from .frames import kept_targets
from .record import FORMAT, Record
from .settled import as_recorded, recorded_facts
from .specification import Specification

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


class Run:
    """One fit in its directory; see :func:`.fit.fit` for how one is made.

    ``run.json`` holds what was asked, the versions and hashes, and the status; ``journal.jsonl``
    every evaluation; ``expert/`` the best prompt; ``result.json`` the final table. Nothing here
    writes, asks a model, or needs one.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._record = Record(self.path)

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r}, {self.status})"

    @classmethod
    def load(cls, path: Path | str) -> Run:
        """An existing run; :class:`RunError` where ``path`` holds none."""
        run = cls(path)
        _ = run.specification  # damage is told here, and that there is none
        return run

    def exists(self) -> bool:
        return self._record.exists()

    @property
    def record(self) -> dict[str, Any]:
        """The content of ``run.json``; see :mod:`.record`."""
        return self._record.head

    @property
    def specification(self) -> Specification:
        return self._record.specification

    @property
    def status(self) -> str:
        """``running``, ``done``, ``interrupted`` or ``failed``; ``empty`` where nothing began.

        A run whose process is gone is ``interrupted``; one whose ``run.json`` cannot be read is
        ``damaged``.
        """
        return "damaged" if self.trouble else self._record.status

    @property
    def trouble(self) -> str | None:
        """Why ``run.json`` cannot be read, or None."""
        try:
            _ = self._record.specification if self.exists() else None
        except RunError as error:
            return str(error)
        return None

    @property
    def reason(self) -> str | None:
        """Why it ended, or failed."""
        return self._record.reason

    @property
    def result(self) -> Result:
        """What the best prompts score, beside the model without them, and how the search went.

        The content of ``result.json``, in whichever format; of one population it is ``result.of(code)``.
        """
        file = self.path / "result.json"
        if not file.is_file():
            raise RunError(
                f"The run {self.path} has no result yet (it is {self.status}); "
                "the same fit command continues it."
            )
        try:
            written = read_sealed_json(file, required=self.record["format"] == FORMAT)
            return Result.from_dict(written, str(file))
        except RunError as error:
            raise RunError(f"{error} The same fit command writes it again.") from None

    @property
    def loss(self) -> float:
        """The loss of the fitted prompt, in index points or as a JS distance; of several, their mean.

        Of opinions it is that on the questions that were fitted, not on those held out.
        """
        return self.result.loss

    @property
    def expert(self) -> Path:
        """The folder of the best prompt, which PEFT loads."""
        return self.path / "expert"

    def expert_of(self, code: str) -> Path:
        """The folder of one population's best prompt, where several were fitted at once."""
        settings = self.specification
        alone = bool(settings.group) and len(self._record.facts["countries"]) == 1
        if alone or code == settings.country:
            return self.path / "expert"
        return self.path / "experts" / re.sub(r"[^\w.+-]+", "-", code)

    def entries(self) -> Sequence[Entry]:
        """All that was evaluated, tell by tell: ids, answers and losses."""
        return self._record.entries()

    def summary(self) -> pd.DataFrame:
        """One row per country: errors in index points, held-out JS distances (nats), and evaluations
        until its target loss.
        """
        import pandas as pd

        result = self.result
        indices, names = indices_of(result), [COLUMNS[condition] for condition in ASKED]
        reached = result.search.reached if result.search else {}
        rows = [
            {
                "country": code,
                **(dict(zip(names, errors(result, code), strict=True)) if indices else {}),
                **{
                    f"held_out_{COLUMNS[condition]}": figure.value
                    for condition, figure in _distances(result, code, "held-out").items()
                },
                "reached_after": reached.get(code),
            }
            for code in result.provenance.populations
        ]
        return pd.DataFrame(rows).set_index("country")

    def table(self, code: str | None = None) -> pd.DataFrame:
        """One row per index: target, un-prompted, country named in text, fitted, error (points)."""
        import pandas as pd

        result = self.result
        code = self._one_of(result, code)
        rows = index_rows(result, code)
        if not rows:
            raise RunError(f"The run {self.path} fitted no indices; ask for its opinions.")
        names = [COLUMNS[condition] for condition in (PEOPLE, *ASKED)]
        figures = [(row.target, *row.points, row.error) for row in rows]
        index = pd.Index([row.name for row in rows], name="index")
        return pd.DataFrame(figures, index, [*names, "error"], dtype=float)

    def opinions(self, code: str | None = None) -> pd.DataFrame:
        """One row per condition: JS distances (nats) on the held-out and on the fitted questions.

        ``fitted_minus`` is the paired difference on held-out questions; low and high are the ends of
        95 % intervals over questions.
        """
        import pandas as pd

        result = self.result
        code = self._one_of(result, code)
        if opinions_of(result) is None:
            raise RunError(f"The run {self.path} fitted no opinions; ask for its table.")
        held_out = _distances(result, code, "held-out")
        minus = {name: fitted_minus(result, code, name) for name in held_out if name != FITTED}
        blocks = {
            "held_out": held_out,
            "fitted_minus": {name: figure for name, figure in minus.items() if figure},
            "fit": _distances(result, code, "fit"),
        }
        frames = {
            name: pd.DataFrame(
                {COLUMNS[key]: (f.value, f.low, f.high) for key, f in block.items()},
                ["value", "low", "high"],
            ).T
            for name, block in blocks.items()
        }
        return pd.concat(frames, axis=1)

    def _one_of(self, result: Result, code: str | None) -> str:
        """A population's code, which is needed where several were fitted."""
        codes = list(result.provenance.populations)
        if code is None and len(codes) == 1:
            return codes[0]
        if code is None or code not in codes:
            raise RunError(f"The run {self.path} holds {', '.join(codes)}: name one of them.")
        return code

    def history(self, population: str | None = None) -> pd.DataFrame:
        """One row per evaluation: its ``round``, its loss and the best one so far, in the unit of the loss.

        Candidates of one round were asked side by side: who has as many workers waits for rounds.

        Of several populations it is the mean of their losses; of the one that is named, its own, be it
        one that nobody fitted: what was answered is read again, and no model is asked. Where the language
        was weighed, ``error`` is the loss without it, and ``divergence`` its nats a token.
        """
        import pandas as pd

        entries = self.entries()
        if population is None:
            losses = [loss for entry in entries for loss in entry.losses]
        else:
            losses = [float(loss) for loss in self._losses_of(population)]
        frame = pd.DataFrame({"loss": pd.Series(losses, dtype=float)})
        frame.index = pd.RangeIndex(1, len(frame) + 1, name="evaluation")
        frame = frame.assign(best=frame["loss"].cummin())
        frame.insert(0, "round", rounds_of(entries))
        part = as_recorded(self.specification, recorded_facts(self._record)).language_part
        read = [entry.divergence for entry in entries if entry.divergence is not None]
        if part is None or not read:
            return frame
        divergence = np.concatenate(read)
        error = frame["loss"] - part.losses(divergence)
        return frame.assign(error=error, divergence=part.divergences(divergence))

    def answers(self, code: str | None = None) -> pd.DataFrame:
        """One row per population, condition (``target``, ``unprompted``, ``country_in_text``, ``fitted``),
        item and option: what people and models answered, as probabilities.
        """
        from ..results.fit_pictures import answers_frame

        return answers_frame(self.result, code)

    def plot(
        self, kind: str | None = None, *, country: str | None = None, ax: Axes | None = None
    ) -> Axes:
        """Draw one of the figures of the report, on ``ax`` or on Axes of its own, which are returned.

        Parameters
        ----------
        kind : ``indices``, ``index-error``, ``held-out``, ``fitted-minus``, ``convergence``,
            ``answers-SURVEY-1``; None is the first that there is, of what was held out if anything was
        country : the code of one, where several were fitted

        Raises
        ------
        UnknownNameError
            There is no such figure of this run; the sentence lists those that there are.
        """
        from .looking import plot

        return plot(self, kind, self._one_of(self.result, country), ax)

    def report(self, folder: Path | str | None = None, *, figures: Sequence[str] = ()) -> Path:
        """Write the run's page, ``report.html``, into its folder or another one; returns the file.

        ``figures`` are formats (``svg``, ``pdf``) in which every figure is written beside its CSV.
        """
        from ..report import fit_page, fits_page, write_page
        from .looking import fitted

        fit = fitted(self)
        page = fit_page(fit) if len(fit.result.provenance.populations) == 1 else fits_page([fit])
        return write_page(page, self.path if folder is None else folder, figures=figures)

    def _losses_of(self, population: str) -> np.ndarray:
        from .asking import Asked
        from .data import load_data
        from .problem import pose

        facts = recorded_facts(self._record)
        settings = as_recorded(self.specification, facts)
        asked = {"group": [population]} if settings.group else {"country": population}
        elsewhere = {key: value for key, value in facts.items() if key != "countries"}
        data = load_data(replace(settings, **asked), elsewhere, kept_targets(self.path))
        fitted = data.facts().get("fit_questions")
        if fitted != facts.get("fit_questions"):
            raise RunError(
                f"{self.path} asked other questions than those whose answers are known of {population}."
            )
        problem = pose(data, Asked(orders=facts["orders"]), facts)
        losses = [
            problem.score(one.answers, one.ids[0], one.divergence)[1][0] for one in self.entries()
        ]
        return np.concatenate(losses) if losses else np.zeros(0)

    def _repr_html_(self) -> str:
        """For notebooks: the table of the run, or how it stands."""
        from html import escape

        head = f"<p><b>{escape(str(self.path))}</b>: {escape(self.status)}</p>"
        try:
            result = self.result
            if len(result.provenance.populations) > 1:
                frames = [self.summary()]
            else:
                frames = [self.table()] if indices_of(result) else []
                frames += [self.opinions()] if opinions_of(result) else []
        except RunError as error:
            return f"{head}<p>{escape(str(error))}</p>"
        return head + "".join(frame.round(3).to_html() for frame in frames)


def _distances(result: Result, code: str, split: Split) -> dict[str, Figure]:
    """The JS distances of one population, by condition."""
    found = result.select(population=code, metric=DISTANCE, split=split)
    return {figure.condition: figure for figure in found}


def find_runs(folder: Path | str = "runs") -> list[Run]:
    """The runs in a folder, by name; one that cannot be read has the status ``damaged``."""
    return [Run(path.parent) for path in sorted(Path(folder).glob("*/run.json"))]
