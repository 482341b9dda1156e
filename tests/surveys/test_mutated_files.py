"""Mutated tables, code books and questionnaires: a sentence or a sound reading, and no silent change.

What is read from a mutated file is held against the file itself: every country by the cell that names
it, every share by the cell that it stands in, every place by the code book, every code by the scale.
"""

from __future__ import annotations

import csv
import io
import json
import random
from functools import cache
from pathlib import Path

import pytest

from blackbox_align.errors import BlackboxAlignError, DataFileError
from blackbox_align.populations import find_country, load_targets
from blackbox_align.surveys import load_survey
from blackbox_align.surveys.checking import check
from blackbox_align.surveys.opinion_files import load_opinions
from blackbox_align.surveys.opinion_tables import COLUMNS
from blackbox_align.surveys.respondents import read_respondents
from blackbox_align.surveys.tabulate import tabulate
from tests.seeds import SHIFT

COUNTRIES = ["Kenya", "Chile", "Japan", "India", "France", "Peru"]
INDICES = ["PDI", "IDV", "MAS", "UAI", "LTO", "IVR"]
SPELLINGS = [
    "KEN", "ke", "Korea", "NA", "", "Arab countries", "kenya ", "GER", "uk", "Egypt, Arab Rep.", "1",
    "-1", "na", "Côte d'Ivoire", "Hong Kong (China)", "é", "Great Britain", "\x00", "[red]", "Atlantis",
]  # fmt: skip
NUMBERS = [
    "-1", "-99", "999", "9999", "0.5", "1e3", "nan", "inf", "", "NA", "72,5", "1.200", "-7000", "7e400",
    "1_0", "½", "٣", "+5", " 7 ", "0x10", "#NULL!", "--", "100%", "true",
]  # fmt: skip
WORDS = [
    "",
    "Don't know",
    "88",
    "-1",
    "Refused",
    "yes",
    "No",
    "2",
    "10",
    "a,b",
    '"',
    "don",
    "Ye",
    "NA",
    "\ufeff",
]


def text_of(rows, separator=","):
    return "\n".join(separator.join(row) for row in rows) + "\n"


def mutate(rows, rng, values):
    """Change a few cells, rows or columns of a table in place, and perhaps bytes of its text."""
    for _ in range(rng.randint(1, 3)):
        row = rng.choice(rows)
        match rng.randrange(9):
            case 0 | 1 | 2:
                row[rng.randrange(len(row))] = rng.choice(values)
            case 3:
                rows.insert(rng.randrange(len(rows) + 1), list(row))
            case 4:
                if len(rows) > 2:
                    rows.remove(row)
            case 5:
                one, two = rng.randrange(len(row)), rng.randrange(len(row))
                for other in rows:
                    if len(other) > max(one, two):
                        other[one], other[two] = other[two], other[one]
            case 6:
                row.append(rng.choice(values))
            case 7 | 8:
                body = rows[1:]
                rng.shuffle(body)
                rows[1:] = body
    text = text_of(rows, rng.choice(",,,,;\t"))
    if rng.random() < 0.2:
        place = rng.randrange(len(text))
        text = (
            text[:place] + rng.choice(['"', "\n", ";", "\x00", "é", "\r", "'"]) + text[place + 1 :]
        )
    return text


def read(loader, path):
    """What a loader gives, or None where it refused with one sentence of its own."""
    try:
        return loader(path)
    except BlackboxAlignError as error:
        assert str(error).strip() and "Traceback" not in str(error)
        if isinstance(error, DataFileError):
            assert error.path.parent == path.parent
        return None


@cache
def country_of(cell):
    try:
        return find_country(cell.strip().rstrip("* ")).code
    except LookupError:
        return None


