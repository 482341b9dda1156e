"""Does the gated pool beat what it should, in worlds whose truth is known?

    python experiments/cultural_palette/worlds.py --worlds 8       # wires, fits, measures: worlds.md

A world has five continents of four countries, 40 questions of four options, and people whose answers follow
a rating scale model (Andrich 1978): log shares are linear in a sum of traits times loadings. All countries
share a part of their traits, those of a continent another, and each has a third. A small Llama is wired so
that it reads the traits of a name at two fifths of their strength, as if it took everybody for nearer to
indifferent than they are; nothing is trained. Then five colours are fitted without gradients to half of the
questions, and everything is measured on the other half. A world that is finished is not made again.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
import yaml
from scipy.special import softmax
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, processors
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from blackbox_align.engines import opening
from blackbox_align.palette.assess import MEAN, OWN, POOL, PROMPTING, WRONG, assess_palette
from blackbox_align.palette.fitting import ColourSearch, fit_palette
from blackbox_align.palette.maps import Colour, PaletteMap
from blackbox_align.palette.scores import Scores
from blackbox_align.populations import find_population
from blackbox_align.surveys.opinion_files import load_opinions
from blackbox_align.surveys.opinions import OpinionSurvey
from blackbox_align.surveys.sheet import sheet

HERE = Path(__file__).parent
MAP = PaletteMap(
    "worlds",
    "Five continents of simulated worlds",
    (
        Colour("africa", "Africa", ("KEN", "NGA", "ETH", "ZWE")),
        Colour("america", "America", ("CAN", "BOL", "BRA", "MEX")),
        Colour("asia", "Asia", ("CHN", "IND", "THA", "JPN")),
        Colour("europe", "Europe", ("DEU", "NLD", "UKR", "FRA")),
        Colour("oceania", "Oceania", ("AUS", "FJI", "TON", "WSM")),
    ),
)
ITEMS, OPTIONS, TRAITS = 40, ("always", "often", "seldom", "never"), 6
STRENGTH = 0.4  # how far the model believes a name
# Standard deviations of traits: what all share, a continent, a country.
ALL, CONTINENTS, COUNTRIES = 2.0, 0.7, 0.6
SLOPE, ENDS = (
    0.5,
    0.5,
)  # of the rating scale model: how much a trait moves, how rare the outer options are
TOLD = ("cpu_s", "entropy", "own_first")
AGAINST = (PROMPTING, MEAN, WRONG)
WIDTH, HEADS, RANDOM = 64, 4, 0.02
CONSTANT, SHARES, LARGE, RARE = 24.0, 9.0, 12.0, 10.0
PLACE = SimpleNamespace(one=0, traits=slice(2, 8), loadings=slice(8, 14), centre=14, way=15, sum=16,
                        turned=17, end=18)  # fmt: skip


@dataclass(frozen=True)
class World:
    """Traits of countries (20, traits) and continents (5, traits), and how items read them."""

    countries: np.ndarray
    continents: np.ndarray
    loadings: np.ndarray
    centres: np.ndarray
    texts: tuple[str, ...]

    @classmethod
    def draw(cls, seed: int) -> World:
        rng = np.random.default_rng(seed)
        continents = ALL * rng.normal(size=TRAITS) + CONTINENTS * rng.normal(size=(5, TRAITS))
        countries = np.repeat(continents, 4, axis=0) + COUNTRIES * rng.normal(size=(20, TRAITS))
        loadings = rng.normal(size=(ITEMS, TRAITS)) * (rng.random((ITEMS, TRAITS)) < 0.5)
        texts = tuple(f"What of topic{n}" for n in range(ITEMS))  # a word of its own for each
        return cls(countries, continents, loadings, 0.7 * rng.normal(size=ITEMS), texts)

    def shares(self, traits: np.ndarray) -> np.ndarray:
        """(..., items, options) of groups with such traits."""
        at = traits @ self.loadings.T - self.centres
        return np.asarray(softmax(at[..., None] * SLOPES + HEIGHTS, axis=-1))


SLOPES = SLOPE * (np.arange(4) - 1.5)
HEIGHTS = -ENDS * np.array([1.0, 0.0, 0.0, 1.0])


def opinions_of(world: World, folder: Path) -> OpinionSurvey:
    """The world's answers as a file of opinions."""
    shares = world.shares(world.countries)
    items = [
        {
            "id": f"q{n}", "question": f"{text} ?", "options": list(OPTIONS), "ordered": True,
            "shares": {code: [round(float(s), 6) for s in shares[row, n]]
                       for row, code in enumerate(MAP.countries)},
        }
        for n, text in enumerate(world.texts)
    ]  # fmt: skip
    path = folder / "opinions.yaml"
    path.write_text(yaml.safe_dump({"name": "world", "title": "A simulated world", "items": items}))
    return load_opinions(path)


