"""Train a tiny respondent: a Llama-architecture model that answers surveys like simulated people.

python experiments/respondent_tiny/train.py --out FOLDER --seed 0 --hidden 64
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from opinions import Opinions, fit_opinions
from packing import Branches, answer_logits, branches
from personas import Persona, PersonaSampler, made_up_name
from respondents import Respondents, keyed_respondents
from tokenizer import BOS, EOS, save_tokenizer, train_tokenizer
from tokenizers import Tokenizer
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from blackbox_align.populations import TargetSet, countries, load_targets
from blackbox_align.surveys import Item, Survey, load_survey
from blackbox_align.surveys.opinion_files import load_opinions
from blackbox_align.surveys.opinions import INSTRUCTIONS, LABELS

HERE = Path(__file__).parent


@dataclass(frozen=True)
class World:
    """What is simulated: two surveys, their respondents, the countries that are named, and the words.

    ``traits`` (countries, traits) holds those of the index survey first, then those of the opinions.
    """

    config: dict[str, Any]
    survey: Survey
    targets: TargetSet
    respondents: Respondents
    opinions: Opinions
    sampler: PersonaSampler
    traits: np.ndarray
    population: np.ndarray

    @property
    def codes(self) -> Sequence[str]:
        """The countries named in training."""
        return self.sampler.codes

    def answers(self, personas: Sequence[Persona]) -> np.ndarray:
        """(personas, items, width): exact answer shares of the people each persona speaks of."""
        shift, named, rows = self._people(personas)
        count = len(self.survey.indices)
        known = self.respondents.answers((self.traits[rows] + shift)[:, :count])
        anyone = self.respondents.mixed_answers(self.population, shift[:, :count])
        return np.where(named[:, None, None], known, anyone)

    def opinion_answers(self, personas: Sequence[Persona]) -> np.ndarray:
        """(personas, items, width) of the opinion survey, likewise."""
        shift, named, rows = self._people(personas)
        count = len(self.survey.indices)
        known = self.opinions.answers((self.traits[rows] + shift)[:, count:])
        everybody = self.opinions.answers((self.traits + shift[:, None])[..., count:])
        weights = self.sampler.weights / self.sampler.weights.sum()
        anyone = np.einsum("c,pcio->pio", weights, everybody)
        return np.where(named[:, None, None], known, anyone)

    def _people(self, personas: Sequence[Persona]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What is added to their traits, whether their country is named, and its row."""
        shift = np.stack([persona.shift for persona in personas])
        named = np.array([persona.country is not None for persona in personas])
        return shift, named, np.array([persona.country or 0 for persona in personas])

    def mean_traits(self, personas: Sequence[Persona]) -> np.ndarray:
        """(personas, traits): the mean of the people each persona speaks of."""
        weights = self.sampler.weights / self.sampler.weights.sum()
        anyone = weights @ self.traits
        known = [anyone if p.country is None else self.traits[p.country] for p in personas]
        return np.stack([base + p.shift for base, p in zip(known, personas, strict=True)])


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
    sampler = PersonaSampler(words, config, named, weights)
    mixture = people.mixture(traits, weights)
    both = np.concatenate([traits, views], axis=1)
    return World(config, survey, targets, people, opinions, sampler, both, mixture)


def new_model(seed: int, tokenizer: Tokenizer, **shape: int) -> LlamaForCausalLM:
    """An untrained model; torch's global generator is left as it was."""
    config = LlamaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=shape["hidden"],
        intermediate_size=3 * shape["hidden"],
        num_hidden_layers=shape["layers"],
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.token_to_id(BOS),
        eos_token_id=tokenizer.token_to_id(EOS),
        pad_token_id=tokenizer.token_to_id(EOS),
        initializer_range=0.05,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return LlamaForCausalLM(config)


