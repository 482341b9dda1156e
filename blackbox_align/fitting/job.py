"""The work of one call on a run: ask, search, and write down what came of it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import closing, nullcontext, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..adapters import Parameterization
from ..engines import Engine, Workers
from ..engines import open as open_engine
from ..engines.opening import chat_format
from ..errors import BlackboxAlignError, RunError
from ..files.atomic import write_sealed_json, write_text
from ..optimizers import Capabilities, Evaluation
from .asking import Asked, failures_of, known_from, read_with, search_space, tokens_of, unit_of
from .budget import Budget, Outlay, Price
from .changed import refuse_facts
from .checkpoints import Checkpoints
from .conditions import conditions
from .data import PROMPT, Data, generator
from .entry import Entry, digest, refuse_what_is_no_share
from .format_1 import in_questions, vectors_by_asking
from .frames import FILE, Frame
from .gradients import by_answers, with_gradients
from .interrupts import patient_interrupt
from .listeners import Listeners, Progress
from .noise import heard
from .outcome import Outcome, device_of
from .placing import describe_place, place, with_steps
from .precise import in_float32
from .price import heard_and_priced, tokens_by_placement
from .problem import Problem, pose
from .record import Record, Writer
from .run import Run
from .search import Batch, Standing, search
from .searcher import make_optimizer, note_probe, offer_starts, offered_to, options_of
from .settled import recorded_facts, settle
from .specification import Specification
from .stopping import Stopping
from .warm import make_ready
from .warm_start import observe, space_of, with_its_steps


class Job:
    """One call's work on a run, under its lock.

    ``allowed`` is the budget as it was given, from which ``stopping`` follows where the price of an
    evaluation is known; ``search`` says what the optimizer can.
    """

    def __init__(
        self,
        writer: Writer,
        data: Data,
        stopping: Stopping,
        allowed: Budget,
        search: Capabilities,
        listeners: Listeners,
        recites: bool = False,
    ) -> None:
        self.recites = recites
        self.writer, self.record, self.data, self.stopping = writer, writer.record, data, stopping
        self.allowed, self.search = allowed, search
        self.on_progress, self.on_trouble = listeners.on_progress, listeners.on_trouble
        self.on_result, self.on_outlay = listeners.on_result, listeners.on_outlay
        self.checkpoints = Checkpoints()
        self.replayed = 0
        self.compile = "auto"

    def run(
        self,
        workers: Workers | None,
        earlier: Record | None,
        frame: Frame | None = None,
        compile: str = "auto",
    ) -> None:
        """Ask, search, and write down what came of it."""
        settings, new = self.data.specification, not self.record.exists()
        recorded = {} if new else recorded_facts(self.record)
        why = None if new else self._known_end()
        if settings.dtype == "auto" and "dtype" in recorded:
            settings = replace(settings, dtype=recorded["dtype"])
        known = {} if new else known_from(self.record.head.get("asked") or {})
        self.compile = compile
        with closing(self._open(settings, workers, recorded)) as engine:
            settings = settle(settings, engine.info, recorded, self.search.uses_gradient)
            asked = Asked(engine, known, settings.orders)
            self.data = self.data.askable(engine)
            settings, placed = place(engine, settings, self.data, asked, recorded, self.search)
            problem = pose(replace(self.data, specification=settings), asked, recorded)
            unit, first = unit_of(engine, recorded), earlier if new else None
            options = with_steps(options_of(problem, recorded), settings, placed)
            options = with_its_steps(options, first, settings)
            space = search_space(settings, engine, generator(settings, PROMPT), unit)
            facts = {
                **problem.facts(),
                **read_with(engine),
                "placement": settings.placement,
                "length": settings.length,
                "dimension": space.dimension,
                "unit": unit,
                "options": options,
                **offered_to(recorded, first),
                "tokens": tokens_of(engine, space, problem.sheet),
                **placed,
            }
            facts |= self._priced(engine, problem, space, recorded)
            optimizer = make_optimizer(problem, space.dimension, self.stopping, options)
            offer_starts(optimizer, settings, engine, space, facts["starts"], facts["examples"])
            if len(problem.populations) > 1:  # a country that is done gets no more steps
                facts["target_loss"] = self.stopping.target_loss
            standing = Standing(len(problem.populations), space.dimension, self.stopping)
            if earlier is not None:
                spaces = (space_of(earlier, engine), space)
                facts |= observe(earlier, problem, facts, optimizer, standing, spaces)
            if not new:
                self._refuse_other_facts(recorded, facts)
            where, threads = asdict(workers) if workers else None, getattr(engine, "threads", None)
            here = conditions(device_of(engine), where, threads)
            self.writer.begin(self.data.specification, self.stopping, facts, here)
            if frame is not None:
                write_text(self.record.path / FILE, frame.text)
            begun = str(self.record.head.get("created", ""))[:10]  # on which day
            outcome = Outcome(
                problem, standing, optimizer, space, engine, asked, begun, self.recites,
                notes=(*self.data.notes, *heard(facts | recorded), *describe_place(facts | recorded)),
            )  # fmt: skip
            self._guarded(outcome, why, new)

    def refuse_another(self) -> None:
        """Of a run that is done: refuse what is asked now under names that stand for something else.

        The model is opened only where it, or what is read around a question, is named otherwise.
        """
        then, now, recorded = (
            self.record.specification, self.data.specification, recorded_facts(self.record)
        )  # fmt: skip
        facts = self.data.facts()
        names = ("model", "revision", "chat_template")
        if any(getattr(then, name) != getattr(now, name) for name in names):
            with closing(self._open(now, None, recorded)) as engine:
                facts |= read_with(engine)
        self._refuse_other_facts({k: v for k, v in recorded.items() if k in facts}, facts)

    def _priced(
        self, engine: Engine, problem: Problem, space: Parameterization, recorded: Mapping[str, Any]
    ) -> dict[str, Any]:
        """What an evaluation costs and the noise of the precision, as facts; how much may be spent is told.

        Measured once: a run that goes on keeps what it recorded, and with it its budget.
        """
        found: dict[str, Any] = {}
        if "price" in recorded:
            price = Price(**recorded["price"])
        else:
            noise, price = heard_and_priced(engine, problem, space, self.search)
            found = {"price": asdict(price)}
            if noise is not None and not self.record.exists():
                found["noise"] = noise.to_facts()
                if not noise.heard:
                    self.on_trouble(noise.describe())
            budget = self.allowed.evaluations(price, self.search)
            self.stopping = replace(self.stopping, budget=budget)
        outlay = Outlay(
            self.stopping.budget,
            price,
            made=self.record.past().told if self.record.exists() else 0,
            steps=self.search.uses_gradient,
            usual=not self.allowed.unit,
            placements=tokens_by_placement(engine, problem, space),
        )
        self.on_outlay(outlay)
        return found

    def _known_end(self) -> str | None:
        """Why a run ended that is done and only lost its result or its experts."""
        head, told = self.record.head, self.record.past(vectors=True).told
        whole = told == head.get("evaluations", told)
        same = head["status"] == "done" and self.record.stopping == self.stopping
        return self.record.reason if same and whole else None

    def _refuse_other_facts(self, recorded: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        then, now = self.record.specification, self.data.specification
        if self.record.head["format"] == 1 and then.model == now.model:
            # What a revision covers has grown since: of format 1 the name has to do.
            recorded = {key: value for key, value in recorded.items() if key != "model_revision"}
        refuse_facts(then, now, (recorded, facts), self.record.path)

    def _guarded(self, outcome: Outcome, why: str | None, new: bool) -> None:
        """Search to the end; whatever end it is, the record says which."""
        try:
            if not why:
                told = self.on_progress, self.on_trouble
                make_ready(outcome, self.stopping.budget, self.record.facts, *told)
            self.checkpoints = Checkpoints()
            with patient_interrupt() as interrupted:
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
        except BaseException as error:  # whoever ends the process from within, too
            self._give_up(outcome, f"{type(error).__name__}: {error}")
            raise

    def _open(
        self, settings: Specification, workers: Workers | None, recorded: Mapping[str, Any]
    ) -> Engine:
        """The engine; a run goes on with the commit of a hub model that it recorded, and where a
        template writes the date, it is that of its first day.
        """
        same = not recorded or settings.model == self.record.specification.model
        commit = recorded.get("commit") if same else None
        return open_engine(
            settings.model,
            revision=settings.revision or commit or None,
            device=settings.device,
            dtype=settings.dtype,
            trust_remote_code=settings.trust_remote_code,
            form=chat_format(
                settings.chat_template, settings.system, str(recorded.get("date") or "")
            ),
            compile=self.compile,
            workers=workers,
            on_trouble=self.on_trouble,
        )

    def _evaluate(self, outcome: Outcome, vectors: np.ndarray, first: int) -> Batch:
        adapters, sheet, pull = outcome.space.adapters(vectors), outcome.problem.sheet, None
        if outcome.optimizer.capabilities.uses_gradient:
            answers, pull = outcome.engine.pullback(adapters, sheet)
        else:
            answers = outcome.engine.answer(adapters, sheet)
        failures = failures_of(answers)
        shares = answers.probabilities.copy()
        shares[[why is not None for why in failures]] = np.nan
        try:
            refuse_what_is_no_share(shares)
        except ValueError as error:
            raise RunError(f"The answer of the model is none: {error}.") from None
        evaluations, losses = outcome.problem.score(shares, first, answers.divergence)
        evaluations = [
            Evaluation.failed(why) if why else evaluation
            for why, evaluation in zip(failures, evaluations, strict=True)
        ]
        gradients = None
        if pull is not None:
            language = outcome.problem.language
            by_text = language.cotangent(answers.divergence) if language else None
            slopes = pull(by_answers(answers, outcome.problem.cotangent(shares), by_text))
            gradients = outcome.space.pull(slopes).astype(np.float32)
        evaluations = with_gradients(evaluations, gradients)
        penalties = outcome.problem.penalties(answers.divergence)
        texts = np.stack([answers.divergence, answers.surprise]) if sheet.texts else None
        validation = outcome.problem.validation_losses(shares, first, answers.divergence)
        return Batch(vectors, losses, evaluations, shares, gradients, penalties, texts, validation)

    def _append(self, batch: Batch) -> None:
        assert batch.answers is not None
        first = self.told
        ids = tuple(range(first, first + len(batch.vectors)))
        shown = tuple(evaluation.loss for evaluation in batch.evaluations)
        vectors = batch.vectors
        entry = Entry(ids, batch.answers, shown, digest(vectors), batch.gradients, batch.texts)
        self.writer.append(entry, vectors)
        self.told += len(ids)

    def _told(self, outcome: Outcome) -> None:
        self._report(outcome)
        note_probe(outcome.optimizer, self.writer, self.on_trouble)
        if not self.checkpoints.due(outcome.standing.told - self.replayed):
            return
        start = time.monotonic()
        try:
            better = outcome.better_than_written
            if better:
                result = outcome.result("the search goes on", populations=better)
                outcome.write_experts(result, self._places(outcome))
        except Exception as error:  # whatever it is, it is not worth the end of a search
            self.on_trouble(f"An expert could not be written on the way: {error}")
        self.checkpoints.written(start)

    def _report(self, outcome: Outcome) -> None:
        spent, standing = time.monotonic() - self.checkpoints.started, outcome.standing
        best = None if standing.worst is None else float(standing.errors.mean())
        self.on_progress(Progress(standing.told, self.stopping.budget, best, self.replayed, spent))

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
                problem, divergence = outcome.problem, entry.divergence
                evaluations, losses = problem.score(entry.answers, entry.ids[0], divergence)
                vectors = past.vectors_of(entry)
                yield vectors, with_gradients(evaluations, entry.gradients)
                validation = problem.validation_losses(entry.answers, entry.ids[0], divergence)
                penalties = problem.penalties(divergence)
                outcome.standing.keep(vectors, losses, penalties, validation=validation)
                self.replayed = entry.rows
                self._report(outcome)

        outcome.optimizer.replay(told())

    def _rewrite(self, outcome: Outcome) -> None:
        """Bring a record of format 1 to the present one."""
        problem, options = outcome.problem, self.record.facts["options"]
        entries = [in_questions(entry, problem) for entry in self.record.past().entries]
        again = make_optimizer(problem, outcome.space.dimension, self.stopping, options)
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
        # Before the format, so that a kill in between leaves a run of format 1.
        facts = {**self.record.facts, "model_revision": outcome.engine.info.revision}
        self.writer.update(facts=facts)
        self.writer.rewrite(renewed, vectors)

    # -- what is written down ----------------------------------------------------------------------

    def _places(self, outcome: Outcome) -> Mapping[str, Path]:
        run = Run(self.record.path)
        return {c.code: run.expert_of(c.code) for c in outcome.problem.populations}

    def _finish(self, outcome: Outcome, status: str, reason: str) -> None:
        """Write experts, result and status; without a single success there is only a status."""
        if outcome.standing.worst is not None:
            precise = self._precise(outcome, status)
            with closing(precise) if precise else nullcontext():
                kept = in_float32(outcome, self.record, precise) if precise else outcome
                result = kept.result(reason, self.record.entries())
                if status == "done":
                    self.on_result(result)
                kept.write_experts(result, self._places(outcome))
            write_sealed_json(self.record.path / "result.json", result.to_dict())
            self.writer.update(asked=outcome.asked.to_facts())
        self._close(outcome, status, reason)

    def _precise(self, outcome: Outcome, status: str) -> Engine | None:
        """An engine in float32 for the last choice; None where the search had one, where it was interrupted,
        or where there is no room for both.
        """
        settings = outcome.problem.specification
        reads = "read" in outcome.engine.info.can
        if outcome.engine.info.dtype == "float32" or not reads or status != "done":
            return None
        try:
            return self._open(replace(settings, dtype="float32"), None, self.record.facts)
        except (BlackboxAlignError, RuntimeError, MemoryError) as error:
            self.on_trouble(f"The best few cannot be scored again in float32: {error}")
            return None

    def _give_up(self, outcome: Outcome, reason: str) -> None:
        """Note the failure, if even that can still be written."""
        if self.record.exists():
            with suppress(
                RunError
            ):  # the disk is full, perhaps: the first error is the one to show
                self._close(outcome, "failed", reason)

    def _close(self, outcome: Outcome, status: str, reason: str) -> None:
        spent = time.monotonic() - self.checkpoints.started
        self.writer.close(status, reason, spent, outcome.standing.told)
