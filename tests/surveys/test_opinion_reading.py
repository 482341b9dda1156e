"""Opinion files as people have them: places, orders, counts, labels and torn options."""

from __future__ import annotations

import json

import numpy as np
import pytest

from blackbox_align.errors import DataFileError
from blackbox_align.statistics.distances import earth_movers_distance
from blackbox_align.surveys import load_survey
from blackbox_align.surveys.opinion_files import load_opinions

HEAD = "item,question,option,country,share"


@pytest.fixture
def load(tmp_path):
    def from_text(text, name="mine.csv", **settings):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return load_opinions(path, **settings)

    return from_text


def shares(opinions):
    return {(d.item, d.sample.country): d.shares for d in opinions.distributions}


# -- codes of the World Values form ------------------------------------------------------------------------


@pytest.fixture
def coded(tmp_path):
    def from_codes(table, options):
        (tmp_path / "shares.json").write_text(json.dumps(table))
        questions = [{"Q_id": "Q1", "question": "How often?", "option_lst": options}]
        (tmp_path / "my_questions.json").write_text(json.dumps(questions))
        return load_opinions(tmp_path / "shares.json")

    return from_codes


OFTEN = ["Often", "Sometimes", "Never"]


def test_a_negative_code_is_no_option_and_counted_by_name(coded):
    """Not asked, 100 %, is nobody's answer; a tenth of no answers is left out and named."""
    opinions = coded(
        {"KEN": {"Q1": {"-4": 1.0}}, "CHL": {"Q1": {"1": 0.5, "3": 0.4, "-1": 0.1}}}, OFTEN
    )
    assert shares(opinions) == {("Q1", "CHL"): pytest.approx((5 / 9, 0, 4 / 9))}
    assert opinions.report.dropped == {"nobody in the sample gave an opinion": ("KEN Q1",)}
    assert opinions.report.options == {"code -4": 1, "code -1": 1}


def test_a_place_that_the_codes_leave_open_is_refused(coded):
    """Codes 1 and 2 of three options may be the first two or the last two, so nothing is guessed."""
    with pytest.raises(DataFileError, match=r"\(1, 2\) may begin at 0 or at 1.*\{code: label\}"):
        coded({"CHL": {"Q1": {"1": 0.5, "2": 0.5}}}, OFTEN)


@pytest.mark.parametrize(
    "options",
    [{"0": "Often", "1": "Sometimes", "2": "Never", "-2": "No answer"},
     ["0. Often", "1. Sometimes", "2. Never", "-2. No answer"]],
)  # fmt: skip
def test_a_code_book_that_numbers_its_options_places_them(options, coded):
    """An item that begins at 0 stays there though nobody chose 0."""
    opinions = coded({"CHL": {"Q1": {"1": 0.4, "2": 0.4, "-2": 0.2}}}, options)
    assert shares(opinions) == {("Q1", "CHL"): (0, 0.5, 0.5)}
    assert opinions.items["Q1"].scale.options == ("Often", "Sometimes", "Never")
    assert opinions.report.options == {"No answer": 1}


def test_a_code_book_with_a_question_twice_is_refused(tmp_path, coded):
    """The second wording would take the place of the first without a word; damaged ones are named."""
    coded({"CHL": {"Q1": {"1": 0.5, "3": 0.5}}}, OFTEN)
    entries = json.loads((tmp_path / "my_questions.json").read_text())
    (tmp_path / "my_questions.json").write_text(json.dumps(entries * 2))
    with pytest.raises(DataFileError, match=r"my_questions\.json: a Q_id stands there twice"):
        load_opinions(tmp_path / "shares.json")
    (tmp_path / "my_questions.json").write_text("[{")
    with pytest.raises(DataFileError, match=r"my_questions\.json, line 1: this is not valid JSON"):
        load_opinions(tmp_path / "shares.json")