@dataclass(frozen=True)
class Batch:
    """Personas with a part of the surveys: the trunks' token lists, the branches, what to learn.

    ``labels`` (questions, width) tokens, ``shares`` (rows, questions, width) of the exact answers,
    and ``traits`` (rows, traits), the mean of the people spoken of.
    """

    trunks: list[list[int]]
    leaves: Branches
    labels: Tensor
    shares: Tensor
    traits: Tensor


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
        chosen = np.sort(rng.permutation(len(world.survey.items))[: settings["items_per_step"]])
        asked = [(world.survey, world.survey.items[n]) for n in chosen]
        shares = [world.answers(personas)[:, chosen]]
        items, answers = world.opinions.survey.items, world.opinion_answers(personas)
        for n in rng.permutation(len(items))[: settings["opinions_per_step"]]:
            survey, item, order = shown(rng, world, items[n])
            asked.append((survey, item))
            shares.append(np.zeros((len(personas), 1, shares[0].shape[2])))
            shares[-1][:, 0, : len(order)] = answers[:, n, order]
        return Batch(
            [self.trunk(persona) for persona in personas],
            branches(self.tokenizer, [question(survey, item) for survey, item in asked]),
            label_ids(self.tokenizer, [item for _, item in asked]),
            torch.tensor(np.concatenate(shares, axis=1), dtype=torch.float32),
            torch.tensor(world.mean_traits(personas), dtype=torch.float32),
        )

    def trunk(self, persona: Persona) -> list[int]:
        before = self.tokenizer.encode(persona.before, add_special_tokens=False).ids
        opening = f"{persona.preamble}\n" if persona.preamble else ""
        after = self.tokenizer.encode(opening, add_special_tokens=False).ids
        return [*before, self.bos, *after]


def question(survey: Survey, item: Item) -> str:
    """What the model reads before it answers."""
    return f"{survey.question(item)}\nAnswer:"


def shown(rng: np.random.Generator, world: World, item: Item) -> tuple[Survey, Item, np.ndarray]:
    """An opinion item as it is put to the model: with letters or digits, its options in some order."""
    orders, size = world.config["orders"], len(item.scale)
    kind = rng.choice([*orders, "shuffled"], p=[*orders.values(), 1 - sum(orders.values())])
    order = np.arange(size)
    if kind == "rotated":
        order = np.roll(order, rng.integers(size))
    elif kind == "shuffled":
        order = rng.permutation(size)
    digits = rng.random() < world.config["digits"]
    labels = tuple(str(n + 1) for n in range(size)) if digits else item.scale.labels
    scale = replace(item.scale, labels=labels, options=tuple(item.scale.options[n] for n in order))
    survey = replace(world.opinions.survey, instruction=INSTRUCTIONS[LABELS[digits]])
    return survey, replace(item, scale=scale), order


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


def train(
    world: World,
    settings: Mapping[str, Any],
    tokenizer: Tokenizer,
    model: LlamaForCausalLM,
    rng: np.random.Generator,
    say: Callable[[str], None],
) -> list[list[float]]:
    """Run one stage on the model in place; returns the mean loss per 100 steps, in nats over the entropy.

    The first figure is that of the VSM, the second that of the opinions.
    """
    batches = Batches(world, settings, tokenizer, model.config.bos_token_id)
    embed = model.get_input_embeddings()
    count = world.traits.shape[1]
    probe = [torch.zeros(count, model.config.hidden_size), torch.zeros(count)]
    parameters = [*model.parameters(), *(part.requires_grad_() for part in probe)]
    optimizer = torch.optim.AdamW(
        parameters,
        lr=settings["learning_rate"],
        betas=(0.9, 0.98),
        weight_decay=settings["weight_decay"],
    )
    steps, warmup = settings["steps"], settings["warmup"]
    curve: list[list[float]] = []
    excess: list[tuple[float, float]] = []
    guesses: list[float] = []
    begin = time.perf_counter()
    for step in range(1, steps + 1):
        rate = min(step / warmup, 0.5 * (1 + math.cos(math.pi * step / steps)) + 0.01)
        for group in optimizer.param_groups:
            group["lr"] = settings["learning_rate"] * rate
        batch = batches.draw(rng)
        ids, lengths = padded(batch.trunks)
        logits, ends = answer_logits(model, embed(ids), lengths, batch.leaves)
        tokens = batch.labels.clamp_min(0).expand(len(ids), -1, -1)
        logs = logits.log_softmax(-1).gather(-1, tokens)
        shares = batch.shares  # 0 behind an item's last option
        loss = -(shares * logs).sum(-1).mean()
        # A probe, thrown away later: it asks for the traits at the end of the introduction.
        told = torch.nn.functional.linear(ends, *probe)
        guess = torch.nn.functional.smooth_l1_loss(told, batch.traits, beta=0.1)
        optimizer.zero_grad(set_to_none=True)
        (loss + settings["traits_weight"] * guess).backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        over = (shares * (shares.clamp_min(1e-9).log() - logs.detach())).sum(-1).mean(0)
        first = settings["items_per_step"]  # questions of the VSM come first
        excess.append((float(over[:first].mean()), float(over[first:].mean())))
        guesses.append(float(guess.detach()))
        if step % 100 == 0 or step == steps:
            curve.append([float(mean) for mean in np.mean(excess, axis=0)])
            error = np.mean(guesses)
            excess, guesses = [], []
            spent = time.perf_counter() - begin
            vsm, opinions = curve[-1]
            say(
                f"step {step:5d}  excess {vsm:.4f} / {opinions:.4f} nats  traits {error:.3f}  {spent:.0f} s"
            )
    return curve


