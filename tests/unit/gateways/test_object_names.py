"""Names of objects as a list of what is to be deleted tells them."""

import pytest

from govcloud.gateways.openstack.object_store import _line


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("files/a b", "files/a%20b"),
        ("files/50%", "files/50%25"),
        ("files/two\nlines", "files/two%0Alines"),
        ("files/资料", "files/资料"),
    ],
)
def test_only_what_the_list_means_something_by_is_escaped(name: str, written: str) -> None:
    assert _line(name) == written


def test_the_longest_name_stays_within_what_swift_reads_of_a_line() -> None:
    longest = "资" * 341  # 1,023 of 1,024 bytes
    assert len(_line(f"files/{longest}").encode()) < 1282
