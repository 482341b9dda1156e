"""The main job: evolve a soft prompt until the model's survey answers resemble a country's."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import RunError
from ..experts import write_expert
from ..files import write_json
from ..optimizers import Candidate, Evaluation, Optimizer
from ..prompts import Parameterization
from .journal import Entry, digest
from .run import Run, versions
from .specification import Specification
from .stopping import Stopping
from .study import Study

_HOPELESS = 3  # batches in a row of which not one candidate could be evaluated
_CHECKPOINT_SECONDS = 60.0


@dataclass(frozen=True)
class Progress:
    """Where a search stands after a tell; ``best`` is None until an evaluation has succeeded."""

    evaluations: int
    budget: int
    best: float | None
    replayed: int
    seconds: float


OnProgress = Callable[[Progress], None]


def fit(
    country: str,
    *,
    runs: Path | str = "runs",
    name: str | None = None,
    budget: int = Stopping.budget,
    target_loss: float = Stopping.target_loss,
    patience: int | None = None,
    seconds: float | None = None,
    on_progress: OnProgress | None = None,
    **settings: Any,
) -> Run:
    """Fit a soft prompt to a country's survey indices; continue where an earlier call stopped.

    Parameters
    ----------
    country : ISO code, name or alias
    runs, name : the run's directory is ``runs/name``; the name is made from the settings if not
        given
    budget, target_loss, patience, seconds : see :class:`.stopping.Stopping`
    on_progress : called after every tell
    settings : the fields of :class:`.specification.Specification`

    Returns
    -------
    Run
        Done. With the same settings and seed it holds the same bits, however often it was killed
        and continued on the way.

    Raises
    ------
    BlackboxAlignError
        A mistake in the settings, or trouble that one can do something about. What was evaluated
        is on disk, and the same call continues.
    """
    specification = Specification(country, **settings)
    stopping = Stopping(budget, target_loss, patience, seconds)
    run = Run(Path(runs) / (name or specification.name))
    with run.locked():
        run.refuse_other_settings(specification)
        if run.status == "done" and run.record["stopping"] == asdict(stopping):
            return run
        study = Study.prepare(specification)
        search = _Search(run, study, stopping, on_progress or (lambda progress: None))
        run.begin(specification, stopping, search.facts())
        try:
            search.replay()
            reason = search.go_on()
            search.finish("done", reason)
        except KeyboardInterrupt:
            search.finish("interrupted", "it was interrupted")
            raise
        except RunError as error:
            search.give_up(str(error))
            raise
    return run


class _Search:
    """The loop between optimizer and model, with the journal in between."""

    def __init__(self, run: Run, study: Study, stopping: Stopping, report: OnProgress) -> None:
        self.run, self.study, self.stopping, self.report = run, study, stopping, report
        self.parameterization: Parameterization = study.parameterization()
        self.optimizer: Optimizer = study.optimizer(
            self.parameterization.dimension, stopping.budget
        )
        self.best: float | None = None
        self.best_at = 0
        self.replayed = 0
        self.started = self.checkpoint = time.monotonic()

    def facts(self) -> dict[str, Any]:
        facts = self.study.facts()
        if self.optimizer.capabilities.uses_budget:  # then it is no mere end of the search
            facts["budget"] = self.stopping.budget
        return facts

    def replay(self) -> None:
        """Tell the optimizer what the journal holds, so that it stands where it stood."""
        for line, entry in enumerate(self.run.journal.read(), start=1):
            candidates = self.optimizer.ask(len(entry.ids))
            if digest(candidates) != entry.digest:
                raise RunError(
                    f"{self.run.journal.path}, line {line}: this search proposes other vectors than "
                    "the one that wrote the journal, so it cannot be continued exactly "
                    f"(written by {self.run.record['versions']}). Start another with --name."
                )
            self._tell(candidates, self.study.score(entry.answers, entry.ids))
            self.replayed = self.optimizer.told

    def go_on(self) -> str:
        """Evaluate until there is a reason to stop; returns it."""
        hopeless = 0
        while True:
            reason = self._reason()
            if reason and self.optimizer.told:  # one batch at least, so that there is a result
                return reason
            left = self.stopping.budget - self.optimizer.told
            candidates = self.optimizer.ask(min(self.optimizer.batch, left))
            vectors = np.array([candidate.vector for candidate in candidates])
            answers = self.study.evaluator.answer(
                self.parameterization.soft_prompts(vectors), self.study.survey
            )
            ids = tuple(candidate.id for candidate in candidates)
            evaluations = self.study.score(answers, ids)
            losses = tuple(evaluation.loss for evaluation in evaluations)
            self.run.journal.append(Entry(ids, digest(candidates), answers, losses))
            self._tell(candidates, evaluations)
            hopeless = 0 if any(loss is not None for loss in losses) else hopeless + 1
            if hopeless == _HOPELESS:
                raise RunError(
                    f"The last {_HOPELESS} batches all failed: {evaluations[-1].failure}. "
                    "Nothing is lost; mend the cause and run the same command again."
                )
            if time.monotonic() - self.checkpoint > _CHECKPOINT_SECONDS:
                self._write_expert()
                self.checkpoint = time.monotonic()

    def _tell(self, candidates: Sequence[Candidate], evaluations: Sequence[Evaluation]) -> None:
        self.optimizer.tell(candidates, evaluations)
        succeeded = [e.loss for e in evaluations if e.loss is not None]
        if succeeded and (self.best is None or min(succeeded) < self.best):
            self.best, self.best_at = min(succeeded), self.optimizer.told
        spent = time.monotonic() - self.started
        told, budget = self.optimizer.told, self.stopping.budget
        self.report(Progress(told, budget, self.best, self.replayed, spent))

    def _reason(self) -> str | None:
        told = self.optimizer.told
        spent = time.monotonic() - self.started
        reason = self.stopping.reason(told, self.best, told - self.best_at, spent)
        wish = self.optimizer.stop()
        if reason is None and wish:
            reason = "the optimizer stopped: " + ", ".join(f"{k} = {v}" for k, v in wish.items())
        return reason

    def finish(self, status: str, reason: str) -> None:
        """Write expert, result and status; without a single success there is only a status."""
        if self.best is not None:
            self._write_expert()
            write_json(self.run.path / "result.json", self._result(reason))
        self._close(status, reason)

    def give_up(self, reason: str) -> None:
        """Note the failure, if even that can still be written."""
        with suppress(RunError):  # the disk is full, perhaps: the first error is the one to show
            self._close("failed", reason)

    def _close(self, status: str, reason: str) -> None:
        spent = self.run.record["seconds"] + time.monotonic() - self.started
        self.run.update(status=status, reason=reason, seconds=round(spent, 3))

    def _best_prompt(self) -> np.ndarray:
        """(tokens, D) float32: the prompt that the optimizer recommends."""
        return self.parameterization.soft_prompts(self.optimizer.recommend().vector[None])[0]

    def _result(self, reason: str) -> dict[str, Any]:
        return {
            **self.study.result(self._best_prompt()),
            "evaluations": self.optimizer.told,
            "reason": reason,
            "optimizer": self.study.specification.optimizer,
            "seed": self.study.specification.seed,
        }

    def _write_expert(self) -> None:
        prompt = self._best_prompt()
        write_expert(
            self.run.expert,
            prompt,
            self.study.model,
            self.study.survey,
            self.study.evaluator.answer(prompt[None], self.study.survey)[0],
            {
                **self._result(""),
                "facts": self.study.facts(),
                "specification": self.study.specification.to_dict(),
                "versions": versions(),
            },
        )
