"""What a pass leaves out, and how a survey that is longer than a pass is asked, change no answer."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch._dynamo.utils import counters

from blackbox_align.adapters import PLACEMENTS
from blackbox_align.engines.checkpoint import load_model
from blackbox_align.engines.local import compiled, packed, sizes
from blackbox_align.engines.local.compiled import Compiled
from blackbox_align.engines.local.engine import LocalEngine
from blackbox_align.engines.local.graphs import Captured, recorder
from blackbox_align.engines.local.packed import PackedLinear
from blackbox_align.engines.local.sizes import padded
from blackbox_align.engines.local.tree_attention import subtree_ends
from blackbox_align.errors import SpecificationError
from blackbox_align.surveys import load_survey
from blackbox_align.surveys.sheet import Sheet, sheet
from tests.engines.local.test_engine import random_adapters


@pytest.fixture(scope="module")
def model():
    return load_model(device="cpu")


@pytest.fixture(scope="module")
def asked():
    return Sheet(sheet(load_survey("vsm2013")).questions[:12])


def tokens_of_the_last_layer(engine, adapters, asked):
    """The most that its feed-forward part computed at once."""
    seen = []
    layer = engine._passes.along.model.layers[-1]
    hook = layer.mlp.register_forward_hook(lambda part, given, out: seen.append(out.shape[1]))
    answers = engine.answer(adapters, asked).probabilities
    hook.remove()
    return max(seen), answers


@pytest.mark.parametrize("placement", PLACEMENTS)
def test_the_last_layer_computes_only_what_is_read(model, asked, placement):
    """Of it come 12 answers to a candidate, from 12 places, and they are those of the whole layer."""
    adapters = random_adapters(model, 3, 4, placement)
    engine, whole = LocalEngine(model), LocalEngine(model)
    whole._passes.ends_only = False
    engine.answer(adapters, asked)  # the comparison with the plain way is over
    whole.answer(adapters, asked)
    few, answers = tokens_of_the_last_layer(engine, adapters, asked)
    many, others = tokens_of_the_last_layer(whole, adapters, asked)
    ends = 3 if placement == "last" else 12
    assert few == ends < many
    np.testing.assert_allclose(answers, others, atol=1e-5)


def test_a_last_layer_that_cannot_be_asked_so_is_computed_whole(model, asked):
    """The comparison finds out; questions still share a pass."""
    engine = LocalEngine(model)
    layer = engine._passes.along.model.layers[-1]
    usual = layer.forward

    def forward(hidden_states, *more, **named):
        out = usual(hidden_states, *more, **named)
        return out + (
            out.shape[1] != hidden_states.shape[1]
        )  # something that is wrong at ends alone

    layer.forward = forward
    adapters = random_adapters(model, 2, 3, "first")
    answers = engine.answer(adapters, asked).probabilities
    assert not engine._passes.ends_only and engine.notes == ()
    np.testing.assert_allclose(
        answers, engine.answer(adapters, asked, plainly=True).probabilities, atol=1e-5
    )


@pytest.mark.parametrize("faster", [True, False])
def test_packed_weights_are_taken_where_they_are_faster(
    model, asked, faster, tmp_path, monkeypatch
):
    """And the user's own modules stay as they are; the answers are the same."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))  # nothing was measured there before
    monkeypatch.setattr(packed, "_faster", lambda weight: faster)
    monkeypatch.setattr(packed, "_LEAST_NUMBERS", 0)
    before = [type(part) for part in model.model.modules()]
    engine = LocalEngine(model)
    kinds = {type(part) for part in engine._passes.along.model.modules()}
    assert (PackedLinear in kinds) is engine._passes.packed is faster
    assert [type(part) for part in model.model.modules()] == before
    adapters = random_adapters(model, 2, 3, "first")
    given, plain = (engine.answer(adapters, asked, plainly=way) for way in (False, True))
    np.testing.assert_allclose(given.probabilities, plain.probabilities, atol=1e-5)


def test_packed_weights_are_measured_against_torchs_own():
    """Whatever comes of it here, it is an answer."""
    assert packed._faster(torch.randn(256, 64)) in (True, False)


@pytest.mark.parametrize("placement", PLACEMENTS)
def test_a_survey_longer_than_a_pass_is_asked_in_several_rows(model, asked, placement, monkeypatch):
    """Each question as it is asked alone, and in the order of the sheet."""
    adapters = random_adapters(model, 3, 4, placement)
    expected = LocalEngine(model).answer(adapters, asked)
    monkeypatch.setattr(sizes, "TOKENS_PER_PASS", 120)
    monkeypatch.setattr(sizes, "TOKENS_PER_PART", 60)
    engine = LocalEngine(model)
    given = engine.answer(adapters, asked)
    parts = next(iter(engine._plans.values()))._parts
    assert len(parts) > 2 and max(len(part.tree(False).tokens) for _, part in parts) < 120
    np.testing.assert_allclose(given.probabilities, expected.probabilities, atol=1e-5)


