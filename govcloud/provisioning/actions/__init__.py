"""What can be done to a resource directly, without an order: what costs nothing and takes no quota.

Each action is an entry of the table (``base``), carried out as an operation by the engine (``requests``).
"""

from govcloud.provisioning.actions.base import register
from govcloud.provisioning.actions.centre_key import ReplaceCentreKey
from govcloud.provisioning.actions.interfaces import AddInterface, RemoveInterface
from govcloud.provisioning.actions.login_keys import SetLoginKeys
from govcloud.provisioning.actions.objects import IssueCredential, RevokeCredential
from govcloud.provisioning.actions.outside import (
    ConnectNetwork,
    DisconnectNetwork,
    GiveBackAddress,
    MoveAddress,
)
from govcloud.provisioning.actions.power import HardReboot, SoftReboot, Start, Stop
from govcloud.provisioning.actions.rebuilding import Rebuild
from govcloud.provisioning.actions.rules import AddRule, RemoveRule
from govcloud.provisioning.actions.storage import Attach, DeleteSnapshot, Detach, Restore, TakeSnapshot


def register_all() -> None:
    register(Start(), Stop(), SoftReboot(), HardReboot(), Rebuild(), SetLoginKeys(), ReplaceCentreKey())
    register(AddInterface(), RemoveInterface(), MoveAddress(), GiveBackAddress())
    register(ConnectNetwork(), DisconnectNetwork(), AddRule(), RemoveRule())
    register(IssueCredential(), RevokeCredential())
    register(Attach(), Detach(), TakeSnapshot(), Restore(), DeleteSnapshot())
