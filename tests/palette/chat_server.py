"""A chat server that fails as servers do; its answers follow from the prompt alone.

    python chat_server.py LOG [FAULTS]

prints its port. FAULTS is the share of requests that go wrong: 429, 500, blank, cut, slow, or no JSON. A
line of LOG is a request: the prompt's hash, what became of it, and the tokens that were counted.
"""

import hashlib
import json
import sys
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

LOG = Path(sys.argv[1])
FAULTS = float(sys.argv[2]) if len(sys.argv) > 2 else 0.0
KINDS = ("429", "500", "blank", "cut", "slow", "no JSON", "no chat")
WORDS = (
    "rice",
    "river",
    "elder",
    "market",
    "prayer",
    "school",
    "harvest",
    "wedding",
    "law",
    "debt",
)
LOCK, TIMES = threading.Lock(), {}


def answer_to(digest):
    """20 to 60 words, and the hash of the prompt."""
    numbers = bytes.fromhex(digest) * 2
    words = [WORDS[n % len(WORDS)] for n in numbers[: 20 + numbers[0] % 40]]
    return " ".join([*words, digest[:16]])


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        prompt = body["messages"][0]["content"]
        digest = hashlib.sha256(prompt.encode()).hexdigest()
        key = self.headers.get("Authorization", "")
        if "wrong" in key:
            return self.answer(401, {"error": {"message": f"Incorrect API key: {key[7:]}"}})
        if body["model"] == "nobody":
            return self.answer(404, {"error": {"message": "The model 'nobody' does not exist"}})
        with LOCK:
            TIMES[digest] = times = TIMES.get(digest, 0) + 1
        chance = hashlib.sha256(f"{digest} {times}".encode()).digest()
        kind = KINDS[chance[0] % len(KINDS)] if chance[1] < 256 * FAULTS else ""
        text = "" if kind == "blank" else answer_to(digest)
        used = {"prompt_tokens": len(prompt.split()) + 9, "completion_tokens": len(text.split())}
        cost = 0 if kind in ("429", "500") else sum(used.values())
        with LOCK, LOG.open("a") as log:
            log.write(json.dumps([digest[:16], kind or "fine", cost]) + "\n")
        choice = {"index": 0, "message": {"content": text}, "finish_reason": "stop"}
        reply = {"choices": [choice], "usage": used}
        if kind == "429":
            return self.answer(429, {"error": {"message": "slow down"}}, {"Retry-After": "0.01"})
        if kind == "500":
            return self.answer(500, {"error": "out of order"})
        if kind == "slow":
            time.sleep(0.5)
        if kind == "no JSON":
            return self.send(200, b"<html>Bad gateway</html>")
        if kind == "no chat":
            return self.send(200, b'{"choices": []}')
        content = json.dumps(reply).encode()
        return self.send(200, content, length=len(content) + 99 * (kind == "cut"))

    def answer(self, code, value, headers=()):
        self.send(code, json.dumps(value).encode(), headers)

    def send(self, code, content, headers=(), length=None):
        self.send_response(code)
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length or len(content)))
        self.end_headers()
        with suppress(OSError):  # whoever asked may be dead
            self.wfile.write(content)
        self.close_connection = True

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_):
        pass


if __name__ == "__main__":
    server = Server(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()
