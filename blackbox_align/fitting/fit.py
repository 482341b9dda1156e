"""The main job: evolve soft prompts until the model's survey answers resemble a country's."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..engines import Workers
from ..errors import BlackboxAlignError, RunError, SpecificationError
from ..files.atomic import write_sealed_json
from ..optimizers import Optimizer, create
from ..optimizers.gauss_newton_many import GaussNewtonMany
from .asking import Asked, known_from, opened, search_space
from .conditions import conditions
from .entry import Entry, digest, refuse_what_is_no_share
from .format_1 import vectors_by_asking
from .outcome import Outcome
from .problem import (
    OPTIMIZER,
    PROMPT,
    Data,
    Problem,
    answers_side_by_side,
    generator,
    load_data,
    pose,
)
from .record import Record, Writer, folder
from .run import Run
from .search import Batch, Standing, search
from .specification import Specification, option, refuse_facts, refuse_settings
from .stopping import Stopping

if TYPE_CHECKING:
    from ..engines.ray.pool import OnTrouble

CHECKPOINT_SECONDS = 60.0
CHECKPOINT_SHARE = 0.1  # of the time of a search that checkpoints may take


@dataclass(frozen=True)
class Progress:
    """Where a search stands after a tell.

    ``best`` is the best loss, of several countries that of the one farthest from its target; None
    until an evaluation has succeeded.
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
    workers: Workers | int | None = None,
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
    on_trouble : told, in a sentence, what went wrong and was mended: a worker that was lost, a damaged
        end of a journal, other conditions than those under which the run began
    settings : the fields of :class:`.specification.Specification`

    Returns
    -------
    Run
        Done. With the same settings and seed, under the same conditions, it holds the same bits,
        however often it was killed and continued on the way. Under others (threads, CPU, workers,
        versions) its past stays what it was, and the search goes on from there.

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
    where = Workers(workers) if isinstance(workers, int) else workers
    record = Record(folder(runs, specification.name if name is None else name))
    # Everything that can be wrong without a model is told before anything is made.
    recorded = None
    if record.exists():
        refuse_settings(record.specification, specification, record.path)
        recorded = record.facts
    data = load_data(specification, recorded)
    _rehearse(specification, stopping, len(data.countries))
    earlier = _earlier(specification)
    with record.writing(on_trouble) as writer:
        if _is_done(record, stopping):
            return Run(record.path)
        job = _Job(writer, data, stopping, on_progress or (lambda progress: None), on_trouble)
        job.run(where, earlier)
    return Run(record.path)


def _rehearse(settings: Specification, stopping: Stopping, countries: int) -> None:
    """Make the optimizer once, so that a slip in its name or options is told at once."""
    rng = np.random.default_rng(0)
    create(settings.optimizer, 100, rng, budget=stopping.budget, **settings.options)
    if countries > 1:
        targets = np.zeros((countries, 1))
        GaussNewtonMany(
            100, rng, budget=stopping.budget, targets=targets, enough=0.0, **settings.options
        )


def _earlier(settings: Specification) -> Record | None:
    if settings.warm_start is None:
        return None
    earlier = Record(settings.warm_start)
    _ = earlier.specification  # that there is one is told at once
    return earlier


def _is_done(record: Record, stopping: Stopping) -> bool:
    """Whether there is nothing to do: the same call again, or a budget below what is spent."""
    if not record.exists() or record.head["status"] != "done":
        return False
    with suppress(RunError):
        past = record.past(vectors=True)
        record.refuse_damage(past)
        run = Run(record.path)
        whole = all(run.expert_of(one["country"]).is_dir() for one in run.results)
        return whole and (record.stopping == stopping or past.told >= stopping.budget)
    return False