def tokenizer_texts(world: World, rng: np.random.Generator) -> list[str]:
    """What the pieces of the tokenizer are made for: the VSM, personas, and names."""
    survey, sampler = world.survey, world.sampler
    texts = [question(survey, item) for item in survey.items] * 50
    for code in world.codes:
        texts += [f"{form.format(country=name)}\n" for form in sampler.words["countries"]
                  for name in country_names(code)]  # fmt: skip
    for _ in range(6000):
        persona = sampler.draw(rng)
        texts.append(f"{persona.before} {persona.preamble}\n")
    return texts + [made_up_name(rng) for _ in range(300)]


def country_names(code: str) -> list[str]:
    """The name of a country, often, and its other names."""
    country = countries()[code]
    return [country.name] * 3 + [alias for alias in country.aliases if "," not in alias]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of the model to write")
    parser.add_argument("--config", type=Path, default=HERE / "config.yaml")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--hidden", type=int, default=64)
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--steps", type=int, help="of each stage, for a trial")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--log", type=Path, help="JSON file for the loss curve and the time taken")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    world = load_world(options.config)
    stages = world.config["training"]
    if options.steps:
        stages = [dict(stage, steps=options.steps) for stage in stages]
    rng = np.random.default_rng(options.seed)
    opinions = world.opinions.survey
    both_labels = [replace(opinions, instruction=text) for text in INSTRUCTIONS.values()]
    tokenizer = train_tokenizer(
        [world.survey, *both_labels],
        [f" {item.text}" for item in opinions.items],
        tokenizer_texts(world, rng),
        world.config["tokenizer"]["vocabulary"],
    )
    model = new_model(
        options.seed,
        tokenizer,
        hidden=options.hidden,
        layers=options.layers,
    )
    print(f"{model.num_parameters():,} parameters, {tokenizer.get_vocab_size()} tokens")
    begin = time.perf_counter()
    curve = train(world, stages[0], tokenizer, model, rng, print)
    for number, stage in enumerate(stages[1:], start=1):
        rng = np.random.default_rng(options.seed + number)
        curve += train(world, stage, tokenizer, model, rng, print)
    options.out.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(options.out)
    for file in options.out.glob("*.safetensors"):
        file.chmod(0o644)  # safetensors writes it for its owner alone
    save_tokenizer(tokenizer, options.out)
    if options.log:
        log = {
            "seed": options.seed,
            "hidden": options.hidden,
            "layers": options.layers,
            "parameters": model.num_parameters(),
            "steps": [stage["steps"] for stage in stages],
            "threads": options.threads,
            "seconds": round(time.perf_counter() - begin, 1),
            "excess_nats_per_100_steps": [[round(value, 5) for value in both] for both in curve],
        }
        options.log.parent.mkdir(parents=True, exist_ok=True)
        options.log.write_text(json.dumps(log, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
