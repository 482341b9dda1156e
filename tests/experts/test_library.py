"""Libraries: experts come and go whole; what is damaged, foreign or hostile is told and never followed."""

from __future__ import annotations

import json
import os
import random
import shutil

import numpy as np
import pytest

from blackbox_align.adapters.adapter import Adapter, SoftPrompt
from blackbox_align.errors import (
    BlackboxAlignError,
    ExpertError,
    SpecificationError,
    UnknownNameError,
)
from blackbox_align.experts import Library, read_expert, write_expert
from blackbox_align.experts.library import expert_folders
from blackbox_align.files.atomic import read_sealed_json, write_sealed_json
from tests.experts.hand_made import KINDS, PROOF, card, vectors


@pytest.fixture(scope="module")
def kinds(tmp_path_factory):
    """An expert folder of every kind; nobody changes them."""
    folder = tmp_path_factory.mktemp("kinds")
    for kind, adapter in KINDS.items():
        write_expert(folder / kind.replace(" ", "-"), adapter, card(), PROOF)
    return folder


@pytest.fixture
def library(tmp_path, kinds):
    """Two experts, the second of which a test may damage."""
    found = Library(tmp_path / "library")
    found.add(kinds / "first", "sound")
    found.add(kinds / "prompt-and-lora", "other")
    return found


def test_every_kind_is_added_read_and_removed(tmp_path, kinds):
    """What is added is there for a library that was open before, with the same adapter."""
    library = Library(tmp_path / "library")
    assert library.names() == [] and list(library.check()) == []
    for kind, adapter in KINDS.items():
        (expert,) = library.add(kinds / kind.replace(" ", "-"), kind.replace(" ", "-"))
        assert expert.path.parent == library.path and expert.adapter().digest() == adapter.digest()
    assert [entry.trouble for entry in library.check()] == [""] * len(KINDS)
    library.remove("lora")
    assert "lora" not in library.names() and len(library.experts()) == len(KINDS) - 1
    with pytest.raises(UnknownNameError, match="Did you mean 'first'"):
        library.read("frist")


def test_the_experts_of_a_run_are_called_by_their_populations(tmp_path, kinds):
    """A run of one has `expert`, one of several `experts/CODE`."""
    shutil.copytree(kinds / "first", tmp_path / "one" / "expert")
    for code in ("KEN", "second"):
        shutil.copytree(kinds / "last", tmp_path / "several" / "experts" / code)
    library = Library(tmp_path / "library")
    assert [expert.name for expert in library.add(tmp_path / "one")] == ["KEN"]
    assert len(expert_folders(tmp_path / "several")) == 2
    with pytest.raises(SpecificationError, match="two experts of one population"):
        library.add(tmp_path / "several")
    with pytest.raises(SpecificationError, match="neither an expert folder nor a run"):
        library.add(tmp_path)
    assert library.names() == ["KEN"]


@pytest.mark.parametrize(
    "name", ["", "..", "../out", "/tmp/out", "a/b", ".hidden", "a\0b", "x" * 101]
)
def test_no_name_leads_out_of_the_library(library, kinds, name):
    """Neither to be written, nor to be read, nor to be deleted."""
    before = sorted(library.path.parent.rglob("*"))
    if name:
        with pytest.raises(SpecificationError, match="cannot be called"):
            library.add(kinds / "first", name)
    for do in (library.read, library.remove):
        with pytest.raises(UnknownNameError):
            do(name)
    assert sorted(library.path.parent.rglob("*")) == before


def test_a_name_that_is_taken_and_a_source_that_is_damaged_change_nothing(library, kinds, tmp_path):
    """An expert is copied whole or not at all."""
    with pytest.raises(SpecificationError, match="already"):
        library.add(kinds / "last", "sound")
    shutil.copytree(kinds / "last", tmp_path / "damaged")
    file = tmp_path / "damaged" / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ExpertError, match="edited, cut short"):
        library.add(tmp_path / "damaged", "new")
    assert sorted(p.name for p in library.path.iterdir()) == ["other", "sound"]


def _link_to_a_file(folder):
    (folder / "more.json").symlink_to("/etc/passwd")


def _link_for_the_weights(folder):
    (folder / "prompt.safetensors").rename(folder.parent.parent / "away")
    (folder / "prompt.safetensors").symlink_to(folder.parent.parent / "away")


def _link_for_the_folder(folder):
    folder.rename(folder.parent.parent / "elsewhere")
    folder.symlink_to(folder.parent.parent / "elsewhere")


def _pipe(folder):
    os.mkfifo(folder / "adapter_config.json")


def _record_that_points_outside(folder):
    shutil.copyfile(folder / "prompt.safetensors", folder.parent.parent / "prompt.safetensors")
    record = read_sealed_json(folder / "expert.json")
    sha256 = record["parts"]["sha256"]
    name = "../../prompt.safetensors"
    sha256[name] = sha256.pop("prompt.safetensors")
    record["parts"]["prompt"] = name
    write_sealed_json(folder / "expert.json", record)


