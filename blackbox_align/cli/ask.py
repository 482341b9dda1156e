"""``bbalign ask``: a committee of experts gives simulated answers to a question."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from ..errors import SpecificationError, require_one_of
from . import options as shared
from .answers import print_answered
from .elsewhere import Address, ask_elsewhere
from .experts import form_as_fitted, model_of
from .options import check_finite, check_most, panel
from .screen import print_note

if TYPE_CHECKING:
    import numpy as np
    from numpy.random import Generator

    from ..committee import Committee, Decision
    from ..experts import Expert

_who, _how = panel("Who answers"), panel("How it is answered")
Population = Annotated[
    str | None, _who(help="Weights as stated: SAU=0.3,EGY=0.7, or a CSV file of sample counts.")
]
Like = Annotated[
    str | None,
    _who(help="Weights by known answers: a CSV file with the columns item, answer, count."),
]
Profile = Annotated[
    list[str] | None,
    _who(
        help="Weights by what is known of somebody: NAME=VALUE, such as country=SAU or age=30; repeat for "
        "more."
    ),
]
ByText = Annotated[
    bool,
    _who(
        "--by-text",
        help="Weights by the countries that the question names; this is done where nothing is said.",
    ),
]
Embedder = Annotated[
    str | None,
    _who(help="A sentence model, for questions that name no country; composed rates by it, too."),
]
Form = Annotated[
    str,
    _how(
        "--as",
        help="parts: every expert's own answer; pooled: one answer of their mixture; sample: several, "
        "each by one expert drawn by weight; composed: experts answer and a composer makes one answer of "
        "theirs (MoCulE).",
    ),
]
Options = Annotated[
    str | None,
    _how(help='The options of a closed question: "yes,no".  Without, texts are written.'),
]
Combine = Annotated[
    str | None,
    _how(
        help="With --options: a CSV file of real answers, a person a line, with the columns answer and what "
        "is known of the person. They and the simulated answers are joined."
    ),
]
Chat = Annotated[
    str | None,
    _how(
        help="composed: the address of a chat model, http://HOST:PORT/v1#MODEL, or here, the experts' own "
        "model.  Default: words and tallies, without one."
    ),
]
Samples = Annotated[int, _how(help="Answers in a sample.", min=1)]
Temperature = Annotated[
    float | None, _how(help="0 takes the likeliest token.  Default: 1 for a sample, else 0.")
]


def ask_command(
    question: Annotated[str, typer.Argument(help="The question.", show_default=False)],
    population: Population = None,
    like: Like = None,
    profile: Profile = None,
    by_text: ByText = False,
    embedder: Embedder = None,
    form: Form = "parts",
    options: Options = None,
    combine: Combine = None,
    chat: Chat = None,
    samples: Samples = 10,
    max_tokens: shared.MaxTokens = 128,
    temperature: Temperature = None,
    seed: Annotated[int, typer.Option(help="Of all that is drawn.", min=0)] = 0,
    library: shared.LibraryFolder = Path("experts"),
    model: shared.ModelHere = None,
    engine: Address = None,
    device: shared.Device = "auto",
    as_json: shared.AsJson = False,
) -> None:
    """Ask a committee of experts: simulated answers, with the weights and why.

    What comes back was computed by a model. Nobody gave these answers, and they are no stand-in for asking
    people.
    """
    import numpy as np

    from .. import committee, engines
    from ..engines.base import Sampling

    _check(form, by_text and (population or like or profile), options is not None, temperature)
    _check_combined(form, combine, options, chat)
    check_most(100_000, samples=samples, max_tokens=max_tokens)
    survey = (
        committee.closed_question(question, options.split(",")) if options is not None else None
    )
    rng = np.random.default_rng(seed)
    if engine is not None:
        mixed = (like, profile, combine, chat, model)
        decision, answered = ask_elsewhere(
            engine, question, survey, population, form, samples, rng, mixed
        )
        print_answered(as_json, question, decision, answered)
        return
    experts = _sound(library)
    embed = committee.sentence_model(embedder) if embedder else None
    known = committee.read_profile(profile or [])
    decision = committee.decide(
        question, experts, population=population, answers=like, profile=known, embed=embed, rng=rng
    )
    answered = {}
    if chosen := tuple(expert for expert in experts if expert.name in decision.weights):
        named = model or model_of(list(chosen))
        with closing(engines.open(named, device=device, form=form_as_fitted(chosen))) as opened:
            seated = committee.Committee(opened, chosen, lambda query: decision)
            if form == "composed":
                answered = _composed(seated, decision, question, options, chat, embed)
            elif survey is not None:
                parts = committee.answer_closed(seated, decision, survey)
                answered = committee.told_shares(*parts, decision, survey, form, samples, rng)
                if combine is not None:
                    answered |= _combined(combine, seated, decision, survey, rng)
            else:
                warm = temperature if temperature is not None else float(form == "sample")
                sampling = Sampling(max_tokens, warm, seed=seed)
                said, kind = [{"role": "user", "content": question}], cast("Any", form)
                asked = seated.requests(
                    said, decision, kind, sampling=sampling, count=samples, rng=rng
                )
                answered = committee.told_texts(seated, asked, committee.write_all(opened, asked))
            instead = "for texts fit experts on a real model, or give --options."
            answered["note"] = committee.simulated_note(
                opened.info.name, opened.info.disclaimer, "" if survey else instead
            )
    print_answered(as_json, question, decision, answered)


def _check(form: str, ways: Any, closed: bool, temperature: float | None) -> None:
    """What contradicts itself, before anything is loaded."""
    from ..committee import FORMS

    check_finite(temperature=temperature)
    require_one_of("--as", form, (*FORMS, "composed"))
    if ways:
        raise SpecificationError(
            "--by-text finds the weights in the question; leave out --population, --like and --profile."
        )
    if temperature is not None and temperature < 0:
        raise SpecificationError(f"--temperature must be 0 or more; not {temperature:g}.")
    if closed and temperature is not None:
        raise SpecificationError(
            "With --options nothing is written, and a --temperature has no meaning; leave it out."
        )


def _check_combined(form: str, combine: str | None, options: str | None, chat: str | None) -> None:
    if combine is not None and (options is None or form != "parts"):
        raise SpecificationError(
            "--combine joins answers to a closed question: give its --options, and leave out --as."
        )
    if chat is not None and form != "composed":
        raise SpecificationError("--chat is for --as composed; leave it out.")


def _sound(library: Path) -> list[Expert]:
    """The experts of a library; what is none is told of and left out."""
    from ..experts import Library

    entries = list(Library(library).entries())
    for entry in entries:
        if entry.trouble:
            print_note(f"Left out: {entry.trouble}")
    return [entry.expert for entry in entries if entry.expert is not None]


def _combined(
    path: str, committee: Committee, decision: Decision, survey: Any, rng: Generator
) -> dict[str, Any]:
    """Real and simulated answers joined, with the interval and what the simulation was worth."""
    from dataclasses import replace

    from ..committee import answer_closed, combine_with

    experts = committee.experts
    everyone = {expert.name: 1 / len(experts) for expert in experts}
    parts, _ = answer_closed(committee, replace(decision, weights=everyone), survey)
    options = survey.items[0].scale.options
    joined = combine_with(path, options, experts, parts, decision, rng)
    rows = {
        name: {"share": share, "low": low, "high": high}
        for name, share, low, high in zip(
            options, joined.shares, joined.low, joined.high, strict=True
        )
    }
    return {"combined": rows, "worth": joined.worth, "tuning": joined.tuning}


def _composed(
    committee: Committee,
    decision: Decision,
    question: str,
    options: str | None,
    chat: str | None,
    embed: Callable[[Sequence[str]], np.ndarray] | None,
) -> dict[str, Any]:
    """MoCulE's pipeline, with a chat model where one is named; else by sentences' likeness, or by words."""
    from ..committee import composed
    from ..committee.by_text import Query
    from ..engines.chat import ChatAt, ChatHere

    say = None
    if chat is not None:
        address, _, name = chat.partition("#")
        model = ChatHere(committee.engine) if chat == "here" else ChatAt(address, name, seconds=300)
        say = composed.said_by(model)
    asked = None if options is None else [option.strip() for option in options.split(",")]
    planner = composed.planned(committee, decision, asked, say, embed)
    return {"composed": planner.run(Query(question)).to_dict()}
