"""matplotlib's figures as SVG inside a page: small, told to screen readers, in the page's colours."""

from __future__ import annotations

import io
import re
from html import escape
from typing import TYPE_CHECKING, Any

from ..plots.style import COLOURS, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TAG = re.compile(r"<[^>]*>")  # what stands between tags is read by people, and keeps its digits
_NUMBER = re.compile(r"-?\d+\.\d{3,}")
_ID = re.compile(r'(\bid="|href="#|url\(#)([^")]+)')
_VARIABLES = {light: f"var(--{name})" for name, (light, _) in COLOURS.items()}
_COLOUR = re.compile("|".join(_VARIABLES), re.IGNORECASE)


def inline_svg(axes: Axes, key: str, title: str, description: str) -> str:
    """The figure of ``axes`` as one <svg> element.

    ``key`` sets its identifiers apart from those of other figures on the page. Colours of our style
    become variables of the page, so that it can be read in the dark.
    """
    file = io.StringIO()
    with styled():
        figure: Any = axes.figure
        figure.savefig(
            file, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type"))
        )
    text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r"<style[^>]*>.*?</style>", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->\s*", "", text, flags=re.DOTALL)
    text = _TAG.sub(lambda tag: _NUMBER.sub(lambda found: _short(found.group()), tag.group()), text)
    text = _COLOUR.sub(lambda found: _VARIABLES[found.group().lower()], text)
    text = re.sub(r" ?font-family: [^;\"]*;?", "", text)  # the page says which
    text = re.sub(r"\s*\n\s*", "\n", text)
    text = re.sub(r' id="(?!p|m|h|image|clip)[^"]*"', "", text)
    text = _ID.sub(lambda found: f"{found.group(1)}{key}-{found.group(2)}", text)
    box = re.search(r'viewBox="[^"]*"', text)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'{box.group() if box else ""} role="img" aria-labelledby="{key}-t {key}-d">'
        f'<title id="{key}-t">{escape(title)}</title><desc id="{key}-d">{escape(description)}</desc>'
    )
    return head + text[text.index(">") + 1 :].strip()


def _short(number: str) -> str:
    """Two places are a hundredth of a point: nobody sees more."""
    return f"{float(number):.2f}".rstrip("0").rstrip(".").replace("-0.00", "0") or "0"
