"""The packed row: where spans stand, and what sees what."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from blackbox_align.engines.local.prefix_tree import flat_tokens, prefix_tree
from blackbox_align.engines.local.tree_attention import Continuations, pack

OPENINGS = st.sampled_from([(), (7,), (7,) * 20, (7,) * 20 + (8,) * 20])
TOKENS = st.lists(st.integers(0, 2), max_size=70).map(tuple)
CONTEXTS = st.lists(
    st.builds(lambda opening, rest: opening + rest, OPENINGS, TOKENS).filter(bool),
    min_size=1,
    max_size=12,
)
examples = settings(max_examples=100, deadline=None)


def places(path):
    return [place for piece in path for place in range(piece.start, piece.stop)]


def seen_from(row, window=None):
    """For every place of a row, the places that it sees, by the blocks and their masks."""
    seen = {}
    for block in row.blocks:
        here = list(range(block.here.start, block.here.stop))
        keys = places(block.path) + here
        mask = row.mask(block, window, torch.empty(0)) == 0
        for place, line in zip(here, mask, strict=True):
            seen[place] = [key for key, visible in zip(keys, line, strict=True) if visible]
    return seen


@examples
@given(CONTEXTS, st.integers(0, 3))
def test_the_end_of_a_question_sees_its_own_text_and_nothing_else(contexts, before):
    """The places seen from a question's end are the soft prompt and its tokens, in order."""
    tree = prefix_tree(contexts)
    row, tokens = pack(tree, before), list(flat_tokens(tree))
    seen = seen_from(row)
    assert len(row) == before + len(tokens) == len(seen)
    for question, context in enumerate(contexts):
        visible = seen[row.paths[question][-1].stop - 1]
        assert visible == places(row.paths[question])
        assert visible[:before] == list(range(before))
        assert tuple(tokens[place - before] for place in visible[before:]) == context
        assert [row.positions[place] for place in visible] == list(range(len(visible)))


@examples
@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=5),
    st.integers(1, 3),
    st.integers(1, 9),
    st.none() | st.integers(1, 9),
)
def test_a_candidate_behind_the_questions_sees_one_question_and_itself(
    lengths, width, candidates, window
):
    """A token of a span sees its own question, whole, and the tokens of its span up to itself."""
    longest = max(lengths)
    past = {0: (torch.zeros(len(lengths), 1, longest, 2),) * 2}
    row = Continuations(past, torch.tensor(lengths), width, candidates)
    mask = row.mask(window, torch.empty(0)) == 0
    for question, length in enumerate(lengths):
        for step in range(width):
            text = list(range(length)) + [longest + i for i in range(step + 1)]
            seen = mask[question, step].nonzero().flatten().tolist()
            assert seen == text[-(window or len(text)) :]
            assert (row.positions[question, step::width] == length + step).all()


@examples
@given(CONTEXTS, st.integers(1, 30))
def test_a_window_is_one_of_distance_in_the_text(contexts, window):
    """With a sliding window a place sees the last ``window`` tokens of its own text."""
    row = pack(prefix_tree(contexts), 1)
    whole, part = seen_from(row), seen_from(row, window)
    assert all(part[place] == whole[place][-window:] for place in whole)


def test_masks_lie_on_the_device_of_the_layer_that_asks():
    """The layers of one model may be on several devices; what was made for one is not for another."""
    row = pack(prefix_tree([(1, 2), (1, 3, 4)]))
    behind = Continuations({0: (torch.empty(2, 1, 3, 4),) * 2}, torch.tensor([2, 3]), 2, 5)
    for device in ("cpu", "meta", "cpu"):
        like = torch.empty(0, device=device)
        masks = [row.mask(block, None, like) for block in row.blocks] + [behind.mask(None, like)]
        assert {mask.device.type for mask in masks} == {device}
