"""XML without a document type: no entity is declared, so none is expanded and no other file is read."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from ..errors import DataFileError


def parse_xml(path: Path, content: bytes) -> Element:
    """The root of an XML document; :class:`DataFileError` for a fault, and for a document type."""
    parser, builder = expat.ParserCreate(), TreeBuilder()

    def refuse(*_: object) -> NoReturn:
        raise DataFileError(
            path,
            parser.CurrentLineNumber,
            "a document type (<!DOCTYPE ...>) can declare entities, and is not read; remove it.",
        )

    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = lambda name, attributes: builder.start(name, attributes)
    parser.EndElementHandler = lambda name: builder.end(name)
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        fault = expat.ErrorString(error.code)
        raise DataFileError(path, error.lineno, f"this is not valid XML: {fault}.") from None
    except (ValueError, LookupError) as error:  # an encoding that is not known
        raise DataFileError(path, 1, f"this is not valid XML: {error}.") from None
    return builder.close()