class _Job:
    """One call's work on a run, under its lock."""

    def __init__(
        self,
        writer: Writer,
        data: Data,
        stopping: Stopping,
        on_progress: OnProgress,
        on_trouble: OnTrouble,
    ) -> None:
        self.writer, self.record, self.data, self.stopping = writer, writer.record, data, stopping
        self.on_progress, self.on_trouble = on_progress, on_trouble
        self.started = self.checkpoint = time.monotonic()
        self.pause = CHECKPOINT_SECONDS
        self.replayed = 0

    def run(self, workers: Workers | None, earlier: Record | None) -> None:
        """Ask, search, and write down what came of it."""
        settings, new = self.data.specification, not self.record.exists()
        recorded = {} if new else self.record.facts
        finished = (
            not new
            and self.record.head["status"] == "done"
            and (self.record.stopping == self.stopping)
        )
        why = self.record.reason if finished else None
        if settings.dtype == "auto" and "dtype" in recorded:
            settings = replace(settings, dtype=recorded["dtype"])
        with opened(settings, workers, self.on_trouble) as (model, evaluator):
            known = {} if new else known_from(self.record.head.get("asked") or {})
            asked = Asked(model, evaluator, known)
            problem = pose(self.data, asked, recorded)
            space = search_space(settings, model, generator(settings, PROMPT))
            facts = {
                **problem.facts(),
                "model_revision": model.revision,
                "dtype": str(model.dtype).removeprefix("torch."),
                "dimension": space.dimension,
            }
            optimizer = make_optimizer(problem, space.dimension, self.stopping)
            if optimizer.capabilities.uses_budget:  # then it is no mere end of the search
                facts["budget"] = self.stopping.budget
            if len(problem.countries) > 1:  # a country that is done gets no more steps
                facts["target_loss"] = self.stopping.target_loss
            standing = Standing(len(problem.countries), space.dimension, self.stopping)
            if earlier is not None:
                facts |= _observe(earlier, problem, facts, optimizer, standing)
            if not new:
                then = self.record.specification
                refuse_facts(then, self.data.specification, (recorded, facts), self.record.path)
            self.writer.begin(
                self.data.specification,
                self.stopping,
                facts,
                {
                    **conditions(str(model.device), asdict(workers) if workers else None),
                },
            )
            facts = {**facts, **self.record.facts}
            outcome = Outcome(problem, standing, optimizer, space, model, evaluator, asked, facts)
            self._guarded(outcome, why, new)

    def _guarded(self, outcome: Outcome, why: str | None, new: bool) -> None:
        """Search to the end; whatever end it is, the record says which."""
        try:
            with _patient_interrupt() as interrupted:
                self._replay(outcome)
                reason = why or search(
                    lambda vectors, first: self._evaluate(outcome, vectors, first),
                    outcome.optimizer,
                    outcome.standing,
                    on_batch=self._append,
                    on_told=lambda: self._told(outcome),
                    interrupted=interrupted,
                )
            self._finish(outcome, "done", reason)
        except KeyboardInterrupt:
            self._finish(outcome, "interrupted", "it was interrupted")
            raise
        except BlackboxAlignError as error:
            if new and not outcome.standing.told:  # a slip in what was asked, very likely
                with suppress(RunError):
                    self.writer.remove()
            self._give_up(outcome, str(error))
            raise
        except Exception as error:
            self._give_up(outcome, f"{type(error).__name__}: {error}")
            raise

    def _evaluate(self, outcome: Outcome, vectors: np.ndarray, first: int) -> Batch:
        prompts = outcome.space.soft_prompts(vectors)
        blocks = [
            outcome.evaluator.answer(prompts, survey)
            for survey in outcome.problem.objective.surveys
        ]
        answers = answers_side_by_side(blocks)
        try:
            refuse_what_is_no_share(answers)
        except ValueError as error:
            raise RunError(f"The answer of the model is none: {error}.") from None
        evaluations, losses = outcome.problem.score(answers, first)
        return Batch(vectors, losses, evaluations, answers)

    def _append(self, batch: Batch) -> None:
        assert batch.answers is not None
        first = self.told
        ids = tuple(range(first, first + len(batch.vectors)))
        shown = tuple(evaluation.loss for evaluation in batch.evaluations)
        self.writer.append(Entry(ids, batch.answers, shown, digest(batch.vectors)), batch.vectors)
        self.told += len(ids)

    def _told(self, outcome: Outcome) -> None:
        self._report(outcome)
        if time.monotonic() - self.checkpoint < self.pause:
            return
        start = time.monotonic()
        try:
            outcome.experts(self._places(outcome), "the search goes on", only_better=True)
        except BlackboxAlignError as error:  # it is not worth the end of a search
            self.on_trouble(f"An expert could not be written on the way: {error}")
        self.checkpoint = time.monotonic()
        self.pause = max(CHECKPOINT_SECONDS, (self.checkpoint - start) / CHECKPOINT_SHARE)

    def _report(self, outcome: Outcome) -> None:
        spent, standing = time.monotonic() - self.started, outcome.standing
        self.on_progress(
            Progress(standing.told, self.stopping.budget, standing.worst, self.replayed, spent)
        )

    # -- what was evaluated before ---------------------------------------------------------------

    def _replay(self, outcome: Outcome) -> None:
        """Tell the optimizer what the record holds."""
        past = self.record.past(vectors=True)
        self.told = past.told
        if past.vectors is None and self.record.head["format"] == 1:
            self._rewrite(outcome)
            past = self.record.past(vectors=True)

        def told() -> Iterator[tuple[np.ndarray, Any]]:
            for entry in past.entries:
                evaluations, losses = outcome.problem.score(entry.answers, entry.ids[0])
                vectors = past.vectors_of(entry)
                yield vectors, evaluations
                outcome.standing.keep(vectors, losses)
                self.replayed = entry.rows
                self._report(outcome)

        outcome.optimizer.replay(told())

    def _rewrite(self, outcome: Outcome) -> None:
        """Bring a record of format 1 to the present one."""
        problem, entries = outcome.problem, self.record.past().entries
        again = make_optimizer(problem, outcome.space.dimension, self.stopping)
        vectors, exact = vectors_by_asking(
            self.record.path / "journal.jsonl",
            entries,
            again,
            lambda answers, first: problem.score(answers, first)[0],
        )
        if not exact:
            self.on_trouble(
                "This run was begun by an earlier version under other conditions: its vectors were "
                "found again to within rounding."
            )
        renewed = [replace(e, digest=digest(v)) for e, v in zip(entries, vectors, strict=True)]
        self.writer.rewrite(renewed, vectors)

    # -- what is written down ----------------------------------------------------------------------

    def _places(self, outcome: Outcome) -> Mapping[str, Path]:
        run = Run(self.record.path)
        return {c.code: run.expert_of(c.code) for c in outcome.problem.countries}

    def _finish(self, outcome: Outcome, status: str, reason: str) -> None:
        """Write experts, result and status; without a single success there is only a status."""
        if outcome.standing.worst is not None:
            results = outcome.experts(self._places(outcome), reason)
            summary = outcome.summary(results, self.record.entries(), reason)
            write_sealed_json(self.record.path / "result.json", summary)
            self.writer.update(asked=outcome.asked.to_facts())
        self._close(outcome, status, reason)

    def _give_up(self, outcome: Outcome, reason: str) -> None:
        """Note the failure, if even that can still be written."""
        if self.record.exists():
            with suppress(
                RunError
            ):  # the disk is full, perhaps: the first error is the one to show
                self._close(outcome, "failed", reason)

    def _close(self, outcome: Outcome, status: str, reason: str) -> None:
        spent = time.monotonic() - self.started
        self.writer.close(status, reason, spent, outcome.standing.told)


