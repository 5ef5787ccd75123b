"""Orders and their cases, whatever people do in whatever order: against the reference in ``reference_of_deciding``."""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from govcloud.approvals import absences
from govcloud.approvals.models import Absence as AbsenceRow
from govcloud.orders import cancellation
from govcloud.orders.models import Order
from govcloud.provisioning import engine
from govcloud.provisioning.models import Operation
from tests import machines
from tests.integration import virtual
from tests.integration.deciding_invariants import WhatHasToHold
from tests.integration.deciding_stories import Stories
from tests.integration.reference_of_deciding import (
    EDITABLE,
    PEOPLE,
    UP_THE_TREE,
    Matter,
    applies,
    can_stand_in,
    holds,
)
from tests.machines import Pick


class Deciding(Stories, WhatHasToHold):
    """All that people, time and the cloud do."""

    def teardown(self) -> None:
        try:
            self.everything_can_be_approved()
            self.the_cloud_builds()
            self.orders_and_cases_are_where_they_should_be()
            self.quota_is_held_for_what_is_open()
        finally:
            self.close()

    # -- drafts

    @initialize(sizes=st.tuples(*[st.integers(1, 6)] * 3), who=st.integers(0, 5))
    def three_orders_are_begun(self, sizes: tuple[int, int, int], who: int) -> None:
        """Each drafted by one, edited by another and submitted by a third, where there are so many."""
        for unit, size in zip(UP_THE_TREE, sizes, strict=True):
            names = [name for name in PEOPLE if applies(name, unit)]
            drafts, edits, submits = (names[(who + place) % len(names)] for place in range(3))
            key = self.draft(unit, size, drafts)
            assert key is not None
            self.edit(key, self.matters[key], edits, size)
            self.submit(key, self.matters[key], submits)

    @rule(unit=st.sampled_from(sorted(UP_THE_TREE)), size=st.integers(1, 6), who=machines.picks)
    def somebody_drafts(self, unit: str, size: int, who: Pick) -> None:
        self.draft(unit, size, self.someone(who, lambda each: applies(each, unit)))

    @rule(
        which=machines.picks,
        size=st.integers(1, 6),
        who=machines.picks,
        stale=st.sampled_from([0, 0, 0, 1]),
    )
    def somebody_edits(self, which: Pick, size: int, who: Pick, stale: int) -> None:
        if (found := self.one(which, *EDITABLE)) is not None:
            name = self.someone(who, lambda each: applies(each, found[1].unit))
            self.edit(*found, name, size, stale=stale)

    @rule(which=machines.picks, who=machines.picks)
    def somebody_submits(self, which: Pick, who: Pick) -> None:
        if (found := self.one(which, *EDITABLE)) is not None:
            self.submit(*found, self.someone(who, lambda each: applies(each, found[1].unit)))

    @rule(which=machines.picks, who=machines.picks, reason=st.sampled_from(["not needed", "not needed", ""]))
    def somebody_withdraws(self, which: Pick, who: Pick, reason: str) -> None:
        if (found := self.one(which, "in_approval", "returned", "draft")) is not None:
            name = self.someone(who, lambda each: applies(each, found[1].unit))
            self.withdraw(*found, name, reason=reason)

    # -- decisions

    @rule(
        which=machines.picks,
        who=machines.picks,
        verb=st.sampled_from([*["approve"] * 7, "approve_with_conditions", "return", "return", "reject"]),
        seen=st.sampled_from([*["this"] * 7, "another revision", "the first revision", "an earlier step"]),
        opinion=st.sampled_from(["because", "because", "because", ""]),
    )
    def somebody_decides(self, which: Pick, who: Pick, verb: str, seen: str, opinion: str) -> None:
        if (found := self.one(which, "in_approval")) is None:
            return
        key, matter = found
        name = self.decider(who, matter)
        self.decide(key, matter, name, verb=verb, seen=seen, opinion=opinion)

    @rule(which=machines.picks, who=machines.picks, signatures=st.integers(1, 6))
    def it_is_signed_by_one_after_another(self, which: Pick, who: Pick, signatures: int) -> None:
        if (found := self.one(which, "in_approval")) is None:
            return
        for _each in range(signatures):
            self.one_more_signs(*found, first=who.number)

    # -- absences, time, the cloud

    @rule(who=machines.picks, whom=machines.picks, days=st.sampled_from([1, 3, 10]))
    def somebody_is_away(self, who: Pick, whom: Pick, days: int) -> None:
        name = self.someone(who, lambda each: not self.is_away(each))
        other = self.someone(whom, lambda each: can_stand_in(each, name))
        self.go_away(name, other, days=days)

    @rule(which=machines.picks, who=machines.picks)
    def somebody_comes_back(self, which: Pick, who: Pick) -> None:
        if not self.absences:
            return
        key, absence = list(self.absences.items())[which.number % len(self.absences)]
        name = self.someone(who, lambda each: each == absence.person)
        done = self.attempt(
            lambda: absences.end(
                absence=AbsenceRow.objects.get(pk=key), actor=self.person(name), at=self.now
            ),
            allowed=name == absence.person and absence.ends > self.now,
        )
        if done is not None:
            absence.ends = self.now

    @rule(hours=st.sampled_from([1, 9, 24, 72]))
    def time_passes(self, hours: int) -> None:
        self.agenda.pass_by(hours * 3600)

    @rule(which=machines.picks, who=machines.picks, visits=st.integers(0, 9))
    def somebody_calls_off_what_is_being_built(self, which: Pick, who: Pick, visits: int) -> None:
        if (found := self.one(which, "fulfilling")) is None:
            return
        key, matter = found
        engine.run_due(clock=self.agenda, most=visits)
        name = self.someone(who, lambda each: self.may_call_off(each, matter))
        built = Operation.objects.filter(units__item__order=key, finished_at__isnull=False).exists()
        done = self.attempt(
            lambda: cancellation.cancel(
                order=Order.objects.get(pk=key),
                reason="not needed",
                units=None,
                actor=self.person(name),
                at=self.now,
            ),
            allowed=self.may_call_off(name, matter) and matter.state == "fulfilling",
        )
        if done is not None:
            matter.called_off = matter.called_off or not built

    @staticmethod
    def may_call_off(name: str, matter: Matter) -> bool:
        return applies(name, matter.unit) or holds(name, "cloud_admin", matter.unit)

    @rule()
    def the_cloud_builds(self) -> None:
        virtual.work(self.agenda)
        for matter in self.matters.values():
            if matter.state == "fulfilling":
                matter.state = "cancelled" if matter.called_off else "fulfilled"
                matter.told.update([f"order.{matter.state}"])


@pytest.mark.django_db
def test_no_sequence_of_decisions_breaks_an_order_or_its_case() -> None:
    machines.run(Deciding, examples=9, steps=25)
