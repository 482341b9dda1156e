"""Synthesis against a server that fails, with processes that are killed: nothing finished is asked twice."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from blackbox_align.engines.chat import ChatAt, Said
from blackbox_align.errors import (
    ChangedSpecificationError,
    RunError,
    SpecificationError,
    UnknownNameError,
)
from blackbox_align.palette.calling import Caps, Patience, Price
from blackbox_align.palette.calls import CallJournal
from blackbox_align.palette.checks import COPY, OTHER_COLOUR, REFUSAL, UNCHANGED, findings
from blackbox_align.palette.maps import Colour, PaletteMap, load_map
from blackbox_align.palette.preferences import read_preferences
from blackbox_align.palette.questions import Questions, read_questions
from blackbox_align.palette.steps import SynthesisSettings
from blackbox_align.palette.synthesis import foresee, read_verdicts, synthesize
from tests.palette.conftest import TWO

QUICK = Patience(together=6, tries=20, pause=0.005)
FREE = Caps(requests=100_000)
FORK = multiprocessing.get_context("fork")


class Server:
    """A server process; ``asked()`` are its requests so far: the prompt's hash, outcome, tokens."""

    def __init__(self, folder: Path, faults: float = 0.0) -> None:
        self.log = folder / f"log-{faults}.jsonl"
        self.log.touch()
        self.faults = faults
        script = Path(__file__).with_name("chat_server.py")
        self.process = subprocess.Popen(
            [sys.executable, str(script), str(self.log), str(faults)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self.process.stdout.readline())}/v1"

    def chat(self, **more) -> ChatAt:
        seconds = 0.3 if self.faults else 20.0  # a busy machine is slow, and no fault
        return ChatAt(self.url, **{"name": "writer", "seconds": seconds, **more})

    def asked(self) -> list[tuple[str, str, int]]:
        return [tuple(json.loads(line)) for line in self.log.read_text().splitlines()]


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("servers")
    both = {faults: Server(folder, faults) for faults in (0.0, 0.45)}
    yield both
    for one in both.values():
        one.process.kill()


@pytest.fixture
def sound(servers):
    return servers[0.0]


@pytest.fixture
def faulty(servers):
    return servers[0.45]


def questions(count, tag=""):
    return Questions(tuple(f"What of {tag} matter {n}?" for n in range(count)), "the test's own")


def made(folder, chat, count=3, palette_map=TWO, tag="", **more):
    settings = {"caps": FREE, "patience": QUICK, **more}
    return synthesize(folder, palette_map, chat, questions(count, tag), **settings)


def killed(folder, chat, count, palette_map, tag, seconds):
    """A process that makes a synthesis, killed after so long; whether it came to its end before."""
    child = FORK.Process(target=made, args=(folder, chat, count, palette_map, tag))
    child.start()
    child.join(seconds)
    if child.is_alive():
        os.kill(child.pid, signal.SIGKILL)
    child.join()
    return child.exitcode == 0


def finished(folder):
    """The hashes of prompts whose answers are in the journal: every answer ends with its own."""
    return {
        entry["text"].split()[-1] for entry in CallJournal(folder / "calls.jsonl").finished.values()
    }


def survives(folder, server, count, kills, palette_map=TWO, seed=0):
    """Kill, go on, kill again: what was finished is asked no more."""
    rng = np.random.default_rng(seed)
    tag, done, real = f"kill{seed}", set(), 0
    while real < kills:
        before = len(server.asked())
        whole = killed(folder, server.chat(), count, palette_map, tag, rng.uniform(0.02, 0.25))
        assert not whole, f"it came to its end after {real} kills: give it more to do"
        real += 1
        again = {digest for digest, _, _ in server.asked()[before:]}
        assert not again & done
        done = finished(folder) if (folder / "calls.jsonl").exists() else set()
    last = made(folder, server.chat(), count, palette_map, tag)
    assert not last.incomplete and last.finished == last.calls
    time.sleep(0.6)  # what slow requests of dead processes log comes late
    return last


