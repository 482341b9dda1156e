"""The tree of token spans: every question is its path, and what is shared is computed once."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from blackbox_align.engines.local.prefix_tree import flat_tokens, prefix_tree
from blackbox_align.engines.local.questions import common_prefix

# Few different tokens and long shared openings, so that duplicates and prefixes of one another occur.
TOKENS = st.lists(st.integers(0, 2), max_size=6).map(tuple)
OPENINGS = st.sampled_from([(), (7,), (7,) * 20, (7,) * 20 + (8,) * 20, (9,) * 17])
CONTEXTS = st.lists(
    st.builds(lambda opening, rest: opening + rest, OPENINGS, TOKENS).filter(bool),
    min_size=1,
    max_size=12,
)
examples = settings(max_examples=150, deadline=None)


def paths(node, before=()):
    """Every (question, its tokens along the path, is it a leaf) of a tree."""
    here = before + node.tokens
    for context in node.contexts:
        yield context, here, not node.children
    for child in node.children:
        yield from paths(child, here)


@examples
@given(CONTEXTS)
@example([(1,), (1, 2, 3), (1, 2, 3)])
@example([(5,) * 30, (5,) * 31, (5,) * 30])
def test_every_question_is_the_concatenation_of_the_spans_on_its_path(contexts):
    """Each context ends in exactly one leaf, and the spans down to it are its tokens, in order."""
    found = list(paths(prefix_tree(contexts)))
    assert sorted(number for number, _, _ in found) == list(range(len(contexts)))
    assert all(tokens == contexts[number] for number, tokens, _ in found)
    assert all(is_leaf for _, _, is_leaf in found)


@examples
@given(CONTEXTS)
def test_a_tree_never_computes_more_than_one_by_one(contexts):
    """The tokens computed are at most those of all contexts, and at least those of the longest."""
    computed = len(list(flat_tokens(prefix_tree(contexts))))
    assert max(map(len, contexts)) <= computed <= sum(map(len, contexts))


@examples
@given(CONTEXTS)
def test_no_span_but_the_root_is_empty(contexts):
    """Every node below the root has a token, so that there is a next token to read behind it."""

    def spans(node):
        for child in node.children:
            yield child.tokens
            yield from spans(child)

    assert all(spans(prefix_tree(contexts)))


@examples
@given(CONTEXTS)
def test_what_all_share_is_the_root(contexts):
    """The root is the common opening, short of the last token of the shortest context."""
    root = prefix_tree(contexts)
    if len(set(contexts)) == 1:
        assert root.tokens == contexts[0]
        assert root.contexts == tuple(range(len(contexts)))
    else:
        shared = min(len(common_prefix(contexts)), min(map(len, contexts)) - 1)
        assert root.tokens == contexts[0][:shared]


def test_equal_questions_are_computed_once():
    """Asking the same question again costs nothing, alone or beside others."""
    assert list(flat_tokens(prefix_tree([(1, 2, 3)] * 5))) == [1, 2, 3]
    assert list(flat_tokens(prefix_tree([(1, 2), (1, 2), (1, 3)]))) == [1, 2, 3]


def test_openings_that_pay_are_computed_once():
    """Two scales with twelve questions each: header once, each scale once, each question once."""
    header, scales = tuple(range(30)), (tuple(range(100, 120)), tuple(range(200, 220)))
    contexts = [header + scale + (1000 + 50 * n, *range(n)) for n in range(12) for scale in scales]
    questions = 2 * sum(1 + n for n in range(12))
    assert len(list(flat_tokens(prefix_tree(contexts)))) == 30 + 2 * 20 + questions


@pytest.mark.parametrize(("shared", "branches"), [(3, 3), (4, 2), (40, 2)])
def test_an_inner_node_is_made_from_four_saved_tokens_on(shared, branches):
    """A node costs a block of attention: two questions share one only where it saves 4 tokens."""
    pair = [(1, *[2] * shared, 3), (1, *[2] * shared, 4)]
    root = prefix_tree([*pair, (1, 9)])
    assert root.tokens == (1,)
    assert len(root.children) == branches


def test_a_question_that_is_the_opening_of_another_is_answered_at_its_own_end():
    """A context that is a strict prefix of all others still ends in a leaf of its own."""
    contexts = [(1, 2, 3), (1, 2, 3, 4), (1, 2, 3, 4, 5)]
    root = prefix_tree(contexts)
    assert root.tokens == (1, 2)
    assert dict((n, t) for n, t, _ in paths(root)) == dict(enumerate(contexts))


@examples
@given(st.lists(st.lists(st.integers(0, 2), max_size=5), min_size=1, max_size=6))
def test_the_common_prefix_is_the_longest_that_all_share(sequences):
    """All sequences begin with it, and no longer opening would do."""
    shared = common_prefix(sequences)
    assert all(list(s[: len(shared)]) == shared for s in sequences)
    longer = {tuple(s[: len(shared) + 1]) for s in sequences}
    assert len(longer) > 1 or any(len(s) == len(shared) for s in sequences)
