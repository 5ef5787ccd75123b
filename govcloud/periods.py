"""Periods are half-open ``[start, end)`` and in UTC; months are those of the configured time zone."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Self

from django.utils import timezone

MONTH = re.compile(r"^(2[0-9]{3})-(0[1-9]|1[0-2])$")


def wall_clock(moment: datetime) -> str:
    """The instant as people read it: to the minute, by the clock on the wall of the time zone in force."""
    return timezone.localtime(moment).strftime("%Y-%m-%d %H:%M")


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A calendar month, written ``2026-11``."""

    year: int
    month: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError unless the text reads ``YYYY-MM``, of the year 2000 or later."""
        match = MONTH.fullmatch(text)
        if match is None:
            raise ValueError(f"not a month: {text!r}")
        return cls(int(match[1]), int(match[2]))

    @classmethod
    def of(cls, at: datetime, zone: tzinfo) -> Self:
        """The month in which the instant falls, by the wall clock of the zone."""
        local = at.astimezone(zone)
        return cls(local.year, local.month)

    def next(self) -> "Month":
        return Month(self.year + self.month // 12, self.month % 12 + 1)

    def previous(self) -> "Month":
        return Month(self.year - (self.month == 1), (self.month - 2) % 12 + 1)

    def bounds(self, zone: tzinfo) -> tuple[datetime, datetime]:
        """The instants, in UTC, at which the month starts and at which the next one does."""
        following = self.next()
        return (
            datetime(self.year, self.month, 1, tzinfo=zone).astimezone(UTC),
            datetime(following.year, following.month, 1, tzinfo=zone).astimezone(UTC),
        )

    def seconds(self, zone: tzinfo) -> int:
        start, end = self.bounds(zone)
        return int((end - start).total_seconds())

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"


def months_after(at: datetime, months: int, zone: tzinfo) -> datetime:
    """The same time of day so many calendar months later by the wall clock; the last day of a shorter month."""
    local = at.astimezone(zone)
    year, month = divmod(local.year * 12 + local.month - 1 + months, 12)
    for day in range(local.day, 27, -1):
        try:
            return local.replace(year=year, month=month + 1, day=day)
        except ValueError:
            continue
    return local.replace(year=year, month=month + 1)
