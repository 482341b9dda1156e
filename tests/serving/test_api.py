"""OpenAI's own client, unchanged, against the real process: what is honoured, and what is refused."""

from __future__ import annotations

import http.client
import json
import shutil
import threading
import time
from urllib.parse import urlsplit

import numpy as np
import openai
import pytest

from blackbox_align.adapters.adapter import Adapter
from blackbox_align.engines.base import Request, Sampling
from blackbox_align.engines.local.engine import LocalEngine
from blackbox_align.experts import Library

ASKED = [{"role": "user", "content": "How do you greet an elder?"}]


@pytest.fixture(scope="module")
def client(server):
    with server.client() as made:
        yield made


@pytest.fixture(scope="module")
def engine(tiny):
    with LocalEngine(tiny) as made:
        yield made


@pytest.fixture(scope="module")
def experts(server):
    return {e.name: e for e in Library(server.folder / "experts").experts()}


def post(server, path, body, key="secret", content_type="application/json", **headers):
    """Status and body of a request that no well-meant client would send."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=60)
    sent = {"Authorization": f"Bearer {key}", "Content-Type": content_type, **headers}
    connection.request("POST", path, raw, sent)
    answer = connection.getresponse()
    content = json.loads(answer.read())
    connection.close()
    return answer.status, content


def test_models_are_the_base_each_expert_and_the_committee(client):
    """By name, and one by one."""
    assert [m.id for m in client.models.list()] == ["base", "committee", "EGY", "JPN", "KEN", "SAU"]
    assert client.models.retrieve("JPN").population == "JPN"
    with pytest.raises(openai.NotFoundError, match="'JAP'"):
        client.models.retrieve("JAP")


@pytest.mark.parametrize("model", ["base", "SAU", "EGY", "JPN", "KEN"])
def test_a_chat_is_what_the_engine_writes(client, engine, experts, model):
    """Greedy, with log-probabilities, a stop, and usage; whole and as a stream."""
    adapter = Adapter() if model == "base" else experts[model].adapter()
    expected = engine.submit(Request(ASKED, Sampling(8, logprobs=2), ((adapter, 1.0),))).result()
    settings = {"model": model, "messages": ASKED, "temperature": 0, "max_completion_tokens": 8,
                "logprobs": True, "top_logprobs": 2}  # fmt: skip
    whole = client.chat.completions.create(**settings)
    choice = whole.choices[0]
    assert choice.message.content == expected.text and choice.finish_reason == expected.reason
    found = [t.logprob for t in choice.logprobs.content]
    assert found == pytest.approx(list(expected.logprobs), abs=1e-5)
    assert all(len(t.top_logprobs) == 2 for t in choice.logprobs.content)
    assert whole.usage.completion_tokens == len(expected.written) + (expected.end is not None)
    chunks = list(
        client.chat.completions.create(
            **settings, stream=True, stream_options={"include_usage": True}
        )
    )
    pieces = [c.choices[0].delta.content or "" for c in chunks if c.choices]
    assert "".join(pieces) == expected.text and chunks[-1].usage == whole.usage
    told = [
        t
        for c in chunks
        if c.choices and c.choices[0].logprobs
        for t in c.choices[0].logprobs.content
    ]
    assert [t.token for t in told] == [t.token for t in choice.logprobs.content]
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == choice.finish_reason
    stop = expected.text[3:5]
    cut = client.chat.completions.create(
        model=model, messages=ASKED, temperature=0, stop=[stop], max_tokens=8
    )
    assert cut.choices[0].message.content == expected.text[: expected.text.find(stop)]
    assert cut.choices[0].finish_reason == "stop"


def test_a_seed_and_n_give_the_same_several_texts(client):
    """Choices differ among each other and not between calls; another seed gives others."""

    def drawn(seed, **more):
        found = client.completions.create(
            model="EGY", prompt="How", n=4, max_tokens=12, seed=seed, temperature=1.0, **more
        )
        return [choice.text for choice in found.choices]

    assert drawn(1) == drawn(1) != drawn(2) and len(set(drawn(1))) > 1
    assert len(set(drawn(1, top_p=1e-6))) == 1, "the nucleus of one token leaves no choice"
    free = {
        c.text
        for _ in range(2)
        for c in client.completions.create(model="base", prompt="How").choices
    }
    assert len(free) == 2, "without a seed each call draws its own, 16 tokens long"


def test_completions_take_tokens_and_several_prompts(client, engine):
    """Texts and tokens mean the same; choices come in the order of the prompts, echoed or not."""
    prompts = ["How is it", "Where"]
    tokens = [engine.model.tokenizer(prompt).input_ids for prompt in prompts]
    found = [
        client.completions.create(
            model="base", prompt=given, max_tokens=3, temperature=0, echo=echo
        )
        for given in (prompts, tokens)
        for echo in (False, True)
    ]
    plain, echoed, by_token, by_token_echoed = [[c.text for c in one.choices] for one in found]
    assert plain == by_token and [c.index for c in found[0].choices] == [0, 1]
    assert echoed == [p + text for p, text in zip(prompts, plain, strict=True)]
    assert all(text.endswith(e) for text, e in zip(by_token_echoed, echoed, strict=True))
    assert found[0].usage.prompt_tokens == sum(map(len, tokens))
    streamed = list(
        client.completions.create(
            model="base",
            prompt=prompts,
            max_tokens=3,
            temperature=0,
            echo=True,
            stream=True,
            logprobs=1,
        )
    )
    for number, text in enumerate(echoed):
        own = [c.choices[0] for c in streamed if c.choices[0].index == number]
        assert "".join(c.text for c in own) == text
        offsets = [at for c in own if c.logprobs for at in c.logprobs.text_offset]
        assert len(offsets) == len(tokens[number]) + 3 and offsets == sorted(offsets)


@pytest.mark.parametrize("model", ["base", "SAU", "EGY", "JPN"])
def test_log_likelihoods_are_those_that_lm_evaluation_harness_sums(client, tiny, experts, model):
    """Its request (echo, logprobs=1, max_tokens=1) and its sums, against a pass of our own: 1e-4."""
    import torch

    context, continuation = "Question: Is it right?\nA = yes, B = no\nAnswer:", " A yes"
    tokenizer = tiny.tokenizer
    tokens = tokenizer(context).input_ids
    behind = len(tokens)
    tokens = tokens + tokenizer(continuation, add_special_tokens=False).input_ids
    answer = client.completions.create(
        model=model, prompt=[tokens], temperature=0, max_tokens=1, logprobs=1, seed=1234, echo=True
    )
    told = answer.choices[0].logprobs
    assert len(told.token_logprobs) == len(tokens) + 1 and told.token_logprobs[0] is None
    likelihood = sum(told.token_logprobs[behind:-1])
    greedy = all(
        one == max(best.values())
        for one, best in zip(
            told.token_logprobs[behind:-1], told.top_logprobs[behind:-1], strict=True
        )
    )
    embeds, places = (
        tiny.model.get_input_embeddings()(torch.tensor(tokens)),
        list(range(behind - 1, len(tokens) - 1)),
    )
    if model != "base":
        prompt = experts[model].adapter().prompt
        at = {"first": 0, "message": 1, "last": len(tokens)}[prompt.placement]
        embeds = torch.cat([embeds[:at], torch.tensor(prompt.vectors), embeds[at:]])
        places = [n + (len(prompt) if n + 1 > at else 0) for n in places]
    with torch.inference_mode():
        logs = tiny.model(inputs_embeds=embeds[None]).logits[0, places].log_softmax(-1)
    words = torch.tensor(tokens[behind:])
    assert likelihood == pytest.approx(float(logs.gather(1, words[:, None]).sum()), abs=1e-4)
    assert greedy == bool((logs.argmax(-1) == words).all())


def test_the_committee_says_who_answers_and_why(client, server):
    """One text of the mixture, an answer of each, or answers drawn by weight; the decision beside them."""
    population = {"SAU": 0.3, "Egypt": 0.7}
    for form, n, writers in (("pooled", 1, [["EGY", "SAU"]]), ("parts", 1, [["EGY"], ["SAU"]])):
        body = {"population": population, "as": form}
        found = client.chat.completions.create(
            model="committee", messages=ASKED, n=n, max_tokens=4, extra_body=body
        )
        assert found.decision["weights"] == {"EGY": 0.7, "SAU": 0.3}
        assert [choice.experts for choice in found.choices] == writers
    body = {"population": population, "as": "sample"}
    sample = client.completions.create(
        model="committee", prompt="How", n=40, max_tokens=1, seed=0, extra_body=body
    )
    drawn = [choice.experts[0] for choice in sample.choices]
    assert 8 < drawn.count("EGY") < 38 and set(drawn) == {"EGY", "SAU"}
    stream = list(
        client.chat.completions.create(
            model="committee",
            messages=ASKED,
            max_tokens=2,
            stream=True,
            extra_body={"population": population},
        )
    )
    assert stream[0].decision["way"] == "stated" and stream[0].choices[0].experts == ["EGY", "SAU"]


def test_a_question_gets_parts_mixture_and_why(server):
    """What the page asks: closed and open, and nobody where the question names no people."""
    asked = {
        "question": "Is it right?",
        "options": ["yes", "no"],
        "population": {"SAU": 1, "JPN": 3},
    }
    status, found = post(server, "/v1/ask", asked)
    assert status == 200 and found["decision"]["weights"] == {"JPN": 0.75, "SAU": 0.25}
    mixed = 0.75 * np.array(found["parts"]["JPN"]) + 0.25 * np.array(found["parts"]["SAU"])
    np.testing.assert_allclose(found["mixture"], mixed)
    assert sum(found["mixture"]) == pytest.approx(1) and "simulated" in found["note"]
    status, found = post(server, "/v1/ask", {**asked, "as": "sample", "samples": 7})
    assert sum(found["counts"]) == 7
    status, found = post(
        server, "/v1/ask", {"question": "How?", "population": {"SAU": 1}, "max_tokens": 3}
    )
    assert [text["experts"] for text in found["texts"]] == [["SAU"]]
    for package in ("babel", "countryinfo", "pycountry"):
        pytest.importorskip(package, reason="needs the extra routing")
    status, found = post(
        server, "/v1/ask", {"question": "How do the Japanese greet?", "max_tokens": 2}
    )
    assert status == 200 and found["decision"]["weights"] == {"JPN": 1.0}
    status, found = post(server, "/v1/ask", {"question": "How?"})
    assert status == 200 and found["decision"]["abstains"] and "texts" not in found


def test_mocule_s_pipeline_is_served_with_its_steps(server):
    """Every step of `ask --as composed`; what it would ignore is refused, and so is a model's route."""
    asked = {
        "question": "Is divorce right?",
        "options": ["yes", "no"],
        "population": {"SAU": 1, "JPN": 3},
        "as": "composed",
    }
    status, found = post(server, "/v1/ask", asked)
    assert status == 200, found
    composed = found["composed"]
    assert composed["sensitivity"] == 6  # divorce, right
    assert composed["topics"] == ["family"]
    assert set(composed["answers"]) == {"SAU", "JPN"}
    assert composed["text"].startswith("JPN (0.75): ")
    for wrong in ({"max_tokens": 9}, {"seed": 1}, {"as": "parts", "chat": True}):
        status, found = post(server, "/v1/ask", {**asked, **wrong})
        assert status == 400 and found["error"]["param"] in wrong
    status, found = post(
        server, "/v1/chat/completions", {"model": "committee", "messages": ASKED, "as": "composed"}
    )
    assert status == 400 and "'pooled'" in found["error"]["message"]


