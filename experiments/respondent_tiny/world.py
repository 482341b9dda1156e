"""What is simulated: two surveys, their respondents, the countries and continents, and the words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from opinions import Opinions, fit_opinions
from personas import Persona, PersonaSampler
from respondents import Respondents, keyed_respondents

from blackbox_align.populations import TargetSet, countries, load_targets
from blackbox_align.surveys import Survey, load_survey
from blackbox_align.surveys.opinion_files import load_opinions

HERE = Path(__file__).parent


@dataclass(frozen=True)
class World:
    """Two surveys, their respondents, and the countries that are named in training.

    ``traits`` (countries, traits) holds those of the index survey first, then those of the opinions;
    ``continents`` (countries,) rows of the sampler's continents.
    """

    config: dict[str, Any]
    survey: Survey
    targets: TargetSet
    respondents: Respondents
    opinions: Opinions
    sampler: PersonaSampler
    traits: np.ndarray

    @property
    def codes(self) -> Sequence[str]:
        """The countries named in training."""
        return self.sampler.codes

    @property
    def continents(self) -> np.ndarray:
        return self.sampler.continents

    def mixed(self, mix: Mapping[str, float], drafts: Mapping[str, float]) -> World:
        """The same world, with other shares of what personas say, and other settings of drafts."""
        config = {**self.config, "mix": mix, "drafts": {**self.config["drafts"], **drafts}}
        return replace(self, config=config, sampler=replace(self.sampler, config=config))

    def answers(self, personas: Sequence[Persona]) -> np.ndarray:
        """(personas, items, width): exact answer shares of the people each persona speaks of."""
        moved = self._moved(personas)[..., : len(self.survey.indices)]
        rows, each = moved.shape[:2]
        shares = self.respondents.answers(moved.reshape(rows * each, -1))
        people = self._people(personas)
        return np.einsum("pc,pcio->pio", people, shares.reshape(rows, each, *shares.shape[1:]))

    def opinion_answers(
        self,
        personas: Sequence[Persona],
        items: Sequence[int] | slice = slice(None),
        tilts: np.ndarray | float = 0.0,
    ) -> np.ndarray:
        """(personas, items, width) of the opinion survey, likewise, or of some of its items.

        ``tilts`` (continents, items, width) are added to the log shares of the options in every
        country of a continent.
        """
        moved = self._moved(personas)[..., len(self.survey.indices) :]
        added = tilts[self.continents] if isinstance(tilts, np.ndarray) else tilts
        shares = self.opinions.answers(moved, items, added)
        return np.einsum("pc,pcio->pio", self._people(personas), shares)

    def mean_traits(self, personas: Sequence[Persona]) -> np.ndarray:
        """(personas, traits): the mean of the people each persona speaks of."""
        return self._people(personas) @ self.traits + np.stack([p.shift for p in personas])

    def _people(self, personas: Sequence[Persona]) -> np.ndarray:
        """(personas, countries): the share of every country in the people spoken of."""
        return np.stack([self.sampler.people(persona) for persona in personas])

    def _moved(self, personas: Sequence[Persona]) -> np.ndarray:
        """(personas, countries, traits): the countries as the statements move them."""
        return self.traits + np.stack([persona.shift for persona in personas])[:, None]


def load_world(file: Path = HERE / "config.yaml") -> World:
    """The world that a configuration file describes."""
    config = yaml.safe_load(file.read_text(encoding="utf-8"))
    words = yaml.safe_load((file.parent / config["personas"]).read_text(encoding="utf-8"))
    survey = load_survey(config["survey"])
    opinions = fit_opinions(load_opinions(config["opinions"]), config["latent_opinions"])
    targets = load_targets()
    names = [index.name for index in survey.indices]
    expected = [*names, *config["latent_opinions"]["anchors"]]
    if list(words["traits"]) != expected:
        raise ValueError(f"{config['personas']} describes {list(words['traits'])}, not {expected}.")
    complete = targets.complete()
    figures = np.stack([targets.target(code, names) for code in complete])
    people = keyed_respondents(survey, figures.mean(axis=0), config["respondents"])
    named = [code for code in complete if code not in config["never_named"]]
    weights = np.array([float(config["country_weights"].get(code, 1)) for code in named])
    traits = people.country_traits(targets, named)
    rows = [complete.index(code) for code in named]
    views = opinions.country_traits(complete, figures)[rows]
    places = list(words["continents"])
    continents = np.array([places.index(countries()[code].continent) for code in named])
    sampler = PersonaSampler(words, config, named, weights, continents)
    both = np.concatenate([traits, views], axis=1)
    return World(config, survey, targets, people, opinions, sampler, both)
