"""Target files: the public ones in all their variants, and a user's own with every mistake."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blackbox_align.errors import DataFileError
from blackbox_align.populations import load_targets
from blackbox_align.populations.targets import read_targets
from tests.reference_data import reference

SIX = ("PDI", "IDV", "MAS", "UAI", "LTO", "IVR")
GOOD = "country,PDI,IDV\nSAU,72,48\nFrance,68,\n"


@pytest.fixture
def load(tmp_path):
    def from_text(text, name="mine.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_targets(path)

    return from_text


def rows(targets):
    return {
        code: [None if math.isnan(value) else value for value in row]
        for code, row in targets.figures.items()
    }


# -- the public files ---------------------------------------------------------------------------

FILES = {  # rows, rows with all six figures, estimates
    "hofstede6d_2015-08-16.csv": (111, 65, 0),
    "hofstede6d_2015-08-16_unrounded.csv": (111, 65, 0),
    "variants/hofstede6d_copy2_missing_DOM.csv": (110, 65, 0),
    "variants/hofstede6d_copy3_comma.csv": (111, 65, 0),
    "variants/hofstede6d_copy4_iso3_no_regions.csv": (101, 62, 0),
    "hofstede_insights_2022-03.json": (118, 93, 48),
    "hofstede_insights_2023-05.json": (118, 96, 48),
}


@pytest.mark.parametrize("name", FILES)
def test_every_public_file_is_read_whole(name):
    """Each copy in circulation is read with all of its rows, figures, gaps and estimate flags."""
    targets = read_targets(reference(f"hofstede/{name}"))
    assert targets.indices == SIX
    assert (len(targets), len(targets.complete()), len(targets.estimates)) == FILES[name]


def test_no_public_file_of_the_folder_is_left_out():
    """The files above are all that there are."""
    folder = reference("hofstede")
    found = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.suffix in (".csv", ".json")}
    assert found == FILES.keys()


def test_the_copies_of_the_matrix_agree():
    """Copies differ from the canonical matrix by the rows that are known to be missing only."""
    whole = rows(read_targets(reference("hofstede/hofstede6d_2015-08-16.csv")))
    comma = rows(read_targets(reference("hofstede/variants/hofstede6d_copy3_comma.csv")))
    assert comma == whole
    missing = rows(read_targets(reference("hofstede/variants/hofstede6d_copy2_missing_DOM.csv")))
    assert missing == {code: row for code, row in whole.items() if code != "DOM"}
    name = "hofstede/variants/hofstede6d_copy4_iso3_no_regions.csv"
    countries_only = rows(read_targets(reference(name)))
    assert countries_only == {c: row for c, row in whole.items() if not c.startswith("X-")}


def test_the_unrounded_matrix_rounds_to_the_canonical_one():
    """Every figure of the unrounded file, rounded, is the figure of the canonical file."""
    whole = rows(read_targets(reference("hofstede/hofstede6d_2015-08-16.csv")))
    unrounded = rows(read_targets(reference("hofstede/hofstede6d_2015-08-16_unrounded.csv")))
    assert unrounded != whole
    assert whole == {
        code: [None if value is None else math.floor(value + 0.5) for value in row]
        for code, row in unrounded.items()
    }


def test_figures_per_index_and_beyond_100():
    """The matrix has 78, 78, 78, 78, 96 and 97 figures; some exceed 100 and are kept as they are."""
    targets = read_targets(reference("hofstede/hofstede6d_2015-08-16.csv"))
    columns = list(zip(*targets.figures.values(), strict=True))
    known = [sum(not math.isnan(value) for value in column) for column in columns]
    assert known == [78, 78, 78, 78, 96, 97]
    largest = [max(value for value in column if not math.isnan(value)) for column in columns]
    assert (largest[0], largest[2], largest[3]) == (104, 110, 112)


def test_the_editions_of_the_tool_differ_in_six_countries():
    """Between March 2022 and May 2023 the tool changed all six figures of six countries."""
    older = rows(read_targets(reference("hofstede/hofstede_insights_2022-03.json")))
    newer = rows(read_targets(reference("hofstede/hofstede_insights_2023-05.json")))
    # Where the older edition prints 0 it does not say which it means: two such cells are 0 now.
    ambiguous = {("PAK", "IVR"), ("PRI", "LTO")}
    changed = {
        (code, index)
        for code in older
        for index, then, now in zip(SIX, older[code], newer[code], strict=True)
        if then != now
    } - ambiguous
    countries = ("EGY", "IRQ", "LBN", "LBY", "SAU", "ARE")
    assert changed == {(code, index) for code in countries for index in SIX}


def test_a_zero_is_a_figure_where_the_file_marks_gaps_otherwise():
    """The 2023 tool marks a gap by -1 or nothing, so its zeros are figures; in 2022, 0 is a gap."""
    newer = rows(read_targets(reference("hofstede/hofstede_insights_2023-05.json")))
    assert (newer["PAK"][5], newer["PRI"][4], newer["EGY"][5]) == (0, 0, 0)
    assert newer["QAT"][4:] == newer["CRI"][4:] == [None, None]
    older = rows(read_targets(reference("hofstede/hofstede_insights_2022-03.json")))
    assert older["CRI"][4:] == [None, None]
    assert older["ISR"] == [13, 54, 47, 81, 38, None]


# -- a user's own file --------------------------------------------------------------------------


def test_a_users_file_is_read(load, tmp_path):
    """Codes or names, any of the indices, gaps: the figures come out under ISO codes."""
    targets = load(GOOD)
    assert (targets.name, targets.indices) == ("mine", ("PDI", "IDV"))
    assert rows(targets) == {"SAU": [72, 48], "FRA": [68, None]}
    assert targets.source == str(tmp_path / "mine.csv")


@pytest.mark.parametrize(
    "text",
    [
        GOOD.replace(",", ";"),
        GOOD.replace(",", "\t"),
        GOOD.replace("\n", "\r\n"),
        GOOD.encode("utf-8-sig"),
        GOOD.replace("\n", "\n\n") + "\n \n",
        GOOD + ",,\n",
        '"country","PDI","IDV"\n"SAU","72","48"\n"France","68",""\n',
        GOOD.replace("PDI,IDV", " pdi , Idv "),
        GOOD.replace("country", "code"),
        GOOD.replace("country", "Country"),
        GOOD.rstrip("\n"),
    ],
)
def test_separators_quotes_line_ends_and_case_do_not_matter(text, load):
    """The same table is read from the files that spreadsheets write."""
    assert rows(load(text)) == {"SAU": [72, 48], "FRA": [68, None]}
    assert load(text).sha256 == load(GOOD).sha256


@pytest.mark.parametrize("gap", ["", " ", "NA", "n/a", "#NULL!", "null", "NaN", "-", "."])
def test_every_usual_mark_of_a_gap_is_one(gap, load):
    """A missing figure stays missing however it is written."""
    assert rows(load(f"country,PDI,IDV\nSAU,{gap},48\n")) == {"SAU": [None, 48]}


def test_quoted_names_with_separators_are_one_cell(load):
    """A name with a comma in it is one cell where it is quoted."""
    assert rows(load('country,PDI\n"Korea, South",60\n"Côte d\'Ivoire",1\n')) == {
        "KOR": [60],
        "CIV": [1],
    }


def test_estimates_are_flagged_by_a_star_or_a_column(load):
    """An asterisk behind the name or `yes` under `estimate` marks a row, and is no figure."""
    targets = load("country,PDI,estimate\nSaudi Arabia*,72,\nKEN,70,yes\nUSA,40,\n")
    assert targets.estimates == {"SAU", "KEN"}
    assert targets.indices == ("PDI",)


MISTAKES = {
    "unknown country": ("SAU,72,48\nFrnace,1,2\n", 3, "Unknown country 'Frnace'. Did you mean 'France'"),
    "beginning of a name": ("Saudi,72,48\n", 2, "Unknown country 'Saudi'. Did you mean 'Saudi Arabia'"),
    "no country": (",72,48\n", 2, "Unknown country ''"),
    "duplicate country": ("SAU,1,2\nUSA,1,2\nSaudi Arabia,3,4\n", 4, "Saudi Arabia stands here twice"),
    "short row": ("SAU,72,48\nUSA,40\n", 3, "2 cells where the first line has 3; leave a cell empty"),
    "long row": ("SAU,72,48\nKorea, South,1,2\n", 3, "4 cells .* quote one that holds a separator"),
    "text for a figure": ("SAU,72,high\n", 2, "IDV is 'high', not a number; .*leave the cell empty"),
    "decimal comma": ('SAU,"72,5",48\n', 2, "PDI is '72,5', not a number; write one such as 64.5"),
    "infinite figure": ("SAU,inf,48\n", 2, "PDI is 'inf', not a number"),
    "open quote": ('SAU,72,48\nUSA,"40,91\nFRA,1,2\n', 3, "quotation mark not closed"),
    "text behind a quote": ('SAU,"72"0,48\n', 2, "not a CSV table"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_mistake_gets_file_line_and_mend(mistake, end, load, tmp_path):
    """Every mistake is a DataFileError that names the file, the line and the mend."""
    body, line, sentence = MISTAKES[mistake]
    with pytest.raises(DataFileError, match=sentence) as caught:
        load(("country,PDI,IDV\n" + body).replace("\n", end))
    assert caught.value.line == line
    assert str(caught.value).startswith(f"{tmp_path / 'mine.csv'}, line {line}: ")


def test_lines_are_counted_with_blank_and_folded_ones(load):
    """The line named is the one that an editor shows, behind blank lines and cells with a break."""
    text = '\ncountry,PDI,IDV\n\n"Saudi\nArabia",72,48\nAtlantis-upon-Sea,1,2\n'
    with pytest.raises(DataFileError, match="Unknown country 'Atlantis-upon-Sea'") as caught:
        load(text)
    assert caught.value.line == 6


@pytest.mark.parametrize(
    ("text", "line", "sentence"),
    [
        ("", 1, "expected a header such as 'country,PDI"),
        ("\n\n", 1, "expected a header such as 'country,PDI"),
        ("just one word\n", 1, "expected a header"),
        ("PDI,IDV\n72,48\n", 1, "expected one column named 'country' .*found 'PDI', 'IDV'"),
        ("country,country,PDI\nSAU,SAU,1\n", 1, "expected one column named 'country'"),
        ("country,code\nSaudi Arabia,SAU\n", 1, "there is no index column; add PDI"),
        ("country,PDI,pdi\nSAU,1,2\n", 1, "the column PDI stands here twice"),
        ("country,PDI\n", None, "there is no row of figures in it"),
        (
            "country,PDI\nCôte d'Ivoire,1\n".encode("latin-1"),
            2,
            "not UTF-8 text .*save the file as",
        ),
        ("country,PDI\nSAU,1\n".encode("utf-16")[:-1], 2, "not UTF-8 text"),
    ],
)
def test_a_file_that_is_no_table_of_targets(text, line, sentence, load):
    """A file without a header, an index or a row is a DataFileError that says what is expected."""
    with pytest.raises(DataFileError, match=sentence) as caught:
        load(text)
    assert caught.value.line == line


def test_a_missing_file_or_a_folder_gets_a_sentence(tmp_path):
    """What is no file is a DataFileError that says what it is instead."""
    with pytest.raises(DataFileError, match="there is no such file"):
        load_targets(tmp_path / "none.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(DataFileError, match="this is a folder"):
        load_targets(tmp_path / "folder.csv")


ENTRY = {"title": "Chad*", "pdi": 1, "idv": 2, "mas": 3, "uai": 4, "lto": 5, "ind": 6}


def test_the_tools_json_is_read(load):
    """An entry of the comparison tool gives six figures, IVR from its key `ind`."""
    targets = load(json.dumps([ENTRY]), "mine.json")
    assert rows(targets) == {"TCD": [1, 2, 3, 4, 5, 6]}
    assert targets.estimates == {"TCD"}


MALI = {"title": "Mali", "pdi": 1, "idv": 0, "mas": 3, "uai": 4, "lto": 5, "ind": 6}


@pytest.mark.parametrize("gap", ["-1", -1, "", None])
def test_zero_is_a_gap_only_where_nothing_else_marks_one(gap, load):
    """In the tool's JSON 0 means missing, unless the file marks what is missing in another way."""
    assert rows(load(json.dumps([ENTRY, MALI]), "mine.json"))["MLI"] == [1, None, 3, 4, 5, 6]
    marked = json.dumps([ENTRY | {"ind": gap}, MALI])
    assert rows(load(marked, "mine.json")) == {
        "TCD": [1, 2, 3, 4, 5, None],
        "MLI": [1, 0, 3, 4, 5, 6],
    }


