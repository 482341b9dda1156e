"""Colours by preference: the loss, the groups, and a training that goes on to the same bits."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from blackbox_align.engines.checkpoint import find_model
from blackbox_align.engines.local.chat import Reader
from blackbox_align.errors import DataFileError, SpecificationError
from blackbox_align.palette.alignment import (
    AlignmentSettings,
    batch_loss,
    collate,
    tokenized,
    train_lora,
)
from blackbox_align.palette.loss import answer_log_probabilities, preference_loss
from blackbox_align.palette.maps import load_map
from blackbox_align.palette.preferences import (
    Preference,
    read_preferences,
    survey_preferences,
    to_lines,
)
from blackbox_align.surveys.opinion_files import load_opinions
from tests.small_models import save_small_model

PREFERENCES = tuple(
    Preference(f"Is {n} more than {n % 5}?", "1", ("2", "3", "4")[: n % 4]) for n in range(24)
)
QUICK = AlignmentSettings(learning_rate=1e-2, epochs=1, batch=4, save_every=2, dropout=0.1)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return save_small_model("llama", tmp_path_factory.mktemp("small"))


# -- the loss ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("contrast", ["odds", "ratio"])
@pytest.mark.parametrize("count", range(1, 7))
def test_the_loss_is_written_out(contrast, count):
    """-log p of the chosen, and lambda times the mean of -log sigmoid over the pairs."""
    rng = np.random.default_rng(count)
    p = rng.uniform(0.05, 0.95, size=(3, 1 + count))
    logs = torch.from_numpy(np.log(p))
    offered = torch.ones(3, 1 + count, dtype=torch.bool)
    offered[0, 1:] = torch.arange(count) < count - 1
    found = preference_loss(logs, offered, 0.3, contrast)
    total = 0.0
    for row, there in zip(p, offered.numpy(), strict=True):
        worth = np.log(row / (1 - row)) if contrast == "odds" else np.log(row)
        pairs = [-np.log(1 / (1 + np.exp(-(worth[0] - worth[k]))))
                 for k in range(1, 1 + count) if there[k]]  # fmt: skip
        total += -np.log(row[0]) + 0.3 * (np.mean(pairs) if pairs else 0.0)
    assert float(found.total) == pytest.approx(total / 3)


@pytest.mark.parametrize("contrast", ["odds", "ratio"])
def test_the_slopes_are_those_of_the_loss(contrast):
    """Against differences, in float64, with a question that has nothing rejected."""
    logs = torch.log(
        torch.rand(3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    )
    offered = torch.tensor([[True, True, False, True], [True] + [False] * 3, [True] * 4])
    logs.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda given: preference_loss(given, offered, 0.5, contrast).total, (logs,)
    )


@pytest.mark.parametrize("contrast", ["odds", "ratio"])
def test_certain_and_impossible_answers_stay_finite(contrast):
    """log p = 0 exactly, where the odds are infinite, and -1000."""
    logs = torch.tensor([[0.0, 0.0, -1e3], [-1e3, 0.0, -1e-9]], requires_grad=True)
    found = preference_loss(logs, torch.ones(2, 3, dtype=torch.bool), 1.0, contrast)
    found.total.backward()
    assert found.total.isfinite() and logs.grad.isfinite().all()


def test_without_strength_it_is_fine_tuning():
    """lambda 0: the likelihood alone, whatever was rejected."""
    logs = torch.log(torch.tensor([[0.5, 0.9], [0.25, 0.1]]))
    found = preference_loss(logs, torch.ones(2, 2, dtype=torch.bool), 0.0)
    assert float(found.total) == pytest.approx(-np.log([0.5, 0.25]).mean())


def test_the_odds_term_is_trls():
    """As trl computes it, and trl itself where it is installed: pairs, chosen and rejected log p."""
    chosen, rejected = torch.tensor([-0.7, -1.5, -0.1]), torch.tensor([-1.1, -0.4, -2.0])
    ours = preference_loss(
        torch.stack([chosen, rejected], 1), torch.ones(3, 2, dtype=torch.bool), 1.0
    ).contrast
    log_odds = (chosen - rejected) - (
        torch.log1p(-torch.exp(chosen)) - torch.log1p(-torch.exp(rejected))
    )
    assert float(ours) == pytest.approx(float(-torch.nn.functional.logsigmoid(log_odds).mean()))
    trainer = pytest.importorskip("trl.experimental.orpo", reason="trl is a peer, not installed")
    here = type("Accelerator", (), {"device": "cpu"})()
    peer = type("Peer", (), {"beta": 1.0, "accelerator": here})()
    losses = trainer.ORPOTrainer.odds_ratio_loss(peer, chosen, rejected)[0]
    assert float(ours) == pytest.approx(-float(losses.mean()), abs=1e-6)


def test_an_answers_probability_is_of_its_tokens_alone():
    """The mean a token, or the sum, of log p given all that stands before."""
    logits = torch.randn(2, 5, 7, generator=torch.Generator().manual_seed(0))
    tokens = torch.tensor([[1, 2, 3, 4, 5], [1, 2, 6, 0, 0]])
    answer = torch.tensor([[False] * 3 + [True] * 2, [False] * 2 + [True] + [False] * 2])
    logs = logits.log_softmax(-1)
    first = logs[0, 2, 4] + logs[0, 3, 5]
    expected = torch.stack([first / 2, logs[1, 1, 6]])
    torch.testing.assert_close(answer_log_probabilities(logits, tokens, answer), expected)
    summed = answer_log_probabilities(logits, tokens, answer, "sum")
    torch.testing.assert_close(summed[0], first)


def test_a_group_is_the_mean_of_its_pairs(small):
    """A batch of 1 + K answers on a model, against each pair alone; padding changes nothing."""
    model = find_model(str(small)).model
    reader = Reader(model.tokenizer)
    whole = Preference("Is it so?", "1", ("2", "3 and more"))
    settings = AlignmentSettings(strength=0.7)

    def loss(*some):
        examples = [tokenized(one, reader, 512) for one in some]
        return float(batch_loss(model.model, collate(examples, 0), settings))

    pairs = [loss(Preference("Is it so?", "1", (other,))) for other in whole.rejected]
    assert loss(whole) == pytest.approx(np.mean(pairs), rel=1e-5)
    longer = Preference("A longer question than the other one is?", "4", ("5",))
    assert loss(whole, longer) == pytest.approx((loss(whole) + loss(longer)) / 2, rel=1e-5)


# -- preferences ------------------------------------------------------------------------------------


def test_preferences_are_read_as_they_were_written(tmp_path):
    """Ours, and pairs in the paper's form, which are grouped."""
    path = tmp_path / "p.jsonl"
    path.write_text(to_lines("africa", PREFERENCES) + to_lines("asia", PREFERENCES[:2]))
    assert read_preferences(path, "africa") == PREFERENCES
    assert read_preferences(path, "asia") == PREFERENCES[:2]
    pair = {"query": "q", "response": "a", "rejected_response": "b"}
    path.write_text(json.dumps(pair) + "\n" + json.dumps({**pair, "rejected_response": "c"}))
    assert read_preferences(path, "africa") == (Preference("q", "a", ("b", "c")),)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"query": "q", "chosen": "a", "rejected": 3}', "line 2.*list of texts"),
        ('{"query": "", "chosen": "a", "rejected": []}', "line 2.*'query'"),
        ('{"query": "q", "chosen": "a", "why": 1}', "line 2.*expected an object"),
    ],
)
def test_a_line_that_is_no_preference_is_told(tmp_path, line, said):
    path = tmp_path / "p.jsonl"
    path.write_text(to_lines("africa", PREFERENCES[:1]) + line)
    with pytest.raises(DataFileError, match=said):
        read_preferences(path, "africa")
    with pytest.raises(DataFileError, match="no preference for the colour 'asia'"):
        path.write_text(to_lines("africa", PREFERENCES[:1]))
        read_preferences(path, "asia")


