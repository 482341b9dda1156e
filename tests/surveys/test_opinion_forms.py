"""The forms in which opinion data were published: counts, refusals, and nothing lost in silence."""

from __future__ import annotations

import csv
import gzip
import io
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blackbox_align.errors import DataFileError
from blackbox_align.surveys.opinion_files import load_opinions
from tests.reference_data import reference

QUESTION, OPTIONS = "Is it good?", ["Very", "A little", "Not at all", "DK/Refused"]
SHARES = [0.5, 0.3, 0.1, 0.1]
PLAIN = {"question": QUESTION, "options": OPTIONS}


def as_csv(selections: str, question: str = QUESTION, options: str | None = None) -> str:
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow(["question", "selections", "options", "source"])
    rows.writerow([question, selections, options or repr(OPTIONS), "GAS"])
    return out.getvalue()


PROMPT = (
    "Human: How would someone from Kenya answer the following question:\nIs it good?\nHere are the "
    "options:\n(A) Very\n(B) A little\n(C) Not at all\n(D) DK/Refused\nAssistant: If I had to "
    "select one of the options, my answer would be:"
)
FORMS = {
    "selections.csv": as_csv(f"defaultdict(<class 'list'>, {{'Kenya': {SHARES}}})"),
    "selections.jsonl": json.dumps({**PLAIN, "selections": {"Kenya": SHARES}}) + "\n"
    + json.dumps({**PLAIN, "question": "Really?", "selections": {"Kenya": SHARES}}),
    "one_line.jsonl": json.dumps({**PLAIN, "selections": {"Kenya": SHARES}}),
    "gold.json": json.dumps([{
        "question": "Question: Is it good?\nOptions: A. Very B. A little C. Not at all\nAnswer:",
        "options": OPTIONS, "attribute": "Kenya", "gold_distribution": SHARES,
    }], indent=1),
    "plain.json": json.dumps([{**PLAIN, "country": "Kenya", "distribution": SHARES}]),
    "prompts.jsonl": "\n".join([json.dumps(
        {"input_text": PROMPT, "label": SHARES, "country": "Kenya"})] * 2),
    "by_question.json": json.dumps(
        {QUESTION: {"Kenya": SHARES, "MC_options": repr(OPTIONS), "countries": ["Kenya"]}}),
    "similar.json": json.dumps(
        {"Another?": {"Kenya": {QUESTION: [dict(zip(OPTIONS, SHARES, strict=True))]}}}),
    "instructions.json": json.dumps([{
        "instruction": "How would someone from Kenya answer the following question:\n\n",
        "input": "Is it good? \nHere are the options: \n",
        "options": [f"({c}){o}" for c, o in zip("ABCD", OPTIONS, strict=True)],
        "options_dist": dict(zip("ABCD", SHARES, strict=True)),
    }]),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_every_form_gives_the_same_distribution(name, tmp_path):
    """One question in one country is the same item and the same shares in each of the forms."""
    (tmp_path / name).write_text(FORMS[name])
    opinions = load_opinions(tmp_path / name, missing="keep")
    first = opinions.distributions[0]
    assert first.sample.country == "KEN" and first.shares == pytest.approx(SHARES)
    assert opinions.survey.items[0].text == QUESTION
    assert opinions.survey.items[0].scale.options == tuple(OPTIONS)
    (tmp_path / "other").write_text(FORMS["plain.json"])
    assert first.item == load_opinions(tmp_path / "other").distributions[0].item


# Rows, kept distributions, questions and labels, as the README of the data states them.
@pytest.mark.parametrize(
    ("path", "read", "kept", "items", "dropped"),
    [
        ("goqa/goqa_union.jsonl.gz", 18579, 18556, 1975, {"are 0": 18,
                                                          "nobody": 4, "sum to 1": 1}),
        ("goqa/global_opinions_partial.csv.gz", 18579, 18556, 1975,
         {"are 0": 18, "nobody": 4, "sum to 1": 1}),
        ("goqa/global_opinions_verbatim_sample.csv", 21, 21, 7, {}),
        ("goqa/raw/modular_pluralism_small.json.gz", 5752, 5752, 1270, {}),
        ("goqa/raw/vital_globalopinionqa.json.gz", 1676, 1676, 92, {}),
        ("goqa/raw/globalopinionbench_eval.json.gz", 4633, 4624, 1300,
         {"are 0": 9}),
        ("goqa/raw/distributional_alignment_global_values.json.gz", 302, 300, 100, {"nobody": 2}),
        ("goqa/raw/distributional_alignment_question_similarity.json.gz", 2893, 2091, 558,
         {"repeats": 802}),
        ("goqa/raw/xtransplant_unseen_en.jsonl.gz", 615, 615, 269, {}),
        ("goqa/raw/xtransplant_unseen_ar.jsonl.gz", 591, 591, 273, {}),
        ("goqa/raw/xtransplant_unseen_es.jsonl.gz", 679, 679, 271, {}),
        ("goqa/raw/xtransplant_unseen_fr.jsonl.gz", 216, 216, 160, {}),
        ("goqa/raw/xtransplant_unseen_de.jsonl.gz", 122, 122, 114, {}),
        ("goqa/raw/xtransplant_unseen_hi.jsonl.gz", 12, 12, 12, {}),
        ("goqa/raw/xtransplant_unseen_sw.jsonl.gz", 70, 70, 65, {}),
        ("goqa/raw/xtransplant_unseen_zh-CN.jsonl.gz", 66, 66, 55, {}),
        ("wvs/culturespa_proportions_group_by_country.json", 4921, 4861, 259, {"not asked": 60}),
    ],
)  # fmt: skip
def test_public_files_import_with_the_counts_that_are_stated(path, read, kept, items, dropped):
    """Each public file gives so many distributions, and what is left out is counted by reason."""
    opinions = load_opinions(reference(path))
    report = opinions.report
    assert (report.read, report.kept, len(opinions), len(opinions.items)) == (
        read,
        kept,
        kept,
        items,
    )
    for reason, count in dropped.items():
        assert [len(p) for r, p in report.dropped.items() if reason in r] == [count]
    assert sum(map(len, report.dropped.values())) == sum(dropped.values()) == read - kept


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("goqa/raw/simllm_global_pew_test.json.gz",
         r"it is corrupted.*166 of its 3,991 entries.*torn apart at commas.*zeros.*1,542 apostrophes"),
        ("goqa/country_counts.csv", "no opinion survey has the columns country_label"),
        ("wvs/culturespa_country_similarity.json", "one number per pair of countries"),
        ("wvs/culturespa_wvs_questions.json", "questions without anybody's answers"),
        ("wvs/questions_multilingual/WV7_English.jsonl.gz", "questions without anybody's answers"),
        ("culturalbench/CulturalBench-Easy.csv", "a test with right answers"),
    ],
)  # fmt: skip
def test_files_that_hold_no_sound_distributions_are_refused_with_the_reason(path, sentence):
    """A corrupted file, and one that holds something else, is refused and says which it is."""
    with pytest.raises(DataFileError, match=f"(?s){sentence}"):
        load_opinions(reference(path))