def test_a_mistake_in_the_tools_json_is_at_the_line_of_its_entry(load):
    """The line named is that of the entry's title, as an editor shows it."""
    text = json.dumps([ENTRY, MALI | {"uai": "high"}], indent=1)
    with pytest.raises(DataFileError, match="UAI is 'high', not a number") as caught:
        load(text, "mine.json")
    assert "Mali" in text.splitlines()[caught.value.line - 1]


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ([ENTRY, {"title": "Mali"}], "entry 2 needs the keys idv, ind, lto"),
        ([5], "entry 1 needs the keys"),
        ({"countries": []}, "entry 1 needs the keys"),
        ([], "no row of figures"),
        ([ENTRY, ENTRY], "Chad stands here twice"),
        ([ENTRY | {"title": 7}], "Unknown country '7'"),
        ([ENTRY | {"pdi": "high"}], "PDI is 'high', not a number"),
        ([ENTRY | {"pdi": [1]}], "not a number"),
    ],
)
def test_a_mistake_in_the_tools_json_gets_a_sentence(value, sentence, load):
    """JSON of another shape is a DataFileError as well."""
    with pytest.raises(DataFileError, match=sentence):
        load(json.dumps(value), "mine.json")
    with pytest.raises(DataFileError, match="not valid JSON") as caught:
        load("[\n{,}\n]", "mine.json")
    assert caught.value.line == 2