def test_the_sheet_in_use_is_kept_whatever_was_asked_before(model, asked):
    """And the very first one, which is that of a search; a search by gradients has two plans of a sheet."""
    engine = LocalEngine(model)
    sheets = [Sheet(asked.questions[n:]) for n in range(4)]
    plans = [
        (
            engine._plan(one, "", gradients=True),
            engine._plan(one, ""),
            engine._plan(one, "", gradients=True),
        )
        for one in sheets
    ]
    assert all(before is after for before, _, after in plans)
    assert engine._plan(sheets[0], "", gradients=True) is plans[0][0]


@pytest.mark.slow
@pytest.mark.parametrize("placement", PLACEMENTS)
def test_two_thousand_questions_take_less_than_800_mb(placement):
    """16 candidates in a process of their own, the imports included; answers as one by one."""
    import subprocess
    import sys

    lines = (
        "import re, numpy as np\n"
        "from blackbox_align.engines.checkpoint import load_model\n"
        "from blackbox_align.engines.local.engine import LocalEngine\n"
        "from blackbox_align.surveys.sheet import Question, Sheet\n"
        "from tests.engines.local.test_engine import random_adapters\n"
        "asked = Sheet(tuple(Question(f'In an ideal job, how important is it to you to have ' * 4 +\n"
        "    f'number {n}?\\n1 = utmost, 2 = high, 3 = some', ('1', '2', '3')) for n in range(2000)))\n"
        "model = load_model(device='cpu')\n"
        f"engine, adapters = LocalEngine(model), random_adapters(model, 16, 5, {placement!r})\n"
        "given = engine.answer(adapters, asked).probabilities\n"
        "peak = re.search(r'VmHWM:\\s+(\\d+) kB', open('/proc/self/status').read())[1]\n"
        "few = Sheet(asked.questions[::200])\n"
        "plain = engine.answer(adapters, few, plainly=True).probabilities\n"
        "print(peak, np.abs(given[:, ::200] - plain).max())\n"
    )
    done = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True)
    peak, difference = map(float, done.stdout.split())  # not ru_maxrss, which a parent hands down
    assert peak / 1000 <= 800 and difference <= 1e-5


def test_passes_come_in_a_few_sizes():
    """A device plans for every shape that is new to it; at most half as many again are asked."""
    sizes_of = {padded(number) for number in range(1, 1025)}
    assert len(sizes_of) < 22
    assert all(
        number <= padded(number) <= max(1.5 * number, number + 1) for number in range(1, 1025)
    )


def test_a_place_is_seen_until_the_end_of_its_subtree(model, asked):
    """Two numbers a place say what blocks and their masks say."""
    row = LocalEngine(model)._plan(asked, "").tree(False).row(4)
    ends = subtree_ends(row)
    for block in row.blocks:
        seen = row.mask(block, None, torch.empty(0)) == 0
        before = [place for piece in block.path for place in range(piece.start, piece.stop)]
        keys = [*before, *range(block.here.start, block.here.stop)]
        for place, line in zip(range(block.here.start, block.here.stop), seen, strict=True):
            visible = [key for key, one in zip(keys, line, strict=True) if one]
            assert visible == [k for k in range(len(row)) if k <= place < ends[k]]


def shallow(model):
    """The model with its first layer alone, which is compiled as all others are."""
    from dataclasses import replace

    from blackbox_align.engines.local.shadow import shadow

    first = shadow(model.model)
    first.model.layers = first.model.layers[:2]
    first.config.num_hidden_layers = 2
    return replace(model, model=first)


@pytest.mark.parametrize("placement", ["first", "last"])
def test_layers_are_compiled_once_for_a_survey_a_length_and_a_size(model, placement):
    """Four batches of three numbers of candidates are two sizes: two graphs for all layers, and the
    answers of the other way."""
    model = shallow(model)
    few = Sheet(sheet(load_survey("vsm2013")).questions[:4])
    engine, plain = LocalEngine(model), LocalEngine(model)
    engine._passes.compiled = Compiled(model.model, backend="eager")
    counters.clear()
    for count in (3, 4, 1, 3):
        adapters = random_adapters(model, count, 3, placement)
        given, expected = (each.answer(adapters, few).probabilities for each in (engine, plain))
        np.testing.assert_allclose(given, expected, atol=1e-5)
    assert counters["stats"]["unique_graphs"] == 2
    assert "compiled" in engine.way and "along the tree" in plain.way


