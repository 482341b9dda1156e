"""Any thread may ask an engine: each gets the bits that it would get alone, and the model stays whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

import blackbox_align as bba
from blackbox_align.adapters import Adapter
from blackbox_align.adapters.adapter import SoftPrompt
from blackbox_align.engines.base import Request, Sampling
from blackbox_align.engines.checkpoint import load_model
from blackbox_align.engines.local.chat import Reader
from blackbox_align.engines.local.engine import LocalEngine
from blackbox_align.engines.local.questions import tokenize
from blackbox_align.engines.local.thread import JobThread
from blackbox_align.engines.local.threads import own_threads
from blackbox_align.engines.ray.cluster import usable_cpus
from blackbox_align.surveys import load_survey
from blackbox_align.surveys.sheet import Sheet, sheet
from tests.engines.local.test_engine import random_adapters


def test_four_threads_at_once_get_what_each_gets_alone():
    """Two searches, a score and texts that are read, 20 times over: equal bits, and an equal model."""
    model, survey = load_model(device="cpu"), load_survey("vsm2013")
    few = Sheet(sheet(survey).questions[:6])
    texts = Sheet(few.questions[:2], (("I live in Chad.", " It is warm."), ("", "Once.")))
    jobs = [
        (random_adapters(model, 7, 3, "first"), few),
        (random_adapters(model, 9, 2, "last", seed=1), few),
        ([Adapter(), Adapter("You live in Chad."), *random_adapters(model, 2, 3, "message")], few),
        (random_adapters(model, 2, 3, "first", seed=2), texts),
    ]
    ids = torch.tensor([tokenize(few.questions[0], Reader(model.tokenizer)).context])
    before = model.model(input_ids=ids).logits
    alone = [LocalEngine(model).answer(*job) for job in jobs]
    engine, wrong = LocalEngine(model), []

    def ask(number):
        for _ in range(20):
            given = engine.answer(*jobs[number])
            for name in ("probabilities", "mass", "divergence", "surprise"):
                one, other = getattr(given, name), getattr(alone[number], name)
                if not np.array_equal(one, other, equal_nan=True):
                    wrong.append((number, name))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert torch.equal(model.model(input_ids=ids).logits, before)


@pytest.mark.slow
def test_searches_a_score_and_texts_from_four_threads_are_each_as_alone():
    """Two searches, a score and twenty texts written on one engine, 20 times over: equal bits."""
    model, few = load_model(device="cpu"), Sheet(sheet(load_survey("vsm2013")).questions[:6])
    before = {name: weight.clone() for name, weight in model.model.state_dict().items()}

    def searched(engine, seed):
        def residuals(vectors):
            prompts = 0.1 * vectors.reshape(len(vectors), 2, -1).astype(np.float32)
            adapters = [Adapter(prompt=SoftPrompt(prompt, "first")) for prompt in prompts]
            return engine.answer(adapters, few).probabilities.reshape(len(vectors), -1) - 0.2

        found = bba.minimize(residuals, 2 * model.embedding_width, budget=24, seed=seed)
        return found.losses.tobytes() + found.vector.tobytes()

    def scored(engine, seed):
        result = bba.score("vsm2013", country="JPN", engine=engine, cache=False, resamples=9)
        return [answers.probabilities for answers in result.answers]

    def written(engine, seed):
        requests = [Request(f"Answer {n}", Sampling(8, 1.0, seed=n)) for n in range(20)]
        replies = [engine.submit(request) for request in requests]
        return [reply.result().text for reply in replies]

    jobs = [(searched, 0), (searched, 1), (scored, 0), (written, 0)]
    alone = [job(LocalEngine(model), seed) for job, seed in jobs]
    engine, wrong = LocalEngine(model), []

    def again(number):
        job, seed = jobs[number]
        for _ in range(20):
            try:
                if job(engine, seed) != alone[number]:
                    wrong.append((number, "other bits"))
            except Exception as error:
                wrong.append((number, error))

    threads = [threading.Thread(target=again, args=(number,)) for number in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    for name, weight in model.model.state_dict().items():
        assert torch.equal(weight, before[name]), name


def test_jobs_run_whole_and_in_the_order_of_their_arrival():
    """Nothing of one job runs inside of another."""
    thread, seen, begun = JobThread(), [], threading.Event()

    def first(pause):
        begun.set()
        time.sleep(0.1)
        seen.append("first")

    waiting = threading.Thread(target=lambda: thread.run(first))
    waiting.start()
    begun.wait()
    thread.run(lambda pause: seen.append("second"))
    waiting.join()
    assert seen == ["first", "second"]
    thread.close()


def test_a_job_has_the_threads_of_whoever_asks():
    """The number that the caller has set now, whenever the engine was made."""
    thread, usual = JobThread(), torch.get_num_threads()
    try:
        for count in (2, 1, 3):
            torch.set_num_threads(count)
            assert thread.run(lambda pause: torch.get_num_threads()) == count
    finally:
        torch.set_num_threads(usual)


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is a signal here")
def test_ctrl_c_ends_a_long_answer_between_two_passes():
    """The one who waits is let go at once, and the process ends without doing the rest."""
    process = subprocess.Popen([sys.executable, "-c", LONG], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "asking\n"
    time.sleep(0.5)
    begin = time.monotonic()
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=60)
    assert "interrupted" in rest and time.monotonic() - begin < 20


LONG = """
import blackbox_align as bba
from blackbox_align.adapters import Adapter
from blackbox_align.adapters.adapter import SoftPrompt
from blackbox_align.engines.base import Request, Sampling
from blackbox_align.engines.local.thread import JobThread
from blackbox_align.engines.local.threads import own_threads
from blackbox_align.engines.ray.cluster import usable_cpus
import time

def job(pause):
    for _ in range(1000):
        time.sleep(0.1)
        pause()

print("asking", flush=True)
try:
    JobThread().run(job)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def test_threads_are_chosen_by_the_model_where_nobody_has_chosen(monkeypatch):
    """A small model takes one, a larger one all that the process may use; who chose gets what was chosen."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    default, usual = len(os.sched_getaffinity(0)), torch.get_num_threads()
    small = load_model(device="cpu")
    config = LlamaConfig(
        vocab_size=64, hidden_size=512, intermediate_size=1024, num_hidden_layers=2
    )
    with torch.device("meta"):
        large = LlamaForCausalLM(config)
    try:
        torch.set_num_threads(default)  # as torch itself begins
        assert LocalEngine(small).threads == own_threads(small.model) == 1
        assert own_threads(large) == usable_cpus() <= default
        torch.set_num_threads(default + 1)
        assert LocalEngine(small).threads == default + 1
        torch.set_num_threads(default)
        monkeypatch.setenv("OMP_NUM_THREADS", str(default))
        assert LocalEngine(small).threads == default
    finally:
        torch.set_num_threads(usual)
