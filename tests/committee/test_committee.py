"""Committees: mixtures of answers, and texts in their three forms, as each expert gives them alone."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from blackbox_align.adapters.adapter import Adapter, SoftPrompt
from blackbox_align.committee import (
    Committee,
    Decision,
    answer_closed,
    closed_question,
    decide,
    known_answers,
    mixed,
    write_all,
)
from blackbox_align.engines import FunctionEngine
from blackbox_align.engines.base import EngineInfo, Sampling
from blackbox_align.engines.checkpoint import find_model, load_model
from blackbox_align.engines.local.engine import LocalEngine
from blackbox_align.errors import DataFileError, SpecificationError, UnknownNameError
from blackbox_align.experts import write_expert
from blackbox_align.results import ItemAnswers
from blackbox_align.surveys.sheet import Question, Sheet
from tests.experts.hand_made import KINDS, PROOF, card
from tests.small_models import save_small_model

HALVES = Decision({"a": 0.75, "b": 0.25}, "stated", ("As stated.",))
SHEET = Sheet((Question("Is it?\nA = yes, B = no", ("A", "B")),) * 2)


def _expert(folder, name, adapter, info, population="KEN", answers=()):
    about = replace(card(info.name, info.revision), population=population)
    about = replace(about, result=replace(about.result, answers=tuple(answers)))
    return write_expert(folder / name, adapter, about, PROOF)


@pytest.fixture(scope="module", params=["respondent-tiny", "llama-chat"])
def seated(request, tmp_path_factory):
    """A committee of prompts of several lengths and places, and of a text, on a real model."""
    folder = tmp_path_factory.mktemp("committee")
    if request.param == "respondent-tiny":
        model = load_model(device="cpu")
    else:
        save_small_model(request.param, folder / "model")
        model = find_model(str(folder / "model"), device="cpu").model
    engine, rng = LocalEngine(model), np.random.default_rng(0)
    scale = float(model.embed(range(9)).std())
    adapters = {"text": Adapter("You live in Chad.")}
    for tokens, place in ((1, "first"), (7, "message"), (20, "last"), (50, "first")):
        drawn = scale * rng.normal(size=(tokens, model.embedding_width))
        adapters[f"{place}-{tokens}"] = Adapter(prompt=SoftPrompt(drawn, place))
    experts = [_expert(folder, name, adapter, engine.info) for name, adapter in adapters.items()]
    decision = Decision({e.name: 1 / len(experts) for e in experts}, "stated", ("All alike.",))
    yield Committee(engine, tuple(experts), lambda query: decision), decision
    engine.close()


def test_a_greedy_batch_is_token_identical_to_one_by_one(seated):
    """Experts of lengths 1 to 50, all places, and a text, side by side."""
    committee, decision = seated
    asked = committee.requests(
        [{"role": "user", "content": "How are you?"}], decision, "parts", sampling=Sampling(12)
    )
    assert [committee.speakers(one) for one in asked] == [(name,) for name in decision.weights]
    together = write_all(committee.engine, asked)
    alone = [committee.engine.submit(one).result() for one in asked]
    assert [text.tokens for text in together] == [text.tokens for text in alone]
    assert len({text.tokens for text in together}) > 1, "prompts change what is written"


def test_pooled_voices_write_one_text(seated):
    """All experts by their weights; one voice alone writes what it writes."""
    committee, decision = seated
    (pooled,) = committee.requests("How are you?", decision, "pooled", sampling=Sampling(6))
    assert committee.speakers(pooled) == tuple(decision.weights)
    assert [weight for _, weight in pooled.voices] == list(decision.weights.values())
    first = next(iter(decision.weights))
    single = Decision({first: 1.0}, "stated", ("One.",))
    texts = [
        write_all(committee.engine, committee.requests("How?", single, form, sampling=Sampling(6)))
        for form in ("pooled", "parts")
    ]
    assert texts[0] == texts[1]
    assert len(write_all(committee.engine, [pooled])) == 1


def test_a_sample_is_the_same_for_the_same_seed(seated):
    """Who answers is drawn by weight, and what by a seed of its own."""
    committee, decision = seated
    warm = Sampling(8, 1.0)

    def drawn(seed):
        rng = np.random.default_rng(seed)
        asked = committee.requests("How?", decision, "sample", sampling=warm, count=9, rng=rng)
        texts = write_all(committee.engine, asked)
        return [(*committee.speakers(r), t.tokens) for r, t in zip(asked, texts, strict=True)]

    assert drawn(1) == drawn(1) != drawn(2)


def test_a_closed_question_gets_the_mixture_of_its_parts(seated):
    """In every rotation of the options; shares sum to 1, and the mixture is theirs."""
    committee, decision = seated
    parts, mixture = answer_closed(committee, decision, closed_question("Is it?", ["yes", " no "]))
    assert parts.shape == (5, 2) and parts.sum(1) == pytest.approx(1)
    assert mixture == pytest.approx(parts.mean(0)) and np.ptp(parts[:, 0]) > 1e-4


# -- without a model -------------------------------------------------------------------------------

INFO = EngineInfo("m", "r" * 40, width=8)


def _engine(adapters, sheet):
    """The first token of a prompt says what it answers."""
    yes = np.array([1 / (1 + np.exp(-a.prompt.vectors[0, 0])) for a in adapters])
    return np.tile(np.stack([yes, 1 - yes], -1)[:, None], (1, len(sheet.questions), 1))


@pytest.fixture
def pair(tmp_path):
    """Experts a and b of Kenya and Egypt, who answer 0.5 and 1."""
    made = []
    for name, population, number in (("a", "KEN", 0.0), ("b", "EGY", 60.0)):
        adapter = Adapter(prompt=SoftPrompt(np.full((1, 8), number)))
        share = 0.5 if name == "a" else 0.9
        rows = tuple((share, *[(1 - share) / 4] * 4) for _ in range(3))
        own = ItemAnswers("vsm2013", population, "fitted", ("m01", "m02", "m03"), rows)
        made.append(_expert(tmp_path, name, adapter, INFO, population, [own]))
    return tuple(made)


def test_the_mixture_worked_by_hand(pair):
    """0.75 x 0.5 + 0.25 x 1 = 0.625."""
    committee = Committee(FunctionEngine(_engine, INFO), pair, lambda query: HALVES)
    assert committee.parts(SHEET, HALVES)[:, 0, 0] == pytest.approx([0.5, 1.0])
    assert committee.answer(SHEET, HALVES) == pytest.approx(np.array([[0.625, 0.375]] * 2))
    assert mixed(np.array([[1.0], [0.0]]), HALVES) == pytest.approx([0.75])


def test_experts_are_drawn_by_their_weights(pair):
    """Of 4,000 answers a quarter is b's, and no two share a seed."""
    committee = Committee(FunctionEngine(_engine, INFO), pair, lambda query: HALVES)
    rng = np.random.default_rng(0)
    asked = committee.requests("How?", HALVES, "sample", count=4000, rng=rng)
    share = np.mean([committee.speakers(request) == ("b",) for request in asked])
    assert share == pytest.approx(0.25, abs=0.03)
    assert len({request.sampling.seed for request in asked}) > 3990


