"""Sheets of candidates as people give them back."""

from pathlib import Path

from govcloud.takeover import sheets


def test_lines_that_are_empty_or_cut_short_are_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "chosen.csv"
    path.write_text("name,external_id,take\noa,4f1a,yes\n\nspare\n,,\nweb,77ce,x\n", encoding="utf-8")
    rows = [(row.number, row.external_id, row.name, row.take) for row in sheets.read(path)]
    assert rows == [(2, "4f1a", "oa", True), (6, "77ce", "web", True)]
