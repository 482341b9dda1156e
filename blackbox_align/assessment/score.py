"""``score``: an instrument, a model under conditions, and the baselines that belong beside them."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..adapters.adapter import Adapter
from ..errors import SpecificationError, require_one_of
from ..files.hub import SCHEME
from ..objectives.constants import settle_constants
from ..populations import Country, Population, find_population, load_targets
from ..populations.groups import SETS, expand, parse_countries
from ..results import Result
from ..results.names import ALL, ANSWERS_IN_TEXT, counted
from ..surveys.index_instrument import Indices
from ..surveys.instrument import Instrument
from ..surveys.instruments import Questionnaire, instrument_of, load_instrument
from ..surveys.opinions import OpinionSurvey
from ..surveys.readouts import item_means
from ..surveys.survey import COUNTRY_PREAMBLE, Survey
from .asking import STYLES, Asking, ask, unaskable
from .assess import Trial
from .conditions import Condition, parse_condition
from .figures import Resampling
from .position_bias import PositionBias, position_bias
from .published import published_note
from .readouts import with_readouts
from .wording import with_second_wording

if TYPE_CHECKING:
    from ..engines.base import Engine
    from ..experts import Expert

QUESTIONS = ("held-out", "fit", "all")


def score(
    instrument: str | Path | Questionnaire,
    *,
    country: str | Sequence[str] | None = None,
    conditions: Sequence[str | Condition] = ("none",),
    questions: str | None = None,
    known: int = 0,
    readouts: bool = False,
    wordings: int = 1,
    model: str | os.PathLike[str] = "respondent-tiny",
    revision: str | None = None,
    device: str = "auto",
    dtype: str = "auto",
    trust_remote_code: bool = False,
    chat_template: str | os.PathLike[str] = "auto",
    system: str = "",
    samples: str = "national",
    missing: str = "drop",
    labels: str = "letters",
    orders: str | None = None,
    targets: str | os.PathLike[str] | None = None,
    constants: str = "anchor",
    batch: int = 64,
    cache: bool = True,
    resamples: int = 1000,
    seed: int = 0,
    engine: Engine | None = None,
    on_batch: Callable[[int], None] | None = None,
) -> Result:
    """Score a model on an instrument under several conditions, beside the trivial baselines.

    Parameters
    ----------
    instrument : what :func:`..surveys.instruments.load_instrument` reads, or what it returned
    country : one or several, or one of :data:`..populations.groups.GROUPS`; the groups that a file
        declares by their own names; None is all that there are data for (a survey with indices needs one)
    conditions : see :mod:`.conditions`; with none at all no model is loaded, and the baselines
        remain
    questions : ``held-out``, ``fit`` or ``all``: what tables lead with where an expert was fitted to some
        of the questions; by default those that were held out from it
    known : so many questions, drawn from the seed, count as known where no expert was fitted to any: what
        is fitted to people's answers is fitted to those, the condition ``answers`` shows them, and the
        others are held out
    readouts : whether answers are read in three ways, see :mod:`.readouts`; for opinions
    wordings : 2 asks again behind a second instruction, see :mod:`.wording`, in columns of its own
    model, revision, device, dtype, trust_remote_code, chat_template, system : see
        :func:`..engines.open`
    samples : ``national``, ``non-national`` or ``all``, for opinion surveys
    missing : see :func:`..surveys.opinions.assemble`, for opinion surveys from a file
    labels : what options are called: ``letters``, ``digits`` or ``both``, which averages the answers;
        a survey with indices keeps its own
    orders : see :func:`..surveys.sheet.option_orders`; by default ``cyclic``, and for a survey with indices
        what suits the model, as in a fit
    targets, constants : for a survey with indices, as in :func:`..fitting.fit`
    batch : questions that are asked together
    cache : whether answers are kept on disk and looked up there, see :mod:`..engines.kept`
    resamples, seed : of the bootstrap intervals
    engine : asked in the place of a model
    on_batch : called with the number of questions after every batch

    Raises
    ------
    BlackboxAlignError
        A mistake in what was asked, or a model that cannot answer.
    """
    _check(resamples, seed, questions, labels, wordings)
    model, chat_template = os.fspath(model), os.fspath(chat_template)
    targets = None if targets is None else os.fspath(targets)
    parsed = _parsed(conditions)
    if isinstance(instrument, (str, Path)):
        instrument = load_instrument(instrument, missing=missing)
    chosen = _populations(country, instrument, targets)
    made = _instrument(instrument, chosen, targets, samples, missing)
    populations = sorted(made.populations, key=lambda one: chosen.index(one.code) if chosen else 0)
    experts = list(_experts(parsed, populations))
    style = "own" if isinstance(made, Indices) else labels
    asking = Asking(orders or "cyclic", style, batch, on_batch)
    trouble: Callable[[], str] = str
    if engine is None and parsed:
        from ..engines.kept import open_kept
        from ..engines.opening import chat_format, check_revision

        check_revision(model, revision)
        # A template that writes the day writes that on which an expert was fitted.
        dates = [expert.card.date for _, _, expert in experts]
        kept = open_kept(
            model, revision=revision, device=device, dtype=dtype,
            trust_remote_code=trust_remote_code,
            form=chat_format(chat_template, system, max(dates, default="")), cache=cache,
        )  # fmt: skip
        engine, trouble = kept, lambda: kept.trouble
    if isinstance(made, Indices):
        asking = replace(asking, orders=orders or (engine.info.orders if engine else "1"))
        made = _with_constants(made, constants, engine, asking)
    fitted, about = _fitted(made, experts, engine)
    if known:
        fitted = _known(made, populations, known, fitted, seed)
        about.append(f"{len(fitted)} questions count as known, drawn from seed {seed}.")
    parsed = [_known_in_text(one, made, fitted, engine) for one in parsed]
    trial = Trial(
        made, engine if parsed else None, tuple(populations), tuple(parsed), asking,
        Resampling(resamples, seed), frozenset(fitted),
    )  # fmt: skip
    result = trial.result()
    if wordings == 2:
        result = with_second_wording(result, trial)
    if readouts:
        result = with_readouts(result, trial)
    result = _shown(result, made, chosen or (), questions)
    bias = _position_bias(trial)
    if bias is not None and not math.isnan(bias.correlation):
        result = replace(result, bias=bias.correlation)
    result = replace(result, provenance=replace(result.provenance, date=date.today().isoformat()))
    return result.with_notes(
        *about,
        *(expert.read_otherwise(chat_template, system) for _, _, expert in experts),
        bias.describe() if bias else "",
        (parsed and published_note(model, made.title, chosen or (), SETS["cultural-palette"]))
        or "",
        f"Data: {made.survey.source}." if made.survey.source.startswith(SCHEME) else "",
        trouble(),
        result.provenance.disclaimer,
    ).with_checklist()


def _parsed(conditions: Sequence[str | Condition]) -> list[Condition]:
    """The conditions, each once; of known answers in the text the name alone, until they are known."""
    parsed = []
    for one in conditions:
        if isinstance(one, str):
            one = Condition.plain(one) if one == ANSWERS_IN_TEXT else parse_condition(one)
        parsed.append(one)
    if len({one.name for one in parsed}) < len(parsed):
        raise SpecificationError("A condition stands there twice; name each of them once.")
    return parsed


def _shown(
    result: Result, made: Instrument, chosen: Sequence[str], questions: str | None
) -> Result:
    """The rows and the split that are looked at first; one row is enough of a single population."""
    if made.pooled == "questions" and len(chosen) < 2:
        rows = tuple(f for f in result.figures if (f.population == ALL) == (not chosen))
        result = replace(result, figures=rows)
    if questions and any(figure.split == questions for figure in result.figures):
        result = replace(result, split=questions)  # type: ignore[arg-type]
    return result


def _check(resamples: int, seed: int, questions: str | None, labels: str, wordings: int) -> None:
    if wordings not in (1, 2):
        raise SpecificationError(f"There are 1 or 2 wordings of the instruction; not {wordings}.")
    if resamples < 1 or seed < 0:
        raise SpecificationError(
            f"An interval needs 1 resample or more and a seed of 0 or more; not {resamples} and {seed}."
        )
    if questions is not None:
        require_one_of("The questions", questions, QUESTIONS)
    require_one_of("The labels", labels, [name for name in STYLES if name != "own"])


def _populations(
    asked: str | Sequence[str] | None, held: Questionnaire, targets: str | None
) -> list[str] | None:
    """Codes without repetition; None where nobody was asked for.

    A named set of countries is those of it that there is something known of; the groups that a file
    declares are found by their own names.
    """
    if not asked:
        return None
    if isinstance(held, OpinionSurvey) and held.groups:
        names = [asked] if isinstance(asked, str) else list(asked)
        return list(dict.fromkeys(find_population(name, held).code for name in names))
    known = load_targets(targets).codes if isinstance(held, Survey) else held.countries
    return [country.code for country in expand(parse_countries(asked), known)]


def _instrument(
    held: Questionnaire,
    chosen: Sequence[str] | None,
    targets: str | None,
    samples: str,
    missing: str,
) -> Instrument:
    if isinstance(held, Survey) and chosen is None:
        raise SpecificationError(
            f"{held.title} is compared with a country's figures: name one (--country SAU)."
        )
    return instrument_of(
        held,
        targets=load_targets(targets) if isinstance(held, Survey) else None,
        samples=samples,
        missing=missing,
        populations=chosen,
    )


def _with_constants(made: Indices, policy: str, engine: Engine | None, asking: Asking) -> Indices:
    """The instrument with the constants of a policy; without a model the middle of every scale stands
    for the un-prompted one.
    """

    def means(country: Country | None) -> NDArray[np.floating]:
        if engine is not None:
            text = COUNTRY_PREAMBLE.format(country=country.name) if country else ""
            answers, _ = ask(engine, made.survey, [Adapter(text=text)], asking)
        elif country is None:
            answers = made.middle[None]
        else:
            raise SpecificationError(f"The constants {policy!r} need a model that is asked.")
        return item_means(answers, made.survey)

    settled = settle_constants(policy, made.survey, made.targets, means)
    return replace(made, constants=settled.values, policy=policy)


def _position_bias(trial: Trial) -> PositionBias | None:
    """Of the model as it is, on what is asked of these populations and it can be asked."""
    made, engine = trial.instrument, trial.engine
    if engine is None:
        return None
    survey = trial.asking.surveys(made.survey)[0]
    known = {population.code for population in made.populations}
    items = {int(n) for one in trial.populations if one.code in known for n in made.asked_of(one)}
    refused = unaskable(engine, survey, Asking(labels="own"))
    kept = [item for n, item in enumerate(survey.items) if n in items and item.id not in refused]
    if not kept:
        return None
    part = replace(survey, items=tuple(kept), indices=())
    return position_bias(engine, part, batch=trial.asking.batch)


def _known(
    made: Instrument,
    populations: Sequence[Population],
    known: int,
    fitted: Collection[str],
    seed: int,
) -> Collection[str]:
    """So many items, drawn from those that anybody here was asked."""
    if made.resampled != "questions" or made.pooled != "populations":
        raise SpecificationError(
            f"--known is of opinions: people's answers to {made.title} are not known."
        )
    if fitted:
        raise SpecificationError(
            f"An expert was fitted to {len(fitted)} of these questions: those are known; leave out --known."
        )
    asked = sorted({made.items[n].id for one in populations for n in made.asked_of(one)})
    if not 0 < known < len(asked):
        raise SpecificationError(
            f"--known lies between 1 and {len(asked) - 1}, so that a question is left; not {known}."
        )
    drawn = np.random.default_rng(seed).permutation(len(asked))[:known]
    return {asked[n] for n in drawn}


def _experts(
    conditions: Sequence[Condition], populations: Sequence[Population]
) -> Iterator[tuple[str, str, Expert]]:
    """The experts that are asked, each with its condition's name and the population's code."""
    for condition in conditions:
        for population in populations if condition.expert else ():
            assert condition.expert is not None
            yield condition.name, population.code, condition.expert(population)


def _known_in_text(
    condition: Condition, made: Instrument, known: Collection[str], engine: Engine | None
) -> Condition:
    """The known answers in the text, where the condition is theirs and so far their name alone."""
    if condition.name != ANSWERS_IN_TEXT:
        return condition
    if not known:
        parse_condition(ANSWERS_IN_TEXT)  # says what is missing
    return Condition.known_answers(made, known, engine)


def _fitted(
    made: Instrument, experts: Sequence[tuple[str, str, Expert]], engine: Engine | None
) -> tuple[Collection[str], list[str]]:
    """The items that some expert was fitted to, and notes on every expert; those of another model are
    refused.
    """
    fitted: set[str] = set()
    notes = []
    asked = [item.id for item in made.items]
    for condition, code, expert in experts:
        if engine is not None:
            expert.refuse_other_model(engine.info)
        seen = set(asked).intersection(expert.card.fitted_items)
        fitted |= seen
        name = condition.replace("{code}", code)
        if seen:
            held_out = ", ".join(item for item in asked if item not in seen) or "none"
            notes.append(
                f"{name} was fitted to {len(seen)} of these {counted(len(asked), 'question')}; "
                f"held out: {held_out}."
            )
        elif made.index_names and expert.card.fits_indices(made.name, code):
            notes.append(f"{name} was fitted to these figures: its error is no evidence.")
    return fitted, list(dict.fromkeys(notes))