def test_the_hash_is_of_the_figures_alone(load):
    """Two files with the same figures have one hash; another figure, or one more gap, another."""
    hashes = {
        load(text).sha256
        for text in (GOOD, GOOD.replace("72", "73"), GOOD.replace("72", ""), GOOD + "KEN,1,2\n")
    }
    assert len(hashes) == 4
    header, *body = GOOD.splitlines(keepends=True)
    assert load("".join([header, *reversed(body)])).sha256 == load(GOOD, "other.csv").sha256


@settings(max_examples=25, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["SAU", "USA", "CHN", "IND", "KEN", "X-ARA"]),
        # Half points that lie near enough to each other: others are asked about (see below).
        st.lists(
            st.one_of(st.none(), st.integers(40, 240).map(lambda n: n / 2)), min_size=2, max_size=2
        ),
        min_size=1,
    ),
    st.sampled_from([",", ";", "\t"]),
)
def test_what_is_written_is_read(tmp_path_factory, figures, separator):
    """Any table of plausible figures and gaps is read back to the last bit."""
    lines = [["country", "PDI", "IVR"]]
    lines += [[c, *("" if v is None else repr(v) for v in row)] for c, row in figures.items()]
    path = tmp_path_factory.mktemp("targets") / "own.csv"
    path.write_text("\n".join(separator.join(cells) for cells in lines))
    assert rows(load_targets(path)) == figures