def test_what_cannot_be_answered_is_a_sentence(pair, tmp_path):
    """Abstentions, strangers, other models, two of one name, unknown forms, too few options."""
    engine = FunctionEngine(_engine, INFO)
    committee = Committee(engine, pair, lambda query: HALVES)
    nobody = Decision({}, "text", ("This does not say which country.",))
    with pytest.raises(SpecificationError, match="does not say which country"):
        committee.answer(SHEET, nobody)
    with pytest.raises(UnknownNameError, match="'c'"):
        committee.answer(SHEET, Decision({"c": 1.0}, "stated", ("c",)))
    with pytest.raises(SpecificationError, match="'parts', 'pooled', 'sample'"):
        committee.requests("How?", HALVES, "composed")
    with pytest.raises(SpecificationError, match="by a generator"):
        committee.requests("How?", HALVES, "sample")
    with pytest.raises(SpecificationError, match="Two experts are called 'a'"):
        Committee(engine, (pair[0], pair[0]), lambda query: HALVES)
    other = _expert(tmp_path, "c", KINDS["first"], replace(INFO, revision="q" * 40))
    with pytest.raises(SpecificationError, match="means nothing to another model"):
        Committee(engine, (other,), lambda query: HALVES)
    for options in (["yes"], ["yes", "Yes"], ["yes", ""], list("abcdefghijklmnopqrstuvwxyz1")):
        with pytest.raises(SpecificationError, match="2 to 26 different options"):
            closed_question("Is it?", options)


# -- ways to weights -------------------------------------------------------------------------------


def test_weights_are_stated_or_found_from_answers(pair, tmp_path):
    """A mixture of 9 to 1 in favour of the first option is b's; both ways at once are refused."""
    assert decide("?", pair, population="KEN=1,EGY=3").weights == pytest.approx(
        {"b": 0.75, "a": 0.25}
    )
    answers = tmp_path / "answers.csv"
    answers.write_text("item,answer,count\nm01,1,90\nm02,1,90\nm03,1,9\nm01,2,3\nm02,3,7\n")
    like = decide("?", pair, answers=answers)
    assert like.way == "answers" and like.weights["b"] > 0.8
    for wrong in ({"population": "KEN", "answers": answers}, {}):
        with pytest.raises(SpecificationError):
            decide("?", pair if wrong else (), **wrong)


def test_where_nothing_is_said_the_words_decide(pair):
    """A people that is named answers, and a question that names none is not answered."""
    for package in ("babel", "countryinfo", "pycountry"):
        pytest.importorskip(package, reason="needs the extra routing")
    assert decide("How do Egyptians greet?", pair).weights == {"b": 1.0}
    assert decide("How?", pair).abstains