CHAT = {"model": "base", "messages": ASKED, "max_tokens": 1}
TEXT = {"model": "base", "prompt": "How", "max_tokens": 1}


@pytest.mark.parametrize(
    ("path", "changed", "status", "sentence"),
    [
        ("chat/completions", {"tools": [{"type": "function"}]}, 400, "tools is not served"),
        ("chat/completions", {"response_format": {"type": "json_object"}}, 400, "response_format is not"),
        ("chat/completions", {"frequency_penalty": 0.5}, 400, "frequency_penalty is not served"),
        ("chat/completions", {"logit_bias": {"5": 1}}, 400, "logit_bias is not served"),
        ("chat/completions", {"store": True}, 400, "store is not served"),
        ("chat/completions", {"temprature": 1}, 400, "Unrecognized request argument supplied: temprature"),
        ("chat/completions", {"messages": [{"role": "user", "content": [
            {"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}]}]}, 400, "'text'"),
        ("chat/completions", {"messages": [{"role": "tool", "content": "x"}]}, 400, "role"),
        ("chat/completions", {"messages": [{"role": "system", "content": "x"}]}, 400, "message of the user"),
        ("chat/completions", {"temperature": 3}, 400, "temperature"),
        ("chat/completions", {"n": 0}, 400, "n: "),
        ("chat/completions", {"n": 1000}, 400, "n: "),
        ("chat/completions", {"seed": "1"}, 400, "seed"),
        ("chat/completions", {"top_logprobs": 2}, 400, "top_logprobs"),
        ("chat/completions", {"stream_options": {"include_usage": True}}, 400, "stream_options"),
        ("chat/completions", {"max_completion_tokens": 2}, 400, "max_completion_tokens says"),
        ("chat/completions", {"max_tokens": 10**9}, 400, "at most 4,096"),
        ("chat/completions", {"max_tokens": 4000}, 400, "positions"),
        ("chat/completions", {"model": "JAP"}, 404, "Did you mean 'JPN'"),
        ("chat/completions", {"model": "../experts/SAU"}, 404, "Unknown model"),
        ("chat/completions", {"model": "/etc/passwd"}, 404, "Unknown model"),
        ("chat/completions", {"population": {"SAU": 1}}, 400, "committee"),
        ("chat/completions", {"model": "committee", "population": {"FRA": 1}}, 400, "Unknown expert"),
        ("chat/completions", {"model": "committee", "population": {"x,y": 1}}, 400, "no name of a people"),
        ("completions", {"suffix": "x"}, 400, "suffix is not served"),
        ("completions", {"best_of": 3}, 400, "best_of"),
        ("completions", {"logprobs": 50}, 400, "logprobs"),
        ("completions", {"prompt": []}, 400, "prompt"),
        ("completions", {"prompt": [10**6]}, 400, "is no token"),
        ("completions", {"prompt": [[1], [-1]]}, 400, "is no token"),
        ("completions", {"prompt": [1] * 3000}, 400, "positions"),
        ("completions", {"model": "KEN", "prompt": [1, 2]}, 400, "cannot stand before tokens"),
        ("completions", {"n": 65}, 400, "at most 64"),
        ("nothing", {}, 404, "not served here"),
    ],
)  # fmt: skip
def test_what_it_has_not_is_refused_in_openais_form(server, path, changed, status, sentence):
    """Nothing is ignored in silence, no name of a model is a path, and everybody hears a sentence."""
    body = {**(CHAT if path == "chat/completions" else TEXT), **changed}
    found, content = post(server, f"/v1/{path}", body)
    assert found == status and set(content) == {"error"}
    assert sentence in content["error"]["message"]
    assert set(content["error"]) == {"message", "type", "param", "code"}


def test_what_asks_for_nothing_is_let_pass(server):
    """Clients that write out every field."""
    neutral = {"tools": None, "tool_choice": "none", "response_format": {"type": "text"},
               "user": "me", "frequency_penalty": 0.0, "presence_penalty": 0, "logit_bias": {},
               "store": False}  # fmt: skip
    said = {"role": "assistant", "content": "x", "refusal": None, "tool_calls": None}
    body = {
        **CHAT,
        **neutral,
        "messages": [{"role": "developer", "content": "Be brief."}, *ASKED, said, *ASKED],
    }
    assert post(server, "/v1/chat/completions", body)[0] == 200


def test_bodies_that_are_none_are_refused(server):
    """Not JSON, not an object, not said to be JSON, too deep, no number, too large."""
    for raw in (
        b"{",
        b"[]",
        b"\xff",
        b'{"model": NaN}',
        b"[" * 9000,
        b'{"seed": ' + b"9" * 5000 + b"}",
    ):
        status, content = post(server, "/v1/completions", raw)
        assert status == 400 and content["error"]["message"]
    assert post(server, "/v1/completions", TEXT, content_type="text/plain")[0] == 415
    assert post(server, "/v1/completions", {**TEXT, "prompt": "x" * 30_000})[0] == 413
    assert post(server, "/v1/completions", TEXT)[0] == 200, "it goes on"


def test_who_has_no_key_or_another_name_for_it_is_kept_out(server):
    """401 without the key, 403 under a name that was made to lead here; health and page need none."""
    with server.client(api_key="wrong") as other, pytest.raises(openai.AuthenticationError):
        other.models.list()
    assert post(server, "/v1/completions", TEXT, key="")[0] == 401
    assert post(server, "/v1/completions", TEXT, Host="evil.example")[0] == 403
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc)
    for path in ("/health", "/"):
        connection.request("GET", path)
        answer = connection.getresponse()
        assert answer.status == 200 and answer.read()


def test_an_expert_that_is_added_is_served_without_a_restart(client, server, tmp_path):
    """And one that is removed is gone; what is half written is left out."""
    library = server.folder / "experts"
    shutil.copytree(library / "SAU", library / "NEW")
    try:
        text = [
            client.completions.create(model=m, prompt="How", temperature=0).choices[0].text
            for m in ("SAU", "NEW")
        ]
        assert text[0] == text[1]
    finally:
        shutil.rmtree(library / "NEW")
    (library / "HALF").mkdir()
    assert "HALF" not in [m.id for m in client.models.list()]
    (library / "HALF").rmdir()
    with pytest.raises(openai.NotFoundError):
        client.completions.create(model="NEW", prompt="How")


def rows_of(server):
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc)
    connection.request("GET", "/health")
    return json.loads(connection.getresponse().read())["rows"]


def test_a_client_that_hangs_up_frees_its_rows(server):
    """Streamed and not; while others are written; then there is room again where there was none (429)."""
    long = {"model": "base", "prompt": "How", "n": 60, "max_tokens": 500, "temperature": 0}
    for stream in (True, False):
        connection = http.client.HTTPConnection(urlsplit(server.url).netloc)
        headers = {"Authorization": "Bearer secret", "Content-Type": "application/json"}
        body = {**long, "stream": stream, "logit_bias": None}
        connection.request("POST", "/v1/completions", json.dumps(body), headers)
        if stream:
            connection.getresponse().read(10)
        deadline = time.monotonic() + 20
        while rows_of(server) < 60 and time.monotonic() < deadline:
            time.sleep(0.01)
        status, content = post(server, "/v1/completions", {**TEXT, "n": 10})
        assert status == 429 and content["error"]["type"] == "rate_limit_error"
        connection.sock.close() if connection.sock else None
        connection.close()
        while rows_of(server) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert rows_of(server) == 0
        assert post(server, "/v1/completions", {**TEXT, "n": 10})[0] == 200


def test_fifty_clients_at_once_get_what_each_gets_alone(server):
    """With different experts, greedy: the same texts as one after another."""
    models = ["base", "SAU", "EGY", "JPN", "KEN"]
    asked = [
        {
            "model": models[n % 5],
            "prompt": "How " * (1 + n % 7),
            "max_tokens": 4 + n % 9,
            "temperature": 0,
        }
        for n in range(50)
    ]
    found: dict[int, str] = {}

    def ask(number):
        found[number] = post(server, "/v1/completions", asked[number])[1]["choices"][0]["text"]

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    alone = [post(server, "/v1/completions", body)[1]["choices"][0]["text"] for body in asked]
    assert [found[n] for n in range(50)] == alone
