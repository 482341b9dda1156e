"""``bbalign ask``: a committee of experts gives simulated answers to a question."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import SpecificationError
from .experts import model_of
from .options import AsJson, Device, check_finite, check_most
from .screen import print_hint, print_json, print_note, print_table, say

if TYPE_CHECKING:
    from numpy.random import Generator

    from ..committee import Committee, Decision
    from ..engines.base import Sampling
    from ..experts import Expert

_WHO, _HOW = "Who answers", "How it is answered"
Population = Annotated[
    str | None,
    typer.Option(
        help="Weights as stated: SAU=0.3,EGY=0.7, or a CSV file of sample counts.",
        rich_help_panel=_WHO,
    ),
]
Like = Annotated[
    str | None,
    typer.Option(
        help="Weights by known answers: a CSV file with the columns item, answer, count.",
        rich_help_panel=_WHO,
    ),
]
ByText = Annotated[
    bool,
    typer.Option(
        "--by-text",
        help="Weights by the countries that the question names; this is done where nothing is said.",
        rich_help_panel=_WHO,
    ),
]
Embedder = Annotated[
    str | None,
    typer.Option(
        help="A sentence model, for questions that name no country.", rich_help_panel=_WHO
    ),
]
Form = Annotated[
    str,
    typer.Option(
        "--as",
        help="parts: every expert's own answer; pooled: one answer of their mixture; sample: several, "
        "each by one expert drawn by weight.",
        rich_help_panel=_HOW,
    ),
]
Options = Annotated[
    str | None,
    typer.Option(
        help='The options of a closed question: "yes,no".  Without, texts are written.',
        rich_help_panel=_HOW,
        show_default=False,
    ),
]
Engine = Annotated[
    str | None,
    typer.Option(
        help="Ask the models served at an address, http://localhost:8000/v1, instead of a library; the key "
        "is taken from BBALIGN_API_KEY.",
        show_default=False,
        rich_help_panel=_HOW,
    ),
]
Samples = Annotated[int, typer.Option(help="Answers in a sample.", rich_help_panel=_HOW, min=1)]
MaxTokens = Annotated[int, typer.Option(help="Length of a text.", rich_help_panel=_HOW, min=1)]
Temperature = Annotated[
    float | None,
    typer.Option(
        help="0 takes the likeliest token.  Default: 1 for a sample, else 0.",
        show_default=False,
        rich_help_panel=_HOW,
    ),
]


def ask_command(
    question: Annotated[str, typer.Argument(help="The question.", show_default=False)],
    population: Population = None,
    like: Like = None,
    by_text: ByText = False,
    embedder: Embedder = None,
    form: Form = "parts",
    options: Options = None,
    samples: Samples = 10,
    max_tokens: MaxTokens = 128,
    temperature: Temperature = None,
    seed: Annotated[int, typer.Option(help="Of all that is drawn.", min=0)] = 0,
    library: Annotated[Path, typer.Option(help="The folder of the experts.")] = Path("experts"),
    model: Annotated[
        str | None, typer.Option(help="Where the model lies now. Default: as the cards name it.")
    ] = None,
    engine: Engine = None,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Ask a committee of experts: simulated answers, with the weights and why.

    What comes back was computed by a model. Nobody gave these answers, and they are no stand-in for asking
    people.
    """
    import numpy as np

    from .. import engines
    from ..committee import Committee, closed_question, decide, sentence_model
    from ..engines.base import Sampling

    _check(form, by_text and (population or like), options is not None, temperature)
    check_most(100_000, samples=samples, max_tokens=max_tokens)
    survey = closed_question(question, options.split(",")) if options is not None else None
    rng = np.random.default_rng(seed)
    if engine is not None:
        _check_elsewhere(survey is not None, like, model)
        _print_answered(
            as_json, question, *_elsewhere(engine, question, survey, population, form, samples, rng)
        )
        return
    experts = _sound(library)
    embed = sentence_model(embedder) if embedder else None
    decision = decide(question, experts, population=population, answers=like, embed=embed, rng=rng)
    answered: dict[str, Any] = {}
    if chosen := tuple(expert for expert in experts if expert.name in decision.weights):
        named = model or model_of(list(chosen))
        with closing(engines.open(named, device=device)) as opened:
            committee = Committee(opened, chosen, lambda query: decision)
            if survey is not None:
                answered = _closed(committee, decision, survey, form, samples, rng)
            else:
                warm = temperature if temperature is not None else float(form == "sample")
                sampling = Sampling(max_tokens, warm, seed=seed)
                answered = _open(committee, decision, question, form, sampling, samples, rng)
            answered["note"] = _note(opened.info.name, opened.info.disclaimer, survey is None)
    _print_answered(as_json, question, decision, answered)


def _print_answered(
    as_json: bool, question: str, decision: Decision, answered: Mapping[str, Any]
) -> None:
    if as_json:
        print_json({"question": question, "decision": decision.to_dict(), **answered})
    else:
        _print(decision, answered)


def _check_elsewhere(closed: bool, like: str | None, model: str | None) -> None:
    if not closed:
        raise SpecificationError("Models at an address are asked closed questions; give --options.")
    if like is not None or model is not None:
        raise SpecificationError(
            "With --engine the models are those that are served there, and their own answers are not known; "
            "leave --model and --like out."
        )


