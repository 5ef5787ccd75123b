"""What people are told of: every kind of notice, its words, and how it reaches somebody who has chosen nothing.

The words are texts with named facts; whoever shows or sends a notice puts them into the reader's language. A fact whose
name ends in ``_at`` is an instant; one that has a sister ``…_en`` is the Chinese of the two.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import models
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from tenants.models import Role


class Kind(models.TextChoices):
    CASE_WAITING = "case.waiting", _("something waits for my decision")
    CASE_STAGE_APPROVED = "case.stage_approved", _("a step of my application is approved")
    CASE_APPROVED = "case.approved", _("my application is approved")
    CASE_RETURNED = "case.returned", _("my application is returned for correction")
    CASE_REJECTED = "case.rejected", _("my application is rejected")
    CASE_GIVEN = "case.given", _("somebody has me decide, or sign as well")
    CASE_CONSULTED = "case.consulted", _("my opinion is asked for")
    CASE_ANSWERED = "case.answered", _("an opinion that I asked for is there")
    CASE_REMINDED = "case.reminded", _("I am reminded of something to decide")
    ORDER_FULFILLED = "order.fulfilled", _("my order is fulfilled")
    ORDER_CANCELLED = "order.cancelled", _("my order came to nothing")
    ORDER_DISPUTED = "order.disputed", _("a department reports defects of what was delivered")
    ORDER_REMEDIED = "order.remedied", _("defects that my unit reported are mended")
    ORDERS_HANDED_OVER = "orders.handed_over", _("orders of somebody who has left are mine now")
    QUOTA_GRANTED = "quota.granted", _("quota that I ordered is granted")
    QUOTA_NEAR_LIMIT = "quota.near_limit", _("quota of my unit comes near its limit")
    QUOTA_FALLS_BACK = "quota.falls_back", _("quota that was raised for a time falls back soon")
    QUOTA_FELL_BACK = "quota.fell_back", _("quota that was raised for a time has fallen back")
    OPERATION_PARKED = "operation.parked", _("a delivery waits for an administrator")
    RECOVERY_POINT_LOST = "recovery_point.lost", _("a recovery point of my unit is lost")
    RECOVERY_POINT_FOUND = (
        "recovery_point.found",
        _("a recovery point that was told to be lost is there again"),
    )
    LEASE_ENDING = "lease.ending", _("leases end soon")
    LEASE_ENDED = "lease.ended", _("leases have ended")
    LEASE_SUSPENDED = "lease.suspended", _("servers are stopped, because their leases have ended")
    LEASE_RECLAIM = "lease.reclaim", _("something will be taken back soon")
    LEASE_RECLAIMED = "lease.reclaimed", _("something is being taken back")
    CARD_YELLOW = "card.yellow", _("a yellow card")
    CARD_RED = "card.red", _("a red card")
    CARD_REASON = "card.reason", _("a yellow card for a missing reason")
    CARD_ESCALATED = "card.escalated", _("a red card that nobody has answered")
    CONNECTION_REQUESTED = "connection.requested", _("a unit asks for its connection")
    CONNECTION_MADE = "connection.made", _("my unit is connected")
    CONNECTION_ENDED = "connection.ended", _("the connection of my unit is refused, taken back or cut off")
    ROLE_REQUESTED = "role.requested", _("an administrator's role waits for its second person")
    ROLE_CONFIRMED = "role.confirmed", _("an administrator's role that concerns me is granted")
    ROLE_DECLINED = "role.declined", _("an administrator's role that I asked for is declined")
    ROLE_LAPSED = "role.lapsed", _("an administrator's role that I asked for found no second person")
    REVIEW_DUE = "review.due", _("an access review is near its deadline")
    REVIEW_OVERDUE = "review.overdue", _("an access review is past its deadline")
    REVIEW_TO_OPEN = "review.to_open", _("the next access review is to be opened")
    ACCOUNT_FACTOR_WAITING = "account.factor_waiting", _("a second factor waits to be confirmed")
    ACCOUNT_FACTOR_CONFIRMED = "account.factor_confirmed", _("my second factor is confirmed")
    ACCOUNT_FACTOR_RESET = "account.factor_reset", _("somebody has reset my second factor")
    ACCOUNT_PASSWORD_RESET = "account.password_reset", _("somebody has reset my password")
    WEBHOOK_DISABLED = "webhook.disabled", _("a webhook is disabled")
    ABSENCE_BEGAN = "absence.began", _("I stand in for somebody from now on, and something waits")
    ABSENCE_SUBSTITUTE_LEFT = "absence.substitute_left", _("who stands in for me has left")


TO_CONFIRM = "to-confirm"
"""The fact ``action`` of an order that was delivered and waits for its confirmation."""
DONE_DIRECTLY = "done-directly"
"""The fact ``action`` of an operation that waits and was a direct action on a resource, which the text names with what is done."""
NONE_FOLLOWS = "none-follows"
"""The fact ``action`` of a lost recovery point of what no backup plan covers any more."""
LOST_ITS_KEEPER = "lost-its-keeper"
"""The fact ``action`` of a webhook that was disabled because nobody answered for it."""


class Way(models.TextChoices):
    """How a kind reaches a person."""

    MAIL = "mail", _("inbox and mail")
    INBOX = "inbox", _("inbox only")
    NOT = "not", _("not at all")


@dataclass(frozen=True, slots=True)
class Words:
    """``usual`` is the way for who has chosen none; what ``must`` arrive cannot be switched off altogether. What is
    ``personal`` is sent to no outside system: those who keep webhooks may not see it themselves.

    ``by_action`` has texts chosen by the fact ``action``: what an order does, that it waits ``to-confirm``, that something was ``done-directly``, that a limit leaves something ``beyond`` it, that
    something was done ``on-the-machine``, that after a lost recovery point ``none-follows``, that a webhook ``lost-its-keeper``; ``text`` is for all else, and for orders that do several things.
    """

    title: str | Promise
    text: str | Promise
    usual: Way = Way.MAIL
    must: bool = False
    personal: bool = False
    by_action: Mapping[str, str | Promise] = field(default_factory=dict)

    @property
    def texts(self) -> tuple[str | Promise, ...]:
        return (self.text, *self.by_action.values())

    def text_of(self, facts: Mapping[str, Any]) -> str | Promise:
        return self.by_action.get(facts.get("action", ""), self.text)


KINDS: Mapping[Kind, Words] = {
    Kind.CASE_WAITING: Words(
        _("To be decided: %(label)s"),
        _("%(department)s has applied for “%(label)s”. The step “%(stage)s” waits for you until %(due_at)s."),
    ),
    Kind.CASE_STAGE_APPROVED: Words(
        _("One step further: %(label)s"),
        _("%(decider)s has approved the step “%(stage)s” of “%(label)s”. It now waits at “%(next_stage)s”."),
        usual=Way.INBOX,
    ),
    Kind.CASE_APPROVED: Words(
        _("Approved: %(label)s"),
        _("“%(label)s” is approved by all steps and is now carried out."),
        by_action={
            "create": _("“%(label)s” is approved by all steps. What was ordered is being built."),
            "change": _("“%(label)s” is approved by all steps. The change is now carried out."),
            "renew": _("“%(label)s” is approved by all steps. The leases are being extended."),
            "release": _("“%(label)s” is approved by all steps. What it releases is now taken down, and billed until that begins."),
        },
    ),
    Kind.CASE_RETURNED: Words(
        _("Returned for correction: %(label)s"),
        _("%(decider)s has returned “%(label)s” at the step “%(stage)s”: %(opinion)s"),
        must=True,
    ),
    Kind.CASE_REJECTED: Words(
        _("Rejected: %(label)s"),
        _("%(decider)s has rejected “%(label)s” at the step “%(stage)s”: %(opinion)s"),
        must=True,
    ),
    Kind.CASE_GIVEN: Words(
        _("To be decided by you: %(label)s"),
        _("%(asker)s has you decide on “%(label)s” at the step “%(stage)s”, until %(due_at)s: %(opinion)s"),
        must=True,
    ),
    Kind.CASE_CONSULTED: Words(
        _("Your opinion is asked for: %(label)s"),
        _("%(asker)s asks about “%(label)s” at the step “%(stage)s”: %(opinion)s"),
        must=True,
    ),
    Kind.CASE_ANSWERED: Words(
        _("An opinion is there: %(label)s"),
        _("%(decider)s has answered about “%(label)s” at the step “%(stage)s”: %(opinion)s"),
    ),
    Kind.CASE_REMINDED: Words(
        _("Reminder: %(label)s"),
        _("%(asker)s reminds you of “%(label)s”. The step “%(stage)s” waits for you until %(due_at)s."),
    ),
    Kind.ORDER_FULFILLED: Words(
        _("Fulfilled: %(label)s"),
        _("All that “%(label)s” asked for is done."),
        by_action={
            "create": _("What “%(label)s” asked for is in your hands, and is billed from now on."),
            "change": _("The change that “%(label)s” asked for is made, and is billed from now on."),
            "renew": _("The leases that “%(label)s” asked for are extended."),
            "release": _("What “%(label)s” released is gone. It was billed until its release began."),
            TO_CONFIRM: _("What “%(label)s” asked for is done, and billed from now on. Look at it and confirm it by %(due_at)s, or report what is not as it was approved."),
        },
    ),
    Kind.ORDER_DISPUTED: Words(
        _("Defects reported: %(label)s"),
        _("%(person)s of %(department)s reports of “%(label)s”: %(text)s"),
        must=True,
    ),
    Kind.ORDER_REMEDIED: Words(
        _("Mended, to be confirmed: %(label)s"),
        _("What was reported of “%(label)s” is mended. Look at it and confirm it by %(due_at)s. What was done: %(text)s"),
        must=True,
    ),
    Kind.ORDER_CANCELLED: Words(
        _("Cancelled: %(label)s"), _("All that “%(label)s” was to build was called off and is gone.")
    ),
    Kind.ORDERS_HANDED_OVER: Words(
        _("Handed over to you by %(person)s: %(count)s orders"),
        _("%(person)s has left. You are the applicant of their open orders now (%(count)s): %(labels)s. What was returned waits for you to correct it."),
        must=True,
        personal=True,
    ),
    Kind.QUOTA_GRANTED: Words(
        _("Quota granted: %(label)s"),
        _("“%(label)s” is in force. The quota of %(department)s is now: %(limits)s."),
    ),
    Kind.QUOTA_NEAR_LIMIT: Words(
        _("Quota comes near its limit: %(department)s"),
        _("Most of the quota of %(department)s is taken: %(accounts)s. An order, or the unit above, can raise it."),
    ),
    Kind.QUOTA_FALLS_BACK: Words(
        _("Quota falls back soon: %(department)s"),
        _("The limit of %(department)s (%(dimension)s) of %(limit)s was granted until %(until)s by “%(order)s”. Then it falls back to %(falls_back_to)s; %(taken)s is taken now."),
    ),
    Kind.QUOTA_FELL_BACK: Words(
        _("Quota has fallen back: %(department)s"),
        _("The limit of %(department)s (%(dimension)s) has fallen back from %(limit)s to %(falls_back_to)s. %(taken)s is taken."),
        by_action={
            "beyond": _("The limit of %(department)s (%(dimension)s) has fallen back from %(limit)s to %(falls_back_to)s. %(taken)s is taken, %(beyond)s beyond it: what stands stays."),
        },
    ),
    Kind.OPERATION_PARKED: Words(
        _("Waits for an administrator: %(system)s"),
        _("A delivery for the system “%(system)s” cannot go on by itself and waits for a cloud administrator."),
        by_action={
            DONE_DIRECTLY: _("“%(deed)s” of “%(resource)s” of the system “%(system)s” cannot go on by itself and waits for a cloud administrator."),
        },
    ),
    Kind.RECOVERY_POINT_LOST: Words(
        _("Recovery point lost: %(volume)s (%(system)s)"),
        _("The recovery point of “%(volume)s” of the system “%(system)s” that was taken at %(taken_at)s is lost: it was deleted in the cloud past this platform. Left of this volume: %(left)s. The next is taken at %(next_at)s."),
        must=True,
        by_action={
            NONE_FOLLOWS: _("The recovery point of “%(volume)s” of the system “%(system)s” that was taken at %(taken_at)s is lost: it was deleted in the cloud past this platform. Left of this volume: %(left)s. No backup plan takes another."),
        },
    ),
    Kind.RECOVERY_POINT_FOUND: Words(
        _("Recovery point there again: %(volume)s (%(system)s)"),
        _("The recovery point of “%(volume)s” of the system “%(system)s” that was taken at %(taken_at)s, which you were told is lost, is in the cloud again and counts as before."),
    ),
    Kind.LEASE_ENDING: Words(
        _("Leases end soon: %(system)s"),
        _("Of “%(system)s”, the leases of %(count)s resources (%(names)s) end, the first on %(due_at)s. An order extends them."),
        must=True,
    ),
    Kind.LEASE_ENDED: Words(
        _("Leases have ended: %(system)s"),
        _("Of “%(system)s”, the leases of %(count)s resources (%(names)s) have ended. They are taken back after the grace."),
        must=True,
    ),
    Kind.LEASE_SUSPENDED: Words(
        _("Servers are stopped: %(system)s"),
        _("Of “%(system)s”, %(count)s servers (%(names)s) are stopped, because their leases have ended."),
        must=True,
    ),
    Kind.LEASE_RECLAIM: Words(
        _("Will be taken back soon: %(system)s"),
        _("Of “%(system)s”, %(count)s resources (%(names)s) will be taken back, the first on %(due_at)s. An order extends their leases."),
        must=True,
    ),
    Kind.LEASE_RECLAIMED: Words(
        _("Is being taken back: %(system)s"),
        _("Of “%(system)s”, %(count)s resources (%(names)s) are being taken back. Their data are deleted."),
        must=True,
    ),
    Kind.CARD_YELLOW: Words(
        _("Yellow card: %(label)s"),
        _("“%(label)s” (%(stage)s) has to be decided by %(due_at)s, which is near."),
        must=True,
    ),
    Kind.CARD_RED: Words(
        _("Red card: %(label)s"),
        _("“%(label)s” (%(stage)s) had to be decided by %(due_at)s, and was not."),
        must=True,
    ),
    Kind.CARD_REASON: Words(
        _("Yellow card for a missing reason: %(label)s"),
        _("“%(label)s” (%(stage)s) was decided after its limit of %(due_at)s without a word about why."),
        must=True,
    ),
    Kind.CARD_ESCALATED: Words(
        _("Still not decided after a red card: %(label)s"),
        _("“%(label)s” (%(stage)s) had to be decided by %(due_at)s and still waits."),
        must=True,
    ),
    Kind.CONNECTION_REQUESTED: Words(
        _("To be connected: %(department)s"),
        _("%(actor)s asks that %(department)s is connected to the extranet. Once it is, say so on the page of the unit, or refuse it there with a reason."),
    ),
    Kind.CONNECTION_MADE: Words(
        _("Connected: %(department)s"),
        _("%(department)s is connected to the extranet: servers can be ordered for its systems."),
    ),
    Kind.CONNECTION_ENDED: Words(
        _("Not connected: %(department)s"),
        _("%(actor)s has said that %(department)s is not connected to the extranet: %(reason)s. Nothing new can be ordered until it is; what stands is left as it is."),
        must=True,
    ),
    Kind.ROLE_REQUESTED: Words(
        _("Waits for a second person: %(role)s for %(person)s"),
        _("%(actor)s asks that %(person)s becomes %(role)s: %(reason)s. A second security administrator confirms or declines it by %(expires_at)s."),
        must=True,
        personal=True,
    ),
    Kind.ROLE_CONFIRMED: Words(
        _("Granted: %(role)s for %(person)s"),
        _("%(actor)s was the second person: the role %(role)s is granted to %(person)s."),
        must=True,
        personal=True,
    ),
    Kind.ROLE_DECLINED: Words(
        _("Declined: %(role)s for %(person)s"),
        _("%(actor)s has declined that %(person)s becomes %(role)s: %(reason)s"),
        must=True,
        personal=True,
    ),
    Kind.ROLE_LAPSED: Words(
        _("Not confirmed in time: %(role)s for %(person)s"),
        _("Nobody confirmed by %(expires_at)s that %(person)s becomes %(role)s. Ask again if it is still needed."),
        must=True,
        personal=True,
    ),
    Kind.REVIEW_DUE: Words(
        _("Access review is near its deadline: %(title)s"),
        _("In “%(title)s”, %(count)s roles are to be confirmed or ended by %(due_at)s."),
        must=True,
        personal=True,
    ),
    Kind.REVIEW_OVERDUE: Words(
        _("Access review is overdue: %(title)s"),
        _("In “%(title)s”, %(count)s roles had to be confirmed or ended by %(due_at)s, and still wait."),
        must=True,
        personal=True,
    ),
    Kind.REVIEW_TO_OPEN: Words(
        _("The next access review is to be opened"),
        _("No access review has ended in the last %(days)s days: the next one has been due since %(due_at)s. Open it, for some units or for everybody."),
        must=True,
        personal=True,
    ),
    Kind.ACCOUNT_FACTOR_WAITING: Words(
        _("Second factor to be confirmed: %(person)s"),
        _("%(person)s has set up a second factor, which counts once a security administrator has confirmed it. Have the confirmation code told to you face to face, by somebody whom you know to be %(person)s."),
        must=True,
        personal=True,
    ),
    Kind.ACCOUNT_FACTOR_CONFIRMED: Words(
        _("Your second factor is confirmed"),
        _("%(actor)s has confirmed your second factor on %(done_at)s. If you had told nobody your confirmation code, tell a security administrator at once: somebody else signs in as you."),
        must=True,
        personal=True,
        by_action={
            "on-the-machine": _("Your second factor was confirmed on the machine on %(done_at)s. If you had told nobody your confirmation code, tell a security administrator at once: somebody else signs in as you."),
        },
    ),
    Kind.ACCOUNT_FACTOR_RESET: Words(
        _("Your second factor was reset"),
        _("%(actor)s has taken your second factor away on %(done_at)s: %(reason)s. If you had not asked for it, tell a security administrator at once."),
        must=True,
        personal=True,
    ),
    Kind.ACCOUNT_PASSWORD_RESET: Words(
        _("Your password was reset"),
        _("%(actor)s has set a first password for your account on %(done_at)s. If you had not asked for it, tell a security administrator at once: whoever has this password could sign in as you."),
        must=True,
        personal=True,
    ),
    Kind.WEBHOOK_DISABLED: Words(
        _("Webhook disabled: %(name)s"),
        _("Nothing could be delivered to the webhook “%(name)s” since %(since_at)s; it gets nothing any more until somebody switches it on again."),
        by_action={
            LOST_ITS_KEEPER: _("Whoever kept the webhook “%(name)s” has left or has not the role for it any more, so it gets nothing from now on. Look where it leads: who switches it on again keeps it and is given a new secret."),
        },
    ),
    Kind.ABSENCE_BEGAN: Words(
        _("To be decided on behalf of %(person)s"),
        _("You stand in for %(person)s until %(ends_at)s. Waiting for their decision now (%(count)s): %(labels)s."),
        personal=True,
    ),
    Kind.ABSENCE_SUBSTITUTE_LEFT: Words(
        _("Nobody stands in for you any more: %(substitute)s has left"),
        _("%(substitute)s, who was to decide on your behalf until %(ends_at)s, has left. What comes to you waits for you: name somebody else if you are away."),
        must=True,
        personal=True,
    ),
}  # fmt: skip


SENT_OUTSIDE = {kind: kind.label for kind in Kind if not KINDS[kind].personal}
"""What webhooks can hear of, with its name."""


FOR_SUBSTITUTES = frozenset(
    {Kind.CASE_WAITING, Kind.CASE_GIVEN, Kind.CASE_REMINDED, Kind.CARD_YELLOW, Kind.CARD_RED}
)
"""What who stands in for somebody hears of as well, with whom it is for: it asks for a decision that they can take."""

WATCHING = frozenset({Role.SUPERVISOR})
"""Who is told of these to see to it that somebody decides: there is nothing that a substitute could decide for them."""
