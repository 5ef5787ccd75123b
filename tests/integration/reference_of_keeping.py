"""Which recovery points are kept, said once more: in plain Python, with nothing of the product. See docs/day-2.md, *When recovery
points end* and *Legal holds*.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass
class Volume:
    """``plans`` cover it. It is ``going`` from the last approval of its release until the cloud has confirmed that it is ``gone``."""

    size: int
    plans: set[str]
    going: bool = False
    gone: bool = False
    lost: bool = False

    @property
    def stands(self) -> bool:
        return not (self.going or self.gone or self.lost)


@dataclass
class Plan:
    """It runs each day at the time when it is ``due``, and keeps so many points of each volume. As of a volume: ``going`` while its
    allowance is being released.
    """

    keeps: int
    capacity: int
    due: datetime
    going: bool = False
    ended: bool = False


@dataclass
class Point:
    """``number`` grows with the time at which it was taken. ``doomed``: something has set out to delete it; a run of the plan
    ``after`` once it has taken its own. It may be deleted with what is just going (``may_go``), of which nobody but a worker knows how
    far it is.
    """

    volume: str
    plan: str
    number: int
    held: bool = False
    doomed: bool = False
    after: str = ""
    may_go: bool = False
    gone: bool = False
    lost: bool = False

    @property
    def stands(self) -> bool:
        return not (self.gone or self.lost)


@dataclass
class Keeping:
    volumes: dict[str, Volume]
    plans: dict[str, Plan]
    points: dict[int, Point] = field(default_factory=dict)
    awaited: Counter[tuple[str, str]] = field(
        default_factory=Counter
    )  # backups that are under way, by plan and volume
    told: Counter[str] = field(default_factory=Counter)  # what the trail has, by verb

    def standing(self, **of: str) -> list[tuple[int, Point]]:
        """Of a volume or of a plan, the newest first."""
        found = [
            (key, point)
            for key, point in self.points.items()
            if point.stands and all(getattr(point, name) == value for name, value in of.items())
        ]
        return sorted(found, key=lambda each: -each[1].number)

    def run_due(self, *, at: datetime) -> set[str]:
        """The plans that have something to do. What was missed is not made up for."""
        due = {name for name, plan in self.plans.items() if not plan.ended and plan.due <= at}
        for name in due:
            while self.plans[name].due <= at:
                self.plans[name].due += timedelta(days=1)
        busy = {name for name in due if any(name in v.plans and v.stands for v in self.volumes.values())}
        for name in sorted(busy):
            self._run(name)
        return busy

    def _run(self, name: str) -> None:
        """A backup of each volume that the plan covers; what is beyond those that it keeps goes, but for what is held."""
        plan = self.plans[name]
        for code, volume in self.volumes.items():
            if name in volume.plans and volume.stands:
                self.awaited[name, code] += 1
                counted = [
                    point
                    for _key, point in self.standing(volume=code)
                    if not point.held and (point.plan == name or point.plan not in volume.plans)
                ]
                for point in counted[plan.keeps - 1 :]:  # the new one is the first of those kept
                    point.doomed, point.after = True, name

    def may_be_held(self, point: Point) -> bool:
        """What a run is to delete stands until the backup is there that takes its place: until then it can still be kept."""
        waits = bool(point.after) and self.awaited[point.after, point.volume] > 0
        return point.stands and not point.held and (waits or not point.doomed)

    def hold(self, key: int) -> None:
        point = self.points[key]
        point.held, point.doomed, point.after, point.may_go = True, False, "", False
        self.told["legal_hold.placed"] += 1

    def taken(self, key: int, plan: str, volume: str, number: int) -> None:
        assert self.awaited[plan, volume] > 0, "nobody asked for it"
        self.awaited[plan, volume] -= 1
        self.points[key] = Point(volume, plan, number)
        self.told["recovery_point.recorded"] += 1

    def expired(self, key: int) -> None:
        point = self.points[key]
        assert not point.held, "it was under a legal hold"
        assert point.doomed or point.may_go, "it was to be kept"
        point.gone, point.doomed, point.may_go = True, False, False
        self.told["recovery_point.expired"] += 1

    def is_held(self, volume: str) -> bool:
        """Also by a point that was lost: what becomes of the hold is for those to decide who lift it."""
        return any(point.held for point in self.points.values() if point.volume == volume)

    def release_volume(self, code: str) -> None:
        self.volumes[code].going, self.volumes[code].plans = True, set()
        self._all_go(self.standing(volume=code))

    def release_allowance(self, name: str) -> None:
        self.plans[name].going = True
        self._all_go(self.standing(plan=name))

    def lose_volume(self, code: str) -> None:
        self.volumes[code].lost, self.volumes[code].plans = True, set()

    def sweep(self) -> None:
        """Nothing but a hold keeps what is of a plan that has ended, or of a volume that is gone."""
        for _key, point in self.standing():
            plan, volume = self.plans[point.plan], self.volumes[point.volume]
            if not point.held and (plan.ended or volume.gone):
                point.doomed = True
            elif not point.held and (plan.going or volume.going):
                point.may_go = True

    def at_rest(self) -> None:
        """Workers have done all that there was: what was to go is gone."""
        for volume in self.volumes.values():
            volume.gone, volume.going = volume.gone or volume.going, False
        for name, plan in self.plans.items():
            if plan.going:
                plan.going, plan.ended = False, True
                for volume in self.volumes.values():
                    volume.plans.discard(name)
        late = {code for (_plan, code), count in self.awaited.items() if count}
        assert all(self.volumes[code].gone for code in late), f"no recovery points were taken of {late}"
        self.awaited.clear()
        for point in self.points.values():
            assert not (point.doomed and point.stands), "it was to be deleted"
            point.doomed = point.may_go = False
            point.after = ""

    def _all_go(self, points: list[tuple[int, Point]]) -> None:
        for _key, point in points:
            point.doomed, point.after = not point.held, ""

    @property
    def room(self) -> int:
        """GB that the cloud is to allow: seven backups of what was granted and one that is being taken, and beside them what is held."""
        granted = sum(plan.capacity for plan in self.plans.values() if not plan.ended)
        return 8 * granted + sum(self.volumes[p.volume].size for _key, p in self.standing() if p.held)
