from __future__ import annotations

import pytest

from tests.terminal import Terminal, bbalign_command


@pytest.fixture
def terminal(tmp_path):
    """Run ``bbalign`` in a terminal; whatever still runs is ended with the test."""
    opened = []

    def start(*arguments: object, cwd=None, columns: int = 80, **environment: str) -> Terminal:
        command = bbalign_command(*arguments)
        opened.append(Terminal(command, cwd or tmp_path, columns, environment))
        return opened[-1]

    yield start
    for one in opened:
        one.close()