def tokenizer_of(texts: Sequence[str], whole: Sequence[str]) -> PreTrainedTokenizerFast:
    """A token for every word of ``texts``, and one for each of the sentences ``whole``."""
    split = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation("isolated")]
    )
    words = {
        word for text in texts for word, _ in split.pre_tokenize_str(f"{text}\nAnswer: A B C D")
    }
    vocabulary = {w: n for n, w in enumerate(["<unk>", "<s>", "</s>", *sorted(words)])}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    made.pre_tokenizer = split
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 1)]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=made,
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        pad_token="</s>",
    )
    sentences = dict.fromkeys(text.strip() for text in whole)
    tokenizer.add_tokens(
        [AddedToken(s, lstrip=True, rstrip=True, normalized=False) for s in sentences]
    )
    return tokenizer


def wired(world: World, opinions: OpinionSurvey, folder: Path, seed: int) -> None:
    """Write a Llama that answers by the traits of whatever stands in front of a question.

    Beside a large constant, which holds norms still, a name lies at two fifths of its traits, a question at
    its loadings and centre, a line of options at its direction. The first attention adds up what was said;
    the first feed-forward part multiplies traits and loadings, the second turns the sum with the options.
    All other weights are small and random.
    """
    groups = [
        *(find_population(code) for code in MAP.countries),
        *(colour.population for colour in MAP.colours),
    ]
    questions = [one.text for one in sheet(opinions.survey, "reversed").questions]
    lines = [text.split("\n") for text in questions]
    around = groups[0].preamble().split(groups[0].name)
    whole = [*around, *(line for some in lines for line in some)]
    tokenizer = tokenizer_of([one.preamble() for one in groups], whole)
    torch.manual_seed(seed)
    model = LlamaForCausalLM(LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=WIDTH, intermediate_size=2 * TRAITS + 4, num_hidden_layers=2,
        num_attention_heads=HEADS, num_key_value_heads=HEADS, max_position_embeddings=128, rope_theta=1e9,
        tie_word_embeddings=False, initializer_range=RANDOM, bos_token_id=1, eos_token_id=2, pad_token_id=2,
    ))  # fmt: skip
    token = tokenizer.convert_tokens_to_ids
    with torch.no_grad():
        places = model.get_input_embeddings().weight
        places[:, : PLACE.end] = 0.0
        places[:, PLACE.one] = CONSTANT
        known = STRENGTH * np.concatenate([world.countries, world.continents])
        for group, traits in zip(groups, known, strict=True):
            places[token(group.name), PLACE.traits] = torch.from_numpy(traits).float()
        for row, text in enumerate(lines[:ITEMS]):
            at = token(text[-1])
            places[at, PLACE.loadings] = torch.from_numpy(world.loadings[row]).float()
            places[at, PLACE.centre] = float(world.centres[row])
        for text, way in ((lines[0], 1.0), (lines[ITEMS], -1.0)):
            places[token(text[1]), PLACE.way] = way
        _wire(model, token(["A", "B", "C", "D"]))
    model.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _wire(model: LlamaForCausalLM, labels: list[int]) -> None:
    """Attention that adds up, products in the feed-forward parts, and answers, on top of random weights."""
    first, second = model.model.layers
    unit = CONSTANT / WIDTH**0.5  # by which a norm divides
    said = torch.arange(PLACE.traits.start, PLACE.way + 1)
    # Everything has the same share: a ninth of what a name stands before.
    first.self_attn.q_proj.weight[:] = 0.0
    first.self_attn.v_proj.weight[said] = 0.0
    first.self_attn.o_proj.weight[said] = 0.0
    first.self_attn.v_proj.weight[said, said] = unit
    first.self_attn.o_proj.weight[said, said] = SHARES

    def product(layer: Any, unit_number: int, one: int, other: int, to: int) -> None:
        # silu(z) is z where z is large: (large + x) y - large y = x y.
        for row, sign in ((unit_number, 1.0), (unit_number + 1, -1.0)):
            layer.mlp.gate_proj.weight[row, PLACE.one] = LARGE * unit / CONSTANT
            layer.mlp.up_proj.weight[row, other] = unit
            layer.mlp.down_proj.weight[to, row] = sign * unit
        layer.mlp.gate_proj.weight[unit_number, one] = 1.0

    for layer, rows in ((first, 2 * TRAITS + 1), (second, 2)):
        layer.mlp.gate_proj.weight[:rows] = 0.0
        layer.mlp.up_proj.weight[:rows] = 0.0
        layer.mlp.down_proj.weight[: PLACE.end] = 0.0
    for trait in range(TRAITS):
        product(
            first, 2 * trait, PLACE.traits.start + trait, PLACE.loadings.start + trait, PLACE.sum
        )
    row = 2 * TRAITS
    first.mlp.gate_proj.weight[row, PLACE.one] = LARGE * unit / CONSTANT
    first.mlp.up_proj.weight[row, PLACE.centre] = unit
    first.mlp.down_proj.weight[PLACE.sum, row] = -1 / LARGE
    product(second, 0, PLACE.sum, PLACE.way, PLACE.turned)
    answers = model.lm_head.weight
    answers[:, PLACE.one] = -RARE * unit / CONSTANT
    for label, slope, height in zip(labels, SLOPES, HEIGHTS, strict=True):
        answers[label, : PLACE.end] = 0.0
        answers[label, PLACE.one] = float(height) * unit / CONSTANT
        answers[label, PLACE.turned] = float(slope) * unit


