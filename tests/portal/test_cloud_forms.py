"""Registering a cloud, changing it, storing its credentials and naming things there, in the browser."""

import re
from datetime import datetime

import pytest
from django.test import Client

from govcloud.audit.models import Event
from govcloud.catalog.lifecycle import CloudStatus
from govcloud.catalog.models import Cloud, CloudStorageClass
from govcloud.clouds import credentials, names
from govcloud.clouds.models import CloudCredential
from govcloud.portal.clouds.forms import MOST_PARTS
from tests.factories.catalog import FlavorFactory, StorageClassFactory, ZoneFactory
from tests.factories.clouds import AvailabilityZoneFactory
from tests.factories.inventory import NetworkFactory, VolumeFactory
from tests.portal import scenes
from tests.portal.conftest import Signed
from tests.portal.reading import text

SECRET = "not-to-be-seen-9"
NEW = {
    "code": "west", "name": "西区云", "name_en": "West cloud", "site": "dr", "mlps_level": "2", "domain_id": "default",
    "build_width": "12", "retyping": "never", "online_extend": "yes", "sizes_must_match": "",
    "zones-public-address_pool": "10.40.0.0/16", "zones-public-network_prefix": "26",
    "zones-private-network_prefix": "26", "zones-internet-network_prefix": "26",
    "parts": "1", "availability_zones-0-code": "a", "availability_zones-0-name": "a区", "availability_zones-0-mlps_level": "3",
    "do": "keep",
}  # fmt: skip
WAY_IN = {
    "auth_url": "https://keystone.example.gov.cn:5000/v3", "username": "operator", "password": SECRET,
    "project_name": "operators", "user_domain_name": "Default", "project_domain_name": "Default", "interface": "internal",
    "endpoint_overrides-compute": "https://nova.example.gov.cn:8774/v2.1", "do": "keep",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch, at: datetime) -> None:
    monkeypatch.setattr("govcloud.clock.now", lambda: at)


@pytest.fixture
def keeper(signed_in: Signed, people: scenes.Cast) -> Client:
    return signed_in(people.admin)


@pytest.fixture
def cloud(people: scenes.Cast) -> Cloud:
    zone = ZoneFactory(
        cloud__code="east",
        cloud__name="东区云",
        cloud__name_en="East cloud",
        cloud__profile="",
        zone="public",
    )
    AvailabilityZoneFactory(cloud=zone.cloud, code="a", name="a区")
    return zone.cloud


def sent_back(page: str) -> dict[str, str]:
    """What a browser would send of the form of a page, unchanged."""
    html = page.split('<form class="writing"')[1].split("</form>", maxsplit=1)[0]
    typed = {}
    for tag in re.findall(r"<input[^>]*>", html):
        name = re.search(r'name="([^"]*)"', tag)
        value = re.search(r'value="([^"]*)"', tag)
        if name and ('type="checkbox"' not in tag or " checked" in tag):
            typed[name[1]] = value[1] if value else ""
    for name, inner in re.findall(r'<select[^>]*name="([^"]*)"[^>]*>(.*?)</select>', html, re.DOTALL):
        chosen = re.search(r'value="([^"]*)" selected', inner)
        typed[name] = chosen[1] if chosen else ""
    return typed


def test_a_cloud_is_registered_closed_and_asks_for_its_credentials_next(
    people: scenes.Cast, keeper: Client
) -> None:
    assert "/clouds/new/" in keeper.get("/clouds/").content.decode()
    answer = keeper.post("/clouds/new/", NEW)
    made = Cloud.objects.get(code="west")
    assert answer.headers["Location"] == f"/clouds/{made.uuid}/credentials/"
    assert (made.status, made.site, made.mlps_level, made.build_width, made.retyping) == (
        CloudStatus.DISABLED, "dr", 2, 12, "never",
    )  # fmt: skip
    assert (made.online_extend, made.sizes_must_match) == (True, False)
    assert list(made.zones.values_list("zone", "address_pool", "network_prefix")) == [
        ("public", "10.40.0.0/16", 26)
    ]
    assert list(made.availability_zones.values_list("code", "name")) == [("a", "a区")]
    assert Event.objects.get(verb="cloud.registered").actor == f"user:{people.admin.uuid}"
    assert "West cloud" in text(keeper.get(answer.headers["Location"]))