@pytest.mark.parametrize("seed", range(10))
def test_mutated_targets(seed, tmp_path):
    """Each figure that is read stands in its country's row and in its index's column."""
    rng = random.Random(SHIFT + seed)
    path = tmp_path / "targets.csv"
    for _ in range(60):
        rows = [["country", *INDICES]]
        rows += [[c, *(str(rng.randint(10, 110)) for _ in INDICES)] for c in COUNTRIES]
        text = mutate(rows, rng, SPELLINGS + NUMBERS)
        path.write_text(text, encoding="utf-8", newline="")
        targets = read(load_targets, path)
        if targets is None:
            continue
        separator = max(",;\t", key=text.strip().split("\n")[0].count)
        cells = [line.split(separator) for line in text.replace("\r", "\n").strip().split("\n")]
        shown = {row[2]: row for _, table in check(targets).tables.items() for row in table[1]}
        for code, figures in targets.figures.items():
            places = [row for row in cells if any(country_of(cell) == code for cell in row)]
            texts = {cell.strip().replace(",", ".") for row in places for cell in row}
            known = {float(t) for t in texts if _is_number(t)}
            assert {f for f in figures if f == f} <= known, (text, code, figures)
            assert [c for c in shown[code][3:] if c] == [f"{f:g}" for f in figures if f == f]


def _is_number(text):
    try:
        return bool(float(text) + 1)
    except ValueError:
        return False


@pytest.mark.parametrize("seed", range(10))
def test_mutated_tables_of_answers(seed, tmp_path):
    """Each share is that of its row's country and option, scaled to 1 over the options that are asked."""
    rng = random.Random(SHIFT + 100 + seed)
    strictly = 0
    path = tmp_path / "answers.csv"
    for _ in range(60):
        rows = [list(COLUMNS)]
        for country in COUNTRIES[:3]:
            skew = COUNTRIES.index(country)  # no two countries answer alike
            for option, share in zip("1234", (10 + skew, 20 - skew, 31, 39), strict=True):
                rows.append(["a", "How far?", option, country, str(share)])
            for option, share in (("yes", 70 + skew), ("no", 30 - skew)):
                rows.append(["b", "Tea?", option, country, str(share)])
        text = mutate(rows, rng, SPELLINGS + NUMBERS + WORDS)
        path.write_text(text, encoding="utf-8", newline="")
        opinions = read(load_opinions, path)
        if opinions is None:
            continue
        check(opinions)
        assert opinions.report.read == len(opinions) + sum(
            map(len, opinions.report.dropped.values())
        )
        for distribution in opinions.distributions:
            assert sum(distribution.shares) == pytest.approx(1)
            sample = distribution.sample
            assert sample.kind == "group" or country_of(sample.label) == sample.country
        told = cells_of(text)
        if told is None:
            continue  # a head was changed: the columns mean something else
        strictly += 1
        for distribution in opinions.distributions:
            people = told[distribution.item, distribution.sample.label]
            options = opinions.items[distribution.item].scale.options
            assert {*people} <= {*options, *opinions.report.options}, text
            total = sum(people.get(option, 0) for option in options)
            for option, share in zip(options, distribution.shares, strict=True):
                assert share == pytest.approx(people.get(option, 0) / total), (text, option)
        for item in opinions.survey.items:
            numbers = [int(o) for o in item.scale.options if o.isascii() and o.isdigit()]
            if len(numbers) == len(item.scale):
                assert numbers in (sorted(numbers), sorted(numbers, reverse=True))
    assert strictly  # some mutated files were read, and held against their cells


def cells_of(text):
    """The shares of a table by (item, country) and option, read without any of the project's code."""
    first = next(line for line in text.splitlines() if line.strip())
    separator = max(",;\t", key=first.count)
    heads, *body = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    heads = [head.strip().casefold() for head in heads]
    if not {*heads} >= {*COLUMNS}:
        return None
    told: dict[tuple[str, str], dict[str, float]] = {}
    for cells in filter(None, body):
        row = dict(zip(heads, map(str.strip, cells), strict=True))
        share = float(row["share"].rstrip("% ").replace(",", "."))
        told.setdefault((row["item"], row["country"]), {})[row["option"]] = share
    return told


