"""Survey items in tokens: contexts and answer labels for tokenizers of every habit."""

from __future__ import annotations

import pytest
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from blackbox_align.engines.local.questions import tokenize_survey
from blackbox_align.errors import ModelError
from blackbox_align.surveys import Item, Scale, Survey, load_survey
from tests.small_models import CHAT_TEMPLATE, build_tokenizer


def survey_with(*labels):
    options = tuple(f"option {n}" for n in range(len(labels)))
    scale = Scale("own", labels, options, tuple(map(float, range(len(labels)))))
    return Survey("own", "Own", 1, "Answer.", (Item("q1", "How?", scale),))


def one_token_per_piece(pattern, known=(), **more):
    """A tokenizer that splits text by a pattern, knowing the characters of ASCII and some pieces."""
    vocabulary = ["<unk>", "<s>", "</s>", "<|user|>", "<|assistant|>", "<|end|>", *known]
    vocabulary += [chr(n) for n in range(32, 127)] + ["\n"]
    tokens = {piece: n for n, piece in enumerate(dict.fromkeys(vocabulary))}
    tokenizer = Tokenizer(models.WordLevel(tokens, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(pattern), "isolated")
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>", **more
    )


@pytest.fixture(scope="module")
def glued():
    """Blank and label are one token, as in byte-level BPE."""
    return build_tokenizer()


@pytest.fixture(scope="module")
def separate():
    """Every character is a token of its own, the blank before a label too."""
    return one_token_per_piece(r"[\s\S]")


@pytest.fixture(scope="module")
def chat():
    return build_tokenizer(chat=True)


def text_of(tokenizer, ids):
    return tokenizer.decode(ids, clean_up_tokenization_spaces=False)


def test_glued_labels_are_blank_and_number_in_one(glued):
    """The context ends in `Answer:` and the labels are the tokens that hold the blank."""
    survey = load_survey("vsm2013")
    for item, question in zip(survey.items, tokenize_survey(survey, glued), strict=True):
        assert text_of(glued, question.context) == f"<s>{survey.question(item)}\nAnswer:"
        assert [text_of(glued, [label]) for label in question.labels] == [
            f" {n}" for n in range(1, 6)
        ]


def test_separate_labels_leave_the_blank_to_the_context(separate):
    """Where the blank is a token of its own it belongs to the context, and labels are bare."""
    survey = load_survey("vsm2013")
    for item, question in zip(survey.items, tokenize_survey(survey, separate), strict=True):
        pieces = separate.convert_ids_to_tokens(list(question.context))
        assert "".join(pieces) == f"{survey.question(item)}\nAnswer: "
        assert separate.convert_ids_to_tokens(list(question.labels)) == list("12345")


def test_a_chat_template_asks_and_opens_the_answer(chat):
    """With a chat template the question is a user's turn and the label opens the assistant's."""
    survey = load_survey("vsm2013").with_preamble("You live in Chad.")
    question = tokenize_survey(survey, chat)[0]
    assert text_of(chat, question.context) == (
        f"<s><|user|>\n{survey.question(survey.items[0])}<|end|>\n<|assistant|>\n"
    )
    assert [text_of(chat, [label]) for label in question.labels] == list("12345")
    assert question.context.count(chat.bos_token_id) == 1


def test_without_a_begin_token_none_is_made_up():
    """A tokenizer that opens with no special token gets none."""
    tokenizer = build_tokenizer(bos=False)
    question = tokenize_survey(survey_with("1", "2"), tokenizer)[0]
    assert tokenizer.bos_token_id not in question.context


def test_an_end_token_that_a_tokenizer_appends_is_no_answer():
    """Where a tokenizer closes every text with its end token, the labels are found before it."""
    tokenizer = build_tokenizer()
    closed = build_tokenizer()
    closed.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    survey = survey_with("1", "2", "3")
    assert tokenize_survey(survey, closed) == tokenize_survey(survey, tokenizer)
    assert tokenizer.eos_token_id == 2


def test_letters_and_words_are_labels_where_they_are_single_tokens():
    """Any labels will do that are one token each, of any length."""
    words = one_token_per_piece(r" ?[a-z]+|[\s\S]", known=[" yes", " no", "yes", "no"])
    question = tokenize_survey(survey_with("yes", "no"), words)[0]
    assert words.convert_ids_to_tokens(list(question.labels)) == [" yes", " no"]
    letters = tokenize_survey(survey_with("A", "B", "C"), words)[0]
    assert words.convert_ids_to_tokens(list(letters.labels)) == ["A", "B", "C"]


def test_every_question_of_a_scale_has_the_same_labels(glued):
    """The label tokens depend on the scale alone, not on the item before them."""
    assert (
        len({question.labels for question in tokenize_survey(load_survey("vsm2013"), glued)}) == 1
    )


@pytest.mark.parametrize("labels", [("1", "2", "10"), ("no", "not at all"), ("A", "AB")])
def test_labels_of_several_tokens_are_refused(labels, separate):
    """A label that is more than one token is named, and what to use instead is said."""
    with pytest.raises(
        ModelError, match=r"is not one token of its own .*1 to 9 or A to E"
    ) as caught:
        tokenize_survey(survey_with(*labels), separate)
    assert repr(labels[-1]) in str(caught.value) or repr(labels[0]) in str(caught.value)
    assert "of 'How?' is" in str(caught.value)


def test_labels_of_several_tokens_are_refused_in_a_chat(chat):
    """The same holds behind a chat template."""
    with pytest.raises(ModelError, match="'1234567' of 'How\\?' is not one token"):
        tokenize_survey(survey_with("1234567", "2"), chat)


def test_labels_that_the_model_does_not_know_are_refused(separate):
    """Labels that all become the unknown token could not be told apart, so they are refused."""
    for labels in (("甲", "乙"), ("A", "甲", "乙")):
        with pytest.raises(ModelError, match="are one and the same token for this model"):
            tokenize_survey(survey_with(*labels), separate)


def test_a_marker_of_the_blank_is_handled_like_a_blank():
    """Tokenizers that write a blank as a marker and glue it to the word work as well."""
    tokens = {
        piece: n for n, piece in enumerate(["<unk>", "▁1", "▁2", *map(chr, range(33, 127)), "▁"])
    }
    tokenizer = Tokenizer(models.BPE(tokens, [("▁", "1"), ("▁", "2")], unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", eos_token="</s>")
    question = tokenize_survey(survey_with("1", "2"), fast)[0]
    assert question.labels == (tokens["▁1"], tokens["▁2"])
    assert question.context[-1] == tokens[":"]


def test_a_template_is_used_whole(separate):
    """The template's own special tokens are kept and no second begin token is put before them."""
    tokenizer = one_token_per_piece(r"<[^<>\s]+>|[\s\S]")
    tokenizer.chat_template = CHAT_TEMPLATE
    question = tokenize_survey(survey_with("1", "2"), tokenizer)[0]
    pieces = tokenizer.convert_ids_to_tokens(list(question.context))
    assert pieces[:3] == ["<s>", "<|user|>", "\n"]
    assert pieces[-4:] == ["<|end|>", "\n", "<|assistant|>", "\n"]
