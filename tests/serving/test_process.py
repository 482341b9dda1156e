"""The process from its first moment to its last: loading, serving, and an end that lets texts end."""

from __future__ import annotations

import http.client
import json
import signal
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from blackbox_align.errors import SpecificationError
from blackbox_align.serving import Limits
from tests.serving.conftest import Server

REAL = Path(__file__).parents[2] / "experiments/real_models/models/smollm2-135m-instruct"
TEXT = {"model": "base", "prompt": "How", "max_tokens": 1}


def get(url, path, body=None):
    """Status and JSON; None and nothing where nobody listens any more."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    try:
        raw = None if body is None else json.dumps(body)
        headers = {"Content-Type": "application/json"}
        connection.request("GET" if body is None else "POST", path, raw, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    except (OSError, http.client.HTTPException, ValueError):
        return None, {}
    finally:
        connection.close()


def test_it_says_503_before_and_after_and_lets_texts_end(tmp_path):
    """While the model is loaded, and behind SIGTERM, while a stream comes to its end; then it ends."""
    server = Server(tmp_path, wait=False)
    try:
        status, content = get(server.url, "/v1/completions", TEXT)
        assert status == 503 and content["error"]["code"] == "loading"
        assert get(server.url, "/health") == (503, {"status": "loading", "rows": 0})
        server._wait_for("is loaded")
        long = {**TEXT, "n": 20, "max_tokens": 200, "temperature": 0, "stream": True}
        connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=60)
        connection.request(
            "POST", "/v1/completions", json.dumps(long), {"Content-Type": "application/json"}
        )
        answer = connection.getresponse()
        answer.read(10)
        server.process.send_signal(signal.SIGTERM)
        told = []
        while not told or told[-1][0] == 200:
            told.append(get(server.url, "/v1/completions", TEXT))
        assert told[-1][0] == 503 and told[-1][1]["error"]["code"] == "shutting_down"
        events = answer.read().decode()
        assert events.endswith("data: [DONE]\n\n") and events.count('"length"') == 20
        assert server.process.wait(60) == 0, server.lines
    finally:
        server.process.kill()


@pytest.mark.slow
def test_ctrl_c_ends_it_within_its_grace_and_a_second_one_at_once(tmp_path):
    """Exit code 130, no traceback; texts that never end do not keep it."""
    server = Server(tmp_path)
    long = {**TEXT, "n": 100, "max_tokens": 500, "temperature": 0}
    threading.Thread(target=get, args=(server.url, "/v1/completions", long), daemon=True).start()
    while not get(server.url, "/health")[1].get("rows"):
        time.sleep(0.05)
    server.process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert server.stop(signal.SIGINT) == 130
    assert len(server.lines) == 2, server.lines


@pytest.mark.slow
def test_a_model_that_is_not_there_and_a_port_that_is_taken_are_sentences(bbalign_process, server):
    """Exit code 2."""
    done = bbalign_process("serve", "--port", "0", "--model", "nowhere/to-be-found")
    assert done.returncode == 2 and "nowhere/to-be-found" in done.stderr
    assert "Traceback" not in done.stderr
    taken = bbalign_process("serve", "--port", urlsplit(server.url).port)
    assert taken.returncode == 2 and "choose another --port" in taken.stderr


def test_limits_are_above_nothing():
    """Before anything is loaded."""
    with pytest.raises(SpecificationError, match="The limit of rows is 0"):
        Limits(rows=0)


@pytest.mark.slow
def test_a_real_chat_model_chats(tmp_path):
    """SmolLM2 through its chat template: a greeting, the same at once and as a stream."""
    if not REAL.is_dir():
        pytest.skip("there is no real model; `make real-models` makes it")
    server = Server(tmp_path, "--model", str(REAL))
    try:
        with server.client() as client:
            asked = [
                {"role": "system", "content": "Answer in one short sentence."},
                {"role": "user", "content": "What is the capital of France?"},
            ]
            settings = {"model": "base", "messages": asked, "temperature": 0, "max_tokens": 24}
            whole = client.chat.completions.create(**settings).choices[0]
            assert "Paris" in whole.message.content and whole.finish_reason == "stop"
            pieces = client.chat.completions.create(**settings, stream=True)
            assert (
                "".join(p.choices[0].delta.content or "" for p in pieces) == whole.message.content
            )
    finally:
        assert server.stop() == 0
