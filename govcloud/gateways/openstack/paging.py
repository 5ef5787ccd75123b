"""Lists that come in pages: where each service says that the next one begins, and where else it could.

A page begins behind a row that it names (``marker``). When that row has gone by then, Nova answers 400, Cinder and Neutron 404.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

Query = dict[str, Any]


def following(body: Mapping[str, Any], key: str) -> Query | None:
    """What to ask for next; None at the end of the list."""
    link = _next_link(body, key)
    # a parameter may come several times (fields)
    return None if link is None else dict(parse_qs(urlsplit(link).query))


def behind_earlier_rows(query: Query, page: Sequence[Mapping[str, Any]]) -> Iterator[Query]:
    """The same next page asked for behind rows further and further up this one, the first at last: some ten for a thousand.

    Such a page begins with what is left of this one's end. Nothing where the list is not marked by its rows' ids.
    """
    marker = query.get("marker", [""])[0]
    if not page or page[-1].get("id") != marker:
        return
    back = 1
    while back < len(page):
        yield {**query, "marker": [page[-1 - back]["id"]]}
        back *= 2
    if len(page) > 1:
        yield {**query, "marker": [page[0]["id"]]}


def _next_link(body: Mapping[str, Any], key: str) -> str | None:
    """``<key>_links`` (Nova, Cinder, Neutron) or ``links`` (what was asked of a server of Nova); ``next`` (Glance), ``links``
    with a ``next`` (Keystone).
    """
    links = body.get("links")
    listed = [*body.get(f"{key}_links", ()), *(links if isinstance(links, list) else ())]
    for link in listed:
        if link.get("rel") == "next":
            return str(link["href"])
    found = body.get("next") or (links.get("next") if isinstance(links, dict) else None)
    return str(found) if found else None