def make_optimizer(problem: Problem, dimension: int, stopping: Stopping) -> Optimizer:
    """The search of a problem, from its own generator."""
    settings = problem.specification
    rng, budget = generator(settings, OPTIMIZER), stopping.budget
    if len(problem.countries) == 1:
        return create(settings.optimizer, dimension, rng, budget=budget, **settings.options)
    return GaussNewtonMany(
        dimension,
        rng,
        budget=budget,
        targets=problem.objective.targets,
        # Only of indices is the loss the mean of the residuals.
        enough=0.0 if settings.fits_opinions else stopping.target_loss,
        **settings.options,
    )


def _observe(
    earlier: Record,
    problem: Problem,
    facts: Mapping[str, Any],
    optimizer: Optimizer,
    standing: Standing,
) -> dict[str, Any]:
    """Start from the evaluations of an earlier run, which was searching the same prompts."""
    _refuse_other_space(earlier, problem.specification, facts)
    past = earlier.past(vectors=True)
    earlier.refuse_damage(past)
    vectors: list[np.ndarray] = []
    if past.vectors is None:
        settings = earlier.specification
        its_own = pose(load_data(settings, earlier.facts), Asked(), earlier.facts)
        vectors, _ = vectors_by_asking(
            earlier.path / "journal.jsonl",
            past.entries,
            make_optimizer(its_own, optimizer.dimension, earlier.stopping),
            lambda answers, first: its_own.score(answers, first)[0],
        )
    else:
        vectors = [past.vectors_of(entry) for entry in past.entries]
    for before, entry in zip(vectors, past.entries, strict=True):
        evaluations, losses = problem.score(entry.answers, entry.ids[0])
        optimizer.observe(before, evaluations)
        standing.keep(before, losses, told=False)
    return {
        "warm_start_evaluations": past.told,
        "warm_start_digest": past.entries[-1].digest if past.entries else "",
    }


def _refuse_other_space(earlier: Record, now: Specification, facts: Mapping[str, Any]) -> None:
    """Vectors mean the same prompts only if everything that makes prompts of them is the same."""
    then, recorded = earlier.specification, earlier.facts
    keys = ["objective", "tokens", "placement", "subspace", "alpha", "init"]
    if now.fits_opinions:
        keys.append("held_out")
    if now.subspace or now.init == "vocabulary" or now.fits_opinions:
        keys.append("seed")  # it draws the subspace, the words, or the questions to fit
    other = [option(key) for key in keys if getattr(then, key) != getattr(now, key)]
    same = {"survey_sha256": "survey", "model_revision": "model", "dtype": "dtype",
            "fit_questions": "opinions"}  # fmt: skip
    other += [
        option(setting) for key, setting in same.items() if facts.get(key) != recorded.get(key)
    ]
    if other:
        raise SpecificationError(
            f"The run {earlier.path} searched other prompts (other {', '.join(other)}), so its "
            "evaluations say nothing here; ask for the same, or leave out --from."
        )


@contextmanager
def _patient_interrupt() -> Iterator[Callable[[], bool]]:
    """Let a first Ctrl-C, or a SIGTERM, wait for the end of the batch; a second one interrupts at
    once.

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
    before = {one: signal.signal(one, note) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: pressed
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
