"""Filtering, searching and ordering of lists.

What nobody reads is refused, be it a parameter or its value: a typing error must not list everything.
"""

from collections.abc import Iterable
from typing import Any, ClassVar

import django_filters
from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.exceptions import ValidationError
from rest_framework.fields import CharField
from rest_framework.filters import OrderingFilter, SearchFilter
from rest_framework.request import Request
from rest_framework.views import APIView

from api.problems import BadParameter, field_errors
from govcloud.searching import terms_of

OF_EVERY_LIST = frozenset({"page", "page_size", "ordering", "search", "fields", "format"})
OF_A_PAGE = frozenset({"page", "page_size", "fields", "format"})


def refuse_unread(request: Request, *, known: Iterable[str]) -> None:
    """Raises BadParameter for a parameter that is not known, and for one without a value, which would be left out unread."""
    for parameter, values in request.query_params.lists():
        if parameter not in known:
            raise BadParameter(parameter=parameter, reason=f"∉ {', '.join(sorted(known))}")
        if not all(value.strip() for value in values):
            raise BadParameter(parameter=parameter, reason=_("it has no value."))


class _TrueOrFalseField(forms.Field):
    def to_python(self, value: str | None) -> bool | None:
        """None for what was not asked; raises ValidationError for all but the two words, in capitals or not."""
        if not value:
            return None
        known = {"true": True, "false": False}
        if value.lower() not in known:
            raise forms.ValidationError(f"∉ {', '.join(known)}", code="invalid")
        return known[value.lower()]


class TrueOrFalseFilter(django_filters.BooleanFilter):  # type: ignore[misc]
    """``true`` or ``false``. The one of django-filter leaves out unread what is neither, and takes 2 for true."""

    field_class: ClassVar = _TrueOrFalseField


class Filters(DjangoFilterBackend):  # type: ignore[misc]
    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: APIView) -> QuerySet[Any]:
        filterset = self.get_filterset(request, queryset, view)
        refuse_unread(
            request, known=OF_EVERY_LIST | (filterset.filters.keys() if filterset is not None else set())
        )
        try:
            filtered: QuerySet[Any] = super().filter_queryset(request, queryset, view)
        except ValidationError as error:
            first = next(field_errors(error.detail))
            raise BadParameter(parameter=first["pointer"].lstrip("/"), reason=first["detail"]) from error
        return filtered


class Search(SearchFilter):
    search_description = "Words; each of them is looked for in names and numbers. What is in quotation marks is one word, with its blanks."

    def get_search_terms(self, request: Request) -> Any:
        """Raises BadParameter of what no text can hold, and of what holds no word."""
        try:
            text = CharField(trim_whitespace=False, allow_blank=True).run_validation(
                request.query_params.get(self.search_param, "")
            )
        except ValidationError as error:
            raise BadParameter(
                parameter="search", reason=next(field_errors(error.detail))["detail"]
            ) from error
        terms = terms_of(text, between=",")
        if not terms and "search" in request.query_params:
            raise BadParameter(parameter="search", reason=_("it has no value."))
        return terms

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: APIView) -> QuerySet[Any]:
        """Raises BadParameter where the list is not searched in."""
        if "search" in request.query_params and not self.searches(view):
            raise BadParameter(parameter="search", reason=_("this list is not searched in."))
        return super().filter_queryset(request, queryset, view)

    def searches(self, view: APIView) -> bool:
        return bool(getattr(view, "search_fields", ()))

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, Any]]:
        return super().get_schema_operation_parameters(view) if self.searches(view) else []


class Ordering(OrderingFilter):
    """``?ordering=-created_at``; the primary key comes last, so that pages neither skip nor repeat a row."""

    ordering_description = (
        "A field to sort by, or several, comma-separated; with a - in front from the last to the first."
    )

    def remove_invalid_fields(
        self, queryset: QuerySet[Any], fields: Iterable[str], view: APIView, request: Request
    ) -> list[str]:
        valid = {name for name, _label in self.get_valid_fields(queryset, view, {"request": request})}
        asked = list(fields)
        for field in asked:
            if field.removeprefix("-") not in valid:
                raise BadParameter(parameter="ordering", reason=f"{field} ∉ {', '.join(sorted(valid))}")
        return [*asked, "pk"]