def test_shares_that_miss_most_of_the_people_are_told(coded):
    """Where three quarters of a sample are on no option, the note says so and where."""
    opinions = coded({"CHL": {"Q1": {"1": 0.1, "3": 0.13}}}, OFTEN)
    assert any("fewest: 23 %, CHL Q1" in note for note in opinions.report.notes)


# -- the order of options ----------------------------------------------------------------------------------


def ladder(*orders, ordered="yes"):
    """A CSV of one item whose options stand in another order in every country."""
    rows = [HEAD + ",ordered"]
    for country, order in zip(("Kenya", "Chile", "Japan"), orders, strict=False):
        rows += [f"x,How far?,{option},{country},{share},{ordered}" for option, share in order]
    return "\n".join(rows)


def test_numbers_are_sorted_and_the_earth_movers_distance_is_right(load):
    """Kenya .25 .55 .05 .15 and Chile .55 .25 .15 .05: moving .3, .0 and .1 over three steps of a third."""
    kenya = (("2", 55), ("1", 25), ("4", 15), ("3", 5))
    chile = (("1", 55), ("2", 25), ("3", 15), ("4", 5))
    opinions = load(ladder(kenya, chile))
    assert opinions.items["x"].scale.options == ("1", "2", "3", "4")
    found = shares(opinions)
    assert found["x", "KEN"] == pytest.approx((0.25, 0.55, 0.05, 0.15))
    cumulated = np.abs(np.cumsum(np.subtract(found["x", "KEN"], found["x", "CHL"])))[:-1]
    assert cumulated == pytest.approx([0.3, 0.0, 0.1])
    distance = earth_movers_distance(
        np.array(found["x", "KEN"]), np.array(found["x", "CHL"]), np.array(4)
    )
    assert float(distance) == pytest.approx(0.4 / 3)
    assert any("another order" in note for note in opinions.report.notes)


def test_words_in_two_orders_are_aligned_or_refused(load):
    """Nothing says which order an ordered scale of words has; without a scale names are enough."""
    one, two = (("low", 10), ("mid", 20), ("high", 70)), (("mid", 30), ("low", 50), ("high", 20))
    opinions = load(ladder(one, two, ordered="no"))
    assert shares(opinions)["x", "CHL"] == (0.5, 0.3, 0.2)
    assert any("line 5" in note for note in opinions.report.notes)
    with pytest.raises(DataFileError, match="stand in another order at line 5"):
        load(ladder(one, two))


def test_an_option_without_a_row_is_no_other_order(load):
    """A country that nobody chose an option in is not told as contradicting; that it counts as 0 is said."""
    opinions = load(ladder((("low", 10), ("mid", 20), ("high", 70)), (("low", 50), ("high", 50))))
    assert shares(opinions)["x", "CHL"] == (0.5, 0, 0.5)
    assert opinions.report.notes == ("Options that have no row count as 0: mid of x in Chile.",)


def test_a_falling_scale_and_numbered_words_keep_their_order(load):
    """5 to 1 stays as it is; "1. Yes", "2. No" is no scale."""
    falling = load(ladder((("3", 10), ("2", 20), ("1", 70)), ordered=""))
    assert falling.items["x"].scale.options == ("3", "2", "1") and falling.ordered == {"x"}
    numbered = load(ladder((("2. No", 30), ("1. Yes", 70)), ordered=""))
    assert numbered.ordered == frozenset()


# -- counts, wide tables, further columns -------------------------------------------------------------------


def test_counts_become_shares_with_their_number(load):
    """60 and 40 people of 100 are 0.6 and 0.4."""
    text = "item,question,option,country,count\nx,Tea?,yes,Kenya,90\nx,Tea?,no,Kenya,60\n"
    (distribution,) = load(text).distributions
    assert distribution.shares == (0.6, 0.4) and distribution.people == 150


def test_a_table_with_a_column_per_country_is_read(load):
    """Countries beside each other are the same as below each other; an empty cell is no row."""
    wide = load("item,question,option,Kenya,Chile\nx,Tea?,yes,70,20\nx,Tea?,no,30,80\n")
    assert shares(wide) == {("x", "KEN"): (0.7, 0.3), ("x", "CHL"): (0.2, 0.8)}