HOSTILE = {
    "a link to a file": (_link_to_a_file, "is a link"),
    "a link for the weights": (_link_for_the_weights, "is a link"),
    "a link for the folder": (_link_for_the_folder, "is a link"),
    "a pipe": (_pipe, "no regular file"),
    "code": (lambda f: (f / "modeling.py").write_text("raise SystemExit"), "no part of an expert"),
    "a pickle": (lambda f: (f / "adapter_model.bin").write_bytes(b"\x80"), "no part of an expert"),
    "a stranger": (lambda f: (f / "lora-9.json").write_text("{}"), "does not tell of it"),
    "folders in folders": (lambda f: (f / "a" / "b").mkdir(parents=True), "a folder in a folder"),
    "no record": (lambda f: (f / "expert.json").unlink(), "not written to the end"),
    "nothing": (lambda f: [shutil.rmtree(f), f.mkdir()], "it is empty"),
    "half a file": (lambda f: (f / "prompt.safetensors").write_bytes(b"\0" * 9), "cut short"),
    "an edited record": (
        lambda f: (f / "expert.json").write_text(
            (f / "expert.json").read_text().replace("Kenya", "Kongo")
        ),
        "checksum",
    ),
    "a record that points outside": (_record_that_points_outside, "none of its own"),
    "a hole of five gigabytes": (
        lambda f: os.truncate(f / "prompt.safetensors", 5 << 30),
        "at most 4,096",
    ),
    "many files": (
        lambda f: [(f / f"{n}.json").touch() for n in range(300)],
        "more than 200 files",
    ),
}


@pytest.mark.parametrize("what", list(HOSTILE))
def test_each_is_told_what_is_wrong_with_which(library, what):
    """A folder is refused by name, with the reason; its neighbour is as it was."""
    harm, why = HOSTILE[what]
    harm(library.path / "other")
    other, sound = library.check()
    assert other.expert is None and why in other.trouble and "other" in other.trouble
    assert sound.expert is not None and not sound.trouble
    with pytest.raises(ExpertError):
        library.read("other").adapter()


def test_what_was_not_finished_is_told_and_is_no_expert(library, kinds):
    """A copy that was killed leaves a hidden draft."""
    shutil.copytree(kinds / "last", library.path / ".KEN.4711.new")
    assert library.names() == ["other", "sound"]
    assert "was not finished" in next(iter(library.check())).trouble


def test_removing_deletes_experts_alone(library, tmp_path):
    """Not what a link leads to, and no folder of somebody's that never was an expert."""
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "expert.json").touch()
    (library.path / "link").symlink_to(tmp_path / "precious")
    (library.path / "letters").mkdir()
    library.remove("link")
    assert (tmp_path / "precious" / "expert.json").exists()
    with pytest.raises(ExpertError, match="was never an expert"):
        library.remove("letters")
    (library.path / "other" / "prompt.safetensors").unlink()
    library.remove("other")  # a damaged one may go
    assert library.names() == ["letters", "sound"]


def test_the_card_holds_the_experts_own_answers(tmp_path):
    """Its profile: what it answered under its adapter, and not what others did."""
    from dataclasses import replace

    from blackbox_align.results import ItemAnswers

    own = ItemAnswers("vsm2013", "KEN", "fitted", ("m01", "m02"), ((0.5, 0.5), (0.2, 0.8)))
    others = replace(own, condition="none", probabilities=((1.0, 0.0), (1.0, 0.0)))
    about = replace(card(), result=replace(card().result, answers=(others, own)))
    expert = write_expert(tmp_path / "KEN", KINDS["first"], about, PROOF)
    assert read_expert(expert.path).card.answers == {
        "vsm2013": {"m01": (0.5, 0.5), "m02": (0.2, 0.8)}
    }


# -- fuzz ------------------------------------------------------------------------------------------


