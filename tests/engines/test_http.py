"""A model at an address: the same answers as in this process, and a contract that was recorded."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from blackbox_align.adapters.adapter import Adapter, SoftPrompt
from blackbox_align.engines.http import HttpEngine
from blackbox_align.errors import ModelError, SpecificationError
from blackbox_align.surveys.sheet import Question, Sheet

RECORDED = Path(__file__).with_name("http_contract.json")
SHEET = Sheet(
    (
        Question("Is it right?\nA = yes, B = no", ("A", "B")),
        Question("How is it?\nA = good, B = bad, C = neither", ("A", "B", "C")),
    )
)


@contextmanager
def replayed(changed=lambda path, answer: answer):
    """A server that answers what was recorded, to exactly the requests that were recorded."""
    contract = json.loads(RECORDED.read_text(encoding="utf-8"))
    seen = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.answer(None)

        def do_POST(self):
            self.answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def answer(self, body):
            found = [e for e in contract if e["path"] == self.path and e["body"] == body]
            seen.append((self.path, body, self.headers.get("Authorization")))
            status, content = (200, found[0]["answer"]) if found else (
                400, {"error": {"message": f"not recorded: {body}"}})  # fmt: skip
            raw = json.dumps(changed(self.path, content)).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", seen
    finally:
        server.shutdown()
        server.server_close()


def test_a_recorded_server_is_asked_as_it_was():
    """The requests are those of the contract, to the letter; shares are those of its log-probabilities."""
    with replayed() as (url, seen):
        engine = HttpEngine(url, "SAU", key="secret")
        answers = engine.answer([Adapter(), Adapter("You live in Chad."), Adapter()], SHEET)
    assert answers.probabilities.shape == (3, 2, 3)
    np.testing.assert_allclose(answers.probabilities.sum(-1), 1, atol=1e-6)
    np.testing.assert_array_equal(answers.probabilities[0], answers.probabilities[2])
    assert np.abs(answers.probabilities[0] - answers.probabilities[1]).max() > 1e-4
    assert (answers.probabilities[:, 0, 2] == 0).all() and (answers.mass <= 1 + 1e-5).all()
    assert all(key == "Bearer secret" for _, _, key in seen)
    contract = json.loads(RECORDED.read_text(encoding="utf-8"))
    told = next(e for e in contract if e["body"] and "Is it right" in e["body"]["prompt"][0] and (
        "Chad" not in e["body"]["prompt"][0]))["answer"]["choices"]  # fmt: skip
    logs = [
        [log for log, at in zip(c["logprobs"]["token_logprobs"], c["logprobs"]["text_offset"], strict=True)
         if at < len(c["text"]) - 2][-1]
        for c in told
    ]  # fmt: skip
    assert answers.mass[0, 0] == pytest.approx(np.exp(logs).sum(), rel=1e-5)


def test_what_it_cannot_do_is_a_sentence():
    """Other addresses, other models, no log-probabilities, labels of several tokens, vectors, no server."""
    with pytest.raises(SpecificationError, match="begins with http"):
        HttpEngine("localhost:8000")
    with pytest.raises(ModelError, match="Nobody answers"):
        HttpEngine("http://127.0.0.1:9/v1").answer([Adapter()], SHEET)
    with replayed() as (url, _):
        engine = HttpEngine(url, "SAU")
        with pytest.raises(SpecificationError, match="texts alone"):
            engine.answer([Adapter(prompt=SoftPrompt(np.ones((1, 4))))], SHEET)
        with pytest.raises(ModelError, match="serves no model 'FRA'; it lists base"):
            HttpEngine(url, "FRA").answer([Adapter()], SHEET)
        with pytest.raises(ModelError, match="answers 400: not recorded"):
            HttpEngine(url, "base").answer([Adapter("Unknown.")], SHEET)
        for verb in (engine.tokenize, engine.submit, engine.embed):
            with pytest.raises(ModelError):
                verb("x")

    def silent(path, answer):
        for choice in answer.get("choices", ()):
            choice["logprobs"] = None
        return answer

    with replayed(silent) as (url, _), pytest.raises(ModelError, match="how likely a prompt was"):
        HttpEngine(url, "SAU").answer([Adapter()], SHEET)

    def split(path, answer):
        for choice in answer.get("choices", ()):
            choice["logprobs"]["tokens"][3] = f"other {choice['index']}"
        return answer

    with replayed(split) as (url, _):
        assert all("not one token" in why for why in HttpEngine(url, "SAU").askable(SHEET))
