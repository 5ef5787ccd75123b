"""What xlsxwriter drops or cuts is refused, by what it returns of a cell."""

import io

import pytest
import xlsxwriter

from govcloud import sheets


@pytest.mark.parametrize(
    ("text", "row", "refusal"),
    [
        ("x" * 32_768, 1, sheets.TextTooLongForCell),
        ("🏛" * 16_384, 1, sheets.TextTooLongForCell),  # a sheet counts UTF-16 units
        ("x", 1_048_576, sheets.ListTooLongForSheet),
    ],
)
def test_what_is_not_all_there_is_refused(text: str, row: int, refusal: type[Exception]) -> None:
    with xlsxwriter.Workbook(io.BytesIO(), {"constant_memory": True}) as book:
        written = book.add_worksheet().write_string(row, 0, text)
    with pytest.raises(refusal, match="CSV"):
        sheets.require_whole(written, row=row, heading="after")


@pytest.mark.parametrize(("text", "row"), [("x" * 32_767, 1), ("🏛" * 16_383, 1), ("x", 1_048_575), ("", 1)])
def test_what_is_there_is_not(text: str, row: int) -> None:
    with xlsxwriter.Workbook(io.BytesIO(), {"constant_memory": True}) as book:
        sheets.require_whole(book.add_worksheet().write_string(row, 0, text), row=row, heading="after")
    sheets.require_fits(1_048_575)


def test_a_list_of_too_many_rows_is_refused_before_it_is_written() -> None:
    with pytest.raises(sheets.ListTooLongForSheet):
        sheets.require_fits(1_048_576)
