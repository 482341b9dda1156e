"""The main job: evolve soft prompts until the model's survey answers resemble a country's."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..adapters import Parameterization
from ..adapters.adapter import Adapter, SoftPrompt, check_placement
from ..engines import Workers
from ..engines.ray.engine import RayEvaluator
from ..engines.ray.pool import OnTrouble
from ..errors import BlackboxAlignError, RunError, SpecificationError
from ..experts import Card, prove, write_expert
from ..files.atomic import write_json
from ..optimizers import Candidate, Evaluation, Optimizer
from ..results import Result
from ..statistics.pareto import pareto_front
from ..surveys.sheet import Sheet, sheet
from .journal import Entry, digest
from .run import Run, versions
from .specification import Specification
from .stopping import Stopping
from .study import Study

_HOPELESS = 3  # batches in a row of which not one candidate could be evaluated
_CHECKPOINT_SECONDS = 60.0


@dataclass(frozen=True)
class Progress:
    """Where a search stands after a tell.

    ``best`` is the best loss, of several countries the mean of each one's best, as the result has it;
    None until an evaluation has succeeded.
    """

    evaluations: int
    budget: int
    best: float | None
    replayed: int
    seconds: float


OnProgress = Callable[[Progress], None]


def fit(
    country: str | Sequence[str],
    *,
    runs: Path | str = "runs",
    name: str | None = None,
    budget: int = Stopping.budget,
    target_loss: float | None = None,
    patience: int | None = None,
    seconds: float | None = None,
    workers: Workers | None = None,
    on_progress: OnProgress | None = None,
    on_trouble: OnTrouble = lambda sentence: None,
    **settings: Any,
) -> Run:
    """Fit a soft prompt to what a country's people answer; continue where an earlier call stopped.

    Parameters
    ----------
    country : ISO code, name or alias; several in a list, ``"all"`` or a continent share one search
    runs, name : the run's directory is ``runs/name``; the name is made from the settings if not
        given
    budget, target_loss, patience, seconds : see :class:`.stopping.Stopping`; None is the objective's
        own default
    workers : processes on a Ray cluster that ask the model; None asks it in this one. The result
        is the same
    on_progress : called after every tell
    on_trouble : told, in a sentence, when a worker is lost, and why
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
    stopping = Stopping.for_objective(
        specification.fits_opinions,
        budget=budget,
        target_loss=target_loss,
        patience=patience,
        seconds=seconds,
    )
    run = Run(Path(runs) / (name or specification.name))
    with run.locked(), _pool(workers, specification.device, on_trouble) as pool:
        run.refuse_other_settings(specification)
        if run.status == "done" and run.record["stopping"] == asdict(stopping):
            return run
        study = Study.prepare(specification, pool)
        search = _Search(run, study, stopping, on_progress or (lambda progress: None))
        run.begin(specification, stopping, search.facts(), workers)
        try:
            with _patient_interrupt() as interrupted:
                search.replay()
                reason = search.go_on(interrupted)
            search.finish("done", reason)
        except KeyboardInterrupt:
            search.finish("interrupted", "it was interrupted")
            raise
        except BlackboxAlignError as error:
            search.give_up(str(error))
            raise
    return run


def _pool(
    workers: Workers | None, device: str, on_trouble: OnTrouble
) -> AbstractContextManager[RayEvaluator | None]:
    if workers is None:
        return nullcontext()
    if device == "cpu" and workers.gpus is None:
        workers = replace(workers, gpus=0.0)  # none is kept from others for nothing
    return RayEvaluator(workers, on_trouble=on_trouble)


