"""A real server process over the embedded model and a library of hand-made experts."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from blackbox_align.adapters.adapter import Adapter, SoftPrompt
from blackbox_align.engines.checkpoint import load_model
from blackbox_align.experts import write_expert
from tests.experts.hand_made import PROOF, card

pytest.importorskip("fastapi", reason="needs the extra serve")
openai = pytest.importorskip("openai", reason="needs the openai client")

PEOPLES = {"SAU": "Saudi Arabia", "EGY": "Egypt", "JPN": "Japan"}


class Server:
    """A server process: its address, and clients of it."""

    def __init__(self, folder: Path, *options: str, key: str = "", wait: bool = True) -> None:
        command = [sys.executable, "-m", "blackbox_align", "serve", *options, "--port", "0"]
        environment = {**os.environ, "BBALIGN_API_KEY": key, "PYTHONUNBUFFERED": "1"}
        self.key = key
        self.process = subprocess.Popen(
            command, cwd=folder, env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert self.process.stdout is not None
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.url = self._wait_for(r"Serving at (\S+)")
        if wait:
            self._wait_for("is loaded")

    def _read(self) -> None:
        for line in self.process.stdout:  # type: ignore[union-attr]
            self.lines.append(line)

    def _wait_for(self, pattern: str) -> str:
        for _ in range(1200):
            found = re.search(pattern, "".join(self.lines))
            if found:
                return found[found.lastindex or 0]
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        raise AssertionError("".join(self.lines))

    def client(self, **more):
        settings = {"base_url": f"{self.url}/v1", "api_key": self.key or "none", "max_retries": 0}
        return openai.OpenAI(**{**settings, **more})

    def stop(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(60)
        finally:
            self.process.kill()


def write_experts(folder: Path, info, names=PEOPLES, *, text: bool = True) -> None:
    """Experts of different lengths and places, drawn at the scale of word embeddings, and one text."""
    rng = np.random.default_rng(0)
    for number, name in enumerate(names):
        place = ("first", "message", "last")[number % 3]
        vectors = 0.5 * rng.normal(size=(2 + 3 * number % 7, info.width)).astype(np.float32)
        about = replace(
            card(info.name, info.revision), population=name, name=PEOPLES.get(name, name)
        )
        write_expert(folder / name, Adapter(prompt=SoftPrompt(vectors, place)), about, PROOF)
    if text:
        about = replace(card(info.name, info.revision), population="KEN", name="Kenya")
        write_expert(folder / "KEN", Adapter("You live in Kenya."), about, PROOF)


@pytest.fixture(scope="session")
def tiny():
    """The embedded model, in this process."""
    return load_model(device="cpu")


@pytest.fixture(scope="session")
def server(tmp_path_factory, tiny):
    folder = tmp_path_factory.mktemp("serving")
    write_experts(folder / "experts", tiny.info)
    running = Server(folder, "--rows", "64", "--size", "20000", key="secret")
    running.folder = folder
    yield running
    running.stop()
