"""What is looked at before a workbook that somebody sent is opened."""

import zipfile
from io import BytesIO

import pytest

from govcloud.workbooks import LONGEST_START, PIECE, NoWorkbook, refuse_declarations
from tests.factories.sheets import ENCODINGS, growing, opened, workbook
from tests.factories.tenants import credit_code

UNIT = {"credit_code": credit_code(1), "name": "示例厅", "division": "450000"}
DECLARED = '<!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>'


def archive(*parts: bytes) -> zipfile.ZipFile:
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as written:
        for number, part in enumerate(parts):
            written.writestr(f"part{number}.bin", part)
    return zipfile.ZipFile(file)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("suffix", ["xml", "dat"])
def test_a_part_that_declares_entities_is_refused_in_every_encoding_that_would_be_read(
    encoding: str, suffix: str
) -> None:
    content = growing(workbook(units=[UNIT]), encoding=encoding, suffix=suffix)
    assert opened(content).worksheets[0]["C2"].value == "450000" + "lol" * 1000
    with pytest.raises(NoWorkbook, match=r"sheet1\."):
        refuse_declarations(zipfile.ZipFile(BytesIO(content)))


@pytest.mark.parametrize(
    "part",
    [
        DECLARED,
        "<!DOCTYPE x><x/>",
        '<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>',
        '<!DOCTYPE x [<!ENTITY % a SYSTEM "http://169.254.169.254/">%a;]><x/>',
        "<!-- " + "y" * (3 * PIECE) + " -->" + DECLARED,
        "<!-- " + "y" * LONGEST_START + " --><x/>",
        DECLARED + "<<<",
    ],
    ids=["entity", "bare", "external", "parameter", "after a comment", "a long way in", "broken afterwards"],
)
def test_a_document_type_is_refused_wherever_it_might_be(part: str) -> None:
    with pytest.raises(NoWorkbook):
        refuse_declarations(archive(b"<x/>", part.encode()))


@pytest.mark.parametrize(
    "part",
    [
        b"",
        b"<x/>",
        b"<x><y/><y/></x>",
        b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 200,
        b"no XML, though it tells of <!DOCTYPE",
        b"<x><![CDATA[<!DOCTYPE x [<!ENTITY a 'aaaa'>]>]]></x>",
        b"<?xml version='1.0' encoding='nonsense'?>" + DECLARED.encode(),
        b"<?xml version='1.0' encoding='gb18030'?>" + DECLARED.encode(),
        b"<x " + b" ".join(b"a%d='%d'" % (number, number) for number in range(500)) + b"/>",
        b" " * (LONGEST_START // 2) + b"<x/>",
        b"<x",
    ],
    ids=[
        "empty", "element", "elements", "picture", "text", "quoted", "unknown", "unreadable", "long", "white", "torn",
    ],
)  # fmt: skip
def test_what_is_no_xml_or_declares_nothing_is_no_matter(part: bytes) -> None:
    refuse_declarations(archive(part))


def test_what_office_programs_write_passes() -> None:
    refuse_declarations(zipfile.ZipFile(BytesIO(workbook(units=[UNIT]))))