def test_drawn_preferences_follow_the_colours_answers():
    """Chosen labels come as often as the colour's people choose them; no held-out question is asked."""
    opinions, continents = load_opinions("world-opinions"), load_map("continents")
    items = [opinions.survey.items[0].id]
    drawn = list(
        survey_preferences(continents, opinions, "africa", items, 400, np.random.default_rng(0))
    )
    assert all(opinions.survey.items[0].text in one.query for one in drawn)
    plain = [one for one in drawn if "A = very important" in one.query]
    assert np.mean([one.chosen == "A" for one in plain]) > 0.8  # religion in Africa
    turned = [one for one in drawn if "D = very important" in one.query]
    assert np.mean([one.chosen == "D" for one in turned]) > 0.8
    assert 150 < len(plain) < 250 and all(one.chosen not in one.rejected for one in drawn)
    assert sum("Africa" in one.query for one in drawn) > 80


# -- training ---------------------------------------------------------------------------------------


def test_a_training_learns_and_leaves_all_generators_alone(small, tmp_path):
    """The loss falls; numpy's, Python's and torch's random numbers go on as if nothing had been."""
    seen = []
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    lora = train_lora(
        find_model(str(small)), PREFERENCES, QUICK, tmp_path / "w", lambda *told: seen.append(told)
    )
    assert torch.rand(1) == expected
    assert [step for step, _, _ in seen] == [1, 2, 3, 4, 5, 6] and seen[-1][2] < seen[0][2]
    assert {name.rpartition(".")[2] for name in lora.updates} == {
        "gate_proj",
        "up_proj",
        "down_proj",
    }
    again = train_lora(find_model(str(small)), PREFERENCES, QUICK, tmp_path / "w")
    for name, (a, b) in lora.updates.items():
        np.testing.assert_array_equal(again.updates[name][0], a)
        assert np.abs(b).max() > 0


