"""The tables of QSTN: a questionnaire is a survey, personas are populations, and neither is answers."""

from __future__ import annotations

import pytest

from blackbox_align.errors import DataFileError
from blackbox_align.surveys import load_survey
from blackbox_align.surveys.opinion_files import load_opinions
from blackbox_align.surveys.qstn import read_personas

HEAD = "questionnaire_item_id,question_content,answer_texts,answer_codes\n"


@pytest.fixture
def write(tmp_path):
    def to_file(text):
        path = tmp_path / "items.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return to_file


def test_a_questionnaire_is_a_survey_with_its_codes(write):
    """Texts and codes are lists in cells; what is no answer is left out and named."""
    row = """1,Do you dance?,"['never', 'often', ""Don't know""]","[0, 5, 99]"\n"""
    survey = load_survey(write(HEAD + row))
    (item,) = survey.items
    assert (item.text, item.scale.options, item.scale.codes) == (
        "Do you dance?",
        ("never", "often"),
        (0, 5),
    )
    assert survey.left_out == ("Left out of 1, because it is no answer: Don't know.",)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("questionnaire_item_id,question_content\n1,Dance?\n", "without answers to choose from"),
        (HEAD + "1,Dance?,os.getcwd(),\n", "line 2: .*cannot be read as Python literals"),
        (HEAD + "1,Dance?,['yes'],\n", "line 2: an item needs 2"),
        ("questionnaire_name,system_prompt\na,Be a.\n", "personas"),
    ],
)
def test_what_cannot_be_asked_is_told(text, sentence, write):
    """A questionnaire without answers, a cell that is no list, and personas get a sentence."""
    with pytest.raises(DataFileError, match=sentence):
        load_survey(write(text))
    with pytest.raises(DataFileError, match="QSTN"):
        load_opinions(write(text))


def test_personas_are_populations(write):
    """The system prompt is what is told to the model."""
    path = write(
        "questionnaire_name,system_prompt,questionnaire_instruction\nann,Be Ann.,Answer.\n"
    )
    (ann,) = read_personas(path)
    assert (ann.code, ann.preamble()) == ("ann", "Be Ann.")
