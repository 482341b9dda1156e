"""The open form of an opinion survey: what a user writes, and what a mistake in it says."""

from __future__ import annotations

import gzip
import re

import numpy as np
import pytest

from blackbox_align.errors import DataFileError, SpecificationError
from blackbox_align.surveys.non_response import is_missing
from blackbox_align.surveys.opinion_files import load_opinions

HEADER = "item,question,option,country,share"
ROWS = """
tea,Do you drink tea?,often,Kenya,0.5
tea,Do you drink tea?,sometimes,Kenya,0.3
tea,Do you drink tea?,never,Kenya,0.1
tea,Do you drink tea?,Don't know,Kenya,0.1
tea,Do you drink tea?,often,Great Britain,0.6
tea,Do you drink tea?,never,Great Britain,0.4
rain,Does rain bother you?,1,Kenya,0.25
rain,Does rain bother you?,2,Kenya,0.25
rain,Does rain bother you?,3,Kenya,0.5
"""


@pytest.fixture
def write(tmp_path):
    def to_file(text: str, name: str = "mine.csv"):
        path = tmp_path / name
        path.write_bytes(text.encode() if name[-3:] != ".gz" else gzip.compress(text.encode()))
        return path

    return to_file


def by_item(opinions):
    return {(d.item, d.sample.country): d.shares for d in opinions.distributions}


def test_the_open_form_gives_items_scales_and_shares(write):
    """Every item has its options in the order of the file, and every country its shares of them."""
    opinions = load_opinions(write(HEADER + ROWS))
    tea, rain = opinions.survey.items
    assert (tea.id, tea.text, tea.scale.options) == (
        "tea", "Do you drink tea?", ("often", "sometimes", "never")
    )  # fmt: skip
    assert tea.scale.labels == ("A", "B", "C") and rain.scale.labels == ("A", "B", "C")
    shares = by_item(opinions)
    assert shares["tea", "GBR"] == (0.6, 0.0, 0.4), "an option without a row counts as 0"
    assert shares["tea", "KEN"] == pytest.approx((5 / 9, 3 / 9, 1 / 9))
    assert shares["rain", "KEN"] == (0.25, 0.25, 0.5)
    assert opinions.report.read == opinions.report.kept == 3
    assert opinions.report.options_left_out == 1
    assert opinions.countries == {"KEN": 2, "GBR": 1}
    np.testing.assert_allclose(opinions.shares().sum(1), 1)


def test_no_opinion_is_kept_where_that_is_asked_for(write):
    """With missing='keep' "don't know" is an option like any other, with its share."""
    opinions = load_opinions(write(HEADER + ROWS), missing="keep")
    assert opinions.survey.items[0].scale.options[-1] == "Don't know"
    assert by_item(opinions)["tea", "KEN"] == pytest.approx((0.5, 0.3, 0.1, 0.1))
    assert opinions.report.options_left_out == 0


def test_options_are_called_by_letters_or_digits(write):
    """Labels are single signs; an item with more than nine options has letters in any case."""
    many = "\n".join(f"m,How much?,{n},Kenya,{0.1}" for n in range(1, 11))
    opinions = load_opinions(write(HEADER + ROWS + many), labels="digits")
    assert opinions.survey.items[0].scale.labels == ("1", "2", "3")
    assert opinions.survey.items[2].scale.labels == tuple("ABCDEFGHIJ")
    assert all(len(label) == 1 for item in opinions.survey.items for label in item.scale.labels)


def test_percents_tabs_gzip_and_signs_are_understood(write):
    """The same file in percents, with tabs, or gzipped, gives the same shares."""
    plain = by_item(load_opinions(write(HEADER + ROWS)))
    text = HEADER + re.sub(r"(0\.\d+)\n", lambda m: f"{float(m[1]) * 100:g}%\n", ROWS)
    for changed in (write(text, "p.csv"), write((HEADER + ROWS).replace(",", "\t"), "t.tsv"),
                    write((HEADER + ROWS), "z.csv.gz")):  # fmt: skip
        found = by_item(load_opinions(changed))
        assert found.keys() == plain.keys()
        for key, shares in plain.items():
            assert found[key] == pytest.approx(shares)


def test_ladders_are_scales_of_numbers_or_what_the_file_says(write):
    """Options that are numbers are ordered by themselves, others only where the file says so."""
    assert load_opinions(write(HEADER + ROWS)).ordered == {"rain"}
    flags = {"item": "ordered", "tea,": "yes", "rain": "no"}
    lines = [line for line in (HEADER + ROWS).splitlines() if line]
    flagged = "\n".join(f"{line},{flags[line[:4]]}" for line in lines)
    assert load_opinions(write(flagged)).ordered == {"tea"}


def test_an_unknown_country_is_counted_and_not_fatal(write):
    """A label that no country is known by is left out, with its line, and the rest stays."""
    opinions = load_opinions(write(HEADER + ROWS.replace("Great Britain", "Atlantis")))
    assert len(opinions) == 2
    assert opinions.report.read == 3
    assert opinions.report.dropped == {"no country is known by the label 'Atlantis'": ("line 6",)}
    assert any("Atlantis" in line for line in opinions.report.lines())


