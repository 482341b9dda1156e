"""Code books of DDI 2 (``<codeBook>``): variables with the categories of their answers."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree.ElementTree import Element

from ..files.xml import parse_xml
from .forms import Form, FormItem, joined, plain_text


def is_ddi(content: bytes) -> bool:
    """Whether the bytes are a code book of DDI 2."""
    head = content[:4096].lower()
    return (
        head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<")
        and re.search(rb"<(\w+:)?codebook\b", head) is not None
    )


def read_ddi(path: Path, content: bytes) -> Form:
    """The variables of a DDI code book that have categories; ``missing="Y"`` and ``invalrng`` are no
    answers.
    """
    root = parse_xml(path, content)
    title = next((one.text for one in root.iter() if _tag(one) == "titl" and one.text), None)
    form = Form(path, plain_text(title) or path.name)
    for variable in (one for one in root.iter() if _tag(one) == "var"):
        name = variable.get("name") or variable.get("ID") or ""
        label = _text(variable, "labl")
        asked = [joined(_text(q, "preQTxt"), _text(q, "qstnLit") or plain_text(q.text))
                 for q in variable if _tag(q) == "qstn"]  # fmt: skip
        options: dict[str, str] = {}
        none = {item.get("VALUE", "") for item in variable.iter() if _tag(item) == "item"}
        for category in (one for one in variable if _tag(one) == "catgry"):
            code = _text(category, "catValu")
            options[code] = _text(category, "labl") or code
            none |= {code} if category.get("missing") == "Y" else set()
        missing = frozenset(none & options.keys())
        form.add(FormItem(name, joined(*asked[:1]) or label, options, missing))
    return form


def _tag(element: Element) -> str:
    return element.tag.rpartition(":")[2]


def _text(element: Element, tag: str) -> str:
    return next((plain_text("".join(one.itertext())) for one in element if _tag(one) == tag), "")
