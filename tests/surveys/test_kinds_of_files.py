"""What the check says of each kind of file that people have: read rightly, or refused in a sentence."""

from __future__ import annotations

import ast
import importlib
import json
from dataclasses import asdict

import pytest

from blackbox_align.errors import BlackboxAlignError
from blackbox_align.surveys.checking import check
from blackbox_align.surveys.reading import read
from tests.reference_data import reference

BOOK = '[{"Q_id": "R", "question": "How often does it rain?", "option_lst": %s}]'
RAIN = '{"PER": {"R": {"-2": 1.0}}, "CHL": {"R": {"2": 0.25, "3": 0.5, "-1": 0.25}}}'
ROWS = "item,question,option,country,share\n"
SIX = "country,PDI,IDV,MAS,UAI,LTO,IVR\n"
HALF = "r,Rain?,yes,{0},0.5\nr,Rain?,no,{0},0.5\n"
SCALE = "name: rain\ninstruction: Answer with one number.\nscales:\n  s: {%s}\nitems:\n"
SCALE += '  - {id: r, scale: s, text: "Rain?"}\nindices:\n  WET: {title: Wet, weights: {r: 10}}\n'

# The kind: a file of its own, what must be said of it, the shared case, and what must be said of that.
KINDS = {
    "places known from the code book, missing codes out": (
        {"my.json": RAIN,
         "my_questions.json": BOOK % '{"1": "daily", "2": "weekly", "3": "never", "-1": "DK"}'},
        ["A = daily, B = weekly, C = never", "nobody in the sample gave an opinion': ('PER R',)",
         "'CHL', 'Chile', 'CHL'", "'DK': 1"],
        "d01_wvs_missing_codes/shares.json", ["may begin at 0 or at 1; write its options as {code: label}"],
    ),
    "missing codes among targets": (
        {"t.csv": SIX + "Chile,63,23,28,-99,31,68\nPeru,64,16,42,87,25,46\n"},
        ["UAI of Chile (-99)", "'complete rows': 1"],
        "d04_targets_minus1.csv", ["LTO of Kenya (-1)", "LTO of Japan (999)", "IVR of Kenya (-1)"],
    ),
    "a further column with blanks": (
        {"t.csv": SIX.replace("IVR", "IVR,sample_size")
                  + "Chile,63,23,28,86,31,68,\nPeru,64,16,42,87,25,46,9\n"},
        ["'complete rows': 2", "the columns sample_size"],
        "d05_targets_extra_column.csv", ["'complete rows': 5", "the columns survey_n"],
    ),
    "units of 0 to 1": (
        {"t.csv": SIX + "Chile,.63,.23,.28,.86,.31,.68\nPeru,.64,.16,.42,.87,.25,.46\n"},
        ["all figures lie between 0 and 1 (0.16 to 0.87)", "multiply them by 100"],
        "d06_targets_unit_scale.csv", ["all figures lie between 0 and 1", "multiply them by 100"],
    ),
    "refusals on a scale of an index": (
        {"s.yaml": SCALE % "1: dry, 2: wet, 3: soaked, 7: no answer"},
        ["1 = dry, 2 = wet, 3 = soaked", "7 = no answer"],
        "d07_scale_with_refusals.yaml", ["8 = refused, 9 = do not know"],
    ),
    "codes for no answer": (
        {"o.csv": ROWS + "".join(
            f"r,Rain?,{o},Chile,{s}\n" for o, s in ((1, 40), (2, 50), (77, 6), (-1, 4)))},
        ["A = 1, B = 2", "'77': 1", "'-1': 1"],
        "d08_nonresponse_codes.csv", ["A = 1, B = 2, C = 3", "'88': 1", "'99': 1"],
    ),
    "no answer in many languages": (
        {"o.csv": ROWS
                  + "r,Pleut-il ?,Oui,France,60\nr,Pleut-il ?,Non,France,30\nr,Pleut-il ?,NSP,France,10\n"},
        ["A = Oui, B = Non", "'NSP': 1"],
        "d10_dont_know_spellings.csv", ["No sabe / No contesta", "Weiß nicht", "-8. Don't know"],
    ),
    "the export of a data set with strings": (
        {"g.jsonl": json.dumps({
            "question": "Rain?", "options": "['Yes', 'No', 'Refused']",
            "selections": "defaultdict(<class 'list'>, {'Peru': [0.1, 0.8, 0.1]})"}) + "\n"},
        ["A = Yes, B = No", "'Peru', 'Peru', 'PER'", "'Refused': 1"],
        "d12_goqa_hf_export.jsonl", ["A = A lot, B = A little", "'Kenya', 'Kenya', 'KEN'"],
    ),
    "options torn apart": (
        {"g.json": json.dumps([{"question": "Question: Rain?\n"
                                "Options: A. Often B. ut not in May C. No\nAnswer:",
                                "options": ["Often", "ut not in May", "No"],
                                "attribute": "Peru", "gold_distribution": [0.2, 0.5, 0.3]}])},
        ["it is corrupted", "Often | ut not in May | No"],
        "d13_torn_options.json", ["it is corrupted", "Ye | ut only on weekends"],
    ),
    "rows in another order": (
        {"o.csv": ROWS + "".join(f"r,Rain?,{o},Peru,25\n" for o in "2413")
                  + "".join(f"r,Rain?,{o},Chile,25\n" for o in "1234")},
        ["A = 1, B = 2, C = 3, D = 4", "in another order", "'yes, 2 samples'"],
        "d14_order_scrambled.csv", ["A = 1, B = 2, C = 3, D = 4", "in another order"],
    ),
    "codes of languages": (
        {"o.csv": ROWS + "".join(HALF.format(code) for code in ("ar", "et", "uk", "da"))},
        ["look like languages and not like countries"],
        "d15_na_and_language_codes.csv", ["look like languages and not like countries"],
    ),
    "an index under another name": (
        {"t.csv": "iso3,power.distance,Individualism,ind\nCHL,63,23,68\nPER,64,16,46\n"},
        ["'PDI', 'IDV', 'IVR'", "'CHL', 'Chile', 'CHL', '63', '23', '68'"],
        "d17_column_ind.csv", ["'IVR'", "'70', '25', '60', '50', '30', '40'"],
    ),
    "counts by label": (
        {"c.json": json.dumps({"q": {"MC_options": ["Wet", "Dry"], "question_text": "Rain?",
                                     "Peru": {"Dry": 30.0, "Wet": 90.0}}})},
        ["A = Wet, B = Dry", "are counts or percents"],
        "d18_counts_by_label.json",
        ["A = A lot, B = Some, C = None", "are counts or percents", "'Refused': 1"],
    ),
    "a blank behind a quotation mark": (
        {"o.csv": 'item,question,option,country,share\nr,"Rain?","yes" ,Peru,0.5\n'},
        ["line 2", "a blank stands behind a closing quotation mark; remove it"],
        "d19_blank_behind_quote.csv",
        ["line 2", "a blank stands behind a closing quotation mark; remove it"],
    ),
    "spellings of countries": (
        {"t.csv": "country,PDI\nIran (Islamic Rep.),58\nviet-nam,70\nUnited_Kingdom,35\n"},
        ["'IRN'", "'VNM'", "'GBR'"],
        "d20_country_spellings.csv", ["'EGY'", "'KOR'", "'NZL'", "'SAU'", "'ZAF'", "'HKG'", "'TTO'"],
    ),
    "regions": (
        {"o.csv": ROWS + HALF.format("Arab countries") + HALF.format("Peru")},
        ["'X-ARA', 'region'", "'PER', 'national'", "'countries': 1"],
        "d21_region_rows.csv", ["'X-AFE', 'region'", "'countries': 1"],
    ),
    "an ending in capitals": (
        {"T.CSV": "country,PDI,IDV\nChile,63,23\nPeru,64,16\n"}, ["a target set", "'PER', '64', '16'"],
        "d22_upper_case.CSV", ["all figures lie between 0 and 1"],
    ),
    "ten points": (
        {"s.YAML": SCALE % ", ".join(f'{n}: "{n}"' for n in range(1, 11))},
        ["A = 1, B = 2", "J = 10", "'raises WET'"],
        "d23_ten_points.yaml", ["A = never justified", "J = always justified"],
    ),
}  # fmt: skip


