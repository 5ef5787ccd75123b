"""Short texts that several parts of the product share have one translation, which has to be right in each of them.

``UPDATE_BASELINES=1`` writes the list anew. What changed in it is what a reviewer looks at, in every place: a word that
means something else there is given a context (``pgettext``, ``{% translate … context … %}``).
"""

import json
import os
from collections import defaultdict
from pathlib import Path

from django.conf import settings

from govcloud.portal.management.commands import translations

REVIEWED = Path(__file__).parent / "shared_words.json"
LONGEST = 2
"""Words; what is longer says itself what it is about."""


def area(path: Path) -> str:
    """The package; of the portal its part, by the package of its views or the folder of its templates."""
    parts = path.relative_to(settings.BASE_DIR).with_suffix("").parts
    if parts[0] != "govcloud":
        return parts[0]
    if parts[1] != "portal":
        return parts[1]
    return "/".join(("portal", parts[4 if parts[2] == "templates" else 2]))


def shared() -> dict[str, list[str]]:
    areas = defaultdict[str, set[str]](set)
    for path in translations.sources():
        for _line, message, _comments, context in translations.messages(path):
            text = message if isinstance(message, str) else message[0]
            if context is None and len(text.split()) <= LONGEST:
                areas[text].add(area(path))
    return {text: sorted(found) for text, found in sorted(areas.items()) if len(found) > 1}


def test_short_words_are_shared_only_where_their_translation_was_looked_at() -> None:
    found = shared()
    if os.environ.get("UPDATE_BASELINES"):
        lines = (f"{json.dumps(text)}: {json.dumps(areas)}" for text, areas in found.items())
        REVIEWED.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    reviewed = json.loads(REVIEWED.read_text())
    fresh = {text: areas for text, areas in found.items() if set(areas) - set(reviewed.get(text, ()))}
    assert fresh == {}, "shared by more parts than were reviewed: give it a context, or review and add it"
    assert found == reviewed, "no longer shared so: take it off the list"
