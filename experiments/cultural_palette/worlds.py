"""Does the gated pool beat what it should, in worlds whose truth is known?

    python experiments/cultural_palette/worlds.py --worlds 8       # trains, fits, measures: worlds.md

A world has five continents of four countries, 40 questions of four options, and people whose answers follow
a graded response model: all of them share a part, those of a continent another, those of a country a third.
A small Llama learns each country's answers at half their strength, as if it took everybody for half as far
from indifferent as they are. Then five colours are fitted without gradients to half of the questions, and
everything is measured on the other half. A world that is finished is not made again.
"""

from __future__ import annotations

import argparse
import json
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import yaml
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from blackbox_align.engines import opening
from blackbox_align.engines.local.chat import Reader, common_prefix
from blackbox_align.palette.assess import MEAN, OWN, POOL, PROMPTING, WRONG, assess_palette
from blackbox_align.palette.fitting import fit_palette
from blackbox_align.palette.maps import Colour, PaletteMap
from blackbox_align.palette.scores import Scores
from blackbox_align.populations import find_population
from blackbox_align.surveys.opinion_files import load_opinions
from blackbox_align.surveys.opinions import OpinionSurvey
from blackbox_align.surveys.sheet import asked, sheet

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
STRENGTH = 0.5  # how far the model believes what it is told
# Standard deviations of traits: what all share, a continent, a country, a person.
ALL, CONTINENTS, COUNTRIES, PEOPLE = 1.5, 0.7, 0.6, 0.5
LAYERS, WIDTH, INNER, HEADS = 3, 64, 192, 4
BATCH, RATE = 8, 4e-3  # a row of a batch is all questions behind one opening
AGAINST = (PROMPTING, MEAN, WRONG)


@dataclass(frozen=True)
class World:
    """Traits of countries (20, traits) and continents (5, traits), and how items read them."""

    countries: np.ndarray
    continents: np.ndarray
    loadings: np.ndarray
    thresholds: np.ndarray
    texts: tuple[str, ...]

    @classmethod
    def draw(cls, seed: int) -> World:
        rng = np.random.default_rng(seed)
        continents = ALL * rng.normal(size=TRAITS) + CONTINENTS * rng.normal(size=(5, TRAITS))
        countries = np.repeat(continents, 4, axis=0) + COUNTRIES * rng.normal(size=(20, TRAITS))
        loadings = rng.normal(size=(ITEMS, TRAITS)) * (rng.random((ITEMS, TRAITS)) < 0.5)
        centre = 0.7 * rng.normal(size=(ITEMS, 1))
        thresholds = centre + np.array([-1.2, 0.0, 1.2])
        texts = tuple(f"What of topic{n}" for n in range(ITEMS))  # a word of its own for each
        return cls(countries, continents, loadings, thresholds, texts)

    def shares(self, traits: np.ndarray) -> np.ndarray:
        """(..., items, options) of groups with such traits, people around them integrated out."""
        nodes, weights = np.polynomial.hermite_e.hermegauss(9)
        spread = PEOPLE * np.linalg.norm(self.loadings, axis=1)
        at = (traits @ self.loadings.T)[..., None] + spread[:, None] * nodes  # (..., items, nodes)
        above = 1 / (1 + np.exp(self.thresholds[:, :, None] - at[..., None, :]))
        ones = np.ones_like(above[..., :1, :])
        each = -np.diff(np.concatenate([ones, above, 0 * ones], axis=-2), axis=-2)
        return np.asarray(each @ (weights / weights.sum()))


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


def prompts_of(world: World, opinions: OpinionSurvey) -> tuple[list[str], np.ndarray]:
    """Every question in both directions under every name, and (prompts, options) what the model learns."""
    names = [
        *(find_population(code).preamble() for code in MAP.countries),
        *(colour.population.preamble() for colour in MAP.colours),
        "",
    ]
    traits = np.concatenate([world.countries, world.continents, np.zeros((1, TRAITS))])
    shares = world.shares(STRENGTH * traits)
    questions = sheet(opinions.survey, "reversed").questions
    orders = list(asked(opinions.survey, "reversed"))
    texts, goals = [], []
    for row, name in enumerate(names):
        for question, (item, order) in zip(questions, orders, strict=True):
            texts.append(f"{name}\n{question.text}" if name else question.text)
            goals.append(shares[row, item, list(order)])
    return texts, np.array(goals)


def tokenizer_of(texts: list[str]) -> PreTrainedTokenizerFast:
    """A token for every word."""
    split = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation("isolated")]
    )
    words = {
        word for text in texts for word, _ in split.pre_tokenize_str(f"{text}\nAnswer: A B C D")
    }
    names = {word for colour in MAP.colours for word, _ in split.pre_tokenize_str(colour.name)}
    vocabulary = {w: n for n, w in enumerate(["<unk>", "<s>", "</s>", *sorted(words | names)])}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    made.pre_tokenizer = split
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        pad_token="</s>",
    )


