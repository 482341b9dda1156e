"""``/v1/ask``: a question to the committee, with all that led to the answer; what the page shows."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from typing import Any

import numpy as np

from ..committee import Committee, Decision, answer_closed, closed_question
from ..committee.by_text import Query
from ..committee.composed import (
    COMPOSED_TOKENS,
    COMPOSED_WORDS,
    EXPERT_WORDS,
    chat_in_process,
    planned,
)
from ..engines.base import Sampling
from ..models import packaged_models
from .asked import decided, seated
from .bodies import AskBody
from .desk import Desk, Writing
from .refusals import Refusal, refusal_of

SIMULATED = "These are simulated answers: a model computed them, and nobody gave them."


async def answer(body: AskBody, desk: Desk) -> dict[str, Any]:
    """The decision, and the answers by it; the decision alone where nobody is to answer."""
    if body.max_tokens > desk.limits.tokens:
        raise Refusal(
            400, f"max_tokens: at most {desk.limits.tokens:,} are written here.", param="max_tokens"
        )
    if body.options is not None and body.temperature is not None:
        raise Refusal(
            400, "temperature: with options nothing is written, and it has no meaning; leave it out.",
            param="temperature",
        )  # fmt: skip
    _refuse_beside_composed(body, desk)
    try:
        by_gate = desk.palette is not None
        decision = await asyncio.to_thread(
            decided, desk, body.question, body.population, by_gate=by_gate
        )
        found: Mapping[str, Any] = {}
        if not decision.abstains:
            committee = seated(desk, decision)
            if body.form == "composed":
                found = await _composed(body, desk, committee, decision)
            else:
                found = await (_closed if body.options is not None else _open)(
                    body, desk, committee, decision
                )
    except Exception as error:
        raise refusal_of(error) from error
    return {
        "question": body.question,
        "decision": decision.to_dict(),
        **found,
        "note": _note(desk, body),
    }


async def _closed(
    body: AskBody, desk: Desk, committee: Committee, decision: Decision
) -> dict[str, Any]:
    """Shares of the options: each expert's, and their weighted mixture; of a sample, counts."""
    survey = closed_question(body.question, body.options or [])
    parts, mixture = await desk.ask(
        lambda: answer_closed(committee, decision, survey), len(decision.weights)
    )
    found: dict[str, Any] = {"options": list(survey.items[0].scale.options)}
    if body.form == "sample":
        rng = np.random.default_rng(body.seed)
        # An expert drawn by weight that then answers by its own shares answers by the mixture's.
        found["counts"] = rng.multinomial(body.samples, mixture / mixture.sum()).tolist()
        return found
    if body.form == "parts":
        found["parts"] = {n: row.tolist() for n, row in zip(decision.weights, parts, strict=True)}
    found["mixture"] = mixture.tolist()
    return found


async def _open(
    body: AskBody, desk: Desk, committee: Committee, decision: Decision
) -> dict[str, Any]:
    """Texts, each with the experts that wrote it."""
    assert body.form != "composed"
    warm = body.temperature if body.temperature is not None else float(body.form == "sample")
    room = replace(Sampling(), max_tokens=body.max_tokens, temperature=warm, seed=body.seed)
    requests = committee.requests(
        [{"role": "user", "content": body.question}],
        decision,
        body.form,
        sampling=room,
        count=body.samples,
        rng=np.random.default_rng(body.seed),
    )
    with closing(await Writing.begin(desk, requests)) as writing:
        texts = await writing.texts()
    return {
        "texts": [
            {"experts": list(committee.speakers(request)), "text": text.text, "ended": text.reason}
            for request, text in zip(requests, texts, strict=True)
        ]
    }


async def _composed(
    body: AskBody, desk: Desk, committee: Committee, decision: Decision
) -> dict[str, Any]:
    """MoCulE's pipeline, with all its steps; ``chat`` has the model as it is rate and compose."""
    chat = chat_in_process(desk.engine) if body.chat else None
    planner = planned(committee, decision, body.options, chat)
    found = await desk.ask(lambda: planner.run(Query(body.question)), len(decision.weights))
    return {"composed": found.to_dict()}


def _refuse_beside_composed(body: AskBody, desk: Desk) -> None:
    """A pipeline of agents has lengths of its own and draws nothing; a chat model is of use to it alone."""
    composed = body.form == "composed"
    if body.chat and not composed:
        raise Refusal(
            400, "chat: only as 'composed' is a chat model asked; leave it out.", param="chat"
        )
    given = {"samples", "max_tokens", "temperature", "seed"} & body.model_fields_set
    if composed and given:
        name = min(given)
        raise Refusal(
            400, f"{name}: experts answer in at most {EXPERT_WORDS} words and the composer in "
            f"{COMPOSED_WORDS}, and nothing is drawn; leave it out.", param=name,
        )  # fmt: skip
    if composed and body.options is None and desk.limits.tokens < COMPOSED_TOKENS:
        raise Refusal(
            400, f"as: composed texts need {COMPOSED_TOKENS} tokens, and at most {desk.limits.tokens} are "
            "written here; give options.", param="as",
        )  # fmt: skip


def _note(desk: Desk, body: AskBody) -> str:
    info = desk.engine.info
    sentences = [SIMULATED]
    if body.options is None and info.name in packaged_models():
        sentences.append(
            f"{info.name} was made to tick options and cannot write prose; give options, or serve experts "
            "of a real model."
        )
    return " ".join([*sentences, info.disclaimer]).strip()