def test_further_columns_are_named_and_not_read(load):
    """A column that says nothing to us costs nothing; one that doubles the rows is told."""
    text = HEAD + ",year,source\nx,Tea?,yes,Kenya,70,2019,p\nx,Tea?,no,Kenya,30,2019,p\n"
    assert load(text).report.notes == ("Not read: the columns year, source.",)
    with pytest.raises(
        DataFileError, match=r"stands here twice: the column 'year' has several values"
    ):
        load(HEAD + ",year\nx,Tea?,yes,Kenya,70,2019\nx,Tea?,yes,Kenya,60,2020\n")


def test_the_file_says_which_options_are_no_answers(load):
    """A column `missing` overrules the table of phrases, both ways."""
    rows = [("Never", 50, "no"), ("Not sure", 30, "yes"), ("Refused", 20, "no")]
    text = HEAD + ",missing\n" + "\n".join(f"x,War?,{o},Kenya,{s},{m}" for o, s, m in rows)
    opinions = load(text)
    assert opinions.items["x"].scale.options == ("Never", "Refused")
    assert opinions.report.options == {"Not sure": 1} and opinions.report.look_alikes == {}
    plain = load(text.replace(",missing", "").replace(",no", "").replace(",yes", ""))
    assert plain.report.options == {"Refused": 1} and plain.report.look_alikes == {"Not sure": 1}


def test_counts_by_label_in_json_are_counts(load):
    """{option: number} in any order is read by name."""
    entry = {"MC_options": ["A lot", "Some", "None", "Refused"], "question_text": "Tea?",
             "Kenya": {"None": 12.0, "A lot": 60.0, "Some": 24.0, "Refused": 4.0}}  # fmt: skip
    (distribution,) = load(json.dumps({"q1": entry}), "mine.json").distributions
    assert distribution.shares == pytest.approx((60 / 96, 24 / 96, 12 / 96))


ROW = {
    "question": "Tea?",
    "selections": "defaultdict(<class 'list'>, {'Kenya': [0.3, 0.6, 0.1], 'Chile': [0.2, 0.7, 0.1]})",
    "options": "['A lot', 'A little', \"Don't know\"]",
    "source": "GAS",
}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(ROW) + "\n" + json.dumps({**ROW, "question": "Rain?"}),
        json.dumps({"rows": [{"row_idx": 0, "row": ROW}, {"row": {**ROW, "question": "Rain?"}}]}),
        json.dumps([{**ROW, "selections": "{'Kenya': array([0.3, 0.6, 0.1]), "
                     "'Chile': [np.float64(0.2), 0.7, 0.1]}",
                     "options": "array(['A lot', 'A little', \"Don't know\"], dtype=object)"}]),
    ],
    ids=["json lines", "rows of the viewer", "numpy"],
)  # fmt: skip
def test_exports_of_the_hub_are_read(text, load):
    """Strings of Python in JSON, a page of the viewer, and what numpy prints."""
    opinions = load(text, "mine.json")
    found = {d.sample.country: d.shares for d in opinions.distributions}
    assert found == {"KEN": pytest.approx((1 / 3, 2 / 3)), "CHL": pytest.approx((2 / 9, 7 / 9))}


# -- labels, regions, torn options --------------------------------------------------------------------------


def two(*labels):
    rows = [f"x,Tea?,{o},{label},{s}" for label in labels for o, s in (("yes", 70), ("no", 30))]
    return "\n".join([HEAD, *rows])


def test_regions_are_no_countries(load):
    """A region's sample is kept apart: it is no country, and no mean over countries counts it."""
    opinions = load(two("East Africa", "Arab countries", "Kenya"))
    assert opinions.countries == {"KEN": 1}
    assert {d.sample.kind for d in opinions.distributions} == {"region", "national"}
    assert (
        len(opinions.select(samples="national")) == 1
        and len(opinions.select(samples="region")) == 2
    )


