"""A commit to a model on the hub changes nothing for runs and experts, unless it changes what answers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest
from safetensors.torch import load_file, save_file

from tests.small_models import save_small_model
from tests.stand_in_hub import stand_in_hub

FIRST, README, WEIGHTS = "a" * 40, "b" * 40, "c" * 40
SCRIPT = """
import json, sys, urllib.request
from pathlib import Path
import blackbox_align as bba
from blackbox_align.errors import BlackboxAlignError

address, folder, first, readme, weights = sys.argv[1:]
quick = {"optimizer": "random", "tokens": 1, "orders": "1", "runs": "runs", "placement": "message"}
told = {}

def fit(name, budget, **more):
    run = bba.fit("SAU", model="owner/good", name=name, budget=budget, **quick, **more)
    recorded = (run.path / "run.json").read_text()
    return [run.result.search.evaluations, [c for c in (first, readme, weights) if c in recorded]]

def answers(model, expert, **more):
    conditions = [f"expert:{expert}"]
    score = bba.score("vsm2013", country="SAU", model=model, conditions=conditions, cache=False, **more)
    return [asked.probabilities for asked in score.answers]

def turn(commit):
    urllib.request.urlopen(f"{address}/turn/{commit}").read()

def refused(act):
    try:
        return act()
    except BlackboxAlignError as error:
        return str(error)

told["first"] = [fit("free", 4), fit("pinned", 4, revision=first)]
expert = Path("runs/free/expert")
before = answers("owner/good", expert)
turn(readme)
told["readme"] = [fit("free", 8), fit("pinned", 8, revision=first)]
told["named"] = fit("free", 12, revision=readme)
told["same"] = [
    answers("owner/good", expert) == answers(folder, expert),
    answers("owner/good", Path("runs/pinned/expert")) == answers(folder, Path("runs/pinned/expert")),
]
turn(weights)
told["weights"] = [fit("free", 16), refused(lambda: fit("free", 20, revision=weights))]
told["expert"] = refused(lambda: answers("owner/good", expert))
print(json.dumps(told, default=str))
"""


@pytest.mark.slow
def test_a_commit_of_a_readme_changes_nothing_and_one_of_weights_is_refused(tmp_path):
    """Pinned or not, runs go on; the expert works with a folder of the files; other weights are named."""
    model = save_small_model("llama", tmp_path / "model")
    folders = {FIRST: model}
    for commit in (README, WEIGHTS):
        folders[commit] = shutil.copytree(model, tmp_path / commit)
    (folders[README] / "README.md").write_text("# Read me\n")
    weights = load_file(folders[WEIGHTS] / "model.safetensors")
    name = next(name for name in weights if "mlp" in name)
    weights[name] = weights[name] * 1.5
    save_file(weights, folders[WEIGHTS] / "model.safetensors", {"format": "pt"})
    with stand_in_hub(folders) as hub:
        ran = subprocess.run(
            [sys.executable, "-c", SCRIPT, hub.address, str(model), FIRST, README, WEIGHTS],
            env={**os.environ, **hub.environment(tmp_path)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout.splitlines()[-1])
    assert told["first"] == [[4, [FIRST]]] * 2
    assert told["readme"] == [[8, [FIRST]]] * 2
    assert told["named"][0] == 12
    assert told["same"] == [True, True]
    assert told["weights"][0][0] == 16 and WEIGHTS not in told["weights"][0][1]
    assert "--model: what owner/good holds has changed since" in told["weights"][1]
    assert "means nothing to another model" in told["expert"]