@pytest.mark.parametrize("seed", range(8))
def test_mutated_code_books(seed, tmp_path):
    """A share stands at the place that the code book gives its code, or nowhere."""
    rng = random.Random(SHIFT + 200 + seed)
    names = ["w", "x", "y", "z"]
    for _ in range(50):
        first = rng.choice([0, 1])
        book = {str(first + n): name for n, name in enumerate(names)} | {"-1": "No answer"}
        listed = rng.choice([book, names, [f"{c}. {n}" for c, n in book.items()]])
        codes = rng.sample([*book, "-4", "9", "99", "7", "x", "1.0"], rng.randint(1, 5))
        table = {code: round(1 / len(codes), 3) for code in codes}
        shares = {
            "KEN": {"Q": table},
            rng.choice(["CHL", "NA", "Atlantis", "ar"]): {"Q": {str(first): 1.0}},
        }
        (tmp_path / "shares.json").write_text(json.dumps(shares))
        entry = {"Q_id": "Q", "question": "How?", "option_lst": listed}
        (tmp_path / "my_questions.json").write_text(json.dumps([entry]))
        opinions = read(load_opinions, tmp_path / "shares.json")
        if opinions is None:
            continue
        for distribution in opinions.distributions:
            given: dict[str, float] = {}
            for code, share in shares[distribution.sample.label]["Q"].items():
                option = book.get(code.removesuffix(".0"), "none")
                given[option] = given.get(option, 0) + share
            given.pop("none", None)
            given.pop("No answer", None)
            if listed is names and not {"0", "4"} & {
                c.removesuffix(".0") for c in (*codes, str(first))
            }:
                pytest.fail("a place was guessed")
            total = sum(given.values())
            for option, share in zip(
                opinions.items["Q"].scale.options, distribution.shares, strict=True
            ):
                if listed is not names:
                    assert share == pytest.approx(given.get(option, 0) / total)


SURVEY = """name: mine
instruction: Answer with one number.
scales:
  often: {1: never, 2: sometimes, 3: always, 8: refused}
  degree: {-2: cold, -1: cool, 0: mild, 1: warm, 2: hot}
items:
  - {id: a, scale: often, text: "Do you dance?"}
  - {id: b, scale: degree, text: "How warm is it?"}
indices:
  JOY: {title: Joy, weights: {a: 10, b: -2.5}}
"""


@pytest.mark.parametrize("seed", range(8))
def test_mutated_questionnaires(seed, tmp_path):
    """A questionnaire loads with its codes by their options, or is refused with the line."""
    rng = random.Random(SHIFT + 300 + seed)
    path = tmp_path / "mine.yaml"
    pieces = [
        "8: refused",
        "9: do not know",
        "10: x",
        "-1: none",
        "{",
        "}",
        ":",
        '"',
        "missing: keep\n",
        "\t",
        "1",
        "-",
    ]
    for _ in range(50):
        text = SURVEY
        for _ in range(rng.randint(1, 3)):
            place = rng.randrange(len(text))
            text = text[:place] + rng.choice(pieces) + text[place + rng.randint(0, 3) :]
        path.write_text(text, encoding="utf-8")
        survey = read(load_survey, path)
        if survey is None:
            continue
        check(survey)
        for item in survey.items:
            for label, code in zip(item.scale.labels, item.scale.codes, strict=True):
                assert label.isalpha() or not label.lstrip("-").isdigit() or float(label) == code


@pytest.mark.parametrize("seed", range(6))
def test_mutated_respondents(seed, tmp_path):
    """Rows of respondents become shares that sum to 1 and can be read again, or a sentence."""
    rng = random.Random(SHIFT + 400 + seed)
    path = Path(tmp_path / "rows.csv")
    for _ in range(25):
        rows = [["country", "weight", "q1", "q2"]]
        rows += [
            [rng.choice(COUNTRIES[:3]), "1", rng.choice("1239"), rng.choice(["yes", "no"])]
            for _ in range(20)
        ]
        path.write_text(
            mutate(rows, rng, SPELLINGS + NUMBERS + WORDS), encoding="utf-8", newline=""
        )
        people = read(read_respondents, path)
        table = people and read(lambda _, p=people: tabulate(p, "country", "weight"), path)
        if not table:
            continue
        sums = {}
        for item, _, _, country, share, *_ in table.rows:
            sums[item, country] = sums.get((item, country), 0) + float(share)
        assert all(total == pytest.approx(1, abs=1e-4) for total in sums.values())
