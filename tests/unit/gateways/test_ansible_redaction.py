import pytest

from govcloud.gateways.ansible.redaction import REPLACEMENT, Redactor, secrets_in


def test_secrets_are_found_by_their_names_at_any_depth() -> None:
    variables = {
        "title": "a title",
        "db_password": "p-one",
        "users": [{"name": "u", "api_token": "t-two"}],
        "credentials": {"user": "c-three", "more": ["c-four"]},
        "retries": 3,
    }

    assert set(secrets_in(variables)) == {"p-one", "t-two", "c-three", "c-four"}


def test_a_secret_is_replaced_wherever_it_stands() -> None:
    redactor = Redactor(["hunter22"])

    assert redactor.value({"a": ["x hunter22 y", {"hunter22": 1}], "n": 2, "none": None}) == {
        "a": [f"x {REPLACEMENT} y", {REPLACEMENT: 1}],
        "n": 2,
        "none": None,
    }


def test_every_line_of_a_secret_is_a_secret() -> None:
    redactor = Redactor(["first line\nsecond line\n"])

    assert redactor.text("... second line ... first") == f"... {REPLACEMENT} ... first"


def test_a_secret_that_begins_with_another_goes_whole() -> None:
    assert Redactor(["abcd", "abcdefgh"]).text("abcdefgh") == REPLACEMENT


def test_words_too_short_to_be_secrets_stay() -> None:
    assert Redactor(["no", ""]).text("no news") == "no news"


@pytest.mark.parametrize("kind", ["", "RSA ", "OPENSSH "])
def test_private_keys_go_even_when_nobody_named_them(kind: str) -> None:
    key = f"-----BEGIN {kind}PRIVATE KEY-----\nAAAA\n-----END {kind}PRIVATE KEY-----"

    assert Redactor([]).text(f"before {key} after") == f"before {REPLACEMENT} after"


def test_a_private_key_cut_off_goes_to_the_end() -> None:
    assert Redactor([]).text("x -----BEGIN PRIVATE KEY-----\nAAAA") == f"x {REPLACEMENT}"