def packed(rows: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, list[int]]:
    """Texts with one opening in a row: tokens, positions, what a token sees, and where texts end."""
    shared = len(common_prefix(rows))
    tails = [row[shared:] for row in rows]
    tokens = [*rows[0][:shared], *(token for tail in tails for token in tail)]
    branch = [-1] * shared + [n for n, tail in enumerate(tails) for _ in tail]
    positions = [*range(shared), *(shared + n for tail in tails for n in range(len(tail)))]
    of, at = torch.tensor(branch), torch.arange(len(tokens))
    seen = ((of[None] == -1) | (of[None] == of[:, None])) & (at[None] <= at[:, None])
    mask = torch.zeros(seen.shape).masked_fill(~seen, -torch.inf)
    ends = (shared + np.cumsum([len(tail) for tail in tails]) - 1).tolist()
    return torch.tensor(tokens), torch.tensor(positions), mask, ends


def train(world: World, opinions: OpinionSurvey, folder: Path, steps: int, seed: int) -> float:
    """A model that has learnt the world; returns the last losses above that of the truth (nats)."""
    texts, goals = prompts_of(world, opinions)
    tokenizer = tokenizer_of(texts)
    reader = Reader(tokenizer)
    rows = [reader.tokens(reader.render(text)) for text in texts]
    labels = torch.tensor(tokenizer.convert_tokens_to_ids(["A", "B", "C", "D"]))
    torch.manual_seed(seed)
    model = LlamaForCausalLM(LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=WIDTH, intermediate_size=INNER, num_hidden_layers=LAYERS,
        num_attention_heads=HEADS, num_key_value_heads=HEADS, max_position_embeddings=128,
        tie_word_embeddings=True, bos_token_id=1, eos_token_id=2, pad_token_id=2,
    ))  # fmt: skip
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, RATE, total_steps=steps, pct_start=0.1
    )
    rng = np.random.default_rng(seed)
    rounds = [packed(rows[n : n + ITEMS]) for n in range(0, len(rows), ITEMS)]
    goal = torch.from_numpy(goals).float().view(len(rounds), ITEMS, -1)
    floor = float(-(goals * np.log(goals)).sum(1).mean())
    alike: dict[int, list[int]] = {}
    for n, one in enumerate(rounds):
        alike.setdefault(len(one[0]), []).append(n)
    chances = np.array([len(members) for members in alike.values()]) / len(rounds)
    losses = []
    for step in range(steps):  # rows of one length need no padding
        members = list(alike.values())[int(rng.choice(len(alike), p=chances))]
        if step < steps // 3:  # one direction first: of both at once it learns nothing for long
            members = [n for n in members if n % 2 == 0]
        some = rng.choice(members, size=min(BATCH, len(members)), replace=False)
        ids, positions, masks, ends = zip(*(rounds[n] for n in some), strict=True)
        logits = model(
            input_ids=torch.stack(ids),
            position_ids=torch.stack(positions),
            attention_mask=torch.stack(masks)[:, None],
            logits_to_keep=torch.tensor(ends[0]),
        ).logits
        logs = logits.log_softmax(-1)[..., labels]
        loss = -(goal[some] * logs).sum(-1).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(float(loss.detach()))
    model.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return float(np.mean(losses[-20:])) - floor


def measured(seed: int, work: Path, steps: int, budget: int) -> tuple[Scores, dict[str, float]]:
    """The scores of one world, made or read."""
    folder = work / str(seed)
    (folder / "model").mkdir(parents=True, exist_ok=True)
    world, about = World.draw(seed), folder / "about.json"
    opinions = opinions_of(world, folder)
    if not about.is_file():
        began = time.process_time()
        above = train(world, opinions, folder / "model", steps, seed)
        about.write_text(json.dumps({"train_s": time.process_time() - began, "above": above}))
    told = json.loads(about.read_text())
    began = time.process_time()
    palette = fit_palette(
        folder / "palette", MAP, opinions=str(folder / "opinions.yaml"), model=str(folder / "model"),
        orders="reversed", budget=budget, seed=seed, tokens=4,
    )  # fmt: skip
    with closing(opening.open(str(folder / "model"))) as engine:
        scores, gate = assess_palette(palette, engine, opinions, orders="reversed")
    told |= {
        "fit_s": time.process_time() - began,
        "entropy": gate.pooled[0],
        "own_first": gate.pooled[1],
    }
    return scores, told


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--worlds", type=int, default=8)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--budget", type=int, default=1000)
    parser.add_argument("--work", type=Path, default=Path("runs/palette_worlds"))
    parser.add_argument("--out", type=Path, default=HERE / "worlds.md")
    given = parser.parse_args()
    lines, parts = [], []
    for seed in range(given.worlds):
        scores, told = measured(seed, given.work, given.steps, given.budget)
        parts.append(scores)
        mean = {way: e.value for way, e in scores.estimate().items()}
        cells = [f"{mean[way]:.1f}" for way in (PROMPTING, MEAN, WRONG, OWN, POOL)]
        gains = [f"{mean[POOL] - mean[way]:+.2f}" for way in AGAINST]
        lines.append(
            f"| {seed + 1} | {' | '.join([*cells, *gains])} | {100 * told['own_first']:.0f} % | "
            f"{told['entropy']:.2f} |"
        )
        print(lines[-1], told, flush=True)
        write(given.out, lines, Scores.joined(parts), given)


def write(out: Path, lines: list[str], joined: Scores, given: argparse.Namespace) -> None:
    """The table so far: each world, and all together with paired intervals over questions."""
    gains = joined.estimate(POOL)
    columns = (PROMPTING, MEAN, WRONG, OWN, POOL, *(f"pool minus {way}" for way in AGAINST))
    text = [
        f"{len(lines)} simulated worlds (`worlds.py --steps {given.steps} --budget {given.budget}`), "
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
