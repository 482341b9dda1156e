"""Targets as people have them: codes, units, columns and labels that today's readers take wrongly."""

from __future__ import annotations

import json
import math
import warnings

import numpy as np
import pytest

from blackbox_align.errors import DataFileError
from blackbox_align.objectives.constants import settle_constants
from blackbox_align.populations import load_targets
from blackbox_align.populations.labels import read_labels
from blackbox_align.surveys import load_survey

SIX = ("PDI", "IDV", "MAS", "UAI", "LTO", "IVR")
HEAD = "country,PDI,IDV,MAS,UAI,LTO,IVR\n"
ROWS = "Chile,63,23,28,86,31,68\nJapan,54,46,95,92,88,42\nIndia,77,48,56,40,51,26\n"


@pytest.fixture
def load(tmp_path):
    def from_text(text, name="mine.csv"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return load_targets(path)

    return from_text


@pytest.mark.parametrize("code", [-1, -9, -99, 999, 9999])
@pytest.mark.parametrize("form", ["csv", "json"])
def test_a_missing_code_is_missing_in_every_form_and_named(code, form, load):
    """Whatever reads it, a code in one of the six indices is no figure, and the note names it."""
    text = HEAD + ROWS + f"Peru,64,16,42,{code},25,46\n"
    if form == "json":
        header, *rows = [line.split(",") for line in text.strip().splitlines()]
        entries = [
            dict(zip(["title", *map(str.lower, header[1:])], row, strict=True)) for row in rows
        ]
        text = json.dumps(entries)
    targets = load(text, f"mine.{form}")
    figures = dict(zip(targets.indices, targets.figures["PER"], strict=True))
    assert math.isnan(figures["UAI"]) and figures["PDI"] == 64
    assert any(f"UAI of Peru ({code})" in note for note in targets.notes)
    assert targets.complete(SIX) == ["CHL", "JPN", "IND"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (HEAD + ROWS + "Peru,-7000,16,42,87,25,46\n", "PDI of Peru is -7000, which lies far from"),
        (HEAD + ROWS + "Peru,640,16,42,87,25,46\n", "PDI of Peru is 640, which lies far from"),
        ("country,OPEN\nChile,20\nJapan,15\nIndia,12\nPeru,-99\n", "OPEN of Peru is -99, which looks like"),
        ("country,OPEN\nChile,20\nJapan,15\nIndia,12\nPeru,999\n", "OPEN of Peru is 999, which looks like"),
        ("country,OPEN\nChile,2\nJapan,1.5\nIndia,1\nPeru,400\n", "OPEN of Peru is 400, which lies far"),
        (HEAD + "Chile,.63,.23,.28,.86,.31,.68\nJapan,.5,.4,.9,.9,.8,.4\n", "multiply them by 100"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_asked_about_until_it_is_checked(text, sentence, load):
    """A figure far outside, a code and fractions are refused; `checked` in the row says they are meant."""
    with pytest.raises(DataFileError, match=sentence):
        load(text)
    header, *rows = text.strip().splitlines()
    checked = "\n".join([f"{header},checked", *(f"{row},yes" for row in rows)])
    assert len(load(checked)) == len(rows)


def test_an_index_of_ones_own_may_be_negative_or_minus_one(load):
    """-1 among figures on both sides of 0 is a figure."""
    targets = load("country,OPEN\nChile,20\nJapan,-10\nIndia,-1\n")
    assert targets.figures["IND"] == (-1.0,)
    assert targets.notes == ()


def test_fractions_of_an_index_of_ones_own_are_asked_about(load):
    """0..1 may be its unit or points divided by 100; beside indices in points it is asked about as well."""
    with pytest.raises(
        DataFileError, match=r"all figures of OPEN lie between 0 and 1 \(0\.1 to 0\.7\)"
    ):
        load("country,PDI,OPEN\nChile,63,0.1\nJapan,54,0.7\n")
    meant = load("country,PDI,OPEN,checked\nChile,63,0.1,yes\nJapan,54,0.7,\n")
    assert meant.figures["JPN"] == (54, 0.7)
    assert load("country,OPEN\nChile,0\nJapan,1\n").figures["JPN"] == (1,)


def test_complete_means_the_indices_of_the_survey(load):
    """A further column of numbers, blank for some, decides nothing; plain ones are named as not read."""
    text = (HEAD + ROWS).replace("IVR\n", "IVR,survey_n,gdp growth\n")
    text = text.replace("68\n", "68,,1.5\n").replace("42\n", "42,900,\n").replace("26\n", "26,,2\n")
    targets = load(text)
    assert targets.complete(SIX) == ["CHL", "JPN", "IND"]
    assert any("survey_n" in note for note in targets.notes)


@pytest.mark.parametrize(
    "header",
    ["Country,pdi,idv,mas,uai,lto,ind", "Entity,Power distance,Individualism,Masculinity,"
     "Uncertainty avoidance,Long term orientation,Indulgence",
     "cntry,power.distance,individualism,masculinity,uncertainty_avoidance,ltowvs,ivr",
     "iso3,Power Distance Index,IDV,MAS,UAI,Long-Term Orientation,Indulgence vs. Restraint"],
)  # fmt: skip
def test_columns_are_known_by_all_of_their_spellings(header, load):
    """Indices and the column of countries are found under the names that files give them."""
    text = (HEAD + ROWS).replace(HEAD.strip(), header)
    if header.startswith("iso3"):
        text = text.replace("Chile", "CHL").replace("Japan", "JPN").replace("India", "IND")
    targets = load(text)
    assert targets.indices == SIX and set(targets.figures) == {"CHL", "JPN", "IND"}


def test_decimal_commas_are_read_where_they_separate_nothing(load):
    """63,5 in a file of semicolons is 63.5; beside 1.5 it is asked about."""
    assert load("country;PDI;IDV\nChile;63,5;23\n").figures["CHL"] == (63.5, 23)
    with pytest.raises(DataFileError, match="not a number"):
        load("country;PDI;IDV\nChile;63,5;23\nJapan;54.5;46\n")
    with pytest.raises(DataFileError, match="'1,200', not a number"):
        load("country\tOPEN\nChile\t1,200\nJapan\t1,300\n")


def test_a_key_that_stands_twice_in_json_is_told(load):
    """The second Chile of an object would take the place of the first without a word."""
    with pytest.raises(DataFileError, match="'Chile' stands twice"):
        load('{"Chile": {"PDI": 63, "IDV": 23}, "Chile": {"PDI": 1, "IDV": 2}}', "mine.json")


def test_all_unknown_spellings_are_told_at_once(load):
    """Each with its line and what may be meant."""
    with pytest.raises(DataFileError) as caught:
        load(HEAD + ROWS + "Untied States,1,1,1,1,1,1\nKorea,1,1,1,1,1,1\nAtlantis,1,1,1,1,1,1\n")
    for part in ("3 labels", "'Untied States' (line 5, perhaps United States", "'Korea' (line 6, perhaps "
                 "South Korea or North Korea)", "'Atlantis' (line 7"):  # fmt: skip
        assert part in str(caught.value)


def test_a_code_that_contradicts_the_name_beside_it_is_told(load):
    """AUT beside Australia is a mistake in one of them; a column of another scheme is not read."""
    with pytest.raises(DataFileError, match="line 3: 'AUT' is Austria, the name Australia"):
        load("country,code,PDI\nChile,CHL,63\nAustralia,AUT,38\n")
    targets = load("country,code,PDI\nChile,CHL,63\nGermany,GER,35\n")
    assert targets.figures["DEU"] == (35,) and any("'GER'" in note for note in targets.notes)


@pytest.mark.parametrize(
    ("labels", "doubt"),
    [
        (["uk", "ar", "sv", "sl"], "languages"),
        (["en", "AR", "zh"], "languages"),
        (["GER", "AUT", "SPA", "CHI"], "another scheme's"),
        (["NED", "SUI", "USA"], "another scheme's"),
        (["us", "ke", "br"], ""),
        (["AR", "SV", "US"], ""),
        (["KEN", "USA", "AUT"], ""),
        (["de", "fr", "it"], ""),
    ],
)
def test_codes_are_read_where_the_whole_column_is_of_one_scheme(labels, doubt):
    """Languages and other schemes' codes are asked about; ISO's are read."""
    found = read_labels(labels)
    assert (doubt in found.doubt) if doubt else not found.doubt


def test_na_is_namibia_among_codes_of_two_letters_only():
    """Among names, and among codes of three letters, it is a missing value."""
    codes = read_labels(["KE", "BR", "NA"])
    assert codes.found["NA"].code == "NAM" and any("Namibia" in note for note in codes.notes)
    for labels in (["Kenya", "NA"], ["KEN", "BRA", "NA"], ["NA"]):
        assert "NA" not in read_labels(labels).found
        assert "missing value" in read_labels(labels).unknown["NA"]


def test_two_labels_of_one_country_are_told():
    """Britain and Great Britain are one country, which a reader has to know."""
    (note,) = read_labels(["Britain", "Great Britain", "Kenya"]).notes
    assert note == "'Britain', 'Great Britain' are all read as United Kingdom."


def test_the_anchor_is_never_the_one_country_that_is_fitted(load):
    """A set of one country takes the packaged set's mean, or says what to do; and numpy is silent."""
    survey = load_survey("vsm2013")
    own = load(HEAD + "Chile,63,23,28,,31,68\n")
    means = np.full((1, len(survey.items)), 3.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        constants = settle_constants("anchor", survey, own, lambda country: means)
    np.testing.assert_allclose(constants.array(), load_targets().mean(SIX))
    assert own.known_countries(SIX) == ["CHL"]
    nobody = load("country,OPEN,SHUT\nChile,1,\nJapan,2,\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(nobody.mean(["SHUT", "OTHER"])).all()


def test_an_excel_sheet_is_read_like_a_table(tmp_path):
    """The same figures as from the CSV file; a sheet of remarks is named, several tables are asked about."""
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in [HEAD.strip().split(","), ["Chile", 63.5, 23, None, 86, 31, 68]]:
        book.active.append(row)
    path = tmp_path / "mine.xlsx"
    book.save(path)
    targets = load_targets(path)
    assert targets.figures["CHL"][:2] == (63.5, 23) and math.isnan(targets.figures["CHL"][2])
    more = book.create_sheet("more")
    more.append(["x"])
    book.save(path)
    assert load_targets(path).notes == ("Not read: the sheets more.",)
    for row in [["country", "PDI"], ["Japan", 54], ["Peru", 64]]:
        more.append(row)
    book.save(path)
    with pytest.raises(DataFileError, match="several sheets"):
        load_targets(path)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"PAR1....", "parquet"),
        (b"\xd0\xcf\x11\xe0....", r"old Office program \(\.doc, \.ppt\)"),
        (b"$FL2@(#)", "SPSS file.*surveys tabulate"),
        (b"%PDF-1.7", "PDF"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"PK\x03\x04broken", "zip archive"),
        (b'<?xml version="1.0"?><document><LimeSurveyDocType>Survey', "LimeSurvey"),
    ],
)
def test_a_file_of_another_format_is_told_what_it_is(content, sentence, tmp_path):
    """The first bytes tell, and the sentence names the way; saving as UTF-8 is not it."""
    path = tmp_path / "mine.csv"
    path.write_bytes(content)
    with pytest.raises(DataFileError, match=f"(?s){sentence}") as caught:
        load_targets(path)
    assert "UTF-8" not in str(caught.value)


def test_a_row_per_country_and_index_is_turned(load):
    """The long form gives the same set, and so does a table on its side; a figure twice is told."""
    wide = load("country,PDI,IDV\nChile,63,23\nJapan,54,46\n")
    long = "country,dimension,value\nChile,pdi,63\nJapan,PDI,54\nChile,IDV,23\nJapan,IDV,46\n"
    assert load(long.replace("pdi", "PDI")).sha256 == wide.sha256
    with pytest.raises(DataFileError, match="line 6: PDI of Japan stands here twice"):
        load(long.replace("pdi", "PDI") + "Japan,PDI,9\n")
    assert load("dimension,Chile,Japan\nPDI,63,54\nIDV,23,46\n").sha256 == wide.sha256
    with pytest.raises(DataFileError, match="its columns are countries; turn the table"):
        load("dimension,Chile,Japan\nPDI,63,54\n")


@pytest.mark.parametrize(
    ("label", "code"),
    [("South Korea (ROK)", "KOR"), ("Korea, South (ROK)", "KOR"), ("Korea (ROK)", "KOR"),
     ("Congo (DRC)", "COD"), ("KOR: South Korea", "KOR"), ("België / Belgique", "BEL"), ("DE-W", "X-GEW"),
     ("Taiwan (ROC)", "TWN"), ("Germany (Deutschland)", "DEU"), ("Niger (Nigeria)", None),
     ("Georgia (US)", None), ("France (Paris)", None), ("Czech Republic / Slovakia", None)],
)  # fmt: skip
def test_a_label_that_names_a_country_twice_is_read_where_both_agree(label, code):
    """Brackets, slashes and colons hold the same country in other words, or the label is asked about."""
    found = read_labels([label, "Chile"]).found.get(label)
    assert (found.code if found else None) == code


def test_names_of_rows_that_are_no_countries_in_other_languages():
    """Totals and means are known everywhere, and parts of the world beside countries."""
    labels = ["Chile", "Итого", "Moyenne", "合計", "Afrika", "Lateinamerika", "Monde", "toplam"]
    assert read_labels(labels).sums == (
        "Итого",
        "Moyenne",
        "合計",
        "toplam",
        "Afrika",
        "Lateinamerika",
        "Monde",
    )
    assert read_labels(["Afrika"]).sums == ()
