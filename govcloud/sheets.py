"""What a sheet of a workbook does not hold is refused: xlsxwriter cuts it or leaves it out, and says so in a number that it returns."""

from django.utils.translation import gettext_lazy as _

from govcloud.errors import Conflict

MOST_ROWS = 1_048_575  # below the headings
MOST_CHARACTERS = 32_767
OUTSIDE, CUT = -1, -2


class ListTooLongForSheet(Conflict):
    code = "list-too-long-for-sheet"
    message = _("The list has more rows than the %(most)s that a sheet holds. Take the CSV file.")


class TextTooLongForCell(Conflict):
    code = "text-too-long-for-cell"
    message = _(
        "Row %(row)s has more text in “%(heading)s” than the %(most)s characters that a cell of a sheet holds. Take the CSV file."
    )


def require_fits(rows: int) -> None:
    """Raises ListTooLongForSheet, before anything is written."""
    if rows > MOST_ROWS:
        raise ListTooLongForSheet(most=MOST_ROWS)


def require_whole(written: int | None, *, row: int, heading: object) -> None:
    """``written`` is what xlsxwriter returned of a cell. Raises ListTooLongForSheet or TextTooLongForCell if it is not all there."""
    if written == OUTSIDE:
        raise ListTooLongForSheet(most=MOST_ROWS)
    if written == CUT:
        raise TextTooLongForCell(row=row, heading=str(heading), most=MOST_CHARACTERS)
