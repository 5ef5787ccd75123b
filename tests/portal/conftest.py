from collections.abc import Callable

import pytest
from django.conf import settings
from django.test import Client

from tenants.models import User
from tests.portal import scenes
from tests.portal.browser import chromium, page

__all__ = ["chromium", "page"]  # here, so that all modules have one browser
Signed = Callable[..., Client]


@pytest.fixture
def people(db: None) -> scenes.Cast:
    return scenes.cast()


@pytest.fixture
def signed_in(client: Client) -> Signed:
    """A browser in which somebody has signed in, with the language they chose."""

    def sign_in(user: User, *, language: str = "en") -> Client:
        client.force_login(user)
        client.cookies[settings.LANGUAGE_COOKIE_NAME] = language
        return client

    return sign_in
