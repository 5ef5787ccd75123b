"""Why something was not taken over: kept with it as a step found it, and told in the reader's language."""

import re
from collections.abc import Mapping, Sequence

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

VANISHED = "it is not there any more"
OTHER_MARK = "it carries the mark of something else by now"
OTHERS_ON_IT = "other projects are on it"
OTHER_SUBNETS = "its subnets have changed"
NETWORK_STAYED = "its network was not taken over"
SERVER_STAYED = "its server was not taken over"
OTHER_PROJECT = "it is in another project by now"
OTHER_VOLUMES = "its volumes have changed"
OTHER_INTERFACES = "its interfaces have changed"
OTHERWISE_CONNECTED = "it is connected otherwise by now"
SNAPSHOTS = "it has snapshots by now"
ABANDONED = "the takeover was abandoned"

_WORDS: Mapping[str, Promise] = {
    VANISHED: _("it is not there any more"),
    OTHER_MARK: _("it carries the mark of something else by now"),
    OTHERS_ON_IT: _("other projects are on it"),
    OTHER_SUBNETS: _("its subnets have changed"),
    NETWORK_STAYED: _("its network was not taken over"),
    SERVER_STAYED: _("its server was not taken over"),
    OTHER_PROJECT: _("it is in another project by now"),
    OTHER_VOLUMES: _("its volumes have changed"),
    OTHER_INTERFACES: _("its interfaces have changed"),
    OTHERWISE_CONNECTED: _("it is connected otherwise by now"),
    SNAPSHOTS: _("it has snapshots by now"),
    ABANDONED: _("the takeover was abandoned"),
}
_WITH_FIGURES: Sequence[tuple[re.Pattern[str], Promise]] = (
    (
        re.compile(r"it is (?P<flavor>.*) \((?P<vcpus>\d+) vCPU, (?P<memory>\d+) MiB\) by now"),
        _("it is %(flavor)s (%(vcpus)s vCPU, %(memory)s MiB) by now"),
    ),
    (
        re.compile(r"it is (?P<volume_type>.*), (?P<size>\d+) GiB by now"),
        _("it is %(volume_type)s, %(size)s GiB by now"),
    ),
    (re.compile(r"it is (?P<status>[\w-]+)"), _("it is %(status)s")),
)


def told(remark: str) -> str:
    """In the reader's language; what this knows no words for, as it is."""
    words = _WORDS.get(remark)
    if words is not None:
        return str(words)
    for pattern, text in _WITH_FIGURES:
        match = pattern.fullmatch(remark)
        if match:
            return str(text) % match.groupdict()
    return remark
