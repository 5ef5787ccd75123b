"""The sandbox's cloud in the test's own process, without a server and without a file that would outlive it."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from unittest import mock

from django.conf import settings

from govcloud.clouds import guest_keys
from govcloud.sandbox.cloud import Cloud
from govcloud.sandbox.guests.fleet import Fleet
from govcloud.sandbox.seed import seed, write_clouds_yaml
from tests.chaos.wire import BASE


@contextmanager
def in_memory(guests: Callable[[Path], Fleet], *, at: datetime) -> Iterator[Cloud]:
    """An empty cloud with what it begins with, for as long as the context lasts: its clouds.yaml and a key for its ``guests``, which are
    made for the folder that they may keep things in. Who wants to reach it plugs a ``Wire`` in.
    """
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="govcloud-in-memory-")))
        cloud = Cloud(directory=directory, base_url=BASE, guests=guests(directory))
        stack.callback(cloud.store.close)
        seed(cloud, at=at)
        config = str(write_clouds_yaml(cloud))
        stack.enter_context(mock.patch.dict("os.environ", OS_CLIENT_CONFIG_FILE=config))
        cloud.store.commit = cloud.store._dirty.clear  # it is never started again
        stack.enter_context(mock.patch.object(settings, "GUEST_KEY_FILE", directory / "key"))
        guest_keys.make(settings.GUEST_KEY_FILE)
        yield cloud
