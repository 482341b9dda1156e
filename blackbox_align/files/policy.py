"""What a page of ours may run: the hashes of a Content-Security-Policy."""

from __future__ import annotations

import base64
import hashlib


def policy_hash(content: str) -> str:
    """The source expression that lets a page run a script, or use a style, of this content alone."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
