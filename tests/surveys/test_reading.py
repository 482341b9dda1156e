"""One way from a file to its reader, for a check, a score and a fit: by its content."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from blackbox_align.errors import BlackboxAlignError, DataFileError, UnknownNameError
from blackbox_align.fitting.data import load_data
from blackbox_align.fitting.specification import Specification
from blackbox_align.populations import TargetSet
from blackbox_align.surveys import Survey, load_survey
from blackbox_align.surveys.instruments import load_instrument
from blackbox_align.surveys.knowledge import KnowledgeTest
from blackbox_align.surveys.opinions import OpinionSurvey
from blackbox_align.surveys.reading import read

SURVEY = "name: s\ninstruction: Answer with one number.\nscales:\n  s: {1: a, 2: b}\nitems:\n"
SURVEY += '  - {id: q, scale: s, text: "How?"}\n'
OPINIONS = (
    "name: o\nitems:\n  - {id: q, question: 'How?', options: [a, b], shares: {CHL: [40, 60]}}\n"
)
TABLE = "item,question,option,country,share\nq,How?,a,Chile,0.4\nq,How?,b,Chile,0.6\n"
TARGETS = "country,PDI,IDV\nChile,63,23\nPeru,64,16\n"
FILES = [
    ("s.yaml", SURVEY, Survey), ("o.yml", OPINIONS, OpinionSurvey), ("o.csv", TABLE, OpinionSurvey),
    ("t.csv", TARGETS, TargetSet), ("t.tsv", TARGETS.replace(",", "\t"), TargetSet),
    ("t.json", '[{"country": "Chile", "PDI": 63}, {"country": "Peru", "PDI": 64}]', TargetSet),
    ("k.csv",
     "question_idx,prompt_question,prompt_option,answer,country\nq,Who?,me,true,Peru\n", KnowledgeTest),
    ("q.csv", "questionnaire_item_id,question_content,answer_texts\nq,How?,\"['a', 'b']\"\n", Survey),
    ("o.jsonl",
     '{"question": "How?", "options": ["a", "b"], "selections": {"Chile": [0.4, 0.6]}}\n', OpinionSurvey),
    ("l.txt", "class\ttype/scale\tname\ttext\nQ\tY\tq\tHow?\n", Survey),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "kind"), FILES)
def test_the_content_says_what_a_file_is(name, text, kind, tmp_path):
    """The same in capitals, gzipped, and, but for YAML, under any other name."""
    names = [
        name,
        name.upper(),
        f"{name}.gz",
        *([] if name.endswith(("yaml", "yml")) else ["any.data"]),
    ]
    for other in names:
        content = text.encode()
        (tmp_path / other).write_bytes(gzip.compress(content) if other.endswith(".gz") else content)
        assert isinstance(read(tmp_path / other), kind), other


def test_what_ships_is_found_by_name():
    """Surveys, people's answers and targets share one list of names."""
    kinds = {"vsm2013": Survey, "world-opinions": OpinionSurvey, "matrix-2015": TargetSet}
    assert all(isinstance(read(name), kind) for name, kind in kinds.items())
    with pytest.raises(UnknownNameError, match="matrix-2015"):
        read("matrix-2016")


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("o.YAML", OPINIONS, "people's answers"), ("o.csv", TABLE, "people's answers"),
        ("t.CSV", TARGETS, "by --targets"), ("s.yaml", SURVEY, "has no indices and nobody's answers"),
    ],
)  # fmt: skip
def test_a_fit_names_what_was_given_as_its_survey(name, text, sentence, tmp_path):
    """A file of another kind is named for what it is, with the option where it belongs."""
    (tmp_path / name).write_text(text)
    with pytest.raises(BlackboxAlignError, match=sentence):
        load_data(Specification(country="CHL", survey=str(tmp_path / name)))


def test_figures_are_no_instrument_and_a_questionnaire_no_answers(tmp_path):
    """A score of a file of targets, and a fit to a questionnaire as opinions, are told the way."""
    (tmp_path / "t.csv").write_text(TARGETS)
    with pytest.raises(DataFileError, match="by --targets"):
        load_instrument(tmp_path / "t.csv")
    (tmp_path / "s.YML").write_text(SURVEY)
    asked = Specification(country="CHL", objective="opinions", opinions=str(tmp_path / "s.YML"))
    with pytest.raises(DataFileError, match="questionnaire without people's answers"):
        load_data(asked)
    assert load_survey(tmp_path / "s.YML").name == "s"


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="a system without /dev/fd")
def test_a_pipe_is_told_from_a_file():
    """What is piped in would be gone after the first look, and then be called an empty file."""
    reading, writing = os.pipe()
    os.write(writing, TABLE.encode())
    os.close(writing)
    with pytest.raises(DataFileError, match="this is a pipe, which can be read but once"):
        read(f"/dev/fd/{reading}")
    os.close(reading)
