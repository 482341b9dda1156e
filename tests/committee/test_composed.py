"""MoCulE's pipeline, with and without a chat model."""

from __future__ import annotations

import http.server
import json
import threading

import numpy as np
import pytest

from blackbox_align.committee import composed
from blackbox_align.committee.by_text import Query
from blackbox_align.committee.decision import Decision
from blackbox_align.engines.chat import ChatAt
from blackbox_align.errors import ModelError

WEDDING = Query("Which gift should one bring to a wedding of relatives?")
SUM = Query("What is the sum of two and three?")
DECISION = Decision({"egypt": 0.75, "japan": 0.25}, "stated", ("As stated.",))


def said(query, decision):
    """What two experts say."""
    return {name: f"{name} says gold" for name in decision.weights}


def planner(**parts):
    usual = {
        "sensitivity": composed.sensitivity_by_words,
        "topics": composed.topics_by_words,
        "route": lambda query: DECISION,
        "experts": said,
        "composer": composed.tally,
        "plain": lambda question: "five",
    }
    return composed.Planner(**{**usual, **parts})


def test_a_sensitive_question_goes_all_the_way():
    made = planner().run(WEDDING)
    assert made.sensitivity >= composed.SENSITIVE and made.topics == ("custom",)
    assert made.text == "egypt (0.75): egypt says gold\njapan (0.25): japan says gold"
    assert json.loads(json.dumps(made.to_dict()))["decision"]["weights"] == DECISION.weights


def test_another_one_is_answered_plainly():
    made = planner().run(SUM)
    assert (made.sensitivity, made.text, made.answers) == (0, "five", {})


def test_an_abstention_is_answered_plainly_too():
    nobody = Decision({}, "text", ("This does not say which country.",))
    made = planner(route=lambda query: nobody).run(WEDDING)
    assert made.decision.abstains and made.text == "five"


def test_topics_reach_the_router():
    seen = []

    def route(query):
        seen.append(query.topics)
        return DECISION

    planner(route=route).run(WEDDING)
    assert seen == [("custom",)]


def test_likeness_to_reference_sentences_rates():
    vectors = {text: [1.0, 0.2 * n] for n, text in enumerate(composed.REFERENCES)}
    vectors |= {"near": [1.0, 0.3], "far": [-1.0, 0.0]}
    rate = composed.sensitivity_by_reference(
        lambda texts: np.array([vectors[text] for text in texts])
    )
    assert rate(Query("near")) == 10 and rate(Query("far")) == 0


@pytest.fixture
def chat_server():
    """A local server that speaks as an OpenAI-compatible one does."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append((self.path, body, self.headers.get("Authorization")))
            prompt = body["messages"][0]["content"]
            said = "7." if "From 0 to 10" in prompt else (
                "Weddings, gifts" if "Name one to three" in prompt else "word " * 300)  # fmt: skip
            reply = json.dumps({"choices": [{"message": {"content": said}}]}).encode()
            self.send_response(200 if body["model"] == "one" else 404)
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1", asked
    server.shutdown()
    server.server_close()


def test_a_chat_model_at_an_address_rates_names_topics_and_composes(chat_server):
    address, asked = chat_server
    say = composed.said_by(ChatAt(address, "one", "secret"))
    made = planner(
        sensitivity=composed.sensitivity_by_chat(say),
        topics=composed.topics_by_chat(say),
        composer=composed.composed_by_chat(say),
    ).run(SUM)
    assert (made.sensitivity, made.topics) == (7, ("weddings", "gifts"))
    assert len(made.text.split()) == composed.COMPOSED_WORDS
    assert {path for path, _, _ in asked} == {"/v1/chat/completions"}
    assert {key for _, _, key in asked} == {"Bearer secret"}
    assert "From egypt, weight 0.75: egypt says gold" in asked[-1][1]["messages"][0]["content"]
    with pytest.raises(ModelError, match="there is no model 'two'"):
        composed.said_by(ChatAt(address, "two"))("hello", 4)


def test_a_rating_that_is_no_number_is_told():
    with pytest.raises(ModelError, match="A number from 0 to 10"):
        composed.sensitivity_by_chat(lambda prompt, most: "very")(SUM)