def again(body):
    """Recorded as on a GPU: what is replayed reads and writes the same places of memory."""
    out = body()
    return lambda: out.copy_(body()), out


@pytest.mark.parametrize(("seconds", "asked_so"), [(24.0, "as before"), (1e6, "a graph")])
def test_a_search_that_is_long_enough_has_its_sizes_compiled_before_its_clock(
    model, asked, seconds, asked_so, monkeypatch
):
    """Every size that its asks come in, once, with a word before each; what comes then meets nothing new,
    and the fastest way is taken. A sheet that nobody announced is asked as before."""
    took = {"as before": 3.0, "compiled": 0.002, "a graph": 0.001}
    ways = iter(list(took.values()) * 9)
    monkeypatch.setattr(compiled, "_seconds", lambda way, device: next(ways))
    model = shallow(model)
    few = Sheet(asked.questions[:4])
    engine, plain = LocalEngine(model), LocalEngine(model)
    fast = Compiled(model.model, backend=lambda graph, inputs: graph, always=False, record=again)
    engine._passes.compiled, said = fast, []
    adapters = random_adapters(model, 2, 3, "first")
    ready = engine.warm_up(adapters[0], few, 2, seconds, lambda *counts: said.append(counts))
    assert said == [(0, 2), (1, 2)]
    counters.clear()
    for some in (adapters, adapters[:1], adapters[::-1]):
        given, expected = (each.answer(some, few).probabilities for each in (engine, plain))
        np.testing.assert_allclose(given, expected, atol=1e-5)
    engine.answer(adapters, Sheet(asked.questions[4:8]))
    assert not counters["stats"]["unique_graphs"]
    pays = asked_so == "a graph"
    assert ready == (2 if pays else 0) and fast.kinds == ready
    assert fast.took == ({1: took, 2: took} if pays else {})
    assert all(isinstance(way, Captured) for way in fast._taken.values())
    assert engine.way.endswith("a pass of 2: as before 3e+03, compiled 2, a graph 1") is pays


def test_nothing_is_made_ready_where_nothing_is_compiled(model, asked):
    """On a CPU: no pass is asked, no graph is recorded."""
    engine, said = LocalEngine(model), []
    [adapter] = random_adapters(model, 1, 3, "last")
    assert engine.warm_up(adapter, asked, 64, 1e6, lambda *counts: said.append(counts)) == 0
    assert said == [] and not engine._plans[next(iter(engine._plans))].continuations
    assert recorder(torch.device("cpu")) is None


@pytest.mark.parametrize("placement", PLACEMENTS)
def test_one_mask_of_the_whole_row_says_what_the_blocks_say(model, asked, placement):
    """The way of a GPU where nothing is compiled."""
    adapters = random_adapters(model, 2, 4, placement)
    engine = LocalEngine(model)
    engine._passes.most_dense = 4096
    given = engine.answer(adapters, asked).probabilities
    expected = LocalEngine(model).answer(adapters, asked).probabilities
    assert engine.way.startswith("under one mask")
    np.testing.assert_allclose(given, expected, atol=1e-5)


@pytest.mark.slow
def test_compiled_by_the_real_compiler_answers_are_the_same(model):
    """On a CPU, where it compiles to C++: a minute."""
    few = Sheet(sheet(load_survey("vsm2013")).questions[:4])
    adapters = random_adapters(model, 2, 3, "first")
    with LocalEngine(model, compile="always") as engine:
        given = engine.answer(adapters, few).probabilities
        assert engine.way == "one block mask of the whole tree, compiled layers"
    expected = LocalEngine(model).answer(adapters, few).probabilities
    np.testing.assert_allclose(given, expected, atol=1e-5)


def test_what_cannot_be_compiled_is_asked_the_other_way(model, asked):
    """And said so."""
    engine = LocalEngine(model)

    def broken(graph, inputs):
        raise RuntimeError("there is no compiler here")

    engine._passes.compiled = Compiled(model.model, backend=broken)
    adapters = random_adapters(model, 2, 3, "first")
    given, plain = (engine.answer(adapters, asked, plainly=way) for way in (False, True))
    np.testing.assert_allclose(given.probabilities, plain.probabilities, atol=1e-5)
    assert "it could not be compiled" in engine.way
    with pytest.raises(SpecificationError, match="'auto', 'never', 'always'; not 'perhaps'"):
        LocalEngine(model, compile="perhaps")
