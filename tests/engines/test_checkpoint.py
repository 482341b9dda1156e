"""Loading a frozen model: what is given back, and the sentence that every kind of trouble gets."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from accelerate import dispatch_model
from safetensors.torch import load_file, save_file

from blackbox_align.adapters import Adapter, SoftPrompt
from blackbox_align.engines.checkpoint import (
    DEFAULT_MODEL,
    load_model,
)
from blackbox_align.engines.identity import answering_files, folder_digest
from blackbox_align.engines.local.engine import LocalEngine
from blackbox_align.errors import ModelError, SpecificationError, UnknownNameError
from blackbox_align.fitting import fit
from blackbox_align.models import packaged_models
from blackbox_align.surveys import load_survey
from blackbox_align.surveys.sheet import sheet
from tests.small_models import save_small_model
from tests.stand_in_hub import stand_in_hub

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_small_model("llama", tmp_path_factory.mktemp("models") / "llama")


@pytest.fixture
def copy(folder, tmp_path):
    """A copy of the small model that a test may damage."""
    return shutil.copytree(folder, tmp_path / "model")


def load(path, **settings):
    return load_model(str(path), device="cpu", **settings)


def change_config(path, **changes):
    config = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps({**config, **changes}))


def change_weights(path, change):
    weights = load_file(path / "model.safetensors")
    change(weights)
    save_file(weights, path / "model.safetensors", {"format": "pt"})


# -- what is given back ---------------------------------------------------------------------------


def test_a_folder_is_loaded_frozen(folder):
    """A model comes back in evaluation mode, without gradients, with its name, width and hash."""
    model = load(folder)
    assert (model.name, model.source) == (str(folder), str(folder))
    assert model.embedding_width == 32
    assert model.device == torch.device("cpu")
    assert not model.model.training
    assert not any(parameter.requires_grad for parameter in model.model.parameters())
    assert model.revision == folder_digest(folder)


def test_the_dtype_is_single_precision_on_a_cpu_unless_another_is_asked_for(folder):
    """`auto` is float32 on a CPU; a dtype that is asked for is used."""
    assert load(folder).dtype == torch.float32
    assert load(folder, dtype="bfloat16").dtype == torch.bfloat16


def test_the_hash_of_a_folder_is_that_of_what_answers(copy):
    """Weights, settings, tokenizer, code and subfolders are in the hash; the card is not."""
    before = folder_digest(copy)
    (copy / "README.md").write_text("# A card\n")
    (copy / ".gitattributes").write_text("*\n")
    (copy / "onnx").mkdir()
    (copy / "onnx" / "model.json").write_text("{}")
    assert folder_digest(copy) == before
    hashes = {before}
    change_weights(copy, lambda w: w["model.norm.weight"].mul_(1.001))
    hashes.add(folder_digest(copy))
    change_config(copy, rms_norm_eps=1e-5)
    hashes.add(folder_digest(copy))
    (copy / "tokenizer_config.json").write_text("{}")
    hashes.add(folder_digest(copy))
    (copy / "chat").mkdir()
    for name in ("merges.txt", "vocab.txt", "modeling_own.py", "chat/tools.jinja"):
        (copy / name).write_text("a")
        hashes.add(folder_digest(copy))
    assert len(hashes) == 8


def test_a_byte_in_the_middle_of_large_weights_is_another_model(tmp_path):
    """All of the weights count, though what was hashed before is not read again."""
    weights = bytearray(40 << 20)
    (tmp_path / "model.safetensors").write_bytes(weights)
    before = folder_digest(tmp_path)
    assert folder_digest(tmp_path) == before
    weights[20 << 20] = 1
    status = (tmp_path / "model.safetensors").stat()
    (tmp_path / "model.safetensors").write_bytes(weights)
    os.utime(tmp_path / "model.safetensors", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert folder_digest(tmp_path) != before


def test_the_same_files_are_the_same_model_wherever_they_lie(copy, tmp_path):
    """A snapshot of links as the hub's client makes it, and a folder with what else came along."""
    names = answering_files(path.name for path in copy.iterdir())
    snapshot = tmp_path / "snapshots" / "0123"
    snapshot.mkdir(parents=True)
    for name in names:
        (snapshot / name).symlink_to(copy / name)
    (copy / "pytorch_model.bin").write_bytes(b"the same weights in the older form")
    assert folder_digest(snapshot) == folder_digest(copy)


@pytest.mark.parametrize(
    "card",
    [
        "---\n[broken: {yaml\n---\n",
        "---\ndisclaimer: [a\n",
        "---\r\na: b\r\n---\r\n",
        "---\n- a\n---\n",
        "\xff\xfe",
    ],
)
def test_an_odd_card_is_no_reason_not_to_load(card, copy):
    """Front matter that no parser would take: the model is loaded, without a disclaimer."""
    (copy / "README.md").write_bytes(card.encode("latin-1"))
    assert load(copy).disclaimer == ""