@contextmanager
def _patient_interrupt() -> Iterator[Callable[[], bool]]:
    """Let a first Ctrl-C wait for the end of the batch; a second one interrupts at once.

    Yields a function that says whether there was one. Outside the main thread, where signals
    cannot be caught, a Ctrl-C is what it always is.
    """
    pressed = False

    def note(signum: int, frame: object) -> None:
        nonlocal pressed
        if pressed:
            raise KeyboardInterrupt
        pressed = True

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = signal.signal(signal.SIGINT, note)
    try:
        yield lambda: pressed
    finally:
        signal.signal(signal.SIGINT, before)


class _Search:
    """The loop between optimizer and model, with the journal in between."""

    def __init__(self, run: Run, study: Study, stopping: Stopping, report: OnProgress) -> None:
        self.run, self.study, self.stopping, self.report = run, study, stopping, report
        self.parameterization: Parameterization = study.parameterization()
        self.optimizer: Optimizer = study.optimizer(
            self.parameterization.dimension, stopping.budget, stopping.target_loss
        )
        countries = len(study.countries)
        self.best = np.full(countries, np.inf)
        self.best_vectors: list[np.ndarray] = [
            np.zeros(self.parameterization.dimension)
        ] * countries
        self.reached = np.zeros(countries, dtype=int)  # evaluations until the target loss
        self.written = np.full(countries, np.inf)  # the loss of the expert on disk
        self.marked = np.full(countries, np.inf)  # the loss that has to be bettered, for patience
        self.better_at = 0
        self.replayed = 0
        self.started = self.checkpoint = time.monotonic()
        self.observed: dict[str, Any] = {}
        if study.specification.warm_start is not None:
            self._observe(Run.load(study.specification.warm_start))

    def facts(self) -> dict[str, Any]:
        facts = {**self.study.facts(), **self.observed}
        if self.optimizer.capabilities.uses_budget:  # then it is no mere end of the search
            facts["budget"] = self.stopping.budget
        if len(self.best) > 1:  # a country that is done gets no more steps
            facts["target_loss"] = self.stopping.target_loss
        return facts

    # -- what was evaluated before -----------------------------------------------------------------

    def replay(self) -> list[np.ndarray]:
        """Tell the optimizer what the journal holds; returns the vectors, line by line."""
        vectors = []
        for line, entry in enumerate(self.run.journal.read(), start=1):
            candidates = self.optimizer.ask(len(entry.ids))
            if digest(candidates) != entry.digest:
                raise RunError(
                    f"{self.run.journal.path}, line {line}: this search proposes other vectors "
                    "than the one that wrote the journal, so it cannot be continued exactly "
                    f"(written by {self.run.record['versions']}). Start another with --name."
                )
            self._tell(candidates, *self.study.score(entry.answers, entry.ids))
            self.replayed = self.optimizer.told
            vectors.append(_vectors(candidates))
        return vectors

    def _observe(self, earlier: Run) -> None:
        """Start from the evaluations of an earlier run, which was searching the same prompts."""
        self._refuse_other_space(earlier)
        study = self.study.like(earlier.specification)
        stopping = Stopping(**earlier.record["stopping"])
        search = _Search(earlier, study, stopping, lambda progress: None)
        vectors = search.replay()
        entries = earlier.journal.read()
        self.observed = {
            "warm_start_evaluations": search.optimizer.told,
            "warm_start_digest": entries[-1].digest if entries else "",
        }
        for before, entry in zip(vectors, entries, strict=True):
            evaluations, losses = self.study.score(entry.answers, entry.ids)
            self.optimizer.observe(before, evaluations)
            self._keep(before, losses, 0)

    def _refuse_other_space(self, earlier: Run) -> None:
        """Vectors mean the same prompts only if everything that makes prompts of them is the same."""
        then, now = earlier.specification, self.study.specification
        keys = ["objective", "survey", "model", "dtype", "tokens", "placement"]
        keys += ["subspace", "alpha", "init"]
        if now.fits_opinions:
            keys += ["opinions", "held_out"]
        if now.subspace or now.init == "vocabulary" or now.fits_opinions:
            keys.append("seed")  # it draws the subspace, the words, or the questions to fit
        other = [key for key in keys if getattr(then, key) != getattr(now, key)]
        facts, recorded = self.study.facts(), earlier.record["facts"]
        same = ("survey_sha256", "model_revision", "fit_questions")
        other += [key for key in same if facts.get(key) != recorded.get(key)]
        if other:
            raise SpecificationError(
                f"The run {earlier.path} searched other prompts ({', '.join(other)} differ), so its "
                "evaluations say nothing here; ask for the same, or leave out --from."
            )

    # -- searching ---------------------------------------------------------------------------------

    def go_on(self, interrupted: Callable[[], bool]) -> str:
        """Evaluate until there is a reason to stop; returns it, or raises KeyboardInterrupt."""
        hopeless = 0
        while True:
            if interrupted():
                raise KeyboardInterrupt
            reason = self._reason()
            if reason and self.optimizer.told:  # one batch at least, so that there is a result
                return reason
            left = self.stopping.budget - self.optimizer.told
            candidates = self.optimizer.ask(min(self.optimizer.batch, left))
            prompts = self.parameterization.soft_prompts(_vectors(candidates))
            answers = self.study.answer(prompts)
            ids = tuple(candidate.id for candidate in candidates)
            evaluations, losses = self.study.score(answers, ids)
            shown = tuple(evaluation.loss for evaluation in evaluations)
            self.run.journal.append(Entry(ids, digest(candidates), answers, shown))
            self._tell(candidates, evaluations, losses)
            hopeless = 0 if any(loss is not None for loss in shown) else hopeless + 1
            if hopeless == _HOPELESS:
                raise RunError(
                    f"The last {_HOPELESS} batches all failed: {evaluations[-1].failure}. "
                    "Nothing is lost; mend the cause and run the same command again."
                )
            if time.monotonic() - self.checkpoint > _CHECKPOINT_SECONDS:
                self._write_experts("the search goes on", only_better=True)
                self.checkpoint = time.monotonic()

    def _tell(
        self, candidates: Sequence[Candidate], evaluations: Sequence[Evaluation], losses: np.ndarray
    ) -> None:
        self._keep(_vectors(candidates), losses, self.optimizer.told)
        self.optimizer.tell(candidates, evaluations)
        spent = time.monotonic() - self.started
        told, budget = self.optimizer.told, self.stopping.budget
        best = float(self.best.mean()) if self._worst() is not None else None
        self.report(Progress(told, budget, best, self.replayed, spent))

    def _keep(self, vectors: np.ndarray, losses: np.ndarray, told: int) -> None:
        """Keep the best vector of every country."""
        for column, vector in enumerate(vectors):
            for country in np.flatnonzero(losses[:, column] < self.best):
                self.best[country] = losses[country, column]
                self.best_vectors[country] = vector
                if self.best[country] < (1 - self.stopping.gain) * self.marked[country]:
                    self.marked[country], self.better_at = self.best[country], told + column + 1
                if self.best[country] <= self.stopping.target_loss and not self.reached[country]:
                    self.reached[country] = told + column + 1

    def _worst(self) -> float | None:
        """The best loss of the country that is farthest from its target."""
        worst = float(self.best.max())
        return worst if np.isfinite(worst) else None

    def _reason(self) -> str | None:
        told = self.optimizer.told
        spent = time.monotonic() - self.started
        reason = self.stopping.reason(told, self._worst(), told - self.better_at, spent)
        wish = self.optimizer.stop()
        if reason is None and wish:
            reason = "the optimizer stopped: " + ", ".join(f"{k} = {v}" for k, v in wish.items())
        return reason

    # -- what is written down ----------------------------------------------------------------------

    def finish(self, status: str, reason: str) -> None:
        """Write experts, result and status; without a single success there is only a status."""
        if self._worst() is not None:
            results = self._write_experts(reason)
            if len(self.study.objective.parts) > 1:
                for result, front in zip(results, self._fronts(), strict=True):
                    result["pareto_front"] = front
            write_json(self.run.path / "result.json", self._summary(results, reason))
        self._close(status, reason)

    def give_up(self, reason: str) -> None:
        """Note the failure, if even that can still be written."""
        with suppress(RunError):  # the disk is full, perhaps: the first error is the one to show
            self._close("failed", reason)

    def _close(self, status: str, reason: str) -> None:
        spent = self.run.record["seconds"] + time.monotonic() - self.started
        self.run.update(status=status, reason=reason, seconds=round(spent, 3))

    def _fronts(self) -> list[list[dict[str, Any]]]:
        """For every country, the evaluations that no other one betters in all parts at once."""
        entries = self.run.journal.read()
        tried = [self.study.losses_by_part(entry.answers, entry.ids) for entry in entries]
        losses = {
            name: np.concatenate([one[name] for one in tried], axis=1)
            for name in self.study.objective.parts
        }
        return [
            [
                {"evaluation": n + 1, **{name: float(rows[k, n]) for name, rows in losses.items()}}
                for n in pareto_front(np.stack([rows[k] for rows in losses.values()], axis=1))
            ]
            for k in range(len(self.best))
        ]

    def _prompt(self, country: int) -> np.ndarray:
        """(tokens, D) float32: the prompt to keep, the best one or, where a loss is partly luck, the
        optimizer's own choice."""
        vector = self.best_vectors[country]
        if len(self.best) == 1 and self.study.specification.readout == "sampled":
            vector = self.optimizer.recommend().vector
        return self.parameterization.soft_prompts(vector[None])[0]

    def _result(
        self, country: int, answers: Mapping[str, np.ndarray], reason: str
    ) -> dict[str, Any]:
        return {
            **self.study.result(country, answers),
            "evaluations": self.optimizer.told,
            "reached_after": int(self.reached[country]) or None,
            "reason": reason,
            "optimizer": self.study.specification.optimizer,
            "seed": self.study.specification.seed,
        }

    def _summary(self, results: list[dict[str, Any]], reason: str) -> dict[str, Any]:
        """What ``result.json`` holds: one country's result, or those of all and their mean."""
        if len(results) == 1:
            return results[0]
        return {
            "countries": results,
            "loss": float(np.mean([result["loss"] for result in results])),
            "reached": int(sum(self.best <= self.stopping.target_loss)),
            "target_loss": self.stopping.target_loss,
            "evaluations": self.optimizer.told,
            "reason": reason,
        }

    def _write_experts(self, reason: str, only_better: bool = False) -> list[dict[str, Any]]:
        """Write all experts, or those that are better than on disk; returns their results."""
        results = []
        for number, loss in enumerate(self.best):
            if only_better and not loss < self.written[number]:
                continue
            prompt = self._prompt(number)
            surveys = self.study.surveys
            answers = {
                name: self.study.evaluator.answer(prompt[None], survey)[0]
                for name, survey in surveys.items()
            }
            result = self._result(number, answers, reason)
            from ..engines.local.engine import LocalEngine

            questions = [q for survey in surveys.values() for q in sheet(survey).questions]
            adapter = Adapter(
                prompt=SoftPrompt(prompt, check_placement(self.study.specification.placement))
            )
            with LocalEngine(self.study.model) as engine:
                proof = prove(engine, adapter, Sheet(tuple(questions)))
            settings = self.study.specification.to_dict()
            more = {"facts": self.facts(), "specification": settings, "versions": versions()}
            card = Card.of(Result.from_fit_dict({**result, **more}), result["country"], settings)
            write_expert(self.run.expert_of(result["country"]), adapter, card, proof)
            self.written[number] = loss
            results.append(result)
        return results


def _vectors(candidates: Sequence[Candidate]) -> np.ndarray:
    return np.array([candidate.vector for candidate in candidates])
