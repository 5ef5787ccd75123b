import pytest

from govcloud.searching import terms_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("  ", []),
        ("低保 信创", ["低保", "信创"]),
        ("低保　信创", ["低保", "信创"]),  # a Chinese keyboard's blank
        ('"信创 改造"', ["信创 改造"]),
        ("“信创 改造” 省", ["信创 改造", "省"]),
        ('省 "two  blanks"', ["省", "two  blanks"]),
        ('" " 省', ["省"]),
        ('"never closed', ['"never', "closed"]),
        ('24" screen 19"', ['24"', "screen", '19"']),
        ('"a"b', ['"a"b']),
        ("it's John's", ["it's", "John's"]),
        ("a,b", ["a,b"]),
    ],
)
def test_what_is_quoted_is_one_word(text: str, words: list[str]) -> None:
    assert terms_of(text) == words


@pytest.mark.parametrize(
    ("text", "words"), [("a,b, c", ["a", "b", "c"]), (",", []), ('"a, b",c', ["a, b", "c"])]
)
def test_commas_stand_between_words_where_that_is_said(text: str, words: list[str]) -> None:
    assert terms_of(text, between=",") == words
