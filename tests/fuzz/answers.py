"""What is looked at in every answer."""

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [status_code_conformance, content_type_conformance, response_schema_conformance]
OF_OTHERS = frozenset({405, 406, 413})
"""Told by no operation: another method, a format that there is not, a body larger than is read."""


def faults(case: Any, answer: Any, *, hidden: frozenset[str], said: str) -> Iterator[str]:
    """Each thing that is wrong with the answer, in a line that is the same for the same fault."""
    if answer.status_code >= 500 and not _something_we_depend_on(answer):
        yield f"server error {answer.status_code}"
        return
    if answer.status_code not in OF_OTHERS:
        try:
            case.validate_response(answer, checks=CHECKS, excluded_checks=_not_for(case))
        except FailureGroup as group:
            yield from (
                f"{answer.status_code}: {type(each).__name__} {_first_line(each)}"
                for each in group.exceptions
            )
    text = _text_of(answer)
    told = sorted(mark for mark in hidden if mark in text and mark not in said)
    if told:
        yield f"foreign data: {told[:3]}"


def _not_for(case: Any) -> list[Any]:
    """Fields that were left out on request are missing, which the description cannot say."""
    return [response_schema_conformance] if "fields" in (case.query or {}) else []


def _something_we_depend_on(answer: Any) -> bool:
    """A cloud or a scanner that does not answer is told by 503; our own database has no reason not to."""
    if answer.status_code != 503:
        return False
    return json.loads(answer.content)["code"] != "database-busy"


def _first_line(failure: Any) -> str:
    return " ".join(str(failure).split())[:400]


def _text_of(answer: Any) -> str:
    if answer.content[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(answer.content)) as file:
            return "".join(file.read(name).decode(errors="replace") for name in file.namelist())
    return answer.content.decode(errors="replace")
