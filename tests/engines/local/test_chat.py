"""What stands around a question: templates of every kind, dates, and words that stay words."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from tokenizers import processors

from blackbox_align.engines.local import chat
from blackbox_align.engines.local.chat import ChatFormat, Reader
from blackbox_align.engines.local.questions import tokenize
from blackbox_align.errors import ModelError, SpecificationError
from blackbox_align.surveys.sheet import Question
from tests.small_models import CHAT_TEMPLATE, build_tokenizer

ASKED = Question("Answer.\n1 = yes, 2 = no\nQuestion: How important is time?", ("1", "2"))
DATED = "Today is {{ strftime_now('%d %b %Y') }}.\n" + CHAT_TEMPLATE
THINKING = CHAT_TEMPLATE + (
    "{% if enable_thinking is defined and enable_thinking is false %}nothing thought\n{% endif %}"
)


@pytest.fixture(scope="module")
def plain():
    return build_tokenizer()


@pytest.fixture
def talking():
    return build_tokenizer(chat=True)


def with_template(template, form=ChatFormat()):  # noqa: B008
    tokenizer = build_tokenizer(chat=True)
    tokenizer.chat_template = template
    return Reader(tokenizer, form)


def text_of(reader, tokens):
    return reader.tokenizer.decode(tokens, clean_up_tokenization_spaces=False)


# -- templates --------------------------------------------------------------------------------------


def test_the_template_is_the_models_own_or_none_or_a_given_one(talking):
    """``auto``, ``none`` and a template: the openings that each gives."""
    own, none, given = (
        Reader(talking, ChatFormat(template))
        for template in ("auto", "none", "Q: {{ messages[0].content }}\nA: ")
    )
    assert own.opening == "<s><|user|>\n{question}<|end|>\n<|assistant|>\n"
    assert none.opening == "{question}\nAnswer: "
    assert given.opening == "Q: {question}\nA: "
    for reader in (own, none, given):
        context = text_of(reader, tokenize(ASKED, reader).context)
        assert context.removeprefix("<s>") == reader.opening.removeprefix("<s>").replace(
            "{question}", ASKED.text
        ).rstrip(" ") + (" " if context.endswith(" ") else "")


def test_a_system_text_is_a_message_or_stands_in_front(talking, plain):
    """With a template it is the system's turn; without one it has a line of its own."""
    form = ChatFormat(system="Be honest.")
    assert Reader(talking, form).opening.startswith("<s><|system|>\nBe honest.<|end|>\n<|user|>\n")
    assert Reader(plain, form).opening == "Be honest.\n{question}\nAnswer: "
    question = tokenize(ASKED, Reader(plain, form))
    before = text_of(Reader(plain), question.context[: question.opening])
    assert before == "<s>Be honest.\n"


def test_the_date_is_the_one_that_was_given():
    """Yesterday's date is read today; a template that writes none has none."""
    reader = with_template(DATED, ChatFormat(date="2025-02-28"))
    assert reader.opening.startswith("Today is 28 Feb 2025.\n")
    assert reader.dated == "2025-02-28" and reader.opening.startswith("Today is 28 Feb 2025.\n")
    assert with_template(CHAT_TEMPLATE).dated == ""
    assert with_template(DATED).dated == time.strftime("%Y-%m-%d")
    with pytest.raises(SpecificationError, match="written as 2026-11-26; not '28 Feb'"):
        ChatFormat(date="28 Feb")


def test_a_template_is_asked_to_leave_thoughts_out():
    """Where it knows how, the answer is read where thinking would have ended."""
    assert with_template(THINKING).opening.endswith("<|assistant|>\nnothing thought\n")


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        ("{% for m in messages %}{{ m.content", "fails: "),
        ("{{ raise_exception('Only system messages!') }}", "fails: Only system messages!"),
        ("{{ messages.content.wonder.who }}", "fails: "),
        ("{{ 1 / 0 }}{{ messages[0].content }}", "fails: division by zero"),
        ("Hello.", "leaves out or rewrites the question"),
    ],
)
def test_a_template_that_does_not_work_gets_a_sentence(template, sentence):
    """Broken, raising, or without the question: a ModelError that names the way out."""
    with pytest.raises(ModelError, match=sentence) as caught:
        tokenize(ASKED, with_template(template))
    assert "--chat-template" in str(caught.value)


def test_a_template_without_end_is_left_in_time(monkeypatch):
    """Loops in loops that would take years: a sentence within the time that is given."""
    monkeypatch.setattr(chat, "_SECONDS", 0.5)
    loop = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    begin = time.monotonic()
    with pytest.raises(ModelError, match=r"does not come to an end in 0.5 seconds"):
        tokenize(ASKED, with_template(loop + CHAT_TEMPLATE))
    assert time.monotonic() - begin < 30


# -- words stay words ---------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["</s>", "<|end|>", "<s>", "a <|user|>\nb", "<|end|><|end|>"])
@pytest.mark.parametrize("template", [None, CHAT_TEMPLATE])
def test_the_name_of_a_control_token_in_a_question_is_text(word, template):
    """Its token does not come into the question, and the text is whole."""
    reader = with_template(template)
    asked = replace(ASKED, text=ASKED.text + f" Is it {word}?")
    harmless = tokenize(replace(ASKED, text=ASKED.text + " Is it so?"), reader)
    question = tokenize(asked, reader, text=word)
    special = {*reader.tokenizer.all_special_ids, *range(6)}
    assert [t for t in question.context if t in special] == [
        t for t in harmless.context if t in special
    ]
    assert f"{word}\n{asked.text}" in text_of(reader, question.context)
    assert question.labels == harmless.labels


def test_a_control_token_across_the_edge_of_a_question_is_text_too():
    """A template that opens `<|` and closes `|>` around the question makes no token of it."""
    reader = with_template("<|{{ messages[0].content }}|>\nAnswer: ")
    asked = replace(ASKED, text="end")
    assert 5 not in tokenize(asked, reader).context
    assert text_of(reader, tokenize(asked, reader).context) == "<|end|>\nAnswer:"


def test_other_questions_have_the_tokens_that_they_always_had(talking):
    """Where there is no such word, the whole text is tokenized at once."""
    reader = Reader(talking)
    rendered = reader.render(ASKED.text)
    whole = talking(rendered.text, add_special_tokens=False).input_ids
    assert list(tokenize(ASKED, reader).context) == whole


def test_what_stands_behind_every_text_is_cut_off_whatever_it_is(plain):
    """A tokenizer that ends texts in another token than its end token."""
    closed = build_tokenizer()
    closed.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A <|end|> </s>", special_tokens=[("<s>", 1), ("</s>", 2), ("<|end|>", 5)]
    )
    closed.eos_token = "<|user|>"
    assert tokenize(ASKED, Reader(closed)) == tokenize(ASKED, Reader(plain))


def test_the_opening_ends_where_the_users_words_begin(talking, plain):
    """Of a message in a chat, and of plain text behind the begin token."""
    for tokenizer, before in ((talking, "<s><|user|>\n"), (plain, "<s>")):
        reader = Reader(tokenizer)
        for text in ("", "You live in Chad."):
            question = tokenize(ASKED, reader, text)
            assert text_of(reader, question.context[: question.opening]) == before