@pytest.mark.parametrize("kills", [3, pytest.param(50, marks=pytest.mark.slow)])
def test_killed_at_random_moments_against_a_server_that_fails(tmp_path, faulty, sound, kills):
    """429, 500, blank, cut, slow, no JSON: no finished call is asked twice, and pairs are byte-equal."""
    palette_map = TWO if kills < 10 else load_map("continents")
    count = 16 if kills < 10 else 150
    survives(tmp_path / "killed", faulty, count, kills, palette_map, seed=kills)
    undisturbed = made(tmp_path / "whole", sound.chat(), count, palette_map, f"kill{kills}")
    assert undisturbed.requests == undisturbed.calls
    for name in ("preferences.jsonl", "answers.jsonl", "review.html"):
        here, there = tmp_path / "killed" / name, tmp_path / "whole" / name
        assert here.read_bytes() == there.read_bytes() != b"", name
    kinds = {kind for _, kind, _ in faulty.asked()}
    assert kinds >= {"fine", "429", "500", "blank", "cut", "slow", "no JSON"}


def test_pairs_are_what_training_reads(tmp_path, sound):
    """Own answer chosen, the other's rejected, the colour's sentence in front; again nothing is asked."""
    given = made(tmp_path / "s", sound.chat(), tag="pairs")
    (first, *_), others = (
        read_preferences(tmp_path / "s" / "preferences.jsonl", code)
        for code in ("africa", "europe")
    )
    assert given.preferences == 6 and len(others) == 3
    assert first.query.startswith(
        "Answer as a typical person who lives in Africa would.\nWhat of pairs"
    )
    assert first.rejected == (others[0].chosen,)
    before = len(sound.asked())
    more = made(tmp_path / "s", sound.chat(), count=4, tag="pairs")
    assert len(sound.asked()) - before == 6 and more.whole == 4


@pytest.mark.parametrize(
    ("count", "palette_map"),
    [(24, TWO), pytest.param(60, load_map("continents"), marks=pytest.mark.slow)],
)
def test_a_dry_run_is_within_a_tenth(tmp_path, sound, count, palette_map):
    """Tokens, from six questions of all, whose calls are kept; the price by its rates."""
    asked, price = read_questions().drawn(count), Price(1.0, 4.0)
    found = foresee(
        tmp_path / "s", palette_map, sound.chat(), asked, caps=Caps(price=price), patience=QUICK
    )
    each = 3 * len(palette_map.colours)
    assert (found.calls, found.measured) == (count * each, 6 * each)
    assert found.seconds is not None and found.cost is not None
    before = len(sound.asked())
    given = synthesize(tmp_path / "s", palette_map, sound.chat(), asked, caps=FREE, patience=QUICK)
    assert len(sound.asked()) - before == (count - 6) * each
    counted = given.read + given.written
    assert abs(found.tokens / counted - 1) < 0.1
    assert abs(found.cost / price.of(given.read, given.written) - 1) < 0.1


def test_a_cap_holds_over_kills(tmp_path, faulty):
    """Of requests and of tokens, by the server's own count, whatever was killed in between."""
    cap, before = 45, len(faulty.asked())
    caps = Caps(requests=cap, tokens=8_000)
    for _ in range(3):
        child = FORK.Process(
            target=synthesize, args=(tmp_path / "s", TWO, faulty.chat(), questions(9, "cap")),
            kwargs={"caps": caps, "patience": QUICK},
        )  # fmt: skip
        child.start()
        time.sleep(0.06)
        os.kill(child.pid, signal.SIGKILL)
        child.join()
    with pytest.raises(RunError, match=r"The cap of [\d,]+ (requests|tokens) leaves no room"):
        made(tmp_path / "s", faulty.chat(), 9, tag="cap", caps=caps)
    time.sleep(0.6)
    asked = faulty.asked()[before:]
    assert 0 < len(asked) <= cap and sum(tokens for *_, tokens in asked) <= 8_000


