"""What somebody sent as a workbook (.xlsx) may be anything: looked at before it is opened.

What reads it (openpyxl) has its parts parsed by expat, in whatever encoding they are and under whatever name, and expat
puts in the text of every entity that a part declares, though the text grow without end. No workbook declares one.
"""

import zlib
from typing import IO, Final
from xml.parsers import expat
from zipfile import BadZipFile, ZipFile

BROKEN: Final = (
    OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, SyntaxError, EOFError, RuntimeError,
    NotImplementedError, zlib.error, BadZipFile,
)  # fmt: skip
"""What openpyxl and zipfile are known to raise for what is no workbook."""

PIECE: Final = 256  # bytes parsed at a time: what is declared and used in as few stays small
LONGEST_START: Final = 64 * PIECE  # until the first element is open


class NoWorkbook(ValueError):
    """A part declares what no workbook does."""


def refuse_declarations(archive: ZipFile) -> None:
    """Refuse an archive of which a part has a document type (in which entities would be declared), or might have one.

    Parts that are no XML are no matter: where expat stops here, it stops for openpyxl. Raises NoWorkbook, and what of
    ``BROKEN`` comes from an archive that cannot be unpacked.
    """
    for part in archive.infolist():
        with archive.open(part) as content:
            if not _is_plain(content):
                raise NoWorkbook(part.filename)


def _is_plain(part: IO[bytes]) -> bool:
    """Whether its first element is open before any document type, which cannot come later; or it is no XML."""
    found: set[str] = set()
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = lambda *_told: found.add("declaration")
    parser.EntityDeclHandler = lambda *_told: found.add("declaration")
    parser.StartElementHandler = lambda *_told: found.add("element")
    for _number in range(LONGEST_START // PIECE):
        piece = part.read(PIECE)
        over = not piece
        try:
            parser.Parse(piece, over)
        except (expat.ExpatError, LookupError, ValueError):  # no XML, or in an encoding that there is not
            over = True
        if found or over:
            return "declaration" not in found
    return False
