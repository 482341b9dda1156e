"""What a machine and a model bring, and whether asking them in one pass gives the plain answers."""

from __future__ import annotations

import math
import platform
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .adapters import from_vocabulary, parameterize, word_norm
from .adapters.adapter import PLACEMENTS, Adapter, Placement, SoftPrompt, check_placement
from .assessment.language import measure_language
from .assessment.position_bias import position_bias
from .assessment.recite import recite
from .engines.base import PARITY, Engine
from .engines.opening import chat_format
from .engines.rounding import neighbour, noise_and_moves
from .optimizers.probe import LONG, SHORT, directions, measure, steps
from .populations import load_targets
from .results.language import describe_language, describe_lines
from .surveys import Survey, item_means
from .surveys.readouts import raw_indices
from .surveys.sheet import Sheet, average, sheet

if TYPE_CHECKING:
    from .engines.checkpoint import LanguageModel
    from .engines.local.chat import ChatFormat
    from .engines.local.engine import LocalEngine

_CANDIDATES, _TOKENS = 20, 5

# Below this share of labels a model mostly wants to say something that is no answer.
LEAST_MASS = 0.5


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: its ``value`` in words, and whether that is as it should be."""

    name: str
    value: str
    fine: bool = True


def examine(
    model: LanguageModel,
    survey: Survey,
    rng: np.random.Generator,
    form: ChatFormat | None = None,
    *,
    expert: Adapter | None = None,
    recited: bool = False,
) -> Iterator[Finding]:
    """Look at the machine and put ``survey`` to ``model`` in several ways, one finding at a time.

    ``form`` is what is put around a question; by default the model's own. What is left of the language is
    told of an ``expert``; without one, under words drawn at random. ``recited`` asks too whether the model
    knows the survey by heart.

    Raises
    ------
    ModelError
        The model cannot be asked this survey at all; the message says why.
    """
    from .engines.local.engine import LocalEngine

    yield from _machine(model)
    asked = sheet(survey)
    with closing(LocalEngine(model, form=form or chat_format())) as engine:
        yield from _questions(engine, survey, asked)
        vectors = rng.normal(
            0, model.embedding_std(), (_CANDIDATES, _TOKENS, model.embedding_width)
        )
        adapters = {p: [Adapter(prompt=SoftPrompt(v, p)) for v in vectors] for p in PLACEMENTS}
        yield from _ways(engine, survey, asked, adapters)
        yield from _directions(engine, survey, asked)
        words = [from_vocabulary(engine, _TOKENS, engine.info.vocabulary, rng) for _ in range(3)]
        where = check_placement(engine.info.placement)
        spoken = [Adapter(prompt=SoftPrompt(some, where)) for some in words]
        yield from _hearing(engine, survey, spoken)
        yield from _steps(engine, survey, rng)
        if model.writes:
            under = "the expert" if expert else f"random words as a prompt, {where}"
            yield from _language(engine, asked, expert or spoken[0], under, must=bool(expert))
        if recited:
            known = recite(engine, survey, load_targets() if survey.indices else None)
            yield Finding("recites", known.describe(), fine=not known.knows)
        yield from _speed(engine, asked, adapters)


def _machine(model: LanguageModel) -> Iterator[Finding]:
    """What there is to ask, and where it lies."""
    yield Finding("versions", ", ".join(f"{name} {found}" for name, found in _versions()))
    yield Finding("device", _device(model))
    config = model.model.config.get_text_config()
    yield Finding(
        "model",
        f"{model.name} ({config.model_type}, revision {model.revision[:12]}): "
        f"{model.model.num_parameters():,} parameters, {config.num_hidden_layers} layers, "
        f"{model.embedding_width} wide, {_dtype(model)}",
    )


def _questions(engine: LocalEngine, survey: Survey, asked: Sheet) -> Iterator[Finding]:
    """What a model reads of a survey; an error where its labels are no single tokens."""
    from .engines.local.questions import tokenize

    lengths = [len(tokenize(question, engine.reader).context) for question in asked.questions]
    own = engine.reader.form.template == "auto"
    chosen = f"{'its' if own else 'the given'} chat template"
    style = chosen if engine.reader.template else "plain text"
    yield Finding(
        "questions",
        f"{len(lengths)} items of {survey.name} in {style}, {min(lengths)} to {max(lengths)} tokens",
    )
    yield Finding("answer labels", "each is a single token of its own")
    yield Finding("read around a question", repr(engine.info.opening))


def _ways(
    engine: LocalEngine, survey: Survey, asked: Sheet, adapters: Mapping[Placement, list[Adapter]]
) -> Iterator[Finding]:
    """In one pass as one by one, plainly, and as PEFT has it."""
    from .engines.local.questions import tokenize
    from .experts.parity import answer_through_peft
    from .experts.peft_files import write_prompt

    # As before a search, where there is anything to compile.
    engine.warm_up(adapters["first"][0], asked, _CANDIDATES, math.inf, lambda done, of: None)
    answers = {p: engine.answer(some, asked).probabilities for p, some in adapters.items()}
    way = " ".join(engine.notes) or f"all questions in one row, {engine.way}"
    yield Finding("attention", way, fine=not engine.notes)
    sizes = [f"{engine.candidates_per_pass(_TOKENS, p, asked)} {p}" for p in adapters]
    yield Finding("batch", f"candidates a pass, by the place of the prompt: {', '.join(sizes)}")
    model = engine.model
    allowed = PARITY[_dtype(model)]

    def gap(name: str, one: np.ndarray, other: np.ndarray) -> Finding:
        difference = float(np.abs(one - other).max())
        told = f"a label's probability differs by {difference:.1e} at most (allowed: {allowed:g})"
        return Finding(name, told, fine=difference <= allowed)

    few = adapters["first"][:4]
    alone = np.concatenate([engine.answer([adapter], asked).probabilities for adapter in few])
    yield gap("noise floor", answers["first"][:4], alone)
    for place, some in adapters.items():
        plain = engine.answer(some[:1], asked, plainly=True).probabilities
        yield gap(f"one by one, {place}", answers[place][:1], plain)
    prompt = few[0].prompt
    assert prompt is not None
    questions = [tokenize(question, engine.reader) for question in asked.questions]
    with tempfile.TemporaryDirectory() as folder:
        write_prompt(Path(folder), prompt.vectors.astype(np.float32), model.source)
        through = answer_through_peft(Path(folder), model, questions)
    yield gap("PEFT", average(answers["first"][:1], survey, "1")[0], through)


def _directions(engine: LocalEngine, survey: Survey, asked: Sheet) -> Iterator[Finding]:
    """Whether the model answers with labels, and whether it reads the scales."""
    mass = engine.answer([Adapter()], asked).mass
    yield Finding(
        "label mass",
        f"{mass.min():.4f} at least: the share of the next token that is a label, un-prompted",
        fine=bool(mass.min() >= LEAST_MASS),
    )
    bias = position_bias(engine, survey)
    one_way = engine.info.orders == "1"
    said = " Its card says that it reads scales in one direction alone." if one_way else ""
    yield Finding("position bias", bias.describe() + said, bias.mostly_position <= one_way)


def _language(
    engine: LocalEngine, asked: Sheet, adapter: Adapter, under: str, must: bool
) -> Iterator[Finding]:
    """What an adapter leaves of the language; ``must``: it is an expert, which may not lose it."""
    [told] = measure_language(engine, [adapter], asked.questions)
    said = " ".join(describe_language(told))
    yield Finding(f"language under {under}", said, fine=not must or not told.lost)
    for line in describe_lines(told):
        yield Finding("written", line)


def _speed(
    engine: LocalEngine, asked: Sheet, adapters: Mapping[Placement, list[Adapter]]
) -> Iterator[Finding]:
    for place, some in adapters.items():
        begin = time.perf_counter()
        engine.answer(some, asked)
        spent = time.perf_counter() - begin
        yield Finding(
            f"speed, prompt {place}",
            f"{len(some) / spent:,.1f} candidates a second, {len(some)} at once",
        )


def _hearing(engine: Engine, survey: Survey, prompts: Sequence[Adapter]) -> Iterator[Finding]:
    """What rounding does to the indices of a survey, beside what prompts do."""
    if not survey.indices:
        return
    dtype = engine.info.dtype
    near = [neighbour(adapter, dtype) for adapter in prompts]
    given = engine.answer([*prompts, *near], sheet(survey, engine.info.orders)).probabilities
    means = item_means(average(given, survey, engine.info.orders), survey)
    noise, moves = noise_and_moves(raw_indices(survey, means))
    yield Finding(
        "precision",
        f"rounding in {dtype} moves an index by {noise:.2g} points, random words as a prompt by "
        f"{moves:.2g}",
        fine=noise <= moves / 3,
    )


def _steps(engine: Engine, survey: Survey, rng: np.random.Generator) -> Iterator[Finding]:
    """What a search would find of its steps, with one word as a prompt in every place."""
    if not survey.indices:
        return
    width, orders = engine.info.width, engine.info.orders
    word = from_vocabulary(engine, 1, engine.info.vocabulary, rng)
    unit = word_norm(engine) / float(np.sqrt(width))
    along = directions(width, rng)
    vectors = np.concatenate([np.zeros((1, width)), steps(along, (*SHORT, *LONG))])
    for place in PLACEMENTS:
        space = parameterize(word, unit, subspace=0, rng=rng, placement=place)
        given = engine.answer(space.adapters(vectors), sheet(survey, orders)).probabilities
        means = item_means(average(given, survey, orders), survey)
        probe = measure(raw_indices(survey, means), (*SHORT, *LONG))
        yield Finding(
            f"steps, one word {place}",
            f"a random step moves an index by {probe.leverage:.2g} points a word's norm and is linear up to "
            f"{probe.linear:.2g} words; noise {probe.noise:.2g} points; a first step of {probe.spread:.2g}",
            fine=not probe.drowned,
        )


def _versions() -> Iterator[tuple[str, str]]:
    yield "python", platform.python_version()
    for package in ("blackbox-align", "torch", "transformers", "peft", "ray"):
        with suppress(PackageNotFoundError):
            yield package, version(package)


def _dtype(model: LanguageModel) -> str:
    return model.info.dtype


def _device(model: LanguageModel) -> str:
    import torch

    from .engines.local.threads import chosen_threads, own_threads

    threads = chosen_threads() or own_threads(model.model)
    if model.device.type != "cuda":
        return f"CPU, {threads} threads; torch sees {torch.cuda.device_count()} GPUs"
    names = []
    for index in sorted({p.device.index for p in model.model.parameters() if p.is_cuda}):
        memory = torch.cuda.get_device_properties(index).total_memory / 2**30
        names.append(f"{torch.cuda.get_device_name(index)} ({memory:.0f} GiB)")
    return ", ".join(names)
