"""Respondents' rows become shares: weights, codes, labels of SPSS files, and what is not tabulated."""

from __future__ import annotations

import pytest

from blackbox_align.errors import DataFileError, SpecificationError
from blackbox_align.populations import load_targets
from blackbox_align.surveys.instruments import load_instrument
from blackbox_align.surveys.respondents import only_where, read_respondents
from blackbox_align.surveys.tabulate import tabulate

ROWS = """cntry,wt,q1,q2,id
KE,1.0,1,yes,1
KE,0.5,2,no,2
KE,1.5,9,yes,3
BR,1,1,no,4
BR,1,3,no,5
BR,2,2,don't know,6
BR,1,,yes,7
,1,1,yes,8
"""


@pytest.fixture
def people(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text(ROWS)
    return read_respondents(path)


def shares(table, item):
    return {(row[3], row[2]): (float(row[4]), row[5]) for row in table.rows if row[0] == item}


def test_weights_and_numbers_of_people_by_hand(people):
    """Kenya: 1.0, 0.5 and 1.5 of 3; Brazil: who was not asked is not in the denominator."""
    table = tabulate(people, "cntry", "wt", ["q1", "q2"])
    assert shares(table, "q1") == {
        ("KE", "1"): (pytest.approx(1 / 3, abs=1e-6), "3"),
        ("KE", "2"): (pytest.approx(1 / 6, abs=1e-6), "3"), ("KE", "3"): (0, "3"), ("KE", "9"): (0.5, "3"),
        ("BR", "1"): (0.25, "3"), ("BR", "2"): (0.5, "3"), ("BR", "3"): (0.25, "3"), ("BR", "9"): (0, "3"),
    }  # fmt: skip
    marked = {(row[0], row[2]) for row in table.rows if row[7] == "yes"}
    assert marked == {("q1", "9"), ("q2", "don't know")}
    assert {row[0]: row[6] for row in table.rows} == {"q1": "yes", "q2": ""}
    assert table.notes[0] == "Left out: 1 people without a cntry."
    assert len(table.notes) == 2 and "what the codes mean is known of q1:" in table.notes[1]


def test_without_weights_all_count_the_same(people):
    """A third of Kenya's three gave each answer."""
    assert shares(tabulate(people, "cntry", None, ["q1"]), "q1")["KE", "9"][0] == pytest.approx(
        1 / 3, abs=1e-6
    )


def test_mistakes_are_told(people, tmp_path):
    """An unknown column is offered the nearest, a weight that is none is named with its line."""
    with pytest.raises(SpecificationError, match=r"no column 'contry'\. Did you mean 'cntry'"):
        tabulate(people, "contry")
    path = tmp_path / "bad.csv"
    path.write_text(ROWS.replace("KE,0.5", "KE,-0.5"))
    with pytest.raises(DataFileError, match=r"line 3: the weight '-0\.5'"):
        tabulate(read_respondents(path), "cntry", "wt")


def test_an_spss_file_brings_its_questions_labels_and_missing_codes(tmp_path):
    """Text, order and missing ranges come from the file itself, not from the codes that occur."""
    pyreadstat = pytest.importorskip("pyreadstat")
    import pandas

    frame = pandas.DataFrame(
        {"land": [1.0, 1.0, 2.0, 2.0], "q1": [2.0, 3.0, 3.0, -5.0], "wt": [1.0, 3.0, 1.0, 1.0]}
    )
    path = tmp_path / "rows.sav"
    pyreadstat.write_sav(
        frame,
        str(path),
        column_labels=["Country", "How much do you trust others?", "Weight"],
        variable_value_labels={
            "land": {1.0: "Kenya", 2.0: "Brazil"},
            "q1": {1.0: "A lot", 2.0: "Some", 3.0: "Not", -5.0: "Other missing code"},
        },
        missing_ranges={"q1": [{"lo": -9, "hi": -1}]},
    )
    table = tabulate(read_respondents(path), "land", "wt")
    rows = [row for row in table.rows if row[3] == "Kenya"]
    assert [(row[2], float(row[4]), row[7]) for row in rows] == [
        ("Other missing code", 0, "yes"), ("A lot", 0, "no"), ("Some", 0.25, "no"), ("Not", 0.75, "no"),
    ]  # fmt: skip
    assert rows[0][1] == "How much do you trust others?"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(DataFileError, match="damaged"):
        read_respondents(path)


def test_a_stata_file_brings_its_questions_and_labels(tmp_path):
    """Labels of values in their order, the label of a variable as the question; shares by hand."""
    pyreadstat = pytest.importorskip("pyreadstat")
    import pandas

    frame = pandas.DataFrame({"land": ["KE", "KE", "BR"], "q1": [2, 3, 8], "wt": [1.0, 3.0, 1.0]})
    path = tmp_path / "rows.dta"
    pyreadstat.write_dta(
        frame,
        str(path),
        column_labels=["Land", "Do you trust others?", "Weight"],
        variable_value_labels={"q1": {1: "A lot", 2: "Some", 3: "Not", 8: "Refused"}},
    )
    table = tabulate(read_respondents(path), "land", "wt")
    assert [(row[2], float(row[4]), row[7]) for row in table.rows if row[3] == "KE"] == [
        ("A lot", 0, "no"), ("Some", 0.25, "no"), ("Not", 0.75, "no"), ("Refused", 0, "yes"),
    ]  # fmt: skip
    assert {row[1] for row in table.rows} == {"Do you trust others?"}


def test_parquet_is_read_as_the_same_rows_in_csv(people, tmp_path):
    """Rows of respondents, shares and figures give what the CSV file of the same table gives."""
    pytest.importorskip("pyarrow")
    import pandas

    def twin(text):
        (tmp_path / "twin.csv").write_text(text)
        pandas.read_csv(tmp_path / "twin.csv").to_parquet(tmp_path / "twin.parquet")
        return tmp_path / "twin.csv", tmp_path / "twin.parquet"

    _, parquet = twin(ROWS)
    assert tabulate(read_respondents(parquet), "cntry", "wt") == tabulate(people, "cntry", "wt")
    shares = "item,question,option,country,share\nq,How?,a,Chile,25\nq,How?,b,Chile,75\n"
    one, two = map(load_instrument, twin(shares))
    assert one.distributions == two.distributions
    one, two = map(load_targets, twin("country,PDI,IDV\nChile,63,23.5\nPeru,64,\n"))
    assert one.sha256 == two.sha256
    parquet.write_bytes(parquet.read_bytes()[:100])
    with pytest.raises(DataFileError, match="parquet file is damaged"):
        read_respondents(parquet)


QUALTRICS = (
    "StartDate,Status,ResponseId,QCountry,Q1,Q2\n"
    "Start Date,Response Type,Response ID,Where do you live?,Rain?,Snow?\n"
    '"{""ImportId"":""startDate""}","{""ImportId"":""status""}","{""ImportId"":""_recordId""}",'
    '"{""ImportId"":""QID1""}","{""ImportId"":""QID2""}","{""ImportId"":""QID3""}"\n'
    "2021-01-01 10:00,IP Address,R_1,Peru,Yes,1\n2021-01-01 11:00,IP Address,R_2,Peru,No,2\n"
    "2021-01-01 12:00,IP Address,R_3,Chile,Yes,3\n2021-01-01 12:30,Survey Preview,R_4,Chile,No,1\n"
)
LIMESURVEY = (
    '"id. Response ID","submitdate. Date","G1[SQ1]. Rain? [Mild]","G2. Which country?"\n'
    '"1","2021-01-01","Yes","Peru"\n"2","2021-01-02","No","Peru"\n'
)
SURVEYMONKEY = (
    "Respondent ID,Which country?,How do you like each of them?,\n,Response,Rain,Snow\n"
    "11,Peru,Much,Little\n12,Peru,Little,Little\n13,Chile,Much,Much\n"
)


def table_of(tmp_path, text, country, *args, where=()):
    path = tmp_path / "export.csv"
    path.write_text(text, encoding="utf-8")
    people = read_respondents(path)
    for condition in where:
        people = only_where(people, condition)
    return tabulate(people, country, *args)


def test_the_rows_of_heads_of_qualtrics_are_nobody(tmp_path):
    """Three people of four rows are counted: neither the questions nor the ids nor a preview is one."""
    table = table_of(tmp_path, QUALTRICS, "QCountry")
    assert {row[0]: row[1] for row in table.rows} == {"Q1": "Rain?", "Q2": "Snow?"}
    half = (0.5, "2")
    assert shares(table, "Q1") == {
        ("Peru", "Yes"): half, ("Peru", "No"): half, ("Chile", "Yes"): (1, "1"), ("Chile", "No"): (0, "1"),
    }  # fmt: skip
    assert table.header[3] == "country"
    assert any("Left out: 1 previews" in note for note in table.notes)


@pytest.mark.parametrize(
    ("text", "country", "item", "question"),
    [
        (LIMESURVEY, "G2. Which country?", "G1[SQ1]", "Rain? [Mild]"),
        (SURVEYMONKEY, "Which country?", *["How do you like each of them? Rain"] * 2),
    ],
)
def test_other_tools_bring_their_questions(tmp_path, text, country, item, question):
    """Questions come from the heads, and ids and dates are no items."""
    table = table_of(tmp_path, text, country)
    assert {row[:2] for row in table.rows if row[0] == item} == {(item, question)}
    assert not {row[0] for row in table.rows} & {"id", "submitdate", "Respondent ID"}


def test_countries_are_countries_whatever_their_column_is_called(tmp_path):
    """Numbers of ISO 3166 become names, and groups stay groups."""
    rows = "S003,S002VS,S017,A1\n152,5,1.5,1\n152,6,0.5,2\n604,6,1,1\n604,6,1,2\n"
    table = table_of(tmp_path, rows, "s003", "S017")
    assert table.header[3] == "country"
    assert shares(table, "A1")["Chile", "1"] == (0.75, "2")
    assert any("152 is Chile" in note for note in table.notes)
    rows = rows.replace("S003", "party").replace("152", "Greens").replace("604", "Blues")
    assert table_of(tmp_path, rows, "party").header[3] == "party"


def test_what_may_be_wrong_with_shares_is_told(tmp_path):
    """Weights that were not used, waves that were taken together, and how to take one."""
    rows = "cntry,wave,weight,A1\nCL,5,1.5,1\nCL,6,0.5,2\nCL,6,0.5,1\nPE,6,1,1\n"
    notes = " ".join(table_of(tmp_path, rows, "cntry").notes)
    assert "weight look like weights: give one by --weight" in notes
    assert "(wave: 5, 6); take one of them by --where wave=6" in notes
    one = table_of(tmp_path, rows, "cntry", "weight", where=["wave=6"])
    assert shares(one, "A1")["CL", "1"] == (0.5, "2")
    assert "--where" not in " ".join(one.notes)
    with pytest.raises(SpecificationError, match="Nobody has '7' in the column 'wave'"):
        table_of(tmp_path, rows, "cntry", where=["wave=7"])


def test_labels_of_survey_programmes(tmp_path):
    """Codes in front of names, codes of two letters with a name, and parts of countries in a Stata file."""
    pyreadstat = pytest.importorskip("pyreadstat")
    import pandas

    path = tmp_path / "issp.sav"
    frame = pandas.DataFrame({"land": [36.0, 36.0, 826.0, 276.0], "v1": [1.0, 9.0, 1.0, 2.0]})
    names = {36: "36. AU-Australia", 826: "826. GB-Great Britain and/or others", 276: "DE-W"}
    answers = {1: "1. Agree", 2: "2. Disagree", 9: "9. No answer"}
    pyreadstat.write_sav(frame, str(path), variable_value_labels={"land": names, "v1": answers})
    table = tabulate(read_respondents(path), "land")
    shared = tmp_path / "shares.csv"
    shared.write_text("\n".join(",".join(row) for row in [table.header, *table.rows]))
    opinions = load_instrument(shared)
    assert dict(opinions.countries) == {"AUS": 1, "GBR": 1}
    assert {d.sample.country for d in opinions.distributions} == {"AUS", "GBR", "X-GEW"}
    path = tmp_path / "gss.dta"
    frame = pandas.DataFrame(
        {"land": ["Peru"] * 4, "v1": pandas.Series([1, 2, "d", 1], dtype=object)}
    )
    labels = {"v1": {1: "Yes", 2: "No"}}
    pyreadstat.write_dta(
        frame, str(path), missing_user_values={"v1": ["d"]}, variable_value_labels=labels
    )
    table = tabulate(read_respondents(path), "land")
    assert {(row[2], row[7]) for row in table.rows} == {("Yes", "no"), ("No", "no"), ("d", "yes")}


def test_columns_of_several_answers_and_codes_that_nobody_gave(tmp_path):
    """KoboToolbox's column of all answers is none; 77 is no answer of a scale that few used."""
    rows = "country,likes,likes/sun,trust,_id\n" + "".join(
        f"{country},{likes},{int('sun' in likes)},{trust},{n}\n"
        for n, (country, likes, trust) in enumerate(
            [
                ("Peru", "sun", 3),
                ("Peru", "sun rain", 7),
                ("Chile", "rain", 10),
                ("Chile", "sun", 77),
            ]
        )
    )
    path = tmp_path / "kobo.csv"
    path.write_text(rows)
    table = tabulate(read_respondents(path), "country")
    assert {row[0] for row in table.rows} == {"likes/sun", "trust"}
    trust = {(row[2], row[3]): (row[4], row[-1]) for row in table.rows if row[0] == "trust"}
    assert trust["10", "Chile"] == ("0.500000", "no") and trust["77", "Chile"] == (
        "0.500000",
        "yes",
    )
    told = " ".join(table.notes)
    assert "several answers: likes." in told and "nobody gave are no options" in told


def test_a_scale_with_words_at_its_ends_has_all_points_between(tmp_path):
    """0 and 10 are labelled and nobody gave 4: the options are still eleven, in order."""
    pyreadstat, pandas = pytest.importorskip("pyreadstat"), pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {"country": ["Peru", "Peru", "Chile", "Chile"], "trust": [0.0, 3, 10, 77]}
    )
    labels = {"trust": {0: "None", 10: "Full", 77: "Refusal"}}
    pyreadstat.write_sav(frame, str(tmp_path / "it.sav"), variable_value_labels=labels)
    table = tabulate(read_respondents(tmp_path / "it.sav"), "country")
    options = [row[2] for row in table.rows if row[3] == "Peru" and row[-1] == "no"]
    assert options == ["None", *map(str, range(1, 10)), "Full"]


@pytest.mark.parametrize(
    ("cells", "several"),
    [
        (["Bus;Train", "Bus", "Train"], True),  # Google Forms
        (["1,3", "1", "3", "1,2,3"], True),  # Qualtrics
        (["Yes; but later", "No", "No"], False),
        (["Yes, much", "Yes, little", "No, never", "No"], False),
        (["1,5", "2,5", "1,0"], False),  # decimal commas
    ],
)
def test_several_answers_in_one_cell_are_no_answer_of_their_own(cells, several, tmp_path):
    """Where pieces of some cells are cells of others, the column is named and not tabulated."""
    rows = "".join(f'"{c}",Chile,{n % 2}\n' for n, c in enumerate(cells))
    path = tmp_path / "export.csv"
    path.write_text("what,country,other\n" + rows)
    people = read_respondents(path)
    table = tabulate(people, "country")
    assert ("several answers: what." in " ".join(table.notes)) == several
    assert any(row[0] == "what" for row in table.rows) != several
    assert tabulate(people, "country", items=["what"]).rows  # who asks for it gets it