def test_the_labels_of_the_public_file_are_known():
    """Each of its 132 labels is a country or a region, and old and current samples stay apart."""
    opinions = load_opinions(reference("goqa/goqa_union.jsonl.gz"))
    labels = {d.sample.label: d.sample for d in opinions.distributions}
    assert len(labels) == 132 and labels["Northern Ireland"].kind == "region"
    assert labels["S. Korea"].country == labels["South Korea"].country == "KOR"
    assert labels["Britain"].country == labels["Great Britain"].country == "GBR"
    assert labels["India (Old national sample)"].kind == "national"
    assert labels["China (Non-national sample)"].kind == "non-national"
    assert opinions.countries["GBR"] == 417 and opinions.countries["USA"] == 645
    assert "SAU" not in opinions.countries


def test_codes_of_the_world_values_survey_may_begin_at_nought():
    """An option's place is its code less the item's first code, and shares are scaled to 1."""
    path = reference("wvs/culturespa_proportions_group_by_country.json")
    opinions = load_opinions(path)
    raw = json.loads(path.read_text())["BRA"]["Q94"]
    shares = next(d.shares for d in opinions.distributions
                  if d.item == "Q94" and d.sample.country == "BRA")  # fmt: skip
    total = sum(raw.values())
    assert shares == pytest.approx([raw.get(code, 0) / total for code in "012"])
    assert opinions.items["Q94"].scale.options == (
        "Don't belong",
        "Inactive member",
        "Active member",
    )
    assert "Q241" in opinions.ordered and "Q1" not in opinions.ordered