@pytest.mark.parametrize(
    ("wrong", "field", "told"),
    [
        ({"name": ""}, "name", "Fill this in."),
        ({"code": "Ost ✗"}, "code", "Only the letters a–z and A–Z"),
        ({"code": "e" * 41}, "code", "At most 40 characters."),
        ({"build_width": "0"}, "build_width", "1 is the least that is possible."),
        ({"build_width": "many"}, "build_width", "digits only"),
        ({"profile": "nowhere"}, "profile", "clouds.yaml names no cloud “nowhere”."),
        ({"management_cidr": "10.0.0.0/33"}, "management_cidr", "no IPv4 range"),
        ({"mlps_level": "9"}, "mlps_level", "MLPS levels are 1 to 5"),
        (
            {"zones-public-address_pool": "", "zones-public-dns_servers": "10.0.0.2"},
            "zones-public-address_pool",
            "Fill this in.",
        ),
        (
            {"zones-public-address_pool": "", "zones-private-address_pool": "10.0.0.0/30"},
            "zones-private-address_pool",
            "no IPv4 range with room for networks of /26",
        ),
        (
            {"zones-public-network_prefix": "29"},
            "zones-public-network_prefix",
            "28",
        ),
        ({"availability_zones-0-name": ""}, "availability_zones-0-name", "Fill this in."),
        ({"availability_zones-0-mlps_level": "7"}, "availability_zones-0-mlps_level", "not 7"),
        ({"code": "east"}, "code", "registered already"),
    ],
)
def test_what_is_wrong_is_told_at_its_field_and_what_was_typed_stays(
    cloud: Cloud, keeper: Client, wrong: dict[str, str], field: str, told: str
) -> None:
    page = keeper.post("/clouds/new/", {**NEW, **wrong})
    html = page.content.decode()
    assert page.status_code == (409 if wrong == {"code": "east"} else 422)
    (error,) = re.findall(rf'id="{field}-error">([^<]*)<', html)
    assert told in error
    assert f'href="#{field}"' in html.split('id="problems"')[1].split("</ul>")[0]
    assert 'value="12"' in html or "build_width" in wrong
    assert sent_back(html) == {**sent_back(html), **{name: each for name, each in wrong.items() if "level" not in name}}  # fmt: skip
    assert Cloud.objects.exclude(pk=cloud.pk).filter(code__in=("west", NEW["code"])).count() == 0


def test_all_that_is_wrong_is_told_at_once(people: scenes.Cast, keeper: Client) -> None:
    wrong = {
        "code": "",
        "build_width": "x",
        "zones-private-address_pool": "nonsense",
        "management_cidr": "10",
    }
    html = keeper.post("/clouds/new/", {**NEW, **wrong}).content.decode()
    assert set(re.findall(r'id="([\w-]+)-error"', html)) == set(wrong)


def test_a_second_part_that_is_wrong_is_told_there_although_the_first_is_left_out(
    people: scenes.Cast, keeper: Client
) -> None:
    parts = {
        "parts": "2", "availability_zones-0-code": "", "availability_zones-0-name": "",
        "availability_zones-1-code": "b", "availability_zones-1-name": "b区", "availability_zones-1-mlps_level": "8",
    }  # fmt: skip
    page = keeper.post("/clouds/new/", {**NEW, **parts}).content.decode()
    assert 'id="availability_zones-1-mlps_level-error"' in page
    assert 'id="availability_zones-0-mlps_level-error"' not in page


def test_room_for_another_part_keeps_what_was_typed_and_nothing_else(
    people: scenes.Cast, keeper: Client
) -> None:
    page = keeper.post("/clouds/new/", {**NEW, "do": "more"})
    html = page.content.decode()
    assert (page.status_code, 'value="西区云"' in html) == (200, True)
    assert 'name="availability_zones-1-code"' in html
    assert 'id="problems"' not in html
    assert not Cloud.objects.filter(code="west").exists()


