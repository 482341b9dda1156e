"""``score``: an instrument, a model under conditions, and the baselines that belong beside them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import SpecificationError, UnknownNameError
from ..files.hub import SCHEME, fetch_data_file
from ..files.yaml import read_yaml
from ..populations import load_targets
from ..populations.groups import SETS, expand, parse_countries
from ..surveys import Survey, load_survey, survey_names
from ..surveys.knowledge import KnowledgeTest, is_knowledge_test, load_knowledge
from ..surveys.opinion_files import load_opinions, opinion_names
from ..surveys.opinion_yaml import is_opinion_yaml
from ..surveys.opinions import OpinionSurvey
from .answer_cache import AnswerCache
from .asking import ORDERS
from .conditions import Condition, parse_condition
from .index_scores import score_indices
from .knowledge_scores import score_knowledge
from .model_evaluator import ModelEvaluator
from .opinion_scores import score_opinions
from .published import published_note
from .respondent import Respondent
from .results import ScoreTable

if TYPE_CHECKING:
    from ..engines import Evaluator

_STYLES = {"letters": ("letters",), "digits": ("digits",), "both": ("letters", "digits")}

Instrument = Survey | OpinionSurvey | KnowledgeTest


def load_instrument(name_or_file: str | Path, *, missing: str = "drop") -> Instrument:
    """A survey or an opinion survey by name or YAML file, or one of opinions or knowledge in any
    other form.

    A file may lie on the Hugging Face hub: ``hf://datasets/OWNER/NAME/FILE``.

    Raises
    ------
    UnknownNameError, DataFileError
        There is none of that name, or the file has a mistake or cannot be fetched.
    """
    text = str(name_or_file)
    if text.startswith(SCHEME):
        file, address = fetch_data_file(text)
        fetched = load_instrument(file, missing=missing)
        if isinstance(fetched, Survey):
            return replace(fetched, source=address)
        return replace(fetched, survey=replace(fetched.survey, source=address))
    if text.endswith((".yaml", ".yml")):
        if not is_opinion_yaml(read_yaml(Path(text))):
            return load_survey(text)
    elif not (Path(text).suffix or "/" in text):
        if text in survey_names():
            return load_survey(text)
        if text not in opinion_names():
            names = [*survey_names(), *opinion_names()]
            raise UnknownNameError("survey", text, names, "See `bbalign surveys`, or name a file.")
    elif is_knowledge_test(text):
        return load_knowledge(text)
    return load_opinions(text, missing=missing)


def score(
    instrument: str | Path | Instrument,
    *,
    country: str | Sequence[str] | None = None,
    conditions: Sequence[str | Condition] = ("none",),
    model: str = "respondent-tiny",
    revision: str | None = None,
    device: str = "auto",
    dtype: str = "auto",
    trust_remote_code: bool = False,
    samples: str = "national",
    missing: str = "drop",
    labels: str = "letters",
    orders: str | None = None,
    targets: str | None = None,
    constants: str = "anchor",
    batch: int = 64,
    cache: bool = True,
    resamples: int = 1000,
    seed: int = 0,
    evaluator: Evaluator | None = None,
    on_batch: Callable[[int], None] | None = None,
) -> ScoreTable:
    """Score a model on an instrument under several conditions, beside the trivial baselines.

    Parameters
    ----------
    instrument : what :func:`load_instrument` reads, or what it returned
    country : one or several, or the name of one of :data:`.groups.GROUPS`; None is all that there are
        data for (a survey with indices needs a country)
    conditions : see :mod:`.conditions`; with none at all no model is loaded, and the baselines
        remain
    model, revision, device, dtype, trust_remote_code : see
        :func:`..engines.checkpoint.load_model`
    samples : ``national``, ``non-national`` or ``all``, for opinion surveys
    missing : see :func:`..surveys.opinions.assemble`, for opinion surveys from a file
    labels : what options are called: ``letters``, ``digits`` or ``both``, which averages the answers;
        a survey with indices keeps its own
    orders : ``1``, ``cyclic`` or ``all``, see :func:`.asking.option_orders`; by default ``cyclic``,
        and ``1`` for a survey with indices, as in a fit
    targets, constants : for a survey with indices, as in :func:`..fitting.fit`
    batch : questions that are asked together
    cache : whether answers are kept on disk and looked up there, see :mod:`.answer_cache`
    resamples, seed : of the bootstrap intervals
    evaluator : asked in the place of a model
    on_batch : called with the number of questions after every batch

    Raises
    ------
    BlackboxAlignError
        A mistake in what was asked, or a model that cannot answer.
    """
    if resamples < 1 or seed < 0:
        raise SpecificationError(
            f"An interval needs 1 resample or more and a seed of 0 or more; not {resamples} and {seed}."
        )
    parsed = [c if isinstance(c, Condition) else parse_condition(c) for c in conditions]
    names = [condition.name for condition in parsed]
    if len(set(names)) < len(names):
        raise SpecificationError("A condition stands there twice; name each of them once.")
    if isinstance(instrument, (str, Path)):
        instrument = load_instrument(instrument, missing=missing)
    if isinstance(instrument, Survey):
        target_set = load_targets(targets)
    chosen = _countries(
        country, target_set.codes if isinstance(instrument, Survey) else instrument.countries
    )
    if isinstance(instrument, Survey):
        if chosen is None:
            raise SpecificationError(
                f"{instrument.title} is compared with a country's figures: name one (--country SAU)."
            )
        if not instrument.indices:
            raise SpecificationError(
                f"{instrument.title} defines no indices, so it cannot be compared with figures; add "
                "'indices:' to it, or bring people's answers to it as a CSV file (docs/assessment.md)."
            )
        for name in chosen:
            target_set.target(name, [index.name for index in instrument.indices])
    elif isinstance(instrument, OpinionSurvey):
        instrument.select(samples=samples, countries=chosen)
    elif chosen:
        instrument.select(chosen)
    orders = orders or ("1" if isinstance(instrument, Survey) else "cyclic")
    if orders not in ORDERS:
        known = ", ".join(repr(name) for name in ORDERS)
        raise SpecificationError(f"The orders must be one of {known}; not {orders!r}.")

    if labels not in _STYLES:
        known = ", ".join(repr(name) for name in _STYLES)
        raise SpecificationError(f"The labels must be one of {known}; not {labels!r}.")
    styles = () if isinstance(instrument, Survey) else _STYLES[labels]

    respondent, answers, disclaimer = None, None, ""
    if evaluator is not None:
        respondent = Respondent(evaluator, None, orders, batch, on_batch, styles)
    elif parsed:
        from ..engines.checkpoint import find_model

        found = find_model(
            model,
            revision=revision,
            device=device,
            dtype=dtype,
            trust_remote_code=trust_remote_code,
        )
        disclaimer = found.disclaimer
        answers = AnswerCache() if cache else None
        asked = ModelEvaluator(found, answers)
        respondent = Respondent(asked, found, orders, batch, on_batch, styles)

    if isinstance(instrument, Survey):
        assert chosen is not None
        table = score_indices(
            instrument,
            target_set,
            parsed,
            respondent,
            countries_asked=chosen,
            constants=constants,
            resamples=resamples,
            seed=seed,
        )
    elif isinstance(instrument, OpinionSurvey):
        table = score_opinions(
            instrument,
            parsed,
            respondent,
            countries=chosen,
            samples=samples,
            missing=missing,
            resamples=resamples,
            seed=seed,
        )
        note = published_note(model, table.instrument, chosen or (), SETS["cultural-palette"])
        if note and parsed and evaluator is None:
            table = replace(table, notes=(*table.notes, note))
    else:
        table = score_knowledge(
            instrument, parsed, respondent, countries=chosen, resamples=resamples, seed=seed
        )
    source = instrument.source if isinstance(instrument, Survey) else instrument.survey.source
    if source.startswith(SCHEME):
        table = replace(table, notes=(*table.notes, f"Data: {source}."))
    if answers and answers.trouble:
        trouble = f"Answers could not be kept in {answers.path}: {answers.trouble}."
        table = replace(table, notes=(*table.notes, trouble))
    if disclaimer:
        table = replace(table, notes=(*table.notes, disclaimer))
    return table


def _countries(asked: str | Sequence[str] | None, available: Collection[str]) -> list[str] | None:
    """Codes without repetition, groups as those of them that there are data for; None for no question."""
    if not asked:
        return None
    return [country.code for country in expand(parse_countries(asked), available)]