def test_shares_by_code_need_the_questions_beside_them(tmp_path):
    """Every cell is kept or told: not asked, an unknown country, codes and questions without a text."""
    shares = {
        "KEN": {"Q1": {"1": 0.4, "0": 0.4}, "Q2": {}, "Q3": {"1": 1}},
        "GHA": {"Q1": {"2": 0.5, "1": 0.25, "0": 0.25}, "Q2": {"7": 0.5, "9": 0.5}, "Q3": {"x": 1}},
        "Atlantis": {"Q1": {"0": 1}},
    }
    path = tmp_path / "shares.json"
    path.write_text(json.dumps(shares))
    with pytest.raises(DataFileError, match=r"put the questions beside it, in a file named"):
        load_opinions(path)
    questions = [{"Q_id": f"Q{n}", "question": f"Number {n}?", "option_lst": list("abc")[: 4 - n]}
                 for n in (1, 2)]  # fmt: skip
    (tmp_path / "my_questions.json").write_text(json.dumps(questions))
    opinions = load_opinions(path)
    assert {(d.item, d.sample.country): d.shares for d in opinions.distributions} == {
        ("Q1", "KEN"): (0.5, 0.5, 0.0),
        ("Q1", "GHA"): (0.25, 0.25, 0.5),
    }
    assert opinions.report.dropped == {
        "it was not asked": ("KEN Q2",),
        "the question's wording is not in the file beside it": ("KEN Q3", "GHA Q3"),
        "it has codes that no option stands for": ("GHA Q2",),
        "no country is known by the label 'Atlantis'": ("Atlantis Q1",),
    }


