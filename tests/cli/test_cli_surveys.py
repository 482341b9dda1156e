"""``bbalign surveys``: the list, the items of one survey, and the check of a file."""

from __future__ import annotations

import json
from importlib.resources import files

OPINIONS = """\
name: tea
items:
  - id: tea
    question: Do you drink tea?
    options: [often, never, Refused]
    shares:
      KEN: [60, 30, 10]
      Atlantis: [50, 50, 0]
      USA: [0, 0, 100]
"""


def test_the_surveys_that_ship_are_listed_and_shown(bbalign):
    """The list names them with their size; ``show`` has an item's effect or its source."""
    listed = json.loads(bbalign("surveys", "--json").stdout)
    assert {s["name"]: s["items"] for s in listed["surveys"]} == {
        "vsm2013": 24, "world-opinions": 40,
    }  # fmt: skip
    table = bbalign("surveys").stdout
    assert "of 18 countries" in table and "tool-2023-05" in table
    items = json.loads(bbalign("surveys", "show", "world-opinions", "--json").stdout)
    assert all(item["source"].startswith(("World Values", "Pew")) for item in items)
    assert "raises PDI" in bbalign("surveys", "show", "vsm2013").stdout


def test_check_counts_what_is_read_and_names_every_row_left_out(bbalign, tmp_path):
    """Each dropped distribution stands there with its reason and its place; the exit code is 0."""
    file = tmp_path / "tea.yaml"
    file.write_text(OPINIONS, encoding="utf-8")
    done = bbalign("surveys", "check", str(file))
    assert done.returncode == 0, done.stderr
    for part in ("an opinion survey", "3 distributions read, 1 distributions kept", "label 'Atlantis'",
                 "line 8", "nobody in the sample gave an opinion", "line 9"):  # fmt: skip
        assert part in done.stdout
    found = json.loads(bbalign("surveys", "check", str(file), "--json").stdout)
    assert sum(map(len, found["left_out"].values())) == 2


def test_check_reads_every_kind_of_file(bbalign, tmp_path):
    """A survey with indices, people's answers and a test of knowledge are told apart."""
    vsm = files("blackbox_align.surveys.data") / "vsm2013" / "survey.yaml"
    assert "24 items, 6 scales, 6 indices" in bbalign("surveys", "check", str(vsm)).stdout
    test = tmp_path / "hard.csv"
    test.write_text(
        "question_idx,prompt_question,prompt_option,answer,country\nq1,Who?,me,true,Kenya\n",
        encoding="utf-8",
    )
    assert "a test of knowledge" in bbalign("surveys", "check", str(test)).stdout


def test_check_ends_with_2_and_the_line_of_a_mistake(bbalign, tmp_path):
    """A file with a mistake is one sentence with its line, and exit code 2, as in a fit or a score."""
    file = tmp_path / "tea.yaml"
    file.write_text(OPINIONS.replace("[60, 30, 10]", "[60, 30]"), encoding="utf-8")
    done = bbalign("surveys", "check", str(file))
    assert (done.returncode, done.stdout) == (2, "")
    assert "tea.yaml, line 7: KEN needs a list of 3 shares" in done.stderr
    assert bbalign("surveys", "check", "nowhere.csv").returncode == 2


def test_check_takes_targets_and_shows_what_is_read_as_what(bbalign, tmp_path):
    """A table of figures is a target set: labels with their codes, figures, and what was not read."""
    file = tmp_path / "mine.CSV"
    file.write_text(
        "Country,pdi,idv,survey_n\nChile,63,-1,900\nGreat Britain,35,89,\n", encoding="utf-8"
    )
    done = bbalign("surveys", "check", str(file))
    assert done.returncode == 0, done.stderr
    for part in ("a target set", "2 rows, 1 complete rows, 2 indices", "United Kingdom", "GBR",
                 "IDV of Chile (-1)", "survey_n"):  # fmt: skip
        assert part in done.stdout
    assert "a target set" in bbalign("surveys", "check", "matrix-2015").stdout


def test_check_shows_order_people_and_options_on_both_sides(bbalign, tmp_path):
    """Options in order, whether they are ordered, labels read as countries, left out and look-alikes."""
    file = tmp_path / "tea.csv"
    rows = [(o, s) for o, s in (("2", 30), ("1", 50), ("Not sure", 5), ("Refused", 15))]
    text = "item,question,option,country,count\n"
    text += "".join(
        f"tea,Tea [red]?,{o},{place},{s}\n" for o, s in rows for place in ("East Africa", "Chile")
    )
    file.write_text(text, encoding="utf-8")
    done = bbalign("surveys", "check", str(file), "--model", "respondent-tiny")
    assert done.returncode == 0, done.stderr
    for part in ("Tea [red]?", "A = 2, B = 1, C = Not sure", "X-AFE", "region", "Refused (1)",
                 "Not sure (1)", "can be asked every item", "100"):  # fmt: skip
        assert part in done.stdout
    found = json.loads(bbalign("surveys", "check", str(file), "--json").stdout)
    assert found["options_left_out"] == {"Refused": 1}
    assert found["look_alikes_kept"] == {"Not sure": 1}


def test_check_names_the_items_that_a_model_cannot_be_asked(bbalign, tmp_path):
    """Labels of several tokens are named with the item, and the file is sound all the same."""
    file = tmp_path / "mine.yaml"
    file.write_text(
        "name: mine\ninstruction: Tick one.\nscales:\n  s: {1: a, 10: b}\n"
        'items:\n  - {id: q1, scale: s, text: "How?"}\n',
        encoding="utf-8",
    )
    done = bbalign("surveys", "check", str(file), "--model", "respondent-tiny")
    assert done.returncode == 0 and "cannot be asked q1" in done.stdout


def test_tabulate_writes_what_check_reads(bbalign, tmp_path):
    """Rows of respondents become shares with their numbers; a column that is no country makes groups."""
    file = tmp_path / "rows.csv"
    rows = ["cntry,party,q", "KE,green,1", "KE,blue,2", "BR,green,2", "BR,blue,2"]
    file.write_text("\n".join(rows), encoding="utf-8")
    told = bbalign("surveys", "check", str(file))
    assert told.returncode == 2 and "surveys tabulate rows.csv --country cntry" in told.stderr
    out = tmp_path / "shares.csv"
    done = bbalign(
        "surveys", "tabulate", str(file), "--country", "cntry", "--item", "q", "--output", str(out)
    )
    assert done.returncode == 0, done.stderr
    assert "2 countries" in bbalign("surveys", "check", str(out)).stdout
    done = bbalign(
        "surveys", "tabulate", str(file), "--country", "party", "--item", "q", "--output", str(out)
    )
    assert done.returncode == 0, done.stderr
    checked = bbalign("surveys", "check", str(out)).stdout
    assert "2 groups" in checked
    assert "Answer as a typical person of this group would: party green." in checked
