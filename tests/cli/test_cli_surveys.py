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