@pytest.mark.parametrize(
    ("before", "after", "line", "sentence"),
    [
        ("share", "shares", 1, "the column 'share' is missing. Is it 'shares'?"),
        ("share", "share,weight", 2, "5 cells where the first line has 6"),
        ("Kenya,0.5\n", "Kenya,half\n", 2, "the share is 'half'; write a number from 0 to 1"),
        ("Kenya,0.5\n", "Kenya,-0.5\n", 2, "the share is '-0.5'"),
        ("Kenya,0.5\n", "Kenya,nan\n", 3, "sum to 0.5, not to 1; an option without"),
        ("Kenya,0.3\n", "Kenya,0.7\n", 2, "sum to 1.4, not to 1"),
        (
            "sometimes,Kenya",
            "often,Kenya",
            3,
            "the share of 'often' for 'tea' in Kenya stands here",
        ),
        (
            "tea?,never,Kenya",
            "coffee?,never,Kenya",
            4,
            "another question (or 'ordered') than before",
        ),
        ("rain,Does rain bother you?,2", "rain,,2", 9, "the cell 'question' is empty"),
        ("never,Great", '"never,Great', 7, "is a quotation mark not closed?"),
    ],
)
def test_a_mistake_is_named_with_its_line_and_mend(before, after, line, sentence, write):
    """What a user got wrong is an error that names the file, the line and what to write."""
    with pytest.raises(DataFileError) as raised:
        load_opinions(write((HEADER + ROWS).replace(before, after, 1)))
    assert raised.value.line == line
    assert sentence in str(raised.value)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "expected a CSV table with the columns item, question"),
        (b"one line", "expected a CSV table"),
        (b"a,b\n1,2\n", "no opinion survey has the columns a, b"),
        (HEADER.encode(), "there is no row of shares"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"\x1f\x8b\x08rubbish", "the gzip archive is damaged"),
        # Without a time in it: the name of a test must be the same in every process.
        (gzip.compress(b"item,question" * 99, mtime=0)[:-9], "the gzip archive is damaged"),
        (b'{"a": ', "not valid JSON"),
        (b'[{"question": 1, "question": 2}]', "the key 'question' stands twice"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[]", "no form of an opinion survey that is known"),
    ],
)
def test_what_is_no_survey_is_refused_with_the_reason(content, sentence, tmp_path):
    """No file makes the loader crash: it says what the file is not."""
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(DataFileError, match=re.escape(sentence)):
        load_opinions(path)


def test_a_missing_file_and_a_folder_are_data_file_errors(tmp_path):
    """A slip in a path is one sentence."""
    with pytest.raises(DataFileError, match="no such file"):
        load_opinions(tmp_path / "none.csv")
    with pytest.raises(DataFileError, match="this is a folder"):
        load_opinions(tmp_path)


@pytest.mark.parametrize(
    "option",
    ["Don't know", "Don’t know", "DK/Refused", "No answer/refused", "Missing; Not available", "Refused",
     "Other missing; Multiple answers Mail (EVS)", "INAP: No internet", "Don't -9:-2", "N/A", "dk (VOL)",
     "Don't know/No answer", "Not applicable", "-1"],
)  # fmt: skip
def test_no_opinion_is_recognised(option):
    """Don't know, refused, not asked and missing are no opinions, however they are written."""
    assert is_missing(option)


@pytest.mark.parametrize(
    "option",
    ["Neither (VOL)", "Don't belong", "I do not know anyone", "Never heard of", "No", "None", "A", "1",
     "Other", "Hard to say", "Don't know anyone (VOL)", "Not at all"],
)  # fmt: skip
def test_an_opinion_is_not_taken_for_none(option):
    """Volunteered answers, "none" and "I do not know anyone" are answers."""
    assert not is_missing(option)


def test_samples_and_countries_can_be_selected(write):
    """National and non-national samples stay apart; all is all; items that nobody answered go."""
    rows = ROWS.replace("Great Britain", "China (Non-national sample)") + "\n".join(
        [
            "x,Really?,yes,India (Old national sample),1",
            "x,Really?,no,India (Old national sample),0",
        ]
    )
    opinions = load_opinions(write(HEADER + rows))
    kinds = {d.sample.label: (d.sample.country, d.sample.kind) for d in opinions.distributions}
    assert kinds["China (Non-national sample)"] == ("CHN", "non-national")
    assert kinds["India (Old national sample)"] == ("IND", "national")
    assert opinions.select(samples="national").countries == {"KEN": 2, "IND": 1}
    assert opinions.select(samples="non-national").countries == {"CHN": 1}
    assert len(opinions.select(samples="all")) == 4
    kenya = opinions.select(samples="national", countries=["kenya"])
    assert [item.id for item in kenya.survey.items] == ["tea", "rain"]
    assert kenya.ordered == {"rain"}
    with pytest.raises(
        SpecificationError, match=r"national sample of China, but non-national ones"
    ):
        opinions.select(samples="national", countries=["CHN"])
    with pytest.raises(
        SpecificationError, match=r"no national sample of Saudi Arabia.*India \(1\)"
    ):
        opinions.select(samples="national", countries=["SAU"])
    with pytest.raises(SpecificationError, match="must be one of 'national'"):
        opinions.select(samples="some")


def test_rules_that_do_not_exist_are_refused(write):
    """A slip in 'missing' or 'labels' is told before anything is read."""
    with pytest.raises(SpecificationError, match="'forget'"):
        load_opinions(write(HEADER + ROWS), missing="forget")