def test_a_form_that_is_sent_back_unchanged_changes_nothing_of_the_cloud(
    cloud: Cloud, keeper: Client
) -> None:
    before = (
        Cloud.objects.filter(pk=cloud.pk).values().get(),
        list(cloud.zones.values()),
        list(cloud.availability_zones.values()),
    )
    typed = sent_back(keeper.get(f"/clouds/{cloud.uuid}/change/").content.decode())
    assert keeper.post(f"/clouds/{cloud.uuid}/change/", typed).status_code == 302
    after = Cloud.objects.filter(pk=cloud.pk).values().get()
    assert after == {**before[0], "version": before[0]["version"] + 1}
    assert list(cloud.zones.values()) == before[1]
    assert list(cloud.availability_zones.values()) == before[2]


def test_a_cloud_is_changed_and_what_is_emptied_is_left_out(cloud: Cloud, keeper: Client) -> None:
    typed = sent_back(keeper.get(f"/clouds/{cloud.uuid}/change/").content.decode())
    changed = {
        "name": "东区新云", "zones-private-address_pool": "10.60.0.0/16", "availability_zones-0-code": "",
        "availability_zones-0-name": "", "availability_zones-0-name_en": "", "availability_zones-0-compute_zone": "",
        "availability_zones-0-volume_zone": "",
    }  # fmt: skip
    answer = keeper.post(f"/clouds/{cloud.uuid}/change/", {**typed, **changed})
    assert answer.headers["Location"] == f"/clouds/{cloud.uuid}/"
    cloud.refresh_from_db()
    assert cloud.name == "东区新云"
    assert set(cloud.zones.values_list("zone", flat=True)) == {"public", "private"}
    assert not cloud.availability_zones.exists()
    assert "The cloud is changed." in text(keeper.get(f"/clouds/{cloud.uuid}/"))


def test_a_zone_in_use_stays_and_who_comes_too_late_is_told(cloud: Cloud, keeper: Client) -> None:
    path = f"/clouds/{cloud.uuid}/change/"
    typed = sent_back(keeper.get(path).content.decode())
    NetworkFactory(resource__cloud=cloud, resource__zone="public")
    page = keeper.post(path, {**typed, "zones-public-address_pool": ""})
    assert (
        page.status_code,
        "cannot be left out while something is in it; things there: 1." in text(page),
    ) == (409, True)
    Cloud.objects.filter(pk=cloud.pk).update(version=9)
    late = keeper.post(path, {**typed, "name": "晚到"})
    assert (late.status_code, 'value="晚到"' in late.content.decode()) == (409, True)
    assert "it is at version 9 now" in text(late)


def test_a_zone_in_use_is_told_of_at_the_field_that_was_emptied(cloud: Cloud, keeper: Client) -> None:
    AvailabilityZoneFactory(cloud=cloud, code="c")
    part = AvailabilityZoneFactory(cloud=cloud, code="b", name="b区")
    NetworkFactory(resource__cloud=cloud, resource__zone="public", resource__availability_zone=part)
    path = f"/clouds/{cloud.uuid}/change/"
    typed = sent_back(keeper.get(path).content.decode())
    emptied = {
        name: ""
        for place in (0, 1)
        for name in typed
        if name.startswith(f"availability_zones-{place}-") and "mlps" not in name
    }
    for left_out, field in (
        ({"zones-public-address_pool": ""}, "zones-public-address_pool"),
        (emptied, "availability_zones-1-code"),
    ):
        page = keeper.post(path, {**typed, **left_out})
        html = page.content.decode()
        assert (page.status_code, re.findall(r'id="([\w-]+)-error"', html)) == (409, [field])
        assert f'href="#{field}"' in html.split('id="problems"')[1].split("</ul>")[0]


