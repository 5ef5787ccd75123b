"""Files that people take away, here and in the portal."""

from django.http import HttpResponse
from django.utils.http import content_disposition_header


def as_file(content: bytes, *, name: str, content_type: str) -> HttpResponse:
    """A file that a browser saves and does not open in our own pages' name."""
    return HttpResponse(
        content,
        content_type=content_type,
        headers={
            "Content-Disposition": content_disposition_header(as_attachment=True, filename=name)
            or "attachment",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "sandbox; default-src 'none'",
        },
    )
