"""The page: one file without a build step, which asks this server and nobody else."""

from __future__ import annotations

import re
from importlib.resources import files

from ..files.policy import policy_hash

PAGE = files(__package__).joinpath("page.html").read_text(encoding="utf-8")


def _hash(tag: str) -> str:
    (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", PAGE, re.DOTALL)
    return policy_hash(content)


# What the page may do: run its own script, look as it does, and ask where it came from.
POLICY = "; ".join(
    (
        "default-src 'none'",
        f"script-src {_hash('script')}",
        f"style-src {_hash('style')}",
        "connect-src 'self'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
