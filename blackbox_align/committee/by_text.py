"""Weights by a text: the countries that its words name, else the experts that it lies near.

Words come first, because embeddings of sentences mostly measure which names stand in them, and a
table of names does that better. Where no country is named, the text is embedded and weighed by
MoCulE's fusion; where it lies near no expert, the decision is to abstain.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np

from ..errors import SpecificationError, require_one_of
from ..populations import countries
from .decision import Considered, Decision
from .evidence import STRENGTHS, Evidence, Populations
from .fusion import Fused, FusionSettings, cluster_centroids, fuse
from .lexicon import Kind

Embedder = Callable[[Sequence[str]], np.ndarray]
"""Texts to (texts, D) vectors, of any length but zero; they are set to unit length here."""


@dataclass(frozen=True)
class Query:
    """What is asked of a committee.

    Parameters
    ----------
    text : the question
    profile : what is known of who asks, such as ``{"country": "SAU", "age": "30"}``
    topics : what the question is about, in words, where somebody has said so
    """

    text: str
    profile: Mapping[str, str] = field(default_factory=dict)
    topics: tuple[str, ...] = ()


@dataclass(frozen=True)
class TextRouter:
    """A router by text: ``TextRouter(experts, embed).decide(query)``.

    Parameters
    ----------
    experts : expert name to the population that it speaks for: a country by code or name, or any
        other name, which is then found by its own words
    embed : the embedder; without one, only words decide
    template : the text that stands for an expert among embeddings, with ``{name}`` in it
    fusion : the constants of the fusion
    far : what is done where no expert is near enough: ``abstain``, or ``cluster`` as MoCulE does
    strengths : what a word counts by its kind
    """

    experts: Mapping[str, str]
    embed: Embedder | None = None
    template: str = "The culture of {name}"
    fusion: FusionSettings = field(default_factory=FusionSettings)
    far: Literal["abstain", "cluster"] = "abstain"
    strengths: Mapping[Kind, float] = field(default_factory=lambda: dict(STRENGTHS))

    def __post_init__(self) -> None:
        require_one_of("far", self.far, ("abstain", "cluster"))
        if not self.experts:
            raise SpecificationError("There is no expert to choose among; give at least one.")

    def decide(self, query: Query) -> Decision:
        """The weights of the experts for a query, or an abstention."""
        evidence = self.evidence(query)
        if evidence.strength:
            return self._by_words(evidence)
        if evidence.without_expert or evidence.regions or self.embed is None:
            return self._abstention(evidence)
        return self._by_distance(fuse(self.embeddings, *self._embedded(query), *self._constants))

    def ranking(self, query: Query) -> list[str]:
        """All experts, the likeliest first: by words, then by regions, then by distance.

        It ranks where :meth:`decide` abstains, too: for measures that need an order.
        """
        evidence = self.evidence(query)
        names = list(self.experts)
        strength = np.array([evidence.strength.get(name, 0.0) for name in names])
        inside = np.array([name in evidence.in_region for name in names])
        scores = np.zeros(len(names))
        if self.embed is not None:
            scores = fuse(self.embeddings, *self._embedded(query), *self._constants).scores
        return [names[n] for n in np.lexsort((-scores, ~inside, -strength))]

    def evidence(self, query: Query) -> Evidence:
        """What the words of a query name; the profile weighs as the user does in the fusion."""
        matches = self._populations.lexicon.matches
        asked = [found for text in (query.text, *query.topics) if (found := matches(text))]
        user = self._populations.profile_matches(query.profile)
        parts = [(found, self.fusion.topics_share if user else 1.0) for found in asked]
        parts.append((user, self.fusion.user_share if asked else 1.0))
        return self._populations.gather(parts, self.strengths)

    @cached_property
    def embeddings(self) -> np.ndarray:
        """(experts, D) unit vectors of the experts' names; needs an embedder."""
        texts = [self.template.format(name=self._name(expert)) for expert in self.experts]
        return self._embed(texts)

    def _by_words(self, evidence: Evidence) -> Decision:
        total = sum(evidence.strength.values())
        weights = {expert: s / total for expert, s in evidence.strength.items()}
        strongest_first = sorted(weights, key=lambda name: -weights[name])
        because = [
            f"{_quoted(evidence.words[expert])} names {self._name(expert)}."
            for expert in strongest_first
        ]
        because += [_no_expert(code, said) for code, said in evidence.without_expert.items()]
        if len(weights) > 1:
            because.append("Several are named, and each answers.")
        return Decision(
            weights,
            "text",
            tuple(because),
            considered=tuple(
                Considered(expert, words=evidence.words[expert]) for expert in strongest_first
            ),
            change=("Another country's name in the text, or weights that are stated.",),
        )

    def _abstention(self, evidence: Evidence) -> Decision:
        because = ["This does not say which country."]
        if evidence.without_expert:
            because = [_no_expert(code, said) for code, said in evidence.without_expert.items()]
        elif evidence.regions:
            verb = "are regions" if len(evidence.regions) > 1 else "is a region"
            because.append(f"{_quoted(evidence.regions)} {verb} of several countries.")
        change = ["A country's name in the text, or weights that are stated."]
        if evidence.without_expert:
            change.append("A people without an expert is found by its answers to a few questions.")
        if evidence.in_region:
            names = ", ".join(self._name(expert) for expert in evidence.in_region)
            change.append(f"The region's experts, all of which may be stated: {names}.")
        if self.embed is None and not (evidence.regions or evidence.without_expert):
            change.append("With an embedder, a text is compared with the experts' names.")
        return Decision(
            {},
            "text",
            tuple(because),
            considered=tuple(map(Considered, evidence.in_region)),
            change=tuple(change),
        )

    def _by_distance(self, fused: Fused) -> Decision:
        names = list(self.experts)
        nearest = [int(n) for n in np.argsort(-fused.scores, kind="stable")[: self.fusion.top]]
        listed = [*dict.fromkeys([*nearest, *fused.chosen])]
        considered = tuple(Considered(names[n], float(-fused.scores[n])) for n in listed)
        best = -float(fused.scores.max())
        near = ", ".join(f"{self._name(names[n])} {-fused.scores[n]:.2f}" for n in nearest)
        because = ["No country is named.", f"Nearest by embedding (L1): {near}."]
        limit, weights = -fused.threshold, {}
        if not fused.fell_back or self.far == "cluster":
            weights = {
                names[n]: float(w)
                for n, w in zip(fused.chosen, fused.weights, strict=True)
                if w > 0
            }
        if not fused.fell_back:
            because.append(f"The nearest is within {limit:.2f}.")
        elif weights:
            because.append(f"None is within {limit:.2f}: the nearest cluster of experts answers.")
        else:
            because.append(f"None is within {limit:.2f}: this does not say which country.")
        # In the units of the setting, so that a reader can set it.
        needed = self.fusion.threshold * best / limit if limit else 0.0
        verb = "lets the nearest answer" if fused.fell_back else "turns the nearest away"
        side = "or lower" if fused.fell_back else "or higher"
        change = (
            "A country's name in the text, or weights that are stated.",
            f"A threshold of {needed:.2f} {side}, now {self.fusion.threshold:g}, {verb}.",
        )
        return Decision(weights, "text", tuple(because), considered=considered, change=change)

    def _embedded(self, query: Query) -> tuple[np.ndarray, np.ndarray | None]:
        """u (D,) and the topics (topics, D): of a query without a profile, the text is the user."""
        user = ", ".join(f"{key}: {value}" for key, value in query.profile.items())
        topics = list(query.topics) or ([query.text] if user else [])
        vectors = self._embed([self._shown(text) for text in (user or query.text, *topics)])
        return vectors[0], vectors[1:] if topics else None

    def _shown(self, text: str) -> str:
        """A text without what only sounds like a country, which would mislead an embedder as well."""
        shown = text
        for match in reversed(self._populations.lexicon.matches(text)):
            if match.sense.kind == "homonym":
                shown = shown[: match.start] + shown[match.end :]
        return shown if shown.strip() else text

    def _embed(self, texts: list[str]) -> np.ndarray:
        if self.embed is None:
            raise SpecificationError("This router has no embedder; give `embed`, texts to vectors.")
        vectors = np.asarray(self.embed(texts), np.float64)
        if vectors.ndim != 2 or len(vectors) != len(texts) or not np.isfinite(vectors).all():
            raise SpecificationError(
                f"The embedder gave an array of shape {vectors.shape} for {len(texts)} texts; "
                f"expected finite numbers of shape ({len(texts)}, D)."
            )
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not norms.all():
            raise SpecificationError(
                f"The embedder gave zeros for {texts[int(norms.argmin())]!r}; it has to tell texts apart."
            )
        return vectors / norms

    @cached_property
    def _constants(self) -> tuple[FusionSettings, np.ndarray]:
        return self.fusion, cluster_centroids(self.embeddings, self.fusion.clusters)

    @cached_property
    def _populations(self) -> Populations:
        return Populations(self.experts)

    def _name(self, expert: str) -> str:
        return self._populations.name(expert)


def _quoted(words: Sequence[str]) -> str:
    return " and ".join(f"'{word}'" for word in words)


def _no_expert(code: str, words: Sequence[str]) -> str:
    name = countries()[code].name if code in countries() else code
    return f"{_quoted(words)} names {name}, which has no expert."
