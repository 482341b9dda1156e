"""align, build and export as a user calls them, on a small model; what PEFT gets wrong is refused."""

from __future__ import annotations

import json

import pytest
from transformers import AutoModelForCausalLM

from blackbox_align.cli.main import app
from blackbox_align.errors import ExpertError, SpecificationError
from blackbox_align.palette.palette import read_palette
from tests.small_models import save_small_model

MAP = """name: two
colours:
  africa: {name: Africa, countries: [KEN, NGA]}
  europe: {name: Europe, countries: [NLD, DEU, GBR]}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a map, a small model whose labels are letters, and a palette trained on it."""
    folder = tmp_path_factory.mktemp("commands")
    (folder / "map.yaml").write_text(MAP)
    save_small_model("llama", folder / "model")
    said(folder, "align", folder / "lora", "--queries", 8, "--epochs", 1, "--rank", 2,
         "--learning-rate", 1e-2)  # fmt: skip
    return folder


def said(folder, command, *arguments):
    more = ["--map", folder / "map.yaml"] if command in ("align", "build") else []
    more += ["--model", folder / "model"]
    app(["palette", command, *map(str, [*arguments, *more])], standalone_mode=False)


def test_a_trained_palette_is_whole(place):
    """Two LoRA with cards of their own, held-out questions, and the settings of the training."""
    palette = read_palette(place / "lora")
    assert [len(one.loras) for one in palette.adapters()] == [1, 1]
    assert (
        palette.experts[0].card.settings["normalise"] == "mean" and len(palette.fitted_items) == 20
    )
    lines = (place / "lora-align" / "africa.jsonl").read_text().splitlines()
    assert len(lines) == 8 and json.loads(lines[0])["colour"] == "africa"


def test_exports_are_loaded_by_plain_transformers(place, capsys):
    """A mixture, and a merge as PEFT's own folder; the names of PEFT's kinds are refused."""
    said(place, "export", place / "lora", place / "mixture", "--json")
    told = json.loads(capsys.readouterr().out)
    assert told["architecture"] == "MixtralForCausalLM" and told["difference"] < 1e-5
    assert AutoModelForCausalLM.from_pretrained(place / "mixture").config.num_local_experts == 2
    said(place, "export", place / "lora", place / "soup", "--format", "soup")
    assert (place / "soup" / "adapter_config.json").is_file()
    with pytest.raises(SpecificationError, match="crosswise"):
        said(place, "export", place / "lora", place / "linear", "--format", "linear")
    assert not (place / "linear").exists()


def test_build_takes_experts_and_what_peft_wrote(place, capsys):
    """The same two colours: one as an expert's folder, one as PEFT's."""
    bare = place / "lora-align" / "europe" / "adapter"
    africa = place / "lora" / "experts" / "africa"
    said(
        place,
        "build",
        place / "again",
        "--expert",
        f"africa={africa}",
        "--expert",
        f"europe={bare}",
    )
    before, after = read_palette(place / "lora"), read_palette(place / "again")
    assert [one.digest() for one in after.adapters()] == [one.digest() for one in before.adapters()]


@pytest.mark.parametrize(
    ("key", "said_of_it"), [("use_rslora", "rsLoRA"), ("use_dora", "use_dora")]
)
def test_what_peft_merges_wrongly_is_refused(place, tmp_path, key, said_of_it):
    """DoRA and rsLoRA, in a sentence, before anything is written."""
    import shutil

    bare = tmp_path / "bare"
    shutil.copytree(place / "lora-align" / "europe" / "adapter", bare)
    config = json.loads((bare / "adapter_config.json").read_text())
    (bare / "adapter_config.json").write_text(json.dumps({**config, key: True}))
    africa = place / "lora" / "experts" / "africa"
    with pytest.raises(ExpertError, match=said_of_it):
        said(
            place,
            "build",
            tmp_path / "new",
            "--expert",
            f"africa={africa}",
            "--expert",
            f"europe={bare}",
        )
    assert not (tmp_path / "new").exists()


def test_colours_have_one_expert_each(place, tmp_path):
    africa = place / "lora" / "experts" / "africa"
    with pytest.raises(SpecificationError, match="COLOUR=FOLDER"):
        said(place, "build", tmp_path / "new", "--expert", str(africa))
    with pytest.raises(SpecificationError, match="without one: europe"):
        said(place, "build", tmp_path / "new", "--expert", f"africa={africa}")
