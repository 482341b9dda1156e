"""Workbooks of old and of other programs are read like a table of text, and damaged ones are told."""

from __future__ import annotations

import base64
import gzip
import io
import random
import zipfile

import openpyxl
import pytest

from blackbox_align.errors import DataFileError
from blackbox_align.files.tables import read_frame
from blackbox_align.populations import load_targets

# country, PDI, IDV; Chile, 63, 23; Peru, 64, #NULL! as an .xls (BIFF 8), packed by gzip.
XLS = gzip.decompress(
    base64.b85decode(
        rb"ABzY8000000t4+>O=uHA6#izDZIjTZNlk@TD6wMI+KUL{rLI5KQm7#c{ve{JZNSoy$kHC_L8~=KLGYw_DfHr{>ct;a(3=OL"
        rb"qM#rMi5@)(3Le_5@4f7{spimt7M1zJym|Y6W+wCAy#0AK7cETRYb)X>?1B#^Cy2TVnW7f-E+Qbk<1p*>0cwuMKZRg`0$FF`"
        rb"apTK+jv>dp2m^Qh&xrybshz|*By!nwd=;@*){s)Xh905{w@4C3tE{S7=#bDgLhp#>6QR3Ba#d&#*%s6Z%vp)9oo*H%H#$TY"
        rb"29NtdeBO&>8(Q#!v-sjQRkk&;#~w*#{!T@^zX3C#xb>y8X*-oEAVvY4!8a!keDzN1v$&S8u3UlS-<QkltH`e#eqa*L8A<Rw"
        rb"71y`Ea)49w*db?;8wGeMH=Z4{CrF#@?I+sbd(;H>ogK-fX^3Rn9w);Mi6a98>qA_n<y1$Oo$5x(_6DNEXc9guIUk|AJ%9Vl"
        rb">w|+y>$FHFrIMHH{YG9Q99&`#at@2ew@AChW2?~1GU__v+l0m_Q>pJvwz$lJDY3aC+D@8hyWowrse<23eE##Hhwb@K))wMt"
        rb"`-<mdv+t~FbkG(JlRy8a(5<@F%^QqIme(t{Hhd7;`b(V%7!h~vj(byU!U96VMunEIcz4v|mErCcd#ftmO1ybLp3?kEyh|cG"
        rb"CEo03RPi&!hIjaa5%OZ9;Ocl*lkdewGw!n~RkkIBprN6mp`oFnp`lSLlsuo7pXK>E)LeS!kncJR)Jpm@$$yK($kA_%UQG8R"
        rb"OTCSWn(}8YOy!NGR_Nn>FJv5}*=>wsP}VV8bN<rXo~rymD|U?hz9UrY{H0pf`G@EK0ix4NtN<1O00"
    )
)
OFFICE = "urn:oasis:names:tc:opendocument:xmlns"


def ods(rows):
    cells = "".join(
        "<table:table-row>"
        + "".join(
            f'<table:table-cell office:value-type="string"><text:p>{cell}</text:p>'
            "</table:table-cell>"
            for cell in row
        )
        + "</table:table-row>"
        for row in rows
    )
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("mimetype", kind)
        archive.writestr(
            "META-INF/manifest.xml",
            f'<manifest:manifest xmlns:manifest="{OFFICE}:manifest:1.0"><manifest:file-entry '
            f'manifest:full-path="/" manifest:media-type="{kind}"/></manifest:manifest>',
        )
        archive.writestr(
            "content.xml",
            f'<office:document-content xmlns:office="{OFFICE}:office:1.0" xmlns:table="{OFFICE}:table:1.0" '
            f'xmlns:text="{OFFICE}:text:1.0"><office:body><office:spreadsheet>'
            f'<table:table table:name="a">{cells}</table:table></office:spreadsheet></office:body>'
            "</office:document-content>",
        )
    return stream.getvalue()


def test_an_old_excel_file_is_read(tmp_path):
    """Figures are those of the cells, and a mark for a missing one is missing."""
    path = tmp_path / "matrix.xls"
    path.write_bytes(XLS)
    targets = load_targets(path)
    assert targets.figures["CHL"] == (63, 23) and targets.figures["PER"][0] == 64
    assert targets.complete() == ["CHL"]


def test_a_sheet_of_opendocument_is_read(tmp_path):
    """The same rows as from a CSV file."""
    path = tmp_path / "matrix.ods"
    path.write_bytes(ods([["country", "PDI"], ["Chile", "63"], ["Peru", "64"]]))
    assert load_targets(path).figures == {"CHL": (63,), "PER": (64,)}


@pytest.mark.parametrize("tries", [6, pytest.param(150, marks=pytest.mark.slow)])
def test_a_damaged_workbook_is_a_sentence(tries, tmp_path, capfd):
    """Whatever bytes are changed, a table comes back or an error that names the file, and no more."""
    rng, path, refused = random.Random(1), tmp_path / "damaged.xls", 0
    for _ in range(tries):
        content = bytearray(XLS)
        for _ in range(rng.randint(1, 30)):
            content[rng.randrange(len(content))] = rng.randrange(256)
        path.write_bytes(content)
        try:
            read_frame(path, "a table")
        except DataFileError as error:
            refused += 1
            assert error.path == path
    assert refused
    assert capfd.readouterr() == ("", "")


def test_a_cell_far_outside_ends_in_a_sentence(tmp_path, capfd):
    """The reader aborts its process where a sheet is said to have 17 billion cells; ours goes on."""
    book = openpyxl.Workbook()
    book.active.append(["country", "PDI"])
    book.active["XFD1048576"] = "x"
    book.save(tmp_path / "far.xlsx")
    with pytest.raises(DataFileError, match="a cell of it stands far from the others"):
        read_frame(tmp_path / "far.xlsx", "a table")
    assert capfd.readouterr() == ("", "")


def test_a_workbook_with_a_password_is_told(tmp_path):
    """Excel packs it like an old document."""
    path = tmp_path / "locked.xlsx"
    path.write_bytes(b"\xd0\xcf\x11\xe0" + bytes(600) + "EncryptedPackage".encode("utf-16-le"))
    with pytest.raises(DataFileError, match="locked with a password"):
        load_targets(path)


def test_text_documents_are_named(tmp_path):
    """A Word document is no archive to unpack."""
    path = tmp_path / "questions.docx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("word/document.xml", "<w/>")
    with pytest.raises(DataFileError, match=r"text document .* write its questions down in YAML"):
        load_targets(path)