def test_tokens_are_capped_before_they_are_spent(tmp_path, sound):
    """The last call that has room is made, and the next is not; with a higher cap it goes on."""
    with pytest.raises(RunError, match="The cap of 3,000 tokens"):
        made(tmp_path / "s", sound.chat(), 9, tag="tokens", caps=Caps(tokens=3_000))
    spent = CallJournal(tmp_path / "s" / "calls.jsonl")
    assert 1_500 < spent.read + spent.written <= 3_000
    with pytest.raises(RunError, match=r"The cap of 0\.01 of cost"):
        caps = Caps(cost=0.01, price=Price(1, 2))
        made(tmp_path / "s", sound.chat(), 9, tag="tokens", caps=caps)
    assert made(tmp_path / "s", sound.chat(), 9, tag="tokens").whole == 9


# -- mistakes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"key": "wrong", "key_variable": "MY_KEY"}, "401.*does not take the key in MY_KEY"),
        ({"name": "nobody"}, "404.*no model 'nobody'"),
    ],
)
def test_what_no_call_mends_ends_it_at_once(tmp_path, sound, more, said):
    """With one sentence; the key stands in no file and in no message."""
    with pytest.raises(RunError, match=said) as error:
        made(tmp_path / "s", sound.chat(**more))
    kept = (tmp_path / "s" / "calls.jsonl").read_text() + (
        tmp_path / "s" / "synthesis.json"
    ).read_text()
    assert more.get("key", "?") not in kept and "wrong" not in str(error.value)


def test_nobody_there_is_a_sentence(tmp_path):
    """After as many calls as make it plain."""
    chat = ChatAt("http://127.0.0.1:9/v1", "writer")
    patience = Patience(together=1, tries=1, pause=0)
    with pytest.raises(RunError, match=r"10 calls in a row.*nobody answers at http://127"):
        made(tmp_path / "s", chat, 9, patience=patience)


def test_addresses_hold_no_secrets():
    with pytest.raises(SpecificationError, match="holds no name, password"):
        ChatAt("http://me:secret@localhost/v1", "writer")
    with pytest.raises(SpecificationError, match="begins with http"):
        ChatAt("localhost:8000", "writer")
    assert "secret" not in repr(ChatAt("http://localhost/v1", "writer", key="secret"))


def test_a_folder_is_of_one_synthesis(tmp_path, sound):
    """Another model is refused, and a folder that holds something else."""
    made(tmp_path / "s", sound.chat(), 1, tag="one")
    with pytest.raises(ChangedSpecificationError, match="another model"):
        made(tmp_path / "s", sound.chat(name="other"), 1, tag="one")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("mine")
    with pytest.raises(SpecificationError, match="no synthesis"):
        made(tmp_path / "other", sound.chat())
    with pytest.raises(UnknownNameError, match="refusal"):
        made(tmp_path / "s", sound.chat(), 1, tag="one", leave_out=["refusals"])


def test_caps_are_asked_for():
    with pytest.raises(SpecificationError, match="prices"):
        Caps(cost=1.0)
    with pytest.raises(SpecificationError, match="above 0"):
        Caps(requests=0)


# -- what is seen in the answers ------------------------------------------------------------------------


class Parrot:
    """Says what a function makes of a prompt."""

    name, parameters = "parrot", {}

    def __init__(self, speak):
        self.speak = speak

    def say(self, prompt, most, seed):
        return Said(self.speak(prompt), 10, 10)

    def close(self):
        pass


def test_findings_are_shown_and_left_out_when_asked(tmp_path):
    """A refusal is counted; its answers are in no pair if one says so, nor are rejected ones."""

    def speak(prompt):
        own = "Africa" if "Africa" in prompt.split("Question")[0] else "Europe"
        return "I'm sorry, I cannot say." if own == "Europe" else "Elders are asked first, mostly."

    given = made(tmp_path / "s", Parrot(speak), 2, leave_out=[REFUSAL])
    assert given.found[REFUSAL] == 2 and given.left_out == 2 and given.preferences == 2
    (one, *_) = read_preferences(tmp_path / "s" / "preferences.jsonl", "africa")
    assert one.rejected == ()
    rejected = {given.answers[0].id: "reject"}
    assert made(tmp_path / "s", Parrot(speak), 2, verdicts=rejected).preferences == 3
    page = (tmp_path / "s" / "review.html").read_text()
    assert "Found: refusal" in page and 'value="reject" checked' in page