def test_answers_are_read_by_number_and_by_words(pair, tmp_path):
    """Lines of one answer each, and counts; what every expert was asked, in their order."""
    file = tmp_path / "answers.csv"
    file.write_text("item,answer\nm01,1\nm01,1\nm01,Extremely important\nm02,5\n")
    profiles, counts = known_answers(file, pair)
    assert profiles.shape == (2, 2, 5) and profiles[1, 0, 0] == 0.9
    assert counts.tolist() == [[3, 0, 0, 0, 0], [0, 0, 0, 0, 1]]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("item,reply\nm01,1\n", "no column 'answer'"),
        ("item,answer\nm09,1\n", "line 2: 2 of 2 experts have no answer to 'm09'"),
        ("item,answer\nm01,6\n", "a number from 1 to 5"),
        ("item,answer\nm01,often\n", "'often' stands here"),
        ("item,answer,count\nm01,1,few\n", "a number of 0 or more"),
        ("nothing", "expected a header"),
    ],
)
def test_mistakes_in_a_file_of_answers_are_sentences(pair, tmp_path, text, sentence):
    """With the file, the line and the mend."""
    (tmp_path / "answers.csv").write_text(text)
    with pytest.raises(DataFileError, match=sentence):
        known_answers(tmp_path / "answers.csv", pair)


def test_experts_without_answers_say_so(tmp_path):
    """A card of before, or of a text that was never asked."""
    silent = _expert(tmp_path, "silent", KINDS["text"], INFO)
    (tmp_path / "answers.csv").write_text("item,answer\nm01,1\n")
    with pytest.raises(SpecificationError, match="cards of silent hold no answers"):
        known_answers(tmp_path / "answers.csv", [silent])


# -- the command -----------------------------------------------------------------------------------


@pytest.fixture
def kept(tmp_path):
    """A library of two countries on the embedded model."""
    info, rng = load_model(device="cpu").info, np.random.default_rng(0)
    for population in ("KEN", "EGY"):
        adapter = Adapter(prompt=SoftPrompt(0.1 * rng.normal(size=(3, info.width))))
        _expert(tmp_path / "experts", population, adapter, info, population)


def test_the_command_answers_and_says_why(bbalign, kept):
    """Closed: shares and their mixture; the decision with its reasons; simulated, in so many words."""
    asked = bbalign(
        "ask", "Is it?", "--options", "yes,no", "--population", "KEN=0.3,EGY=0.7", "--json"
    )
    assert asked.returncode == 0, asked.stderr
    found = json.loads(asked.stdout)
    assert found["decision"]["weights"] == pytest.approx({"EGY": 0.7, "KEN": 0.3})
    parts = found["parts"]
    for n, share in enumerate(found["mixture"]):
        assert share == pytest.approx(0.7 * parts["EGY"][n] + 0.3 * parts["KEN"][n])
    sampled = ("ask", "Is it?", "--options", "yes,no", "--as", "sample", "--population", "KEN")
    shown = bbalign(*sampled, "--samples", "7")
    assert "The weights are stated" in shown.stdout and "simulated answers" in shown.stderr
    assert sum(json.loads(bbalign(*sampled, "--json").stdout)["counts"]) == 10


def test_the_command_abstains_where_no_country_is_named(bbalign, kept):
    """Nobody answers, and the reasons are printed: no mistake, exit 0."""
    for package in ("babel", "countryinfo", "pycountry"):
        pytest.importorskip(package, reason="needs the extra routing")
    shown = bbalign("ask", "Do Egyptians?", "--options", "yes,no")
    assert "'Egyptians' names Egypt" in shown.stdout
    asked = bbalign("ask", "Do they?", "--options", "yes,no")
    assert "No expert answers" in asked.stdout and asked.returncode == 0, asked.stderr


def test_the_command_writes_texts_and_says_that_they_are_no_prose(bbalign, kept):
    """On the embedded model, which ticks options."""
    arguments = ("ask", "How do you greet?", "--population", "EGY", "--as", "sample", "--samples", "3",
                 "--max-tokens", "5", "--json")  # fmt: skip
    first = json.loads(bbalign(*arguments).stdout)
    assert [one["experts"] for one in first["texts"]] == [["EGY"]] * 3
    assert "cannot write prose" in first["note"]
    assert json.loads(bbalign(*arguments).stdout) == first


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--as", "chorus"), "'parts', 'pooled', 'sample', 'composed'"),
        (("--by-text", "--population", "KEN"), "leave out --population"),
        (("--population", "KEN", "--like", "a.csv"), "give one of them"),
        (("--options", "yes"), "2 to 26"),
        (("--options", "yes,no", "--temperature", "1"), "has no meaning"),
        (("--temperature", "-1"), "0 or more"),
        (("--temperature", "nan"), "finite"),
        (("--population", "KNE"), "Did you mean 'KEN'"),
        (("--like", "a.csv"), "hold no answers"),
        (("--library", "nowhere"), "no expert to ask"),
    ],
)
def test_mistakes_are_told_before_a_model_is_loaded(bbalign, kept, arguments, sentence):
    """Exit 2, one sentence."""
    asked = bbalign("ask", "How?", *arguments)
    assert asked.returncode == 2 and sentence in asked.stderr and "Traceback" not in asked.stderr
