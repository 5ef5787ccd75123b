"""What a file is, by what is in it: its name may lie. Pure, over the bytes.

Taken are the formats that orders are founded on: PDF and OFD (GB/T 33190) for what is signed, pictures of what is on paper, and
documents and sheets of office programs without macros.
"""

import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass

MOST_ENTRIES = 10_000  # in a packed document
MOST_UNPACKED = 500 * 1024 * 1024  # bytes that a packed document may claim to unpack to


@dataclass(frozen=True, slots=True)
class Format:
    """``extensions`` are the ends of names under which it is taken."""

    name: str
    content_type: str
    extensions: tuple[str, ...]
    recognises: Callable[[bytes], bool]


def _begins(*signatures: bytes) -> Callable[[bytes], bool]:
    return lambda content: content.startswith(signatures)


def _packed(*needed: str) -> Callable[[bytes], bool]:
    """A ZIP that has these entries, no macros, and unpacks to something bearable."""

    def recognises(content: bytes) -> bool:
        if not content.startswith(b"PK\x03\x04"):
            return False
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                entries = archive.infolist()
        except (zipfile.BadZipFile, ValueError, NotImplementedError):
            return False
        names = {entry.filename for entry in entries}
        bearable = len(entries) <= MOST_ENTRIES and sum(e.file_size for e in entries) <= MOST_UNPACKED
        macros = any(name.lower().endswith("vbaproject.bin") for name in names)
        return bearable and not macros and names >= set(needed)

    return recognises


FORMATS = (
    Format("PDF", "application/pdf", (".pdf",), _begins(b"%PDF-")),
    Format("OFD", "application/ofd", (".ofd",), _packed("OFD.xml")),
    Format("PNG", "image/png", (".png",), _begins(b"\x89PNG\r\n\x1a\n")),
    Format("JPEG", "image/jpeg", (".jpg", ".jpeg"), _begins(b"\xff\xd8\xff")),
    Format(
        "DOCX", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", (".docx",),
        _packed("[Content_Types].xml", "word/document.xml"),
    ),
    Format(
        "XLSX", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", (".xlsx",),
        _packed("[Content_Types].xml", "xl/workbook.xml"),
    ),
)  # fmt: skip


def format_of(name: str, content: bytes) -> Format | None:
    """What the file is; None when it is nothing that is taken, or not what its name says."""
    for each in FORMATS:
        if name.lower().endswith(each.extensions):
            return each if each.recognises(content) else None
    return None