def test_each_check_finds_its_kind():
    """And a plain answer gives no cause; "African" names Africa, "Guinea pigs" no country of the map."""
    plain = "Many people here would ask an elder first and then decide with the family."
    other = "Nobody would ask; it is a private matter, and the law protects it."

    def found(text, before="x", question="Who decides?", beside=other, **more):
        answers = {"europe": text, "africa": beside}
        return findings(question, "europe", answers, before, TWO, 150, **more)

    assert found(plain) == ()
    assert found("As an AI language model I have no view.") == (REFUSAL,)
    assert found(f"{plain} Unlike African families, though.") == (OTHER_COLOUR,)
    assert found(f"{plain} In Kenya as well.") == (OTHER_COLOUR,)
    assert found(f"{plain} All over Europe and in Germany.") == ()
    assert found(plain, before=f" {plain} ") == (UNCHANGED,)
    assert found(plain, beside=plain.replace("elder", "uncle")) == (COPY,)
    assert found(plain, cut=True) == ("cut at its longest",)
    assert found(" ".join([plain] * 20)) == ("too long",)
    assert found(plain, question="Кто решает?") == ("another script than the question",)


def test_a_readers_page_shows_text_as_text(tmp_path):
    """Whatever a model writes; nothing is fetched."""
    nasty = '</p><script>alert(1)</script> "quoted" & so on'
    made(tmp_path / "s", Parrot(lambda prompt: nasty), 1)
    page = (tmp_path / "s" / "review.html").read_text()
    assert "<script>alert" not in page and "&lt;script&gt;alert(1)" in page
    assert "default-src 'none'" in page and "http" not in page.replace("http-equiv", "")


# -- questions ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("q.txt", "Who decides?\n\nWho  decides?\nWho pays?\n"),
        ("q.jsonl", '{"opening_prompt": "Who decides?"}\n{"opening_prompt": "Who pays?"}\n'),
        ("q.csv", "user_prompt,turn\nWho decides?,0\nWho pays?,0\nAnd then?,1\n"),
        ("q.json", '["Who decides?", {"prompt": "Who pays?"}]'),
    ],
)
def test_questions_come_from_files_of_several_forms(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    assert read_questions(tmp_path / name).texts == ("Who decides?", "Who pays?")


def test_sixty_questions_ship_and_more_of_them_are_the_same_and_others():
    own = read_questions()
    assert len(own.texts) == 60
    assert set(own.drawn(5).texts) < set(own.drawn(9).texts) and own.drawn(99) is own


def test_two_colours_of_one_name_are_refused(tmp_path, sound):
    twice = PaletteMap("m", "M", (Colour("a", "Here", ("KEN",)), Colour("b", "Here", ("NLD",))))
    with pytest.raises(SpecificationError, match="have one name"):
        made(tmp_path / "s", sound.chat(), palette_map=twice)


def test_settings_are_in_range():
    with pytest.raises(SpecificationError, match="words"):
        SynthesisSettings(words=0)


@pytest.mark.parametrize("text", ['{"a": ["accept"]}', '{"a": "perhaps"}', "[]"])
def test_a_file_that_holds_no_verdicts_is_told_so(text, tmp_path):
    """Whatever stands in it."""
    (tmp_path / "verdicts.json").write_text(text)
    with pytest.raises(SpecificationError, match="holds no verdicts"):
        read_verdicts(tmp_path / "verdicts.json")


def test_answers_that_come_together_open_the_next_step_once(tmp_path, sound):
    """Both colours' answers lie in the journal before the first of them is looked at."""
    given = made(
        tmp_path / "s", sound.chat(), 8, tag="once", on_call=lambda *counts: time.sleep(0.01)
    )
    assert given.requests == given.calls == 48
