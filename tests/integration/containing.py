"""A department with object storage, and somebody who uses it from outside with what they were given."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from keystoneauth1.identity import v3
from keystoneauth1.session import Session

from govcloud.inventory.models import ContainerCredential, Resource
from govcloud.orders.drafts import ContainerDraft
from govcloud.provisioning import container_secrets
from govcloud.provisioning.actions import requests
from govcloud.provisioning.actions.base import actions
from govcloud.provisioning.actions.objects import NewCredential
from govcloud.provisioning.container_secrets import Drawn
from govcloud.provisioning.models import Operation
from govcloud.quotas.models import QuotaAccount
from tests.factories.orders import Scene
from tests.integration.building import built, now, states, work

FILES = ContainerDraft(name="files", zone="public", storage_class="object", quota_gb=100)


def container(on: Scene) -> Resource:
    """One of 100 GB that stands."""
    order = built(on, items=(FILES,))
    assert order.status == "fulfilled", states()
    return named("files")


def named(name: str) -> Resource:
    return Resource.objects.with_particulars().get(name=name)


def objects_quota(on: Scene) -> tuple[int, int]:
    """Held and used of the department's object storage."""
    row = QuotaAccount.objects.get(department=on.department, dimension="object_gb")
    return row.held, row.used


def ask(on: Scene, resource: Resource, name: str, parameters: Any) -> Operation:
    return requests.request(
        resource=resource, action=actions()[name], parameters=parameters, actor=on.applicant, at=now()
    )


def credential(
    on: Scene, resource: Resource, *, name: str = "app", access: str = "write"
) -> ContainerCredential:
    ask(on, resource, "issue-credential", NewCredential(name=name, access=access))
    work()
    return ContainerCredential.objects.get(name=name)


def drawn(on: Scene, given: ContainerCredential) -> Drawn:
    return container_secrets.draw(credential=given, actor=on.applicant, at=now())


@dataclass(slots=True)
class Client:
    """Whoever has drawn a secret."""

    given: Drawn

    def session(self) -> Session:
        return Session(
            auth=v3.Password(
                auth_url=self.given.auth_url, user_id=self.given.user_id, password=self.given.secret,
                project_id=self.given.project_id,
            )
        )  # fmt: skip

    def ask(self, method: str, name: str = "", **request: Any) -> int:
        """The status of one request about the container, or an object in it."""
        url = self.given.storage_url + (f"/{quote(name)}" if name else "")
        return int(self.session().request(url, method, raise_exc=False, **request).status_code)

    def put(self, *names: str, content: bytes = b"content") -> None:
        for name in names:
            assert self.ask("PUT", name, data=content) == 201
