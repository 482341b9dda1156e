"""Expert folders of every kind: round trips, ties between files, damage, and folders of format 1."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from blackbox_align.adapters.adapter import Adapter, SoftPrompt
from blackbox_align.engines import FunctionEngine
from blackbox_align.engines.base import Answers, EngineInfo
from blackbox_align.errors import ExpertError, SpecificationError
from blackbox_align.experts import Proof, find_expert, prove, read_expert, write_expert
from blackbox_align.experts.tensors import write_tensors
from blackbox_align.surveys.sheet import Question, Sheet
from tests.experts.hand_made import KINDS, PROOF, card, vectors
from tests.results.test_result import FORMAT1
from tests.seeds import SHIFT


@pytest.fixture(scope="module", params=list(KINDS))
def written(request, tmp_path_factory):
    """An expert of every kind, on disk; tests that change it copy it."""
    folder = tmp_path_factory.mktemp("experts") / "expert"
    return write_expert(folder, KINDS[request.param], card(), PROOF), KINDS[request.param]


def test_an_adapter_comes_back_as_it_was_written(written):
    """Text, prompt, placement, updates and gate: the digest is that of what was written."""
    expert, adapter = written
    again = read_expert(expert.path)
    assert again.adapter().digest() == adapter.digest()
    assert again.card == card() and again.proof == PROOF and again.country == "KEN"
    if adapter.prompt is not None:
        assert again.placement == adapter.prompt.placement
        np.testing.assert_array_equal(again.soft_prompt(), adapter.prompt.vectors)
    else:
        with pytest.raises(ExpertError, match="holds no soft prompt"):
            again.soft_prompt()


def test_only_what_peft_applies_as_it_was_fitted_has_a_configuration(written):
    """PEFT gets a folder where it would answer the same, and a sentence where it would not."""
    expert, adapter = written
    first = adapter.prompt is not None and adapter.prompt.placement == "first"
    alone = not adapter.text and adapter.gate is None
    if alone and (first or (len(adapter.loras) == 1 and adapter.prompt is None)):
        assert (expert.peft_folder() / "adapter_config.json").is_file()
        assert "AutoPeftModelForCausalLM" in (expert.path / "README.md").read_text()
    else:
        with pytest.raises(ExpertError, match="PEFT"):
            expert.peft_folder()
        assert "PEFT cannot load it" in (expert.path / "README.md").read_text()


def test_the_card_says_what_it_is_what_it_scores_and_what_not_to_do(written):
    """Figures, provenance, notes and limits are those of the result."""
    text = (written[0].path / "README.md").read_text()
    for part in ("# Expert: Kenya", "1.50", "Not for judging individuals", "A note.", "Beware.",
                 "100 evaluations", "anchor (PDI +1.0, IDV -2.0)", "dddddddddddd"):  # fmt: skip
        assert part in text


@pytest.mark.parametrize("kind", ["first", "last", "lora", "gated", "text"])
def test_files_that_are_not_the_experts_are_refused(kind, tmp_path):
    """Edited, truncated, swapped or lost: each file is tied to the record by its hash."""
    expert = write_expert(tmp_path / "a", KINDS[kind], card(), PROOF)
    other = Adapter("Be brief.") if kind == "text" else Adapter(prompt=SoftPrompt(vectors(seed=9)))
    write_expert(tmp_path / "b", other, card(), PROOF)
    files = [p for p in expert.path.rglob("*") if p.is_file() and p.name != "README.md"]
    for file in files:
        whole = file.read_bytes()
        middle = len(whole) // 2
        swapped = tmp_path / "b" / file.name
        damages = [
            whole[:middle],
            whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
            b"",
        ]
        if swapped.is_file() and file.name != "expert.json" and swapped.read_bytes() != whole:
            damages.append(swapped.read_bytes())
        for damaged in damages:
            file.write_bytes(damaged)
            with pytest.raises(ExpertError):
                read_expert(expert.path).adapter()
        file.unlink()
        with pytest.raises(ExpertError):
            read_expert(expert.path).adapter()
        file.write_bytes(whole)
    assert read_expert(expert.path).adapter().digest() == KINDS[kind].digest()


def test_a_placement_that_was_edited_is_refused(tmp_path):
    """A soft prompt somewhere else is another adapter, whoever mends the seal with it."""
    from blackbox_align.files.atomic import read_sealed_json, write_sealed_json

    expert = write_expert(tmp_path / "a", KINDS["last"], card(), PROOF)
    record = read_sealed_json(expert.path / "expert.json")
    record["parts"]["placement"] = "message"
    write_sealed_json(expert.path / "expert.json", record)
    with pytest.raises(ExpertError, match=r"not the adapter that expert\.json tells of"):
        read_expert(expert.path).adapter()


def _format1(folder, **changes):
    """An expert folder as it was written before: the files of PEFT, and a record without a seal."""
    folder.mkdir(parents=True)
    metadata = {
        "format": 1, "survey": "vsm2013", **{k: v for k, v in FORMAT1.items() if k != "reason"},
        "facts": {"model_revision": "r" * 40, "fit_questions": ["q1"], "survey_sha256": "ab"},
        "specification": {"tokens": 3}, "versions": {"numpy": "2"}, "limits": [], "placement": "first",
        "parity_difference": 1e-7, **changes,
    }  # fmt: skip
    (folder / "expert.json").write_text(json.dumps(metadata))
    write_tensors(folder / "adapter_model.safetensors", {"prompt_embeddings": vectors()})
    if metadata["placement"] == "first":
        config = {"peft_type": "PROMPT_TUNING", "task_type": "CAUSAL_LM", "num_virtual_tokens": 3,
                  "token_dim": 8, "base_model_name_or_path": "m"}  # fmt: skip
        (folder / "adapter_config.json").write_text(json.dumps(config))
    return folder


@pytest.mark.parametrize("placement", ["first", "last"])
def test_folders_of_format_1_still_load(placement, tmp_path):
    """Their adapter, card and questions are what they were."""
    folder = _format1(tmp_path / "run" / "expert", placement=placement)
    expert = find_expert(tmp_path / "run")
    assert expert.path == folder and expert.country == "KEN" and expert.placement == placement
    np.testing.assert_array_equal(expert.soft_prompt(), vectors())
    assert expert.card.fitted_items == ("q1",) and expert.card.revision == "r" * 40
    assert expert.card.result.value("fitted", "absolute_error_points", "KEN", "all") == 2.0
    if placement == "first":
        assert expert.peft_folder() == folder


@pytest.mark.parametrize("format", [1, 2])
def test_three_hundred_damages_end_in_a_sentence_or_in_the_same_adapter(format, tmp_path):
    """Bytes flipped, cut, repeated or replaced, files lost or exchanged: no traceback, and never another
    adapter. What format 1 does not tie together is read where it still is whole.
    """
    rng = random.Random(SHIFT + format)
    kinds = list(KINDS) if format == 2 else ["first", "last"]
    folders, expected = [], {}
    for kind in kinds:
        folder = tmp_path / kind.replace(" ", "-")
        if format == 2:
            write_expert(folder, KINDS[kind], card(), PROOF)
        else:
            _format1(folder, placement=kind)
        folders.append(folder)
        expected[folder] = read_expert(folder).adapter().digest()
    refused = 0
    for number in range(150):
        source = rng.choice(folders)
        folder = tmp_path / f"damaged-{number}"
        shutil.copytree(source, folder)
        files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != "README.md")
        file = rng.choice(files)
        changed = _damage(file, rng)
        try:
            found = read_expert(folder)
            adapter = found.adapter()
        except ExpertError as error:
            refused += 1
            assert str(error)
        else:
            assert format == 1 or not changed, f"{file.name} was taken as it is"
            if format == 2:
                assert adapter.digest() == expected[source]
            assert np.isfinite(adapter.prompt.vectors).all() if adapter.prompt else True
    assert refused > (130 if format == 2 else 60)


def _damage(file, rng) -> bool:
    """Do something to a file; whether its content is another one afterwards."""
    whole = file.read_bytes()
    way = rng.randrange(7)
    at = rng.randrange(len(whole))
    if way == 0:
        damaged = whole[:at]
    elif way == 1:
        damaged = whole[:at] + bytes([whole[at] ^ (1 << rng.randrange(8))]) + whole[at + 1 :]
    elif way == 2:
        damaged = whole[:at] + rng.randbytes(9) + whole[at:]
    elif way == 3:
        damaged = b"[" * 100_000 + b"]" * 100_000
    elif way == 4:
        damaged = rng.choice([b"", b"null", b"[]", b'{"format": 2}', b'{"format": 1}', b"\xff\xfe"])
    elif way == 5:
        damaged = whole[at:] + whole[:at]
    else:
        file.unlink()
        return True
    file.write_bytes(damaged)
    return damaged != whole


def test_an_expert_is_bound_to_its_model_unless_it_is_a_text(tmp_path):
    """A soft prompt or a LoRA means nothing to another model; a text does."""
    same, other = EngineInfo("m", "r" * 40), EngineInfo("m", "q" * 40)
    for kind in ("first", "lora", "text"):
        expert = write_expert(tmp_path / kind, KINDS[kind], card(), PROOF)
        expert.refuse_other_model(same)
        if kind == "text":
            expert.refuse_other_model(other)
        else:
            with pytest.raises(SpecificationError, match="means nothing to another model"):
                expert.refuse_other_model(other)


# -- the proof -------------------------------------------------------------------------------------

ASKED = Sheet(tuple(Question(f"Question {n}", ("A", "B")) for n in range(6)))


class TwoWays(FunctionEngine):
    """Answers plainly as it does in one pass, but for one question."""

    def __init__(self, number=0, off=0.0):
        super().__init__(lambda adapters, sheet: np.zeros(0))
        object.__setattr__(self, "off", (number, off))

    def answer(self, adapters, sheet, *, plainly=False):
        rows = np.full((len(adapters), len(sheet.questions), 2), 0.5, np.float32)
        if plainly:
            rows[:, self.off[0]] += np.array([1, -1], np.float32) * np.float32(self.off[1])
        return Answers.of(rows)


@pytest.mark.parametrize("number", range(6))
def test_one_question_that_differs_is_enough_to_refuse(number, tmp_path):
    """The proof is the largest difference over all surveys, wherever in them it is."""
    assert prove(TwoWays(), KINDS["first"], ASKED) == Proof(0.0, 1e-4, "float32", 6)
    proof = prove(TwoWays(number, 0.01), KINDS["first"], ASKED)
    assert proof.difference == pytest.approx(0.01, rel=1e-3) and not proof.holds
    (tmp_path / "expert").mkdir()
    (tmp_path / "expert" / "earlier").touch()
    with pytest.raises(ExpertError, match="Asked plainly it gives other answers"):
        write_expert(tmp_path / "expert", KINDS["first"], card(), proof)
    assert [p.name for p in tmp_path.rglob("*")] == ["expert", "earlier"]


def test_no_number_and_no_proof_prove_nothing(tmp_path):
    """NaN is not within bounds, and what is more than a text needs a proof."""
    assert not prove(TwoWays(0, float("nan")), KINDS["first"], ASKED).holds
    with pytest.raises(ExpertError, match="with a proof"):
        write_expert(tmp_path / "expert", KINDS["lora"], card(), None)
    write_expert(tmp_path / "text", KINDS["text"], card(), None)


def test_reading_an_expert_needs_no_torch(tmp_path):
    """The adapter of a soft prompt and of a LoRA is arrays."""
    for kind in ("first", "lora"):
        write_expert(tmp_path / kind, KINDS[kind], card(), PROOF)
    script = (
        "import sys\nfrom blackbox_align.experts import read_expert\n"
        f"print(len(read_expert({str(tmp_path / 'first')!r}).adapter().prompt))\n"
        f"print(len(read_expert({str(tmp_path / 'lora')!r}).adapter().loras))\n"
        "assert not {'torch', 'transformers', 'peft'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["3", "1"]


def test_an_expert_of_an_earlier_version_is_what_it_was():
    """A folder that was really written in format 1: its adapter, its card and the files of PEFT."""
    folder = Path(__file__).parents[1] / "fitting" / "format_1" / "SAU"
    expert = find_expert(folder)
    assert expert.country == "SAU" and expert.card.name == "Saudi Arabia"
    assert len(expert.soft_prompt()) == expert.card.settings["tokens"]
    assert expert.peft_folder() == folder / "expert"
    result = json.loads((folder / "result.json").read_text())
    assert expert.card.result.loss == result["loss"]
