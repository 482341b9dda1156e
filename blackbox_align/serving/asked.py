"""From bodies to the texts that an engine is to write, and to who writes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..adapters.adapter import Adapter
from ..committee import Committee, Decision, decide
from ..engines.base import Request, Sampling
from ..errors import UnknownNameError
from .bodies import ChatBody, CompletionBody
from .desk import Desk
from .refusals import Refusal
from .roster import BASE, PALETTE

Prompt = Any  # of engines.base.Request


@dataclass(frozen=True)
class Asked:
    """What a request comes to: texts to write, choice by choice, and who writes each.

    ``decision`` is the committee's, None where one model was named; ``prompts`` are the texts that an
    echo repeats, a choice each.
    """

    requests: tuple[Request, ...]
    experts: tuple[tuple[str, ...], ...]
    decision: Decision | None = None
    prompts: tuple[str | tuple[int, ...], ...] = ()


def of_chat(body: ChatBody, desk: Desk, rng: np.random.Generator) -> Asked:
    """The choices of a chat completion."""
    logprobs = body.top_logprobs or 0
    sampling = _sampling(body, body.most_tokens, logprobs, desk, rng)
    messages = [message.plain() for message in body.messages]
    users = [m["content"] for m in messages if m["role"] == "user"]
    if not users:
        raise Refusal(
            400, "messages: a conversation needs a message of the user.", param="messages"
        )
    return _choices(body, desk, messages, users[-1], sampling, False)


def of_completion(body: CompletionBody, desk: Desk, rng: np.random.Generator) -> Asked:
    """The choices of a completion: those of the first prompt, then those of the next."""
    most = 16 if body.max_tokens is None else body.max_tokens
    sampling = _sampling(body, most, body.logprobs or 0, desk, rng)
    found, prompts = [], []
    echo = bool(body.echo) and body.logprobs is not None  # else it repeats the text alone
    for prompt in body.prompts:
        if not isinstance(prompt, str):
            _check_tokens(prompt, desk.engine.info.vocabulary)
        one = _choices(
            body, desk, prompt, prompt if isinstance(prompt, str) else None, sampling, echo
        )
        found.append(one)
        prompts += [prompt] * len(one.requests)
    return Asked(
        tuple(request for one in found for request in one.requests),
        tuple(names for one in found for names in one.experts),
        found[0].decision,
        tuple(prompts),
    )


def _check_tokens(tokens: Sequence[int], vocabulary: int) -> None:
    wrong = next((t for t in tokens if not 0 <= t < vocabulary), None)
    if wrong is not None:
        raise Refusal(
            400,
            f"prompt: {wrong} is no token; this model has 0 to {vocabulary - 1}.",
            param="prompt",
        )


def _sampling(
    body: ChatBody | CompletionBody,
    most: int | None,
    logprobs: int,
    desk: Desk,
    rng: np.random.Generator,
) -> Sampling:
    if most is not None and most > desk.limits.tokens:
        raise Refusal(
            400, f"max_tokens: at most {desk.limits.tokens:,} are written here; not {most:,}.",
            param="max_tokens",
        )  # fmt: skip
    seed = int(rng.integers(2**63)) if body.seed is None else body.seed % 2**64
    warm = 1.0 if body.temperature is None else body.temperature
    top_p = 1.0 if body.top_p is None else body.top_p
    return Sampling(most, warm, top_p, seed, body.stops, logprobs)


def _choices(
    body: ChatBody | CompletionBody,
    desk: Desk,
    prompt: Prompt,
    question: str | None,
    sampling: Sampling,
    echo: bool,
) -> Asked:
    """``n`` choices of one prompt, each with a seed of its own."""
    count = body.n or 1
    seeds = [sampling.seed]
    seeds += np.random.default_rng(sampling.seed).integers(2**63, size=count - 1).tolist()
    if body.model not in desk.mixtures:
        adapter = _adapter(body.model, desk)
        requests = [
            Request(prompt, replace(sampling, seed=seed), ((adapter, 1.0),), echo=echo)
            for seed in seeds
        ]
        return Asked(tuple(requests), ((body.model,),) * count)
    decision = decided(desk, question, body.population, by_gate=body.model == PALETTE)
    if decision.abstains:
        because = " ".join(decision.because)
        raise Refusal(400, f"No expert is to answer: {because}", code="abstained")
    committee = seated(desk, decision)
    if body.form == "sample":
        rng = np.random.default_rng(sampling.seed)
        requests = committee.requests(
            prompt, decision, "sample", sampling=sampling, count=count, rng=rng
        )
    else:
        requests = [
            request
            for seed in seeds
            for request in committee.requests(
                prompt, decision, body.form, sampling=replace(sampling, seed=seed)
            )
        ]
    experts = tuple(committee.speakers(request) for request in requests)
    return Asked(tuple(replace(r, echo=echo) for r in requests), experts, decision)


def _adapter(model: str, desk: Desk) -> Adapter:
    if model == BASE:
        return Adapter()
    experts = desk.roster.experts()
    if model not in experts:
        known = [BASE, *desk.mixtures, *experts]
        error = UnknownNameError("model", model, known, "See /v1/models.")
        raise Refusal(404, str(error), code="model_not_found", param="model")
    return experts[model].adapter()


def decided(
    desk: Desk, question: str | None, population: dict[str, float] | None, *, by_gate: bool
) -> Decision:
    """Weights as stated, else by the words of the question, or ``by_gate`` of the palette that is served."""
    experts = desk.roster.experts()
    if population is None and question is None:
        raise Refusal(
            400, "population: tokens have no words to find weights by; state the weights.",
            param="population",
        )  # fmt: skip
    if population is None and by_gate and desk.palette is not None:
        return desk.palette.decide(desk.engine, question or "")
    if population is None:
        return decide(question or "", list(experts.values()))
    # Written out, for decide() takes what else it might be for the name of a file.
    for name in population:
        if not name.strip() or "," in name or "=" in name:
            raise Refusal(400, f"population: {name!r} is no name of a people.", param="population")
    stated = ",".join(f"{name}={share!r}" for name, share in population.items())
    if not stated:
        raise Refusal(400, "population: name one people or more.", param="population")
    return decide("", list(experts.values()), population=stated)


def seated(desk: Desk, decision: Decision) -> Committee:
    """The committee of the experts that have a weight."""
    experts = desk.roster.experts()
    chosen = tuple(experts[name] for name in decision.weights)
    return Committee(desk.engine, chosen, lambda query: decision)
