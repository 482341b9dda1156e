"""Personas: text in front of a survey, and whose answers that text calls for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from blackbox_align.populations import countries


@dataclass(frozen=True)
class Persona:
    """``before`` stands before the beginning-of-sequence token, ``preamble`` opens the question.

    ``country`` is a row of the trained countries, ``continent`` one of the continents; None and None
    is anyone. ``shift`` (traits,) is what the statements add to the traits of these people.
    """

    before: str
    preamble: str
    country: int | None
    shift: np.ndarray
    continent: int | None = None


@dataclass(frozen=True)
class PersonaSampler:
    """Draws personas by the shares in ``config``, in the words of ``words`` (``personas.yaml``).

    ``codes`` are the countries, ``weights`` (countries,) how often each is spoken of, ``continents``
    (countries,) rows of ``words["continents"]``.
    """

    words: Mapping[str, Any]
    config: Mapping[str, Any]
    codes: Sequence[str]
    weights: np.ndarray
    continents: np.ndarray

    def people(self, persona: Persona) -> np.ndarray:
        """(countries,): of whom a persona speaks, as shares that sum to 1.

        A continent is the plain mean of its countries.
        """
        if persona.country is not None:
            shares = np.eye(len(self.codes))[persona.country]
        elif persona.continent is not None:
            shares = (self.continents == persona.continent).astype(float)
        else:
            shares = self.weights
        return shares / shares.sum()

    def draw(self, rng: np.random.Generator) -> Persona:
        mix = self.config["mix"]
        kind = rng.choice([*mix, "nothing"], p=[*mix.values(), 1 - sum(mix.values())])
        shift = np.zeros(len(self.words["traits"]))
        sentences: list[str] = []
        country = continent = None
        before = rng.random() < self.config["before_bos"]
        if kind in ("country", "both"):
            country, continent, place = self._place(rng)
            sentences.append(self.country_sentence(rng, place))
        if kind == "made_up_name":
            place = made_up_name(rng)
            if rng.random() < self.config["with_continent"]:
                continent = int(rng.integers(len(self.words["continents"])))
                place = f"{place}, {self.continent_name(rng, continent)}"
            sentences.append(self.country_sentence(rng, place))
        if kind in ("traits", "both"):
            bare = before and rng.random() < 0.5
            number = int(rng.integers(1, 13 if bare else 5))
            for _ in range(number):
                text, trait, strength = self.bare(rng) if bare else self.statement(rng)
                sentences.append(text)
                shift[trait] += strength
        strongest = self.config["strongest"]
        shift = strongest * np.tanh(shift / strongest)
        rng.shuffle(sentences)
        if len(sentences) > 1 and rng.random() < 0.15:  # some on both sides
            cut = int(rng.integers(1, len(sentences)))
            texts = " ".join(sentences[:cut]), " ".join(sentences[cut:])
        else:
            text = " ".join(sentences)
            texts = (text, "") if before else ("", text)
        return Persona(*texts, country, shift, continent)

    def country_sentence(self, rng: np.random.Generator, name: str) -> str:
        return str(rng.choice(self.words["countries"])).format(country=name)

    def continent_name(self, rng: np.random.Generator, row: int) -> str:
        return str(rng.choice(list(self.words["continents"].values())[row]))

    def _place(self, rng: np.random.Generator) -> tuple[int | None, int | None, str]:
        """A country or a continent: the row of the one, of the other, and its name."""
        if rng.random() < self.config["continents"]:
            continent = int(rng.integers(len(self.words["continents"])))
            return None, continent, self.continent_name(rng, continent)
        country = int(rng.choice(len(self.codes), p=self.weights / self.weights.sum()))
        name = self._spelling(rng, country)
        if rng.random() < self.config["with_continent"]:
            name = f"{name}, {self.continent_name(rng, int(self.continents[country]))}"
        return country, None, name

    def _spelling(self, rng: np.random.Generator, row: int) -> str:
        country = countries()[self.codes[row]]
        aliases = [alias for alias in country.aliases if "," not in alias]
        return country.name if not aliases or rng.random() < 0.8 else str(rng.choice(aliases))

    def bare(self, rng: np.random.Generator) -> tuple[str, int, float]:
        """A single word, its trait and its strength."""
        trait, pole, sign = self._pole(rng)
        return str(rng.choice(pole["words"])), trait, sign * self.words["bare_word"]

    def statement(self, rng: np.random.Generator) -> tuple[str, int, float]:
        """A sentence about one trait, the trait, and what the sentence adds to it."""
        if rng.random() < 0.25:
            names = list(self.words["traits"])
            trait = int(rng.integers(len(names)))
            rating = str(rng.choice(list(self.words["ratings"])))
            form = str(rng.choice(self.words["rating_forms"]))
            name = str(rng.choice(self.words["traits"][names[trait]]["names"]))
            text = form.format(trait=name, rating=rating)
            return text, trait, self.words["ratings"][rating]
        trait, pole, sign = self._pole(rng)
        strength = str(rng.choice(list(self.words["strengths"])))
        phrase = str(rng.choice([*pole["words"], *pole["phrases"]]))
        form = str(rng.choice(self.words["statements"]))
        text = " ".join(form.format(strength=strength, phrase=phrase).split())
        return text, trait, sign * self.words["strengths"][strength]

    def _pole(self, rng: np.random.Generator) -> tuple[int, Mapping[str, Any], int]:
        names = list(self.words["traits"])
        trait = int(rng.integers(len(names)))
        poles = self.words["traits"][names[trait]]
        return (trait, poles["high"], 1) if rng.random() < 0.5 else (trait, poles["low"], -1)


def made_up_name(rng: np.random.Generator) -> str:
    """A name that no country has, so that an unknown name is no reason for unusual answers."""
    syllables = rng.integers(2, 5)
    letters = ["bcdfghjklmnprstvwz", "aeiou"]
    name = "".join(
        str(rng.choice(list(letters[0]))) + str(rng.choice(list(letters[1])))
        for _ in range(syllables)
    )
    ending = str(rng.choice(["", "n", "nia", "land", "stan", "s", "r"]))
    return (name + ending).capitalize()
