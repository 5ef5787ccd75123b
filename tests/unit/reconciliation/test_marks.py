"""How a mark of ours is read from what a thing carries."""

from uuid import UUID

from govcloud.reconciliation.subjects import marked

EARLY, LATE = UUID(int=1), UUID(int=2)


def test_a_tag_counts_before_the_name() -> None:
    """A name stays as it was given; what somebody tagged anew is what holds."""
    assert marked(["thing", f"gc-{LATE}"], otherwise=f"gc-{EARLY}") == LATE
    assert marked(["thing", f"gc-{EARLY}"], otherwise=f"gc-{LATE}") == EARLY
    assert marked(["thing"], otherwise=f"gc-{LATE}") == LATE


def test_of_several_tags_it_is_always_the_same() -> None:
    assert marked([f"gc-{LATE}", f"gc-{EARLY}"]) == marked([f"gc-{EARLY}", f"gc-{LATE}"]) == EARLY


def test_what_only_looks_like_a_mark_is_none() -> None:
    assert marked(["gc-1", f"xgc-{EARLY}", f"gc-{EARLY}-2"], otherwise="web") is None
