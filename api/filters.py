"""Filtering, searching and ordering of lists. A parameter that nobody reads is refused: a typo must not list everything."""

from collections.abc import Iterable
from typing import Any

from django.db.models import QuerySet
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.exceptions import ValidationError
from rest_framework.filters import OrderingFilter, SearchFilter
from rest_framework.request import Request
from rest_framework.views import APIView

from api.problems import BadParameter, field_errors

OF_EVERY_LIST = frozenset({"page", "page_size", "ordering", "search", "fields", "format"})


class Filters(DjangoFilterBackend):  # type: ignore[misc]
    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: APIView) -> QuerySet[Any]:
        filterset = self.get_filterset(request, queryset, view)
        known = OF_EVERY_LIST | (filterset.filters.keys() if filterset is not None else set())
        for parameter in request.query_params:
            if parameter not in known:
                raise BadParameter(parameter=parameter, reason=f"∉ {', '.join(sorted(known))}")
        try:
            filtered: QuerySet[Any] = super().filter_queryset(request, queryset, view)
        except ValidationError as error:
            first = next(field_errors(error.detail))
            raise BadParameter(parameter=first["pointer"].lstrip("/"), reason=first["detail"]) from error
        return filtered


class Search(SearchFilter):
    def get_search_terms(self, request: Request) -> Any:
        """Raises BadParameter of what no text can hold."""
        try:
            return super().get_search_terms(request)
        except ValidationError as error:
            raise BadParameter(
                parameter="search", reason=next(field_errors(error.detail))["detail"]
            ) from error


class Ordering(OrderingFilter):
    """``?ordering=-created_at``; the primary key comes last, so that pages neither skip nor repeat a row."""

    def remove_invalid_fields(
        self, queryset: QuerySet[Any], fields: Iterable[str], view: APIView, request: Request
    ) -> list[str]:
        valid = {name for name, _label in self.get_valid_fields(queryset, view, {"request": request})}
        asked = list(fields)
        for field in asked:
            if field.removeprefix("-") not in valid:
                raise BadParameter(parameter="ordering", reason=f"{field} ∉ {', '.join(sorted(valid))}")
        return [*asked, "pk"]