def measured(seed: int, given: argparse.Namespace) -> tuple[Scores, dict[str, float]]:
    """The scores of one world, made or read."""
    kept = given.work / f"{seed}-{given.budget}.npz"
    if kept.is_file():
        with np.load(kept) as held:
            scores = Scores(
                tuple(held["ways"].tolist()), *(held[n] for n in ("values", "question", "country"))
            )
            return scores, dict(zip(TOLD, held["told"].tolist(), strict=True))
    folder, began = given.work / str(seed), time.process_time()
    model = folder / "model"
    model.mkdir(parents=True, exist_ok=True)
    world = World.draw(seed)
    opinions = opinions_of(world, folder)
    if not (model / "config.json").is_file():
        wired(world, opinions, model, seed)
    search = ColourSearch(
        str(folder / "opinions.yaml"), tokens=given.tokens, orders="reversed", budget=given.budget,
        seed=seed, placement=given.placement, language=0.0,
    )  # fmt: skip
    palette = fit_palette(folder / "palette", MAP, search, model=str(model))
    with closing(opening.open(str(model))) as engine:
        scores, gate = assess_palette(palette, engine, opinions, orders="reversed")
    told = {
        "cpu_s": time.process_time() - began,
        "entropy": gate.pooled[0],
        "own_first": gate.pooled[1],
    }
    np.savez(
        kept, ways=np.array(scores.ways), values=scores.values, question=scores.question,
        country=scores.country, told=[told[name] for name in TOLD],
    )  # fmt: skip
    return scores, told


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--worlds", type=int, default=8)
    parser.add_argument(
        "--first", type=int, default=20, help="its seed; those below were looked at before"
    )
    parser.add_argument("--budget", type=int, default=300)
    parser.add_argument("--tokens", type=int, default=4)
    parser.add_argument("--placement", default="message", help="of the soft prompts")
    parser.add_argument("--work", type=Path, default=Path("runs/palette_worlds"))
    parser.add_argument("--out", type=Path, default=HERE / "worlds.md")
    given = parser.parse_args()
    lines, parts = [], []
    for seed in range(given.first, given.first + given.worlds):
        scores, told = measured(seed, given)
        parts.append(scores)
        mean = {way: e.value for way, e in scores.estimate().items()}
        cells = [f"{mean[way]:.1f}" for way in (PROMPTING, MEAN, WRONG, OWN, POOL)]
        gains = [f"{mean[POOL] - mean[way]:+.2f}" for way in AGAINST]
        lines.append(
            f"| {seed + 1} | {' | '.join([*cells, *gains])} | {100 * told['own_first']:.0f} % | "
            f"{told['entropy']:.2f} |"
        )
        print(lines[-1], told, flush=True)
        write(given.out, lines, all_worlds(parts), given)


def all_worlds(parts: list[Scores]) -> Scores:
    """Several worlds' scores, one behind another: the same ways, names kept apart."""
    question, country = (
        np.concatenate([np.char.add(f"{n}:", names) for n, names in enumerate(several)])
        for several in ([part.question for part in parts], [part.country for part in parts])
    )
    values = np.concatenate([part.values for part in parts])
    return replace(parts[0], values=values, question=question, country=country)


def write(out: Path, lines: list[str], joined: Scores, given: argparse.Namespace) -> None:
    """The table so far: each world, and all together with paired intervals over questions."""
    gains = joined.estimate(POOL)
    columns = (PROMPTING, MEAN, WRONG, OWN, POOL, *(f"pool minus {way}" for way in AGAINST))
    text = [
        f"{len(lines)} simulated worlds, the first of seed {given.first} (`worlds.py --budget "
        f"{given.budget}`), {given.tokens} tokens {given.placement!r}, "
        f"options in both directions, held-out questions; n = {len(joined.values):,} answers of countries. "
        "Points: 100 (1 - JS distance in nats).",
        "",
        f"| world | {' | '.join(columns)} | own colour first | gate entropy / ln K |",
        "|---" * (len(columns) + 3) + "|",
        *lines,
        "",
        *(
            f"* Pool minus {way}: {-e.value:+.2f} [{-e.high:+.2f}, {-e.low:+.2f}] (95 % over questions)."
            for way, e in ((way, gains[way]) for way in (*AGAINST, OWN))
        ),
    ]
    out.write_text("\n".join(text) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
