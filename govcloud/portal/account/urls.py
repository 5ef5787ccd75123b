"""Addresses that allauth asks for by these names; the portal's own are in ``govcloud.portal.urls``."""

from django.urls import path

from govcloud.portal.account import views
from govcloud.portal.session import SignIn

urlpatterns = [
    path("sign-in/", SignIn.as_view(), name="account_login"),
    path("sign-in/code/", views.SecondStep.as_view(), name="mfa_authenticate"),
    path("sign-in/with/<slug:provider_id>/", views.to_provider, name="openid_connect_login"),
    path("sign-in/with/<slug:provider_id>/callback/", views.from_provider, name="openid_connect_callback"),
]