def test_pointers_of_git_lfs_and_adapters_of_other_kinds_are_named(copy):
    """What looks like a model folder and is none says what it is, and what to do."""
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 99\n"
    (copy / "model.safetensors").write_text(pointer)
    with pytest.raises(ModelError, match=r"pointer of Git LFS in the place of model.safetensors"):
        load(copy)
    (copy / "config.json").unlink()
    (copy / "adapter_config.json").write_text('{"peft_type": "PROMPT_TUNING"}')
    with pytest.raises(ModelError, match=r"an adapter of PEFT, of the kind PROMPT_TUNING"):
        load(copy)


def test_a_disclaimer_is_read_from_the_front_of_the_card(copy):
    """A sentence that a model's card wants to be shown is carried with the model."""
    assert load(copy).disclaimer == ""
    (copy / "README.md").write_text("---\ndisclaimer: Knows nothing.\n---\n# A card\n")
    assert load(copy).disclaimer == "Knows nothing."
    (copy / "README.md").write_text("# A card\n---\ndisclaimer: Not this.\n---\n")
    assert load(copy).disclaimer == ""


def test_the_orders_that_suit_a_model_are_read_from_its_card(copy):
    """Both directions of a scale, unless the card names one of the known orders."""
    assert load(copy).info.orders == "reversed"
    for said, expected in (
        ("'\"1\"'", "reversed"),
        ('"1"', "1"),
        ("cyclic", "cyclic"),
        ("some", "reversed"),
    ):
        (copy / "README.md").write_text(f"---\norders: {said}\n---\n# A card\n")
        assert load(copy).info.orders == expected
    assert load_model(device="cpu").info.orders == "reversed"


def test_the_packaged_model_is_loaded_by_name():
    """The default model ships with the package, is small, and says what it does not know."""
    assert DEFAULT_MODEL in packaged_models()
    model = load_model(device="cpu")
    assert model.name == DEFAULT_MODEL
    assert model.disclaimer
    size = sum(path.stat().st_size for path in packaged_models()[DEFAULT_MODEL].iterdir())
    assert size < 3_000_000


# -- what is no model -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["./none", "/none/at/all", "~/none-at-all", "a/b/c"])
def test_a_path_to_nothing_is_no_model_folder(name):
    """What is written like a path and is not there is a ModelError that says so."""
    with pytest.raises(ModelError, match="There is no model folder"):
        load(name)


def test_a_file_or_an_empty_folder_is_no_model_folder(tmp_path):
    """A path to something else says what is expected."""
    with pytest.raises(ModelError, match=r"it holds no config.json"):
        load(tmp_path)
    (tmp_path / "model.gguf").write_text("")
    with pytest.raises(ModelError, match=r"expected a folder with config.json"):
        load(tmp_path / "model.gguf")


def test_a_slip_in_a_packaged_name_offers_it():
    """A name close to that of a packaged model is taken for a slip, not looked for on the hub."""
    for slip in ("respondent-tyni", "respondent_tiny", "respondent"):
        with pytest.raises(UnknownNameError, match=f"Did you mean '{DEFAULT_MODEL}'"):
            load(slip)


LOAD = """
import sys
from blackbox_align.engines.checkpoint import find_model
from blackbox_align.errors import ModelError
for name in sys.argv[1:]:
    try:
        found = find_model(name, device="cpu")
        print(found.revision, found.commit, found.folder.name)
    except ModelError as error:
        print(error)
"""


