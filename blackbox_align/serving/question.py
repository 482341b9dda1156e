"""``/v1/ask``: a question to the committee, with all that led to the answer; what the page shows."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from typing import Any

import numpy as np

from ..committee import (
    Committee,
    Decision,
    answer_closed,
    closed_question,
    simulated_note,
    told_shares,
    told_texts,
)
from ..committee.by_text import Query
from ..committee.composed import (
    COMPOSED_TOKENS,
    COMPOSED_WORDS,
    EXPERT_WORDS,
    planned,
    said_by,
)
from ..engines.base import Sampling
from ..engines.chat import ChatHere
from .asked import decided, seated
from .bodies import AskBody
from .desk import Desk, Writing
from .refusals import Refusal, refusal_of


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
    info, instead = desk.engine.info, "give options, or serve experts of a real model."
    note = simulated_note(info.name, info.disclaimer, "" if body.options is not None else instead)
    return {"question": body.question, "decision": decision.to_dict(), **found, "note": note}


async def _closed(
    body: AskBody, desk: Desk, committee: Committee, decision: Decision
) -> dict[str, Any]:
    """Shares of the options: each expert's, and their weighted mixture; of a sample, counts."""
    survey = closed_question(body.question, body.options or [])
    parts, mixture = await desk.ask(
        lambda: answer_closed(committee, decision, survey), len(decision.weights)
    )
    rng = np.random.default_rng(body.seed)
    return told_shares(parts, mixture, decision, survey, body.form, body.samples, rng)


async def _open(
    body: AskBody, desk: Desk, committee: Committee, decision: Decision
) -> dict[str, Any]:
    """Texts, each with the experts that wrote it."""
    assert body.form != "composed"  # which is written step by step
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
    return told_texts(committee, requests, texts)


async def _composed(
    body: AskBody, desk: Desk, committee: Committee, decision: Decision
) -> dict[str, Any]:
    """MoCulE's pipeline, with all its steps; ``chat`` has the model as it is rate and compose."""
    chat = said_by(ChatHere(desk.engine)) if body.chat else None
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
