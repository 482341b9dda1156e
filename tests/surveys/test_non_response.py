"""What is no answer: words in many languages as whole labels, and codes told from the whole scale."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from blackbox_align.files.missing import is_mark, missing_codes
from blackbox_align.surveys.non_response import is_missing, look_alikes, non_responses


@pytest.mark.parametrize(
    "label",
    ["No sabe / No contesta", "NS/NC", "Don´t know", "Don't know*", "Refused to answer", "-8. Don't know",
     "(Don't know)", "[Refused]", "99 Don't know", "9=Refused", "Don't know (DO NOT READ)", "D/K", "DK",
     "Weiß nicht", "WEISS NICHT", "Keine Angabe", "Ne sait pas", "Sans réponse", "Não sabe", "Non so",
     "Weet niet", "Ved ikke", "Vet ej", "En osaa sanoa", "Nie wiem", "Nevím", "Nem tudja", "Nu știu",
     "Не знаю", "ЗАТРУДНЯЮСЬ ОТВЕТИТЬ", "Δεν ξέρω/Δεν απαντώ", "Bilmiyor/Fikri yok", "لا أعرف", "לא יודע",
     "पता नहीं", "不知道", "わからない", "모름/무응답", "Không biết", "Tidak tahu", "ไม่ทราบ", "Sijui",
     "Item non-response", "Can't choose", "-2: No answer"],
)  # fmt: skip
def test_the_wordings_of_the_field_are_no_answers(label):
    """Don't know, refused and no answer are known in the languages and spellings of the programmes."""
    assert is_missing(label)


@pytest.mark.parametrize(
    "label",
    ["Missing my family", "Refuse to fight", "Don't know much about it", "Nothing", "Nein", "Non", "Sí",
     "Oui", "知道", "Not important", "Nr. 1", "I", "E", "Si / No", "Not sure", "Undecided", "It depends"],
)  # fmt: skip
def test_a_label_that_only_begins_like_one_is_an_answer(label):
    """Only a whole label counts, and words that some programmes use as an opinion stay one."""
    assert not is_missing(label)


def test_what_was_kept_though_it_resembles_a_non_response_is_named():
    """Not sure and don't know much are shown to the user; plain answers are not."""
    assert look_alikes(("1", "2", "5", "8", "9")) == {"8", "9"}
    options = ("Yes", "No", "Not sure", "Don't know much about it", "Don't know")
    assert non_responses(options) == {"Don't know"}
    assert look_alikes(options) == {"Not sure", "Don't know much about it"}


# Codes of an item, and those of them that are no answers.
SCALES = [
    ((1, 2, 3, 88, 99), {88, 99}),
    ((-2, -1, 0, 1, 2), set()),
    ((-1, 1, 2, 3), {-1}),
    ((-9, -4, -2, -1, 1, 2), {-9, -4, -2, -1}),
    ((1, 2, 3, 4, 8, 9), {8, 9}),
    ((1, 2, 3, 4, 5, 6, 7, 8, 9), set()),
    ((*range(1, 11), 77, 88), {77, 88}),
    ((*range(11), 99), {99}),
    ((1, 3, 5, 7), set()),
    ((0, 25, 50, 75, 99), set()),
    ((1, 2, 10), set()),
    ((), set()),
    ((-2, -1, 0, 1, 2, 9), {9}),
    ((3, 7, 8, 9, 10, 99), {99}),
    ((-2, 3, 5, 6, 10), {-2}),
    ((2, 3, 8, 9), set()),
    ((18, 25, 99), set()),
]  # fmt: skip


@pytest.mark.parametrize(("codes", "missing"), SCALES)
def test_codes_are_told_from_the_whole_scale(codes, missing):
    """A conventional code counts behind a gap of the scale, and a negative one beside no other side."""
    assert missing_codes(codes) == missing
    assert missing_codes(codes[::-1]) == missing


@given(st.integers(2, 9), st.sets(st.sampled_from([88, 99, 98, 97, 77, -1, -2, -8]), max_size=4))
def test_a_run_from_one_keeps_all_of_its_own_codes(length, codes):
    """Whatever codes are put beside a scale from 1, they alone are left out."""
    scale = list(range(1, length + 1))
    assume({-code for code in codes if code < 0} != set(scale))  # those would be its other side
    assert missing_codes([*scale, *codes]) == codes


def test_marks_of_missing_cells_are_whole_cells():
    """NA is a mark, Namibia none."""
    assert is_mark(" NA ") and is_mark("") and is_mark("#NULL!") and not is_mark("Namibia")