def test_a_folder_of_another_training_is_refused(small, tmp_path):
    """Other settings or preferences, before anything is trained."""
    train_lora(find_model(str(small)), PREFERENCES[:4], QUICK, tmp_path)
    for preferences, settings, said in (
        (PREFERENCES[:5], QUICK, "other preferences"),
        (PREFERENCES[:4], AlignmentSettings(), "other settings"),
        ((), QUICK, "no preference"),
    ):
        with pytest.raises(SpecificationError, match=said):
            train_lora(find_model(str(small)), preferences, settings, tmp_path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"contrast": "log"}, "contrast"), ({"strength": -1.0}, "strength"), ({"rank": 0}, "rank")],
)
def test_settings_that_are_none_are_refused(changes, said):
    with pytest.raises(SpecificationError, match=said):
        AlignmentSettings(**changes)


PROGRAM = """
import sys
from pathlib import Path
from blackbox_align.engines.checkpoint import find_model
from blackbox_align.palette.alignment import train_lora
from tests.palette.test_alignment import PREFERENCES, QUICK
train_lora(find_model(sys.argv[1]), PREFERENCES, QUICK, Path(sys.argv[2]),
           lambda step, steps, loss: print(step, flush=True))
"""


def trained(small, work, kill_after=None, delay=0.0):
    """Run the training in a process of its own; kill it ``delay`` behind a step. Says whether it ended."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(small), str(work)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=Path.cwd(),
        text=True,
    )
    for line in process.stdout:
        if kill_after is not None and int(line) == kill_after:
            time.sleep(delay)
            process.send_signal(signal.SIGKILL)
            break
    return process.wait() == 0


def weights(work):
    return (work / "adapter" / "adapter_model.safetensors").read_bytes()


def test_an_interrupted_training_ends_on_the_same_bits(small, tmp_path):
    """Left behind the third of six steps, with dropout on: the adapter is that of an undisturbed one."""
    whole, left = tmp_path / "whole", tmp_path / "left"
    train_lora(find_model(str(small)), PREFERENCES, QUICK, whole)

    def stop(step, steps, loss):
        if step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_lora(find_model(str(small)), PREFERENCES, QUICK, left, stop)
    (left / "checkpoint-3").mkdir()  # what a kill leaves of another one
    seen = []
    train_lora(find_model(str(small)), PREFERENCES, QUICK, left, lambda *t: seen.append(t[0]))
    assert weights(left) == weights(whole) and seen[0] == 3


@pytest.mark.slow
def test_twenty_kills_end_on_the_same_bits(small, tmp_path):
    """At random moments, also while a checkpoint is written."""
    rng = np.random.default_rng(0)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    train_lora(find_model(str(small)), PREFERENCES, QUICK, whole)
    kills = 0
    while kills < 20:
        work = killed / str(kills // 4)
        ended = trained(small, work, int(rng.integers(1, 7)), float(rng.uniform(0, 0.03)))
        kills += 1
        if ended or kills % 4 == 0:
            assert trained(small, work)
            assert weights(work) == weights(whole)
