"""Plans of the product, less the steps that the simulation leaves out."""

from collections.abc import Iterable
from dataclasses import replace

from govcloud.provisioning.services import StepSpec

SPACE = frozenset({"project", "access", "keypair", "compute_quota", "volume_quota", "network_quota"})
GUESTS = frozenset({"configure", "confirm", "grow", "let_go", "mount", "unmount"})


def without(specs: Iterable[StepSpec], dropped: Iterable[str]) -> list[StepSpec]:
    """The plan without some kinds of steps: who needed one of them needs what that one needed."""
    dropped, left, stand_ins = set(dropped), [], {}
    for spec in specs:
        needs = tuple(dict.fromkeys(each for need in spec.needs for each in stand_ins.get(need, (need,))))
        if spec.kind in dropped:
            stand_ins[spec.key] = needs
        else:
            left.append(replace(spec, needs=needs))
    return left
