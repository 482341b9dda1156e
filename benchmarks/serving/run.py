"""How many texts a second: rows side by side against one after another, in process and over HTTP.

    python benchmarks/serving/run.py                      # the embedded model, in process
    python benchmarks/serving/run.py --model FOLDER       # any other
    python benchmarks/serving/run.py --http               # 50 clients of a server of its own
    python benchmarks/serving/run.py --minutes 2          # memory under mixed load

Prints a line of JSON for each figure. Times are of the processor, all threads, so that other work on the
machine disturbs them less; over HTTP they are those of the server's process.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil

QUESTION = "How do you greet an elder? "


def adapters(engine, count: int) -> list:
    """Prompts of five tokens at the scale of the model's words, before everything."""
    from blackbox_align.adapters import Adapter, SoftPrompt

    rng = np.random.default_rng(0)
    scale = float(engine.embed(range(100)).std())
    shape = (5, engine.info.width)
    return [Adapter(prompt=SoftPrompt(scale * rng.normal(size=shape))) for _ in range(count)]


def processor(job: Callable[[], object], turns: int) -> float:
    """Seconds of the processor, the best of some turns."""
    best = float("inf")
    for _ in range(turns):
        start = time.process_time()
        job()
        best = min(best, time.process_time() - start)
    return best


def in_process(model: str, tokens: int, turns: int) -> None:
    """Parts and pooled texts of 3, 20 and 50 experts, against one answer, and one by one."""
    from blackbox_align import engines
    from blackbox_align.engines.base import Request, Sampling

    engine = engines.open(model, device="cpu", dtype="float32")
    engine._batch._ends = frozenset()  # all texts get their whole length
    prompts, sampling = adapters(engine, 50), Sampling(tokens)
    asked = [Request(QUESTION * 3, sampling, ((adapter, 1.0),)) for adapter in prompts]

    def together(count: int) -> list:
        replies = [engine.submit(request) for request in asked[:count]]
        return [reply.result().tokens for reply in replies]

    def alone(count: int) -> list:
        return [engine.submit(request).result().tokens for request in asked[:count]]

    def pooled(count: int) -> object:
        voices = tuple((adapter, 1 / count) for adapter in prompts[:count])
        return engine.submit(Request(QUESTION * 3, sampling, voices)).result()

    def figures(count: int) -> dict[str, object]:
        same = together(count) == alone(count)
        parts, by_one = (
            processor(lambda: together(count), turns),
            processor(lambda: alone(count), 1),
        )
        return {
            "model": model, "experts": count, "tokens": tokens, "same_tokens": same,
            "times_one_answer": round(parts / one, 2), "faster_than_one_by_one": round(by_one / parts, 2),
            "pooled_over_parts": round(processor(lambda: pooled(count), turns) / parts, 2),
            "tokens_a_second": round(count * tokens / parts),
        }  # fmt: skip

    together(2)
    one = processor(lambda: together(1), 2 * turns)
    for count in (3, 20, 50):
        print(json.dumps(figures(count)), flush=True)
    engine.close()