def test_however_many_availability_zones_a_cloud_has_its_form_has_them_all(
    cloud: Cloud, keeper: Client
) -> None:
    for number in range(MOST_PARTS + 4):
        AvailabilityZoneFactory(cloud=cloud, code=f"z{number:03}")
    before = list(cloud.availability_zones.values())
    path = f"/clouds/{cloud.uuid}/change/"
    page = keeper.get(path).content.decode()
    assert "A further availability zone" not in page
    answer = keeper.post(path, {**sent_back(page), "name": "东区新云"})
    assert answer.status_code == 302
    assert list(cloud.availability_zones.values()) == before
    last = f"availability_zones-{len(before) - 1}-name"
    assert (
        keeper.post(path, {**sent_back(keeper.get(path).content.decode()), last: "末区"}).status_code == 302
    )
    assert cloud.availability_zones.last().name == "末区"


def test_a_code_may_have_capitals_as_its_hint_says(people: scenes.Cast, keeper: Client) -> None:
    assert keeper.post("/clouds/new/", {**NEW, "code": "West_2-B"}).status_code == 302
    assert Cloud.objects.filter(code="West_2-B").exists()


@pytest.mark.parametrize("field", ["auth_url", "endpoint_overrides-compute"])
@pytest.mark.parametrize(
    "given", [f"https://operator:{SECRET}@keystone.example.gov.cn:5000/v3", f"operator:{SECRET}@keystone"]
)
def test_a_password_in_an_address_is_refused_and_on_no_page(
    cloud: Cloud, keeper: Client, caplog: pytest.LogCaptureFixture, field: str, given: str
) -> None:
    sent = {**WAY_IN, "password": "another", "version": str(cloud.version), field: given}
    page = keeper.post(f"/clouds/{cloud.uuid}/credentials/", sent)
    html = page.content.decode()
    assert (page.status_code, SECRET in html, SECRET in caplog.text) == (422, False, False)
    (error,) = re.findall(rf'id="{field}-error">([^<]*)<', html)
    assert "Leave the user and the password out of the address" in error
    assert 'value="operators"' in html
    assert not CloudCredential.objects.exists()
    assert not [event for event in Event.objects.all() if SECRET in repr(event.__dict__)]


def test_credentials_are_stored_encrypted_and_on_no_page_afterwards(
    cloud: Cloud, keeper: Client, people: scenes.Cast
) -> None:
    path = f"/clouds/{cloud.uuid}/credentials/"
    asked = keeper.get(path)
    assert 'type="password"' in asked.content.decode()
    typed = {**WAY_IN, "version": str(cloud.version)}
    assert keeper.post(path, typed).headers["Location"] == f"/clouds/{cloud.uuid}/names/"
    kept = CloudCredential.objects.get(cloud=cloud)
    assert SECRET.encode() not in bytes(kept.sealed)
    settings = credentials.settings_of(kept, cloud=cloud)
    assert (settings["auth"]["password"], settings["interface"]) == (SECRET, "internal")
    assert settings["compute_endpoint_override"] == WAY_IN["endpoint_overrides-compute"]
    for page in (path, f"/clouds/{cloud.uuid}/", f"/clouds/{cloud.uuid}/change/", "/clouds/"):
        shown = keeper.get(page).content.decode()
        assert SECRET not in shown, page
        assert "operators" not in shown.replace("the operators", "").replace("operators declare", ""), page
    assert "with credentials stored on" in text(keeper.get(f"/clouds/{cloud.uuid}/"))
    event = Event.objects.get(verb="cloud.credentials_stored")
    assert (event.actor, SECRET in repr(event.__dict__)) == (f"user:{people.admin.uuid}", False)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"auth_url": "keystone"}, "auth_url"),
        ({"endpoint_overrides-compute": "ftp://x"}, "endpoint_overrides-compute"),
        ({"ca_certificate": "-----BEGIN"}, "ca_certificate"),
        ({"username": ""}, "username"),
        ({"password": ""}, "password"),
        ({"interface": "other"}, "interface"),
    ],
)
def test_wrong_credentials_come_back_without_the_password(
    cloud: Cloud, keeper: Client, wrong: dict[str, str], field: str
) -> None:
    page = keeper.post(
        f"/clouds/{cloud.uuid}/credentials/", {**WAY_IN, "version": str(cloud.version), **wrong}
    )
    html = page.content.decode()
    assert (page.status_code, f'id="{field}-error"' in html, SECRET in html) == (422, True, False)
    assert 'value="operators"' in html
    assert not CloudCredential.objects.exists()


