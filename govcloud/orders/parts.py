"""What lines are cut into: the resources of each, and what they take."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from govcloud.inventory.models import Resource

Amounts = Mapping[str, int]
Quantities = dict[str, Decimal]


@dataclass(frozen=True, slots=True)
class Part:
    """One resource of a line: what it is called and what it takes of the quota.

    ``volume`` is the position of the volume's spec within the line, ``server`` the index of the part it hangs on;
    ``resource`` what exists already, when it is changed or released.
    """

    name: str
    amounts: Amounts
    volume: int | None = None
    server: int | None = None
    resource: Resource | None = None