class Served:
    """A server of its own over experts made here."""

    def __init__(self, folder: Path, model: str, experts: int) -> None:
        from blackbox_align import engines
        from blackbox_align.experts import Proof, write_expert
        from tests.experts.hand_made import card

        engine = engines.open(model, device="cpu", dtype="float32")
        about = card(engine.info.name, engine.info.revision)
        for number, adapter in enumerate(adapters(engine, experts)):
            write_expert(
                folder / "experts" / f"e{number}", adapter, about, Proof(0.0, 1e-4, "float32", 1)
            )
        engine.close()
        command = [
            sys.executable,
            "-m",
            "blackbox_align",
            "serve",
            "--port",
            "0",
            "--dtype",
            "float32",
        ]
        self._process = subprocess.Popen(
            [*command, "--model", model], cwd=folder, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.url = ""
        for line in self._process.stdout:
            found = re.search(r"Serving at (\S+)", line)
            self.url = found[1] if found else self.url
            if "is loaded" in line:
                break
        self.about = psutil.Process(self._process.pid)

    def ask(self, body: dict) -> dict:
        raw = json.dumps(body).encode()
        asked = urllib.request.Request(
            f"{self.url}/v1/completions", raw, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(asked, timeout=600) as answer:
            return json.load(answer)

    def processor(self) -> float:
        times = self.about.cpu_times()
        return times.user + times.system

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(60)


def over_http(model: str, tokens: int) -> None:
    """50 clients with 50 experts at once, and the same one after another."""
    with tempfile.TemporaryDirectory() as name:
        served = Served(Path(name), model, 50)
        bodies = [
            {
                "model": f"e{n}",
                "prompt": QUESTION * (1 + n % 3),
                "max_tokens": tokens,
                "temperature": 0,
            }
            for n in range(50)
        ]
        found: dict[int, str] = {}

        def text(number: int) -> str:
            return served.ask(bodies[number])["choices"][0]["text"]

        def ask(number: int) -> None:
            found[number] = text(number)

        for number in range(50):  # every expert's files are read once
            served.ask({**bodies[number], "max_tokens": 1})
        figures = {}
        for way in ("at once", "one after another"):
            start, wall = served.processor(), time.monotonic()
            if way == "at once":
                threads = [threading.Thread(target=ask, args=(n,)) for n in range(50)]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
                together = dict(found)
            else:
                for number in range(50):
                    ask(number)
            figures[way] = (served.processor() - start, time.monotonic() - wall)
        served.close()
        (once, wall), (after, wall_after) = figures["at once"], figures["one after another"]
        print(json.dumps({
            "model": model, "clients": 50, "same_texts": found == together, "tokens": tokens,
            "processor_s": [round(once, 2), round(after, 2)], "throughput": round(after / once, 2),
            "wall_s": [round(wall, 2), round(wall_after, 2)], "by_wall": round(wall_after / wall, 2),
        }), flush=True)  # fmt: skip


def memory(model: str, minutes: float) -> None:
    """Resident memory while eight clients ask for everything at random, some of them hanging up."""
    with tempfile.TemporaryDirectory() as name:
        served = Served(Path(name), model, 8)
        end, counted, refused = time.monotonic() + 60 * minutes, [0], [0]

        def load(seed: int) -> None:
            rng = np.random.default_rng(seed)
            while time.monotonic() < end:
                body = {
                    "model": rng.choice(["base", *(f"e{n}" for n in range(8))]),
                    "prompt": QUESTION * int(rng.integers(1, 20)),
                    "max_tokens": int(rng.integers(1, 80)),
                    "n": int(rng.integers(1, 4)),
                    "echo": bool(rng.random() < 0.3),
                    "logprobs": 2 if rng.random() < 0.5 else None,
                    "stream": bool(rng.random() < 0.3),
                }
                raw = json.dumps(body).encode()
                asked = urllib.request.Request(
                    f"{served.url}/v1/completions", raw, {"Content-Type": "application/json"}
                )
                try:
                    with urllib.request.urlopen(asked, timeout=600) as answer:
                        answer.read(20 if rng.random() < 0.2 else None)  # the rest is never fetched
                    counted[0] += 1
                except urllib.error.HTTPError:  # 504 on a machine that has no time for it
                    refused[0] += 1

        threads = [threading.Thread(target=load, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        seen: list[tuple[float, int, float]] = []  # minutes, requests, MiB
        while any(thread.is_alive() for thread in threads):
            time.sleep(min(60.0, max(1.0, 60 * minutes / 20)))
            resident = served.about.memory_info().rss / 2**20
            seen.append((minutes - (end - time.monotonic()) / 60, counted[0], resident))
            print("{:.1f} min, {} requests, {:.1f} MiB".format(*seen[-1]), flush=True)
        served.close()
        later = np.array(seen[len(seen) // 3 :])
        slopes = [float(np.polyfit(later[:, n], later[:, 2], 1)[0]) for n in (0, 1)]
        print(json.dumps({
            "model": model, "minutes": minutes, "requests": counted[0], "refused": refused[0],
            "resident_MiB": [round(row[2], 1) for row in seen],
            "slope of the last two thirds, MiB an hour": round(60 * slopes[0], 1),
            "MiB a thousand requests": round(1000 * slopes[1], 1),
        }))  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="respondent-tiny")
    parser.add_argument("--tokens", type=int, default=32)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--http", action="store_true")
    parser.add_argument("--minutes", type=float, default=0.0)
    given = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).parents[2]))
    if given.minutes:
        memory(given.model, given.minutes)
    elif given.http:
        over_http(given.model, given.tokens)
    else:
        in_process(given.model, given.tokens, given.turns)


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    main()