def _harm(folder, rng) -> None:
    """One of many things that happen to a folder, or that somebody does to it."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and not p.is_symlink())
    file = rng.choice(files)
    whole = file.read_bytes()
    at = rng.randrange(max(len(whole), 1))
    way = rng.randrange(10)
    if way < 4:
        flipped = bytes([whole[at] ^ (1 << rng.randrange(8))]) if whole else b"x"
        file.write_bytes(
            (
                whole[:at],
                whole[:at] + flipped + whole[at + 1 :],
                whole[:at] + rng.randbytes(rng.randrange(1, 40)) + whole[at:],
                rng.choice([b"", b"null", b"[]", b"{}", b"[" * 50_000, b'{"format": 2}', b"\xff"]),
            )[way]
        )
    elif way == 4:
        file.unlink()
    elif way == 5:
        file.unlink()
        file.symlink_to(rng.choice(["/etc/passwd", "/nowhere", folder, "."]))
    elif way == 6:
        name = rng.choice(["x.py", "x.bin", "x.json", "x.safetensors", ".x", "lora-1.json"])
        (folder / name).write_bytes(rng.randbytes(9))
    elif way == 7:
        (folder / rng.choice(["a", "lora-9", "b.json"])).mkdir(exist_ok=True)
    else:
        _rewrite(folder / "expert.json", rng)


def _rewrite(path, rng) -> None:
    """Another value somewhere in a record whose checksum holds: what somebody hostile would write."""
    try:
        record = read_sealed_json(path)
    except BlackboxAlignError:
        return
    here = record
    while True:
        key = rng.choice(sorted(here))
        if not (isinstance(here[key], dict) and here[key] and rng.random() < 0.8):
            break
        here = here[key]
    values = [
        None,
        -1,
        1e308,
        "",
        "../x",
        "/etc/passwd",
        [],
        {},
        ["../x"],
        {"../x": "y"},
        "a\0b",
        True,
    ]
    here[key] = rng.choice(values)
    write_sealed_json(path, record)


def test_a_thousand_harmed_libraries_end_in_sentences(tmp_path, kinds):
    """No crash, nothing read outside, and an expert that is still taken is the one that was written."""
    rng = random.Random(23)
    sources = sorted(kinds.iterdir())
    digests = {folder.name: read_expert(folder).adapter().digest() for folder in sources}
    refused = 0
    for _ in range(50):
        library, origin = Library(tmp_path / "library"), {}
        for number in range(20):
            source = rng.choice(sources)
            folder = library.path / f"e{number}"
            origin[folder.name] = source.name
            shutil.copytree(source, folder)
            for _ in range(rng.randrange(1, 3)):
                _harm(folder, rng)
        for entry in library.check():
            if entry.expert is None:
                refused += 1
                assert entry.name in entry.trouble
            else:
                assert entry.expert.adapter().digest() == digests[origin[entry.name]]
        shutil.rmtree(library.path)
    assert refused > 700


# -- the commands ----------------------------------------------------------------------------------


def test_commands_list_show_check_add_and_remove(bbalign, tmp_path, kinds):
    """As a person has them: sentences, exit codes, JSON."""
    assert "no expert in experts/ yet" in bbalign("experts", "list").stderr
    added = bbalign("experts", "add", kinds / "first", "--name", "KEN")
    assert added.returncode == 0 and "Kenya, soft prompt of 3, first" in added.stdout
    bbalign("experts", "add", kinds / "text", "--name", "said")
    taken = bbalign("experts", "add", kinds / "first", "--name", "said")
    assert taken.returncode == 2 and "'said' in experts already" in taken.stderr
    assert bbalign("experts", "check").stdout == "KEN: whole\nsaid: whole\n"
    rows = json.loads(bbalign("experts", "list", "--json").stdout)
    assert [(r["expert"], r["kind"], r["width"]) for r in rows] == [
        ("KEN", "soft prompt of 3, first", 8),
        ("said", "text", None),
    ]
    shown = bbalign("experts", "show", "KEN")
    assert "respondent-tiny" in shown.stdout and "Not for judging individuals" in shown.stdout
    (tmp_path / "experts" / "KEN" / "run.py").touch()
    checked = bbalign("experts", "check")
    assert checked.returncode == 1 and "run.py is no part of an expert" in checked.stdout
    assert "1 of 2 folders" in checked.stderr and "Traceback" not in checked.stderr
    assert "run.py" in bbalign("experts", "list").stderr
    assert bbalign("experts", "show", "KAN").returncode == 2
    assert bbalign("experts", "remove", "KEN").returncode == 0
    assert [r["expert"] for r in json.loads(bbalign("experts", "list", "--json").stdout)] == [
        "said"
    ]


def test_the_export_command_refuses_in_a_sentence(bbalign, kinds):
    """Another format, nobody to export, an expert of another model."""
    assert "'vocabulary'" in bbalign("experts", "export", "out", "--format", "gguf").stderr
    assert "expected one model" in bbalign("experts", "export", "out").stderr
    bbalign("experts", "add", kinds / "first", "--name", "KEN")
    refused = bbalign("experts", "export", "out")
    assert refused.returncode == 2 and "means nothing to another model" in refused.stderr


def test_adapters_survive_any_order_of_adding(tmp_path):
    """Two of one population need names of their own, and keep what they are."""
    library = Library(tmp_path / "library")
    for seed in range(2):
        adapter = Adapter(prompt=SoftPrompt(vectors(seed=seed)))
        write_expert(tmp_path / f"run-{seed}" / "expert", adapter, card(), PROOF)
        library.add(tmp_path / f"run-{seed}", f"KEN-{seed}")
    for seed, expert in enumerate(library.experts()):
        np.testing.assert_array_equal(expert.soft_prompt(), vectors(seed=seed))