def find_in_process(*names, **environment):
    ran = subprocess.run(
        [sys.executable, "-c", LOAD, *names],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    assert len(ran.stdout.splitlines()) == len(names), ran.stderr
    return ran.stdout.splitlines()


def test_a_hub_name_without_a_network_gets_a_sentence():
    """Offline, a name of the hub is a ModelError that says what can be checked."""
    for line in find_in_process("some-owner/some-model", "some-model", HF_HUB_OFFLINE="1"):
        assert "neither a folder here nor downloaded before" in line and "the network" in line


@pytest.fixture
def hub(folder, tmp_path):
    """The environment of a process that knows no other hub."""
    with stand_in_hub({COMMIT: folder}) as served:
        yield served.environment(tmp_path)


def test_what_the_hub_has_against_a_name_is_said_as_it_is(hub):
    """Private, gated, none, too many requests, in trouble, cut off: six sentences, each its mend."""
    names = [f"owner/{name}" for name in ("private", "gated", "none", "busy", "broken", "cut")]
    private, gated, none, busy, broken, cut = find_in_process(*names, **hub)
    assert "the hub asks who you are" in private and "`hf auth login`, or check the name" in private
    assert "its owners ask for consent: give it on its page" in gated
    assert "there is no model 'owner/none'" in none
    assert "too many requests: wait" in busy
    assert "in trouble (HTTP 503): try again later" in broken
    assert "the hub cannot be reached" in cut


def test_a_model_of_the_hub_is_the_same_as_a_folder_of_its_files(hub, folder):
    """Equal identity, with the commit beside it; and again when the hub is gone."""
    (found,) = find_in_process("owner/good", **hub)
    assert found == f"{folder_digest(folder)} {COMMIT} {COMMIT}"
    (offline,) = find_in_process("owner/good", **{**hub, "HF_ENDPOINT": "http://127.0.0.1:9"})
    assert offline == found


def cut_weights(path):
    whole = (path / "model.safetensors").read_bytes()
    (path / "model.safetensors").write_bytes(whole[: len(whole) // 2])


DAMAGES = {
    "broken config": (lambda p: (p / "config.json").write_text("{"), "not a valid JSON file"),
    "config of no model": (lambda p: (p / "config.json").write_text("{}"), "model_type"),
    "config is a list": (lambda p: (p / "config.json").write_text("[]"), "cannot be loaded"),
    "unknown architecture": (lambda p: change_config(p, model_type="wonder"), "`wonder`"),
    "no causal model": (lambda p: change_config(p, model_type="t5"), "T5Config"),
    "no weights": (lambda p: (p / "model.safetensors").unlink(), "no file named model.safetensors"),
    "weights cut off": (cut_weights, "SafetensorError"),
    "weights are something else": (
        lambda p: (p / "model.safetensors").write_bytes(b"<html>" * 99),
        "SafetensorError",
    ),
    "weights of another shape": (
        lambda p: change_config(p, intermediate_size=64),
        "cannot be loaded",
    ),
    "a weight is missing": (
        lambda p: change_weights(p, lambda w: w.pop("model.layers.1.mlp.up_proj.weight")),
        "is not whole: 1 of its weights .*model.layers.1.mlp.up_proj.weight",
    ),
    "layers are missing": (
        lambda p: change_config(p, num_hidden_layers=3, layer_types=None),
        "is not whole: 9 of its weights are in no file, model.layers.2",
    ),
    "no tokenizer": (
        lambda p: [f.unlink() for f in p.glob("tokenizer*")],
        "cannot be loaded .*tokenizer",
    ),
    "broken tokenizer": (lambda p: (p / "tokenizer.json").write_text("{"), "cannot be loaded"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_folder_gets_a_sentence(damage, copy):
    """Whatever is broken in a folder is a ModelError with its path, never random weights."""
    do, sentence = DAMAGES[damage]
    do(copy)
    with pytest.raises(ModelError, match=sentence) as caught:
        load(copy)
    assert str(copy) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_code_that_a_model_brings_is_not_run(copy, tmp_path):
    """A folder with code of its own is refused unless a flag says otherwise, and the code rests."""
    trace = tmp_path / "ran"
    (copy / "own.py").write_text(f"open({str(trace)!r}, 'w')\n")
    auto_map = {"AutoConfig": "own.Config", "AutoModelForCausalLM": "own.Model"}
    change_config(copy, model_type="own", auto_map=auto_map)
    with pytest.raises(ModelError, match=r"brings code of its own.*--trust-remote-code"):
        load(copy)
    assert not trace.exists()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"dtype": "float8"}, "'auto', 'float32', 'tf32', 'bfloat16', 'float16'; not 'float8'"),
        ({"device": "gpu"}, "'auto', 'cpu', 'cuda', 'cuda:N' or 'spread'; not 'gpu'"),
        ({"device": ""}, "'auto', 'cpu', 'cuda', 'cuda:N' or 'spread'; not ''"),
    ],
)
def test_unknown_dtypes_and_devices_are_refused(settings, sentence, folder):
    """A dtype or device that there is not is a SpecificationError that lists the valid ones."""
    with pytest.raises(SpecificationError, match=sentence):
        load_model(str(folder), **{"device": "cpu", **settings})


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
@pytest.mark.parametrize("device", ["cuda", "cuda:3"])
def test_a_gpu_that_is_not_there_is_refused(device, folder):
    """Asking for a GPU where torch sees none is a SpecificationError, not a crash on the way."""
    with pytest.raises(
        SpecificationError, match=f"'{device}' was asked for, but torch sees no GPU"
    ):
        load_model(str(folder), device=device)


@pytest.mark.skipif(torch.backends.mps.is_available(), reason="there is such a device here")
def test_a_device_that_torch_was_not_built_for_gets_a_sentence(folder):
    """A device that exists elsewhere only is a ModelError."""
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_model(str(folder), device="mps")


def test_a_model_of_nan_ends_a_fit_with_a_sentence(copy, tmp_path):
    """A model that answers with NaN is a ModelError of the fit, before anything is searched."""
    change_weights(copy, lambda w: w["model.norm.weight"].fill_(float("nan")))
    with pytest.raises(ModelError, match=r"numbers that are not finite.*--dtype float32"):
        fit("SAU", model=str(copy), device="cpu", runs=tmp_path / "runs", budget=10)
    assert not list((tmp_path / "runs").rglob("adapter_model.safetensors"))


def test_embedding_statistics_cover_the_whole_vocabulary(folder):
    """The spread is that of every entry of the embedded vocabulary."""
    model = load(folder)
    table = model.embed(range(len(model.tokenizer)))
    rows = model.model.get_input_embeddings().weight.shape[0]
    assert table.shape == (rows, 32)
    assert table.dtype == np.float32
    assert model.embedding_std() == pytest.approx(table.astype(np.float64).std(), rel=1e-6)


def test_a_model_spread_over_all_devices_answers_the_same():
    """Loaded through a device map (here there is one device), the answers are the same bits."""
    asked, whole, spread = sheet(load_survey("vsm2013")), load_model(), load_model(device="spread")
    prompts = np.random.default_rng(0).normal(0, 1, (3, 5, whole.embedding_width))
    adapters = [Adapter(prompt=SoftPrompt(vectors)) for vectors in prompts]
    answers = [LocalEngine(m).answer(adapters, asked).probabilities for m in (whole, spread)]
    np.testing.assert_array_equal(*answers)


@pytest.mark.parametrize("placement", ["first", "last"])
def test_a_model_whose_last_layers_are_offloaded_answers_the_same(placement, tmp_path):
    """More than the devices hold stays on disk, the output layer included; the answers are the same.

    An offloaded output layer is multiplied whole, not the rows of the labels alone: the same sums in
    another order, which differ in the last places of float32 (4e-7 seen on one make of CPU).
    """
    folder = str(save_small_model("llama", tmp_path / "llama"))
    asked, whole, offloaded = sheet(load_survey("vsm2013")), load_model(folder), load_model(folder)
    parts = ("embed_tokens", "rotary_emb", "layers.0", "layers.1", "norm")
    places = {f"model.{part}": "cpu" for part in parts} | {"model.layers.1": "disk"}
    places |= {"model.norm": "disk", "lm_head": "disk"}
    dispatch_model(
        offloaded.model,
        places,
        main_device="cpu",
        offload_dir=tmp_path / "weights",
        force_hooks=True,
    )
    assert offloaded.model.lm_head.weight.is_meta
    prompts = np.random.default_rng(0).normal(0, 1, (3, 5, whole.embedding_width))
    adapters = [Adapter(prompt=SoftPrompt(vectors, placement)) for vectors in prompts]
    answers = [LocalEngine(m).answer(adapters, asked).probabilities for m in (whole, offloaded)]
    np.testing.assert_allclose(*answers, rtol=0, atol=2e-6)


def test_half_precision_is_taken_where_a_model_stands_it(tmp_path, monkeypatch):
    """One whose numbers float16 cannot hold is asked in float32; what was found out is not tried again."""
    from dataclasses import replace

    from blackbox_align.engines.checkpoint import find_model
    from blackbox_align.engines.local import precision
    from tests.small_models import save_small_model

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    fine = find_model(str(save_small_model("llama", tmp_path / "fine")), device="cpu")
    assert precision.settled(fine).dtype == torch.float16
    model = fine.model
    with torch.no_grad():
        for layer in model.model.model.layers:  # what float16 cannot add up
            layer.mlp.down_proj.weight.mul_(1e7)
    model.model.save_pretrained(tmp_path / "large")
    model.tokenizer.save_pretrained(tmp_path / "large")
    large = find_model(str(tmp_path / "large"), device="cpu")
    assert precision.settled(large).dtype == torch.float32
    monkeypatch.setattr(precision, "_tried", lambda found: pytest.fail("it was known"))
    assert precision.settled(replace(large, dtype=torch.float16)).dtype == torch.float32


def test_a_command_that_torchrun_started_several_times_is_refused(monkeypatch):
    """All of them would search, and write one run."""
    for name, value in (("LOCAL_RANK", "1"), ("WORLD_SIZE", "2")):
        monkeypatch.setenv(name, value)
    with pytest.raises(SpecificationError, match=r"torchrun started this 2 times.*--device spread"):
        load_model(device="cpu")
