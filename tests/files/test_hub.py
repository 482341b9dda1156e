"""Files of data sets on the hub, fetched from a small server that answers as the hub does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from blackbox_align.errors import SpecificationError
from blackbox_align.files.hub import fetch_data_file

COMMIT = "0123456789abcdef0123456789abcdef01234567"
ADDRESS = "hf://datasets/kellycyy/CulturalBench/CulturalBench-Hard.csv"
HARD = "data_idx,question_idx,prompt_question,prompt_option,answer,country\n" + "".join(
    f"{4 * q + n},{q},Which drink?,drink {n},{n == 1},Kenya\n" for q in range(3) for n in range(4)
)


class Hub(BaseHTTPRequestHandler):
    """The few answers of the hub that are needed: what a name stands at, its files, refusals."""

    def do_GET(self):
        owner_and_name = "/".join(self.path.split("?")[0].split("/")[3:5])
        if self.path.startswith("/api/") and owner_and_name == "some/none":
            self.reply(404, b"", "RepoNotFound")
        elif "/revision/" in self.path:
            found = self.path.endswith(("/main", COMMIT))
            info = {"id": owner_and_name, "sha": COMMIT, "siblings": []}
            self.reply(200 if found else 404, json.dumps(info).encode(), "RevisionNotFound")
        elif "/tree/" in self.path:
            files = [{"type": "file", "path": "CulturalBench-Hard.csv", "size": 1, "oid": "0"}]
            self.reply(200, json.dumps(files).encode())
        elif "/datasets/some/gated/" in self.path:
            self.reply(403, b"", "GatedRepo")
        elif "/datasets/some/none/" in self.path:
            self.reply(404, b"", "RepoNotFound")
        elif "/resolve/v9/" not in self.path:
            found = self.path.endswith("/CulturalBench-Hard.csv")
            self.reply(200 if found else 404, HARD.encode(), "EntryNotFound")
        else:
            self.reply(404, b"", "RevisionNotFound")

    do_HEAD = do_GET

    def reply(self, status, body, error=""):
        self.send_response(status)
        headers = {"ETag": '"00"', "X-Repo-Commit": COMMIT, "Content-Length": str(len(body))}
        if status != 200:
            headers["X-Error-Code"] = error
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextmanager
def hub():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def score(bbalign_process, tmp_path):
    """Score the baselines on a file of the hub at an address, or without a network at all."""

    def run(address, endpoint=None) -> subprocess.CompletedProcess:
        where = {"HF_ENDPOINT": endpoint} if endpoint else {"HF_HUB_OFFLINE": "1"}
        home = {"HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_XET": "1"}
        return bbalign_process(
            "score", address, "--baselines", "--json", env={**os.environ, **home, **where}
        )

    return run


def test_a_file_of_the_hub_is_scored_and_afterwards_without_a_network(score):
    """It is fetched once; the notes name the commit; offline the same file is read again."""
    with hub() as endpoint:
        first = score(ADDRESS, endpoint)
    assert first.returncode == 0, first.stderr
    table = json.loads(first.stdout)
    assert {figure["instrument"] for figure in table["figures"]} == {"culturalbench-hard"}
    at = f"hf://datasets/kellycyy/CulturalBench@{COMMIT}/CulturalBench-Hard.csv"
    assert f"Data: {at}." in table["notes"]
    for address in (ADDRESS, at):
        assert score(address).stdout == first.stdout


FETCH = """
import sys
from blackbox_align.errors import DataFileError
from blackbox_align.files.hub import fetch_data_file
for address in sys.argv[1:]:
    try:
        print(fetch_data_file(address))
    except DataFileError as error:
        print(error)
"""


def test_a_file_that_cannot_be_had_gets_a_sentence(tmp_path):
    """Gated, not there, misspelt, another revision: one sentence each, and what to do."""
    sentences = {
        "hf://datasets/some/gated/a.csv": "give it on the page of the data set",
        "hf://datasets/some/none/a.csv": "there is no such data set, or it is private",
        ADDRESS.replace("Hard", "Hrad"): "did you mean CulturalBench-Hard.csv?",
        ADDRESS.replace("Bench/", "Bench@v9/"): "has no revision 'v9'",
    }
    with hub() as endpoint:
        done = subprocess.run(
            [sys.executable, "-c", FETCH, *sentences],
            env={**os.environ, "HF_HOME": str(tmp_path), "HF_ENDPOINT": endpoint},
            capture_output=True,
            text=True,
        )
    lines = done.stdout.splitlines()
    assert len(lines) == len(sentences), done.stderr
    for line, (address, sentence) in zip(lines, sentences.items(), strict=True):
        assert line.startswith(f"{address}: ") and sentence in line


def test_without_a_network_a_sentence_says_what_can_be_done(score):
    """Offline, a file that was never downloaded is refused at once."""
    done = score(ADDRESS)
    assert done.returncode == 2 and "was not downloaded before" in done.stderr


@pytest.mark.parametrize(
    "address", ["hf://kellycyy/CulturalBench", "hf://datasets/CulturalBench", "hf://datasets/a/b/"]
)
def test_another_form_of_address_is_refused(address):
    """Models, bare data sets and folders are no files."""
    with pytest.raises(SpecificationError, match="hf://datasets/OWNER/NAME/FILE"):
        fetch_data_file(address)