def _elsewhere(
    url: str,
    question: str,
    survey: Any,
    population: str | None,
    form: str,
    samples: int,
    rng: Generator,
) -> tuple[Decision, dict[str, Any]]:
    """The decision over the models at an address, and their answers by it."""
    from ..committee import decide
    from ..committee.asking import ORDERS
    from ..serving.elsewhere import answer_closed_elsewhere, served_experts

    key = os.environ.get("BBALIGN_API_KEY", "")
    experts: Any = served_experts(url, key)
    decision = decide(question, experts, population=population)
    if decision.abstains:
        return decision, {}
    parts, mixture = answer_closed_elsewhere(url, decision, survey, ORDERS, key)
    answered = _shown(parts, mixture, decision, survey, form, samples, rng)
    return decision, {**answered, "note": _note(url, "", False)}


def _check(form: str, ways: Any, closed: bool, temperature: float | None) -> None:
    """What contradicts itself, before anything is loaded."""
    from ..committee import FORMS

    check_finite(temperature=temperature)
    if form not in FORMS:
        raise SpecificationError(
            f"--as must be one of {', '.join(map(repr, FORMS))}; not {form!r}."
        )
    if ways:
        raise SpecificationError(
            "--by-text finds the weights in the question; leave it out, or --population and --like."
        )
    if temperature is not None and temperature < 0:
        raise SpecificationError(f"--temperature must be 0 or more; not {temperature:g}.")
    if closed and temperature is not None:
        raise SpecificationError(
            "With --options nothing is written, and a --temperature has no meaning; leave it out."
        )


def _sound(library: Path) -> list[Expert]:
    """The experts of a library; what is none is told of and left out."""
    from ..experts import Library

    entries = list(Library(library).entries())
    for entry in entries:
        if entry.trouble:
            print_note(f"Left out: {entry.trouble}")
    return [entry.expert for entry in entries if entry.expert is not None]


def _closed(
    committee: Committee, decision: Decision, survey: Any, form: str, samples: int, rng: Generator
) -> dict[str, Any]:
    """Distributions over the options of a closed question; of a sample, how often each was drawn."""
    from ..committee import answer_closed

    parts, mixture = answer_closed(committee, decision, survey)
    return _shown(parts, mixture, decision, survey, form, samples, rng)


def _shown(
    parts: Any,
    mixture: Any,
    decision: Decision,
    survey: Any,
    form: str,
    samples: int,
    rng: Generator,
) -> dict[str, Any]:
    labels = survey.items[0].scale.options
    found: dict[str, Any] = {"options": list(labels)}
    if form == "sample":
        # An expert drawn by weight that then answers by its own shares answers by the mixture's.
        found["counts"] = rng.multinomial(samples, mixture / mixture.sum()).tolist()
        return found
    if form == "parts":
        found["parts"] = {n: row.tolist() for n, row in zip(decision.weights, parts, strict=True)}
    found["mixture"] = mixture.tolist()
    return found


def _open(
    committee: Committee,
    decision: Decision,
    question: str,
    form: Any,
    sampling: Sampling,
    samples: int,
    rng: Generator,
) -> dict[str, Any]:
    from ..committee import write_all

    asked = committee.requests(
        [{"role": "user", "content": question}],
        decision,
        form,
        sampling=sampling,
        count=samples,
        rng=rng,
    )
    texts = write_all(committee.engine, asked)
    return {
        "texts": [
            {"experts": list(committee.speakers(request)), "text": text.text, "ended": text.reason}
            for request, text in zip(asked, texts, strict=True)
        ]
    }


def _note(model: str, disclaimer: str, writes: bool) -> str:
    from ..models import packaged_models

    sentences = ["These are simulated answers: a model computed them, and nobody gave them."]
    if writes and model in packaged_models():
        sentences.append(
            f"{model} was made to tick options and cannot write prose; for texts fit experts on a real "
            "model, or give --options."
        )
    return " ".join([*sentences, disclaimer]).strip()


def _print(decision: Decision, answered: Mapping[str, Any]) -> None:
    if decision.abstains:
        say("No expert answers.")
    else:
        print_table(
            ("expert", "weight"),
            [(name, f"{weight:.3f}") for name, weight in decision.weights.items()],
            right=(1,),
        )
    say()
    for sentence in (*decision.because, *decision.change):
        say(f"* {sentence}")
    say()
    if "options" in answered:
        _print_shares(answered)
    for text in answered.get("texts", ()):
        say(f"{', '.join(text['experts'])} ({text['ended']}):", style="bold")
        print_hint(f"{text['text']}\n")
    if answered:
        print_note(answered["note"])


def _print_shares(answered: Mapping[str, Any]) -> None:
    if "counts" in answered:
        counted = zip(answered["options"], map(str, answered["counts"]), strict=True)
        print_table(("option", "simulated answers"), list(counted), right=(1,))
        return
    columns = {**answered.get("parts", {}), "mixture": answered["mixture"]}
    rows = [
        [option, *(f"{100 * shares[n]:.1f}" for shares in columns.values())]
        for n, option in enumerate(answered["options"])
    ]
    print_table(("simulated, %", *columns), rows, right=range(1, len(columns) + 1))