def said(path):
    """All that the check shows of a file, or the sentence with which it is refused."""
    try:
        return str(asdict(check(read(path))))
    except BlackboxAlignError as error:
        return str(error)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_of_each_kind(kind, tmp_path):
    """The first file of the kind is checked; what must be said stands there word for word."""
    files, phrases, _, _ = KINDS[kind]
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    told = said(tmp_path / next(iter(files)))
    for phrase in phrases:
        assert phrase in told


@pytest.mark.parametrize("kind", KINDS)
def test_the_shared_file_of_each_kind(kind):
    """The same of the files that lie beside some checkouts."""
    _, _, name, phrases = KINDS[kind]
    told = said(reference(f"../cases/files/{name}"))
    for phrase in phrases:
        assert phrase in told


def test_scripts_of_the_shared_cases_find_what_they_import():
    """Those scripts are run as they are: each name of ours that they import is where they look for it."""
    folder = reference("../cases/models/mk.py").parent
    sought = [
        (node.module, name.name)
        for script in sorted(folder.glob("*.py"))
        for node in ast.walk(ast.parse(script.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("blackbox_align")
        for name in node.names
    ]
    assert ("blackbox_align.surveys.loading", "load_survey") in sought
    assert all(hasattr(importlib.import_module(module), name) for module, name in sought)
