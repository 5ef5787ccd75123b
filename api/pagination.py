"""Pages of lists: ``?page=2&page_size=100``."""

from typing import Any

from rest_framework.pagination import PageNumberPagination
from rest_framework.request import Request

from api.problems import BadParameter


class Pages(PageNumberPagination):
    """50 rows a page, 200 at most; a size or a number that cannot be is refused instead of guessed."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200
    page_query_description = "Which page; the first is 1."
    page_size_query_description = "Rows of a page: 50, if nothing else is asked for, and 200 at most."

    def get_page_size(self, request: Request) -> int:
        asked = request.query_params.get("page_size")
        if asked is None:
            return self.page_size or 50
        if not (asked.isascii() and asked.isdigit() and 1 <= int(asked[:9]) <= self.max_page_size):
            raise BadParameter(parameter="page_size", reason=f"1 … {self.max_page_size}")
        return int(asked)

    def get_page_number(self, request: Request, paginator: Any) -> int:  # noqa: ARG002
        asked = request.query_params.get(self.page_query_param, "1")
        if not (asked.isascii() and asked.isdigit() and int(asked[:9]) >= 1):
            raise BadParameter(parameter=self.page_query_param, reason="1 …")
        return int(asked[:9])
