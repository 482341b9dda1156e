"""How the embedded model is trained: both directions of a scale, continents, drafts, one command."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

HERE = Path(__file__).parents[2] / "experiments" / "respondent_tiny"
MODEL = Path(__file__).parents[2] / "blackbox_align" / "models" / "respondent_tiny"


@pytest.fixture(scope="module")
def training():
    """The modules of the experiment, imported as its commands import them, and its world."""
    sys.path.insert(0, str(HERE))
    try:
        import batches
        import personas
        import world
    finally:
        sys.path.remove(str(HERE))
    return batches, personas, world.load_world()


@pytest.fixture(scope="module")
def drawn(training):
    """A batch of one persona with the whole VSM and many opinions."""
    batches, _, world = training
    stage = {"batch": 1, "items_per_step": 24, "opinions_per_step": 30}
    tokenizer = Tokenizer.from_file(str(MODEL / "tokenizer.json"))
    return batches.Batches(world, stage, tokenizer, 0).draw(np.random.default_rng(3)), tokenizer


def persona(training, country=None, continent=None):
    nothing = np.zeros(training[2].traits.shape[1])
    return training[1].Persona("", "", country, nothing, continent)


def read(drawn, tokenizer, number):
    """The text that a question's end sees, and its shares by the words of the options."""
    leaves = drawn.leaves
    text = tokenizer.decode(leaves.ids[leaves.sees[leaves.ends[number]]].tolist())
    line = next(each for each in text.split("\n") if " = " in each)
    options = [part.partition(" = ")[2] for part in _parts(line)]
    return text, dict(zip(options, drawn.shares[0, number].tolist(), strict=False))


def _parts(line):
    """``1 = a, 2 = b, with a comma`` taken apart at its labels."""
    return re.split(r", (?=[1-9A-I] = )", line)


def test_shares_belong_to_the_options_as_they_are_shown(training, drawn):
    """Turned or not, an option has its own share under its words."""
    batches, _, world = training
    batch, tokenizer = drawn
    assert batch.straight and batch.turned and batch.drafted
    items = {item.text: (n, item) for n, item in enumerate(world.survey.items)}
    somebody = world.sampler.draw(np.random.default_rng(3))  # the first that the batch drew
    answers = world.answers([somebody])[0]
    for number in range(batch.straight + batch.turned):
        text, shares = read(batch, tokenizer, number)
        n, item = items[text.partition("Question: ")[2].partition("\nAnswer:")[0]]
        options = list(item.scale.options)
        assert list(shares) == options[:: 1 if number < batch.straight else -1]
        assert [shares[option] for option in options] == pytest.approx(answers[n], abs=1e-6)
    first, turned = (in_scale(batches, world.survey.items[0], step) for step in (1, -1))
    assert first.scale.labels == turned.scale.labels
    assert first.scale.options == turned.scale.options[::-1]


def in_scale(batches, item, step):
    return batches.in_order(item, np.arange(len(item.scale))[::step])


def test_a_continent_is_the_mean_of_its_countries(training):
    """In both instruments; a continent of one country is that country."""
    world = training[2]
    for row, name in enumerate(world.sampler.words["continents"]):
        members = np.flatnonzero(world.continents == row)
        assert len(members), name
        asked = [persona(training, continent=row), *(persona(training, int(n)) for n in members)]
        for answers in (world.answers(asked), world.opinion_answers(asked)):
            np.testing.assert_allclose(answers[0], answers[1:].mean(axis=0), atol=1e-12)


def test_drafts_tell_of_their_own_continent(training):
    """A tilt moves the people of its continent alone, the world by their weight, nobody else."""
    world = training[2]
    tilt = np.zeros((len(world.sampler.words["continents"]), 1, world.survey.width))
    tilt[2, 0, 0] = 3.0
    inside = int(np.flatnonzero(world.continents == 2)[0])
    outside = int(np.flatnonzero(world.continents != 2)[0])
    asked = [persona(training), persona(training, inside), persona(training, outside)]
    before, after = (world.opinion_answers(asked, [5], each)[:, 0, 0] for each in (0.0, tilt))
    assert after[1] > after[0] > before[0] and after[2] == pytest.approx(before[2])
    assert after[0] - before[0] < after[1] - before[1]


def test_drafts_name_continents_and_labels_that_are_shown(training, drawn):
    """Every drafted question begins with lines that name a continent and one of its labels."""
    world, (batch, tokenizer) = training[2], drawn
    names = [name for each in world.sampler.words["continents"].values() for name in each]
    count = len(batch.labels)
    for number in range(count - batch.drafted, count):
        lines = read(batch, tokenizer, number)[0].split("\n")
        told = lines[: next(n for n, line in enumerate(lines) if line.startswith("Choose"))]
        assert 1 <= len(told) <= 5
        assert all(any(name in line for name in names) for line in told)


@pytest.mark.slow
def test_training_runs_as_one_command(tmp_path):
    """From nothing, and from a model: a folder that transformers loads, and a log."""
    from transformers import AutoModelForCausalLM

    for name, start in (("new", []), ("further", ["--start", str(tmp_path / "new")])):
        command = [sys.executable, str(HERE / "train.py"), "--steps", "2", "--threads", "1"]
        more = ["--out", str(tmp_path / name), "--log", str(tmp_path / f"{name}.json"), *start]
        done = subprocess.run([*command, *more], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert (tmp_path / f"{name}.json").is_file()
        assert AutoModelForCausalLM.from_pretrained(tmp_path / name).config.hidden_size == 64
