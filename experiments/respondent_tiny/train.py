"""Train a tiny respondent: a Llama-architecture model that answers surveys like simulated people.

python experiments/respondent_tiny/train.py --out FOLDER --seed 0 --hidden 64
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from batches import Batch, Batches, drafts, padded, question, shown
from packing import answer_logits
from personas import made_up_name
from tokenizer import BOS, EOS, save_tokenizer, train_tokenizer
from tokenizers import Tokenizer
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM
from world import HERE, World, load_world

from blackbox_align.populations import countries
from blackbox_align.surveys.signs import INSTRUCTIONS

PARTS = ("straight", "turned", "opinions", "drafted")


def new_model(seed: int, tokenizer: Tokenizer, **shape: int) -> LlamaForCausalLM:
    """An untrained model; torch's global generator is left as it was."""
    config = LlamaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=shape["hidden"],
        intermediate_size=4 * shape["hidden"],
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


def widened(model: LlamaForCausalLM, intermediate: int, seed: int) -> LlamaForCausalLM:
    """The same function with wider feed-forwards: what is new reads at random and writes nothing yet.

    Source: Chen et al. 2016, "Net2Net: Accelerating Learning via Knowledge Transfer".
    """
    config = copy.deepcopy(model.config)
    config.intermediate_size = intermediate
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        wide = LlamaForCausalLM(config)
    with torch.no_grad():
        weights = wide.state_dict()
        for name, old in model.state_dict().items():
            if "down_proj" in name:
                weights[name].zero_()
            weights[name][tuple(slice(size) for size in old.shape)] = old
    return wide


def train(
    world: World,
    settings: Mapping[str, Any],
    tokenizer: Tokenizer,
    model: LlamaForCausalLM,
    rng: np.random.Generator,
    say: Callable[[str], None],
) -> list[list[float]]:
    """Run one stage on the model in place; returns the mean loss per 100 steps, in nats over the entropy.

    The figures are those of :data:`PARTS`: the VSM as printed and turned, opinions, and opinions
    behind drafts, which no model can know to the last (the entropy is that of what drafts tell of).
    """
    world = world.mixed(settings.get("mix", world.config["mix"]), settings.get("drafts", {}))
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
    excess: list[list[float]] = []
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
        spoken = torch.nn.functional.linear(ends, *probe)
        guess = torch.nn.functional.smooth_l1_loss(spoken, batch.traits, beta=0.1)
        optimizer.zero_grad(set_to_none=True)
        (loss + settings["traits_weight"] * guess).backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        over = (shares * (shares.clamp_min(1e-9).log() - logs.detach())).sum(-1).mean(0)
        excess.append([float(part.mean()) for part in _parts(batch, over)])
        guesses.append(float(guess.detach()))
        if step % 100 == 0 or step == steps:
            curve.append([float(mean) for mean in np.nanmean(excess, axis=0)])
            error = np.mean(guesses)
            excess, guesses = [], []
            spent = time.perf_counter() - begin
            told = " / ".join(f"{mean:.4f}" for mean in curve[-1])
            say(f"step {step:5d}  excess {told} nats  traits {error:.3f}  {spent:.0f} s")
    return curve


def _parts(batch: Batch, over: Tensor) -> tuple[Tensor, ...]:
    """A figure per question, split as :data:`PARTS`; a part may be empty."""
    opinions = len(over) - batch.straight - batch.turned - batch.drafted
    return over.split([batch.straight, batch.turned, opinions, batch.drafted])


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
    tilt = np.zeros((len(sampler.words["continents"]), 1, world.opinions.intercepts.shape[1]))
    for _ in range(600):
        n = int(rng.integers(len(world.opinions.survey.items)))
        _, item, order = shown(rng, world, world.opinions.survey.items[n])
        texts.append(drafts(rng, world, tilt, n, item, order))
    return texts + [made_up_name(rng) for _ in range(300)]


def new_tokenizer(world: World, rng: np.random.Generator) -> Tokenizer:
    """The tokenizer of a world, made for its surveys and its personas."""
    opinions = world.opinions.survey
    both_labels = [replace(opinions, instruction=text) for text in INSTRUCTIONS.values()]
    return train_tokenizer(
        [world.survey, *both_labels],
        [f" {item.text}" for item in opinions.items],
        tokenizer_texts(world, rng),
        world.config["tokenizer"]["vocabulary"],
    )


def country_names(code: str) -> list[str]:
    """The name of a country, often, and its other names."""
    country = countries()[code]
    return [country.name] * 3 + [alias for alias in country.aliases if "," not in alias]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of the model to write")
    parser.add_argument("--config", type=Path, default=HERE / "config.yaml")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--start", type=Path, help="folder of a model to go on from, with the last stage alone"
    )
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
    if options.start:
        stages = stages[-1:]
        tokenizer = Tokenizer.from_file(str(options.start / "tokenizer.json"))
        model = LlamaForCausalLM.from_pretrained(options.start)
        wide = 4 * model.config.hidden_size
        if model.config.intermediate_size < wide:
            model = widened(model, wide, options.seed)
    else:
        tokenizer = new_tokenizer(world, rng)
        model = new_model(options.seed, tokenizer, hidden=options.hidden, layers=options.layers)
    print(f"{model.num_parameters():,} parameters, {tokenizer.get_vocab_size()} tokens")
    begin = time.perf_counter()
    curve = []
    for number, stage in enumerate(stages):
        rng = np.random.default_rng(options.seed + number) if number else rng
        curve += train(world, stage, tokenizer, model, rng, partial(print, flush=True))
    options.out.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(options.out)
    for file in options.out.glob("*.safetensors"):
        file.chmod(0o644)  # safetensors writes it for its owner alone
    save_tokenizer(tokenizer, options.out)
    if options.log:
        log = {
            "seed": options.seed,
            "went_on": options.start is not None,
            "hidden": model.config.hidden_size,
            "layers": model.config.num_hidden_layers,
            "parameters": model.num_parameters(),
            "steps": [stage["steps"] for stage in stages],
            "threads": options.threads,
            "seconds": round(time.perf_counter() - begin, 1),
            "parts": PARTS,
            "excess_nats_per_100_steps": [[round(value, 5) for value in row] for row in curve],
        }
        options.log.parent.mkdir(parents=True, exist_ok=True)
        options.log.write_text(json.dumps(log, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