def test_a_cloud_with_a_profile_takes_no_credentials(cloud: Cloud, keeper: Client) -> None:
    Cloud.objects.filter(pk=cloud.pk).update(profile="east")
    path = f"/clouds/{cloud.uuid}/credentials/"
    page = keeper.get(path)
    assert "is signed in to by its entry “east”" in text(page)
    assert 'type="password"' not in page.content.decode()
    assert keeper.post(path, {**WAY_IN, "version": str(cloud.version)}).status_code == 409
    assert not CloudCredential.objects.exists()


def test_things_of_the_catalogue_get_their_names_there(cloud: Cloud, keeper: Client) -> None:
    FlavorFactory(code="g-2c4g")
    StorageClassFactory(code="slow")
    path = f"/clouds/{cloud.uuid}/names/"
    typed = sent_back(keeper.get(path).content.decode())
    told = {"flavors-g-2c4g": "m1.small", "storage_classes-slow": "sata", "wiping-slow": "overwritten"}
    assert keeper.post(path, {**typed, **told}).status_code == 302
    declared = names.declared(cloud)
    assert declared["flavors"]["g-2c4g"] == "m1.small"
    assert (declared["storage_classes"]["slow"], declared["wiping"]["slow"]) == ("sata", "overwritten")
    assert 'value="m1.small"' in keeper.get(path).content.decode()
    cloud.refresh_from_db()
    again = {**sent_back(keeper.get(path).content.decode()), "flavors-g-2c4g": ""}
    assert keeper.post(path, again).status_code == 302
    assert "g-2c4g" not in names.declared(cloud)["flavors"]


def test_a_name_in_use_is_told_of_at_its_field(cloud: Cloud, keeper: Client) -> None:
    volume = VolumeFactory(resource__cloud=cloud)
    code = volume.storage_class.code
    CloudStorageClass.objects.get_or_create(
        cloud=cloud, storage_class=volume.storage_class, defaults={"cloud_name": "sata"}
    )
    path = f"/clouds/{cloud.uuid}/names/"
    field = f"storage_classes-{code}"
    page = keeper.post(path, {**sent_back(keeper.get(path).content.decode()), field: ""})
    html = page.content.decode()
    assert (page.status_code, re.findall(r'id="([\w-]+)-error"', html)) == (409, [field])
    assert f"so they cannot be taken away: {code}." in text(page)


def test_who_keeps_no_clouds_gets_no_form(cloud: Cloud, people: scenes.Cast, signed_in: Signed) -> None:
    browser = signed_in(people.applicant)
    assert "/clouds/new/" not in browser.get("/clouds/").content.decode()
    assert "How it is set up" not in text(browser.get(f"/clouds/{cloud.uuid}/"))
    page = f"/clouds/{cloud.uuid}"
    for path in ("/clouds/new/", f"{page}/change/", f"{page}/credentials/", f"{page}/names/"):
        assert browser.get(path).status_code == 403, path
        assert browser.post(path, {**NEW, **WAY_IN}).status_code == 403, path
    assert not Cloud.objects.filter(code="west").exists()


def test_how_a_class_without_a_name_is_wiped_is_refused_at_its_field(keeper: Client, cloud: Cloud) -> None:
    StorageClassFactory(code="cold")
    path = f"/clouds/{cloud.uuid}/names/"
    sent = sent_back(keeper.get(path).content.decode()) | {"wiping-cold": "overwritten", "do": "keep"}
    refused = keeper.post(path, sent)
    assert (refused.status_code, 'href="#wiping-cold"' in refused.content.decode()) == (422, True)
    assert "This cloud has no name for the storage class “cold”." in text(refused)
