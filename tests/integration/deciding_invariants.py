"""What holds of orders and their cases after whatever people have done."""

from collections import Counter
from collections.abc import Collection, Iterator

from django.db.models import Sum
from hypothesis.stateful import invariant

from govcloud.approvals.models import CaseStage, Consultation, Decision
from govcloud.approvals.models import Seat as SeatRow
from govcloud.audit.models import Event
from govcloud.orders.models import Order, Revision, Unit
from govcloud.quotas.models import EntryKind, QuotaAccount, QuotaEntry
from tests.integration.deciding_bureau import Bureau
from tests.integration.reference_of_deciding import ENDS, UP_THE_TREE

CASES = {"open": "in_approval", "returned": "returned", "rejected": "rejected", "withdrawn": "withdrawn"}
"""The state of the order, by that of its case; an approved one has been built, is being built, or was called off."""


class WhatHasToHold(Bureau):
    @invariant()
    def orders_and_cases_are_where_they_should_be(self) -> None:
        for order in Order.objects.select_related("case"):
            matter, case = self.matters[order.pk], order.case
            assert (order.status, order.version) == (matter.state, matter.version)
            assert (case is not None) == bool(matter.revision)
            if case is not None:
                assert CASES.get(case.status, matter.state) == matter.state
                assert (case.status == "approved") == (
                    matter.state in {"fulfilling", "fulfilled", "cancelled"}
                )
                assert (case.revision, case.due_at) == (matter.revision, matter.due)

    @invariant()
    def quota_is_held_for_what_is_open(self) -> None:
        sums = {
            (account, kind): amount
            for account, kind, amount in QuotaEntry.objects.values_list("account", "kind").annotate(
                Sum("amount")
            )
        }
        for account in QuotaAccount.objects.filter(dimension="storage_gb").select_related("department"):
            unit = next(name for name, each in self.units.items() if each == account.department)
            here = [matter for matter in self.matters.values() if unit in UP_THE_TREE[matter.unit]]
            going = sum(
                m.takes for m in here if m.called_off
            )  # given back as soon as the cloud has confirmed it
            assert 0 <= sum(m.takes for m in here) - account.taken <= going
            assert account.held >= sum(m.takes for m in here if m.state == "in_approval")
            assert account.used >= sum(m.takes for m in here if m.state == "fulfilled")
            assert account.limit is None or account.taken <= account.limit
            hold, unhold, commit, gone = (sums.get((account.pk, kind), 0) for kind in EntryKind)
            assert (account.held, account.used) == (hold - unhold - commit, commit - gone)
        units = Counter(Unit.objects.values_list("item__order", flat=True))
        for key, matter in self.matters.items():
            assert units[key] == (matter.state in {"in_approval", "fulfilling", "fulfilled", "cancelled"})

    @invariant()
    def seats_and_questions_are_open_where_it_is_decided_and_nowhere_else(self) -> None:
        seats = {key: seat for matter in self.matters.values() for key, seat in matter.open_seats().items()}
        rows = SeatRow.objects.filter(status="open").values_list(
            "pk", "role", "person", "given_by", "given_for"
        )
        told = {pk: (role, *map(self.names.get, people)) for pk, role, *people in rows}
        assert told == {
            key: (seat.role, seat.person or None, seat.giver or None, seat.whose or None)
            for key, seat in seats.items()
        }
        asked = {
            key for matter in self.matters.values() for key, each in matter.questions.items() if each.open
        }
        assert set(Consultation.objects.filter(status="asked").values_list("pk", flat=True)) == asked
        stages = Counter(CaseStage.objects.filter(status="current").values_list("case__order", flat=True))
        assert stages == Counter(key for key, matter in self.matters.items() if matter.state == "in_approval")

    @invariant()
    def each_person_decides_once_on_a_revision_and_nobody_on_their_own(self) -> None:
        digests = dict(_by_revision(Revision.objects.values_list("order", "number", "digest")))
        people: dict[tuple[int, int], Counter[int]] = {}
        last: dict[tuple[int, int], str] = {}
        decisions = Decision.objects.select_related("stage__case__order").order_by("pk")
        for decision in decisions:
            of = (decision.stage.case.order.pk, decision.stage.revision)
            assert decision.revision_hash == digests[of]
            assert last.get(of) not in ENDS, "it was over"
            last[of] = decision.verb
            both = {decision.decider_id, decision.on_behalf_of_id} - {None}
            people.setdefault(of, Counter()).update(both)
            assert not {self.names[each] for each in both} & self.own_then[of]
        assert all(count == 1 for counted in people.values() for count in counted.values())
        for stage in CaseStage.objects.exclude(decided_at=None).prefetch_related("decisions", "seats"):
            signed = [seat for seat in stage.seats.all() if seat.status == "signed"]
            assert len(signed) == len(stage.decisions.all()) >= 1

    @invariant()
    def the_trail_has_one_record_of_each_event(self) -> None:
        modelled = {verb for matter in self.matters.values() for verb in matter.told}
        told = Event.objects.filter(outcome="done", verb__in=modelled).values_list("thread", "verb")
        counted: dict[object, Counter[str]] = {}
        for thread, verb in told:
            counted.setdefault(thread, Counter())[verb] += 1
        for key, uuid in Order.objects.values_list("pk", "uuid"):
            assert counted.get(uuid, Counter()) == self.matters[key].told

    def everything_can_be_approved(self) -> None:
        """Nobody was let do what leaves a signature to nobody: those who may decide can bring every order to its end."""
        for key, matter in self.matters.items():
            while matter.state == "in_approval":
                assert self.one_more_signs(key, matter), f"nobody can approve order {key} any more: {matter}"


def _by_revision(rows: Collection[tuple[int, int, str]]) -> Iterator[tuple[tuple[int, int], str]]:
    for order, number, digest in rows:
        yield (order, number), digest