@pytest.mark.parametrize(
    ("selections", "options", "reason"),
    [
        ("defaultdict(<class 'list'>, {'Kenya': [0.5, 0.5]})", None, "numbers of options and of shares"),
        ("{'Kenya': [0, 0, 0, 0]}", None, "all shares are 0"),
        ("{'Kenya': [0.9, 0.1, 0.9, 0]}", None, "do not sum to 1"),
        ("{'Kenya': [1.5, -0.5, 0, 0]}", None, "negative or no number"),
        ("{'Kenya': ['a', 0, 0, 0]}", None, "negative or no number"),
        ("{'Kenya': [0, 0, 0, 1]}", None, "nobody in the sample gave an opinion"),
        ("{'Kenya': [0.5, 0.5]}", "['x', 'x']", "an option stands there twice"),
        ("{'Kenya': [0.5, 0.5]}", "['x', 'No answer']", "1 options are left"),
        ("{'Kenya': [1, 0, 0, 0], 'Kenya': [0, 1, 0, 0]}", None, "a key stands twice"),
        ("{'Kenya': __import__('os').getcwd()}", None, "cannot be read as Python literals"),
        ("{'Kenya': " + "[" * 500 + "]" * 500 + "}", None, "cannot be read as Python literals"),
        ("nothing", None, "there are no selections"),
        ("{}", None, "the selections are empty"),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_used_is_dropped_with_its_reason(
    selections, options, reason, tmp_path
):
    """What is wrong with a row is told, the row is counted, and nothing in it is ever run."""
    good = as_csv("{'Ghana': [0.5, 0.5, 0, 0]}", "Another?")
    bad = as_csv(selections, options=options).split("\n", 1)[1]
    (tmp_path / "file.csv").write_text(good + bad)
    report = load_opinions(tmp_path / "file.csv").report
    assert (report.read, report.kept) == (2, 1)
    assert [len(places) for why, places in report.dropped.items() if reason in why] == [1]
    (tmp_path / "file.csv").write_text(as_csv(selections, options=options))
    with pytest.raises(DataFileError, match="nothing in it can be used"):
        load_opinions(tmp_path / "file.csv")


def test_a_row_without_a_question_is_dropped(tmp_path):
    """The public file has one row without a question: its distributions are counted and left out."""
    text = (
        as_csv("{'Ghana': [1, 0, 0, 0]}") + as_csv("{'Kenya': [1, 0, 0, 0]}", " ").split("\n", 1)[1]
    )
    (tmp_path / "file.csv").write_text(text)
    assert list(load_opinions(tmp_path / "file.csv").report.dropped) == ["there is no question"]


def test_numbers_among_the_options_become_text(tmp_path):
    """Options such as 2.0 read as "2", and a ladder of them is ordered."""
    options = "['Not at all', 2.0, 3.0, 'Very much']"
    text = as_csv("{'Ghana': [0.25, 0.25, 0.25, 0.25]}", options=options)
    (tmp_path / "file.csv").write_text(text)
    opinions = load_opinions(tmp_path / "file.csv")
    (item,) = opinions.survey.items
    assert item.scale.options == ("Not at all", "2", "3", "Very much")
    assert opinions.ordered == {item.id}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip


FUZZED = {
    **FORMS,
    "own.csv": "item,question,option,country,share,ordered\n"
    "tea,Tea?,yes,Kenya,50,yes\ntea,Tea?,no,Kenya,50,yes\n"
    'rain,"Rain, now?",a lot,Kenya,20%,\nrain,"Rain, now?",none,Kenya,80%,\n',
    "shares.json": json.dumps({"KEN": {"Q1": {"1": 0.4, "0": 0.4}, "Q2": {"1": 0.5, "2": 0.5}}}),
}
# What has to lie beside shares.json.
QUESTIONS = json.dumps(
    [{"Q_id": f"Q{n}", "question": f"Number {n}?", "option_lst": ["a", "b"]} for n in (1, 2)]
)


@st.composite
def damaged(draw):
    """A sound file with one value in it replaced, or bytes of its text changed."""
    name = draw(st.sampled_from(sorted(FUZZED)))
    text = FUZZED[name]
    if name.endswith(".json") and draw(st.booleans()):
        value = json.loads(text)
        here = value
        while True:
            keys = list(here) if isinstance(here, dict) else range(len(here))
            key = draw(st.sampled_from(list(keys)))
            if isinstance(here[key], (dict, list)) and here[key] and draw(st.booleans()):
                here = here[key]
                continue
            here[key] = draw(JSON)
            return json.dumps(value).encode()
    raw = bytearray(text.encode())
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(raw) - 1))
        raw[place : place + draw(st.integers(0, 6))] = draw(st.binary(max_size=6))
    return bytes(raw) if draw(st.booleans()) else gzip.compress(bytes(raw))


@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(damaged())
def test_a_damaged_file_neither_crashes_nor_loses_anything(tmp_path, content):
    """Whatever a file holds, it imports with all of it counted, or is refused with a sentence."""
    (tmp_path / "file").write_bytes(content)
    (tmp_path / "my_questions.json").write_text(QUESTIONS)
    try:
        opinions = load_opinions(tmp_path / "file")
    except DataFileError:
        return
    report = opinions.report
    assert report.kept == len(opinions)
    assert report.read == report.kept + sum(map(len, report.dropped.values()))
    for distribution in opinions.distributions:
        assert sum(distribution.shares) == pytest.approx(1)
