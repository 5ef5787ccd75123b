"""Telling people: the one way in. A notice is written in the transaction of the change it tells of.

Inboxes, mail and calls of webhooks are made of it afterwards (``dispatch``), and sent by whoever claims them (``sending``),
so that no mail server or outside system can hold up or undo the change.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from govcloud.audit import services as audit
from govcloud.errors import Invalid, Invalids
from govcloud.notifications.kinds import KINDS, Kind, Way, Words
from govcloud.notifications.models import KindPreference, Message, Notice, Preference
from tenants.models import Department, Role, User

NAMED_FACT = re.compile(r"%\((\w+)\)s")


class UnknownNoticeKind(Invalid):
    code = "unknown-notice-kind"
    message = _("There is no kind of notice “%(given)s”.")


class NoticeMustArrive(Invalid):
    code = "notice-must-arrive"
    message = _("“%(kind)s” cannot be switched off; it can come to the inbox only.")


class BadDigestHour(Invalid):
    code = "bad-digest-hour"
    message = _("A digest comes at a full hour from 0 to 23.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """What is to be told to whom: to people (keys of users), and to who holds a role when it goes out.

    ``facts`` are those that the kind's words name. ``department`` is whose event it is: its webhooks hear of it, and a
    unit's role is looked for in it and above. Those ``without`` hear of it neither by a role nor for others; for others
    they do if they are among ``standing_in``.
    """

    kind: Kind
    subject: audit.Subject
    facts: Mapping[str, Any]
    people: Collection[int] = ()
    roles: Collection[Role] = ()
    without: Collection[int] = ()
    standing_in: Collection[int] = ()
    department: Department | None = None
    thread: UUID | None = None


def post(
    *,
    kind: Kind,
    subject: audit.Subject,
    facts: Mapping[str, Any],
    at: datetime,
    people: Collection[int] = (),
    roles: Collection[Role] = (),
    without: Collection[int] = (),
    department: Department | None = None,
    thread: UUID | None = None,
) -> None:
    """Tell of something, once it is committed; see ``Posting``. One statement, whoever it is for.

    Raises RuntimeError outside a transaction: a notice of what was rolled back would be untrue.
    """
    posting = Posting(
        kind=kind, subject=subject, facts=facts, people=people, roles=roles, without=without,
        department=department, thread=thread,
    )  # fmt: skip
    post_many(postings=[posting], at=at)


def post_many(*, postings: Sequence[Posting], at: datetime) -> None:
    """As ``post``, for many at once in the same statement."""
    if not connection.in_atomic_block:
        raise RuntimeError("a notice is written in the transaction of the change it tells of")
    if postings:
        Notice.objects.bulk_create(_notice(each, at=at) for each in postings)
        _ring()


def _notice(posting: Posting, *, at: datetime) -> Notice:
    words = KINDS[posting.kind]
    missing = _named_in(words, words.text_of(posting.facts)) - posting.facts.keys()
    if missing:
        raise ValueError(f"{posting.kind} needs {', '.join(sorted(missing))}")
    return Notice(
        kind=posting.kind,
        department=posting.department,
        subject_type=posting.subject._meta.label_lower,  # type: ignore[attr-defined]  # noqa: SLF001
        subject_id=posting.subject.uuid,
        thread=posting.thread,
        facts=dict(posting.facts),
        people=list(dict.fromkeys(posting.people)),
        roles=list(posting.roles),
        without=list(posting.without),
        standing_in=list(posting.standing_in),
        created_at=at,
    )


def _named_in(words: Words, *texts: str | Promise) -> set[str]:
    """The facts that a notice with one of these texts needs."""
    named = set(NAMED_FACT.findall(" ".join(map(str, (words.title, *texts)))))
    return named | {"action"} if words.by_action else named


def _ring() -> None:
    """Ring the doorbell when the transaction commits; the sweep makes up for a bell that is lost."""
    from govcloud.notifications.tasks import deliver  # noqa: PLC0415  the task sends, which may post in turn

    transaction.on_commit(lambda: deliver.apply_async(ignore_result=True), robust=True)


# -- the inbox


def read(*, person: User, at: datetime, messages: Collection[UUID] | None = None) -> int:
    """The person has read these messages of theirs, or (without) all of them; returns how many were unread."""
    with transaction.atomic():
        unread = Message.objects.visible_to(person).unread()
        if messages is not None:
            unread = unread.filter(uuid__in=messages)
        count = unread.update(read_at=at)
        if count:
            audit.record(actor=person, verb="notice.read", subject=person, at=at, after={"messages": count})
    return count


# -- what a person wants


@dataclass(frozen=True, slots=True)
class Preferences:
    digest_hour: int | None
    ways: dict[Kind, Way]


def preferences(*, person: User) -> Preferences:
    """What the person chose, and for kinds they chose nothing for, what is usual."""
    chosen = dict(KindPreference.objects.filter(person=person).values_list("kind", "way"))
    hour = Preference.objects.filter(person=person).values_list("digest_hour", flat=True).first()
    return Preferences(hour, {kind: Way(chosen.get(kind, words.usual)) for kind, words in KINDS.items()})


def prefer(*, person: User, digest_hour: int | None, ways: Mapping[str, str], at: datetime) -> Preferences:
    """Choose how notices reach the person who asks; kinds that ``ways`` leaves out stay as they are.

    Raises Invalids of UnknownNoticeKind, NoticeMustArrive and BadDigestHour.
    """
    errors: list[Any] = []
    for kind, way in ways.items():
        if kind not in Kind.values:
            errors.append(UnknownNoticeKind(given=kind, pointers=(f"/ways/{kind}",)))
        elif way == Way.NOT and KINDS[Kind(kind)].must:
            errors.append(NoticeMustArrive(kind=Kind(kind).label, pointers=(f"/ways/{kind}",)))
    if digest_hour is not None and not 0 <= digest_hour < 24:
        errors.append(BadDigestHour(pointers=("/digest_hour",)))
    if errors:
        raise Invalids(errors)
    with transaction.atomic():
        User.objects.select_for_update().get(pk=person.pk)
        before = preferences(person=person)
        Preference.objects.update_or_create(person=person, defaults={"digest_hour": digest_hour})
        KindPreference.objects.filter(person=person, kind__in=ways).delete()
        KindPreference.objects.bulk_create(
            KindPreference(person=person, kind=kind, way=way) for kind, way in ways.items()
        )
        after = preferences(person=person)
        audit.record(
            actor=person, verb="user.notices_chosen", subject=person, at=at,
            before=_told(before), after=_told(after),
        )  # fmt: skip
    return after


def _told(chosen: Preferences) -> dict[str, Any]:
    return {"digest_hour": chosen.digest_hour, "ways": dict(chosen.ways)}
