"""What a training step shows: personas, questions in both directions, and drafts in front of some."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from packing import Branches, branches
from personas import Persona
from tokenizers import Tokenizer
from torch import Tensor
from world import World

from blackbox_align.surveys import Item, Survey
from blackbox_align.surveys.signs import INSTRUCTIONS, LABELS


@dataclass(frozen=True)
class Batch:
    """Personas with a part of the surveys: the trunks' token lists, the branches, what to learn.

    ``labels`` (questions, width) tokens, ``shares`` (rows, questions, width) of the exact answers,
    and ``traits`` (rows, traits), the mean of the people spoken of. The first ``straight`` questions
    are those of the VSM as printed, ``turned`` more run the other way, opinions follow, the last
    ``drafted`` of them behind drafts.
    """

    trunks: list[list[int]]
    leaves: Branches
    labels: Tensor
    shares: Tensor
    traits: Tensor
    straight: int
    turned: int
    drafted: int


@dataclass(frozen=True)
class Batches:
    """Draws batches from a world, as a stage of the training asks, in the tokens of a tokenizer."""

    world: World
    stage: Mapping[str, Any]
    tokenizer: Tokenizer
    bos: int

    def draw(self, rng: np.random.Generator) -> Batch:
        world, settings = self.world, self.stage
        personas = [world.sampler.draw(rng) for _ in range(settings["batch"])]
        count, opinions = settings["items_per_step"], settings["opinions_per_step"]
        turned = int(rng.binomial(count, world.config["turned"]))
        drafted = int(rng.binomial(opinions, world.config["drafts"]["share"]))
        asked: list[tuple[Survey, Item]] = []
        shares: list[np.ndarray] = []
        answers = world.answers(personas)
        for place, n in enumerate(rng.permutation(len(world.survey.items))[:count]):
            item, step = world.survey.items[n], -1 if place >= count - turned else 1
            asked.append((world.survey, in_order(item, np.arange(len(item.scale))[::step])))
            shares.append(answers[:, n, : len(item.scale)][:, ::step])
        items = world.opinions.survey.items
        chosen = rng.permutation(len(items))[:opinions]
        tilts = random_tilts(rng, world, drafted)
        known = world.opinion_answers(personas, chosen)
        for place, n in enumerate(chosen):
            survey, item, order = shown(rng, world, items[n])
            told, behind = known[:, place], place - (opinions - drafted)
            if behind >= 0:
                tilt = tilts[:, behind, None]
                told = world.opinion_answers(personas, [n], tilt)[:, 0]
                survey = survey.with_preamble(drafts(rng, world, tilt, n, item, order))
            asked.append((survey, item))
            shares.append(told[:, order])
        width = world.survey.width
        return Batch(
            [self.trunk(persona) for persona in personas],
            branches(self.tokenizer, [question(survey, item) for survey, item in asked]),
            label_ids(self.tokenizer, [item for _, item in asked]),
            torch.tensor(
                np.stack([np.pad(s, [(0, 0), (0, width - s.shape[1])]) for s in shares], axis=1),
                dtype=torch.float32,
            ),
            torch.tensor(world.mean_traits(personas), dtype=torch.float32),
            count - turned,
            turned,
            drafted,
        )

    def trunk(self, persona: Persona) -> list[int]:
        before = self.tokenizer.encode(persona.before, add_special_tokens=False).ids
        opening = f"{persona.preamble}\n" if persona.preamble else ""
        after = self.tokenizer.encode(opening, add_special_tokens=False).ids
        return [*before, self.bos, *after]


def random_tilts(rng: np.random.Generator, world: World, count: int) -> np.ndarray:
    """(continents, count, width): what only drafts tell about the people of a continent.

    Added to the log shares of the options; a part is common to all continents. How much is told
    differs by question, down to nothing, so that lines are not believed blindly.
    """
    told = world.config["drafts"]
    shape = (count, world.opinions.intercepts.shape[1])
    places = len(world.sampler.words["continents"])
    common = told["common"] * rng.standard_normal(shape)
    own = told["own"] * rng.standard_normal((places, *shape))
    return np.asarray((common + own) * rng.random((count, 1)))


def drafts(
    rng: np.random.Generator, world: World, tilt: np.ndarray, n: int, item: Item, order: np.ndarray
) -> str:
    """Lines that say what people of some continents answer to opinion ``n``, shown as ``item``.

    ``tilt`` is (continents, 1, width), as :meth:`World.opinion_answers` takes it.
    """
    sampler = world.sampler
    count = len(sampler.words["continents"])
    form = str(rng.choice(sampler.words["drafts"]))
    greedy = rng.random() < world.config["drafts"]["greedy"]
    some = rng.permutation(count)[: count if rng.random() < 0.6 else int(rng.integers(1, count))]
    if rng.random() < 0.5:
        some.sort()
    nothing = np.zeros(world.traits.shape[1])
    people = [Persona("", "", None, nothing, int(row)) for row in some]
    lines = []
    found = world.opinion_answers(people, [n], tilt)[:, 0, order]
    for row, shares in zip(some, found, strict=True):
        best = shares.argmax() if greedy else rng.choice(len(order), p=shares / shares.sum())
        name = sampler.continent_name(rng, int(row))
        lines.append(form.format(continent=name, label=item.scale.labels[int(best)]))
    return "\n".join(lines)


def question(survey: Survey, item: Item) -> str:
    """What the model reads before it answers."""
    return f"{survey.question(item)}\nAnswer:"


def in_order(item: Item, order: np.ndarray) -> Item:
    """The item with its options in another order, behind the same labels."""
    scale = replace(item.scale, options=tuple(item.scale.options[n] for n in order))
    return replace(item, scale=scale)


def shown(rng: np.random.Generator, world: World, item: Item) -> tuple[Survey, Item, np.ndarray]:
    """An opinion item as it is put to the model: with letters or digits, its options in some order."""
    orders, size = world.config["orders"], len(item.scale)
    kind = rng.choice([*orders, "shuffled"], p=[*orders.values(), 1 - sum(orders.values())])
    order = np.arange(size)
    if kind == "turned":
        order = order[::-1]
    elif kind == "rotated":
        order = np.roll(order, rng.integers(size))
    elif kind == "shuffled":
        order = rng.permutation(size)
    digits = rng.random() < world.config["digits"]
    labels = tuple(str(n + 1) for n in range(size)) if digits else item.scale.labels
    item = replace(item, scale=replace(item.scale, labels=labels))
    survey = replace(world.opinions.survey, instruction=INSTRUCTIONS[LABELS[digits]])
    return survey, in_order(item, order), order


def padded(trunks: Sequence[list[int]]) -> tuple[Tensor, Tensor]:
    """(rows, L) tokens, zeros behind the end, and (rows,) lengths."""
    lengths = torch.tensor([len(trunk) for trunk in trunks])
    ids = torch.zeros(len(trunks), int(lengths.max()), dtype=torch.long)
    for row, trunk in zip(ids, trunks, strict=True):
        row[: len(trunk)] = torch.tensor(trunk)
    return ids, lengths


def label_ids(tokenizer: Tokenizer, items: Sequence[Item]) -> Tensor:
    """(items, width): tokens of the labels behind ``Answer:``; -1 behind an item's last."""
    table = torch.full((len(items), max(len(item.scale) for item in items)), -1)
    for row, item in enumerate(items):
        for column, label in enumerate(item.scale.labels):
            ids = tokenizer.encode(f" {label}", add_special_tokens=False).ids
            if len(ids) != 1:
                raise ValueError(f"The label {label!r} is {len(ids)} tokens; it must be one.")
            table[row, column] = ids[0]
    return table