def test_a_column_of_languages_is_asked_about(load):
    """uk is Ukrainian in a column with ar and sv; one country alone is never taken out of it."""
    with pytest.raises(DataFileError, match="look like languages"):
        load(two("uk", "ar", "sv"))
    with pytest.raises(DataFileError, match="another scheme's"):
        load(two("GER", "NIG", "AUT"))


def test_torn_options_are_refused_in_every_form(load):
    """Options that were cut at a comma give the file away, whatever form it has."""
    torn = ["Yes", "but only on weekends", "No", "Never"]
    entry = {
        "question": "Open?",
        "options": torn,
        "country": "Kenya",
        "distribution": [0.4, 0.3, 0.2, 0.1],
    }
    with pytest.raises(DataFileError, match="look torn apart"):
        load(json.dumps([entry]), "mine.json")
    jsonl = {"question": "Open?", "options": torn, "selections": {"Kenya": [0.4, 0.3, 0.2, 0.1]}}
    with pytest.raises(DataFileError, match="look torn apart"):
        load(json.dumps(jsonl), "mine.jsonl")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("country,PDI,IDV\nKenya,1,2\n", "figures of indices per country.*--targets"),
        ("cntry,q1,q2\n" + "KE,1,2\nBR,2,1\n" * 5, "rows of respondents.*tabulate mine.csv --country cntry"),
        ("id,question\n1,Tea?\n", "questions without anybody's answers.*YAML"),
        ('{"SurveyEntry": {}, "SurveyElements": []}', "Qualtrics"),
        ('item,question,option,country,share\nx,"T",yes,Kenya,"0.7" \n', "a blank stands behind a closing"),
    ],
)  # fmt: skip
def test_another_kind_of_file_is_told_what_it_looks_like(text, sentence, load):
    """The sentence names what the file is and the way from there."""
    with pytest.raises(DataFileError, match=f"(?s){sentence}"):
        load(text)


# -- surveys with indices -----------------------------------------------------------------------------------

INDICES = """name: garden
instruction: Answer with one number.
scales:
  agree: {1: fully, 2: rather, 3: hardly, 4: not at all, 8: refused, 9: do not know}
items:
  - {id: g1, scale: agree, text: "Gardens belong to all."}
indices:
  OPEN: {title: Openness, weights: {g1: 10}}
"""


def test_non_response_never_enters_an_item_mean(tmp_path):
    """8 refused and 9 do not know are left out and named: the middle of the scale is 2.5, not 4.5."""
    path = tmp_path / "garden.yaml"
    path.write_text(INDICES)
    survey = load_survey(path)
    assert survey.items[0].scale.codes == (1, 2, 3, 4)
    assert survey.left_out == (
        "Left out of the scale agree, because they are no answers: 8 = refused, 9 = do not know.",
    )
    path.write_text(INDICES + "missing: keep\n")
    assert load_survey(path).items[0].scale.codes == (1, 2, 3, 4, 8, 9)
    path.write_text(INDICES + "missing: [refused]\n")
    assert load_survey(path).items[0].scale.codes == (1, 2, 3, 4, 9)


def test_labels_of_several_tokens_become_letters_and_the_codes_stay(tmp_path):
    """A scale from 1 to 10 is asked with A to J, and the instruction says so."""
    path = tmp_path / "ten.yaml"
    options = ", ".join(f'{n}: "step {n}"' for n in range(1, 11))
    path.write_text(
        INDICES.replace(
            "1: fully, 2: rather, 3: hardly, 4: not at all, 8: refused, 9: do not know", options
        )
    )
    survey = load_survey(path)
    assert survey.items[0].scale.labels == tuple("ABCDEFGHIJ")
    assert survey.items[0].scale.codes == tuple(range(1, 11))
    assert survey.instruction == "Answer with one letter."
