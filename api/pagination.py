"""Pages of lists: ``?page=2&page_size=100``."""

from rest_framework.pagination import PageNumberPagination
from rest_framework.request import Request

from api.problems import BadParameter


class Pages(PageNumberPagination):
    """50 rows a page, 200 at most; a size that cannot be is refused instead of guessed."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200

    def get_page_size(self, request: Request) -> int:
        asked = request.query_params.get("page_size")
        if asked is None:
            return self.page_size or 50
        if not (asked.isascii() and asked.isdigit() and 1 <= int(asked[:9]) <= self.max_page_size):
            raise BadParameter(parameter="page_size", reason=f"1 … {self.max_page_size}")
        return int(asked)
