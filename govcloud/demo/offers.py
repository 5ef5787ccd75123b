"""The demo's catalogue: meters with the prices of 2026, flavors, storage classes, DR tiers, images, the ten services."""

from datetime import datetime
from decimal import Decimal

from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.utils.timezone import get_default_timezone

from govcloud.catalog.models import (
    Delivery,
    DRTier,
    Flavor,
    Image,
    Keeps,
    Kind,
    Line,
    Meter,
    Offering,
    Service,
    StorageClass,
)
from govcloud.chargeback.models import Price, Tariff
from govcloud.demo.loading import ensure

METERS = (
    # code, name, English name, unit, yuan a month
    ("vcpu", "虚拟处理器", "Virtual CPU", "vCPU", "46"),
    ("memory_gb", "内存", "Memory", "GB", "17"),
    ("block_capacity_gb", "块存储（容量型）", "Block storage, capacity", "GB", "0.3"),
    ("block_sas_gb", "块存储（SAS）", "Block storage, SAS", "GB", "0.4"),
    ("block_ssd_gb", "块存储（SSD）", "Block storage, SSD", "GB", "0.7"),
    ("object_gb", "对象存储", "Object storage", "GB", "0.09"),
    ("bandwidth_mbps", "互联网出口带宽", "Internet egress bandwidth", "Mbps", "20"),
    ("floating_address", "浮动地址", "Floating address", "address", "10"),
    ("backup_local_gb", "本地备份", "Local backup", "GB", "0.20"),
    ("backup_off_site_gb", "异地备份", "Off-site backup", "GB", "0.30"),
)
SIZES = ((2, 4), (2, 8), (4, 8), (4, 16), (8, 16), (8, 32), (16, 32), (16, 64), (32, 64), (32, 128))
"""vCPU and memory in GB of the flavors of each line."""

LINES = ((Line.GENERAL, "g", "通用", "general"), (Line.DOMESTIC, "x", "信创", "domestic"))
STORAGE_CLASSES = (
    ("capacity", "容量型", "Capacity", "block_capacity_gb", 32_000),
    ("sas", "SAS", "SAS", "block_sas_gb", 16_000),
    ("ssd", "SSD", "SSD", "block_ssd_gb", 8_000),
)
OBJECT_CLASSES = (("object", "对象存储", "Object storage", "object_gb", 100_000),)
DAY = 24 * 60
TIERS = (
    # level, name, English name, RTO and RPO in minutes: the upper bounds of the 2007 edition, provable by backups
    (1, "第1级 基本支持", "Level 1, basic", 2 * DAY, 7 * DAY, True),
    (2, "第2级 备用场地支持", "Level 2, standby site", DAY, 7 * DAY, True),
    (3, "第3级 电子传输和部分设备支持", "Level 3, electronic transfer", 12 * 60, DAY, True),
    (4, "第4级 电子传输及完整设备支持", "Level 4, full equipment", 2 * DAY, DAY, True),
    (5, "第5级 实时数据传输及完整设备支持", "Level 5, real-time transfer", 2 * DAY, 30, False),
    (6, "第6级 数据零丢失和远程集群支持", "Level 6, zero loss", 10, 0, False),
)
OFFERINGS = (
    # code, name, English name, service, kind, unit, meter, most per item
    ("server", "云服务器", "Cloud server", Service.COMPUTING, Kind.SERVER, "server", None, 50),
    ("volume", "存储卷", "Storage volume", Service.STORAGE_DR, Kind.VOLUME, "volume", None, 50),
    ("container", "对象存储", "Object storage", Service.STORAGE_DR, Kind.CONTAINER, "container", None, 1),
    ("backup", "灾备空间", "Disaster-recovery backup", Service.STORAGE_DR, Kind.BACKUP, "GB", None, 1),
    ("network", "系统专用网络", "Network of a system", Service.TRANSPORT, Kind.NETWORK, "network", None, 1),
    ("quota", "配额", "Quota", Service.COMPUTING, Kind.QUOTA, "limit", None, 1),
    ("address", "IP地址", "IP addresses", Service.ADDRESS_DNS, Kind.WORK_ORDER, "address", None, 256),
    ("domain-name", "域名", "Domain name", Service.ADDRESS_DNS, Kind.WORK_ORDER, "name", None, 20),
    ("vpn", "虚拟专网", "Virtual private network", Service.VPN, Kind.WORK_ORDER, "tunnel", None, 20),
    ("egress", "互联网出口", "Internet egress", Service.EGRESS, Kind.WORK_ORDER, "Mbps", "bandwidth_mbps", 2_000),
    ("transport", "网络传输", "Network transport", Service.TRANSPORT, Kind.WORK_ORDER, "line", None, 20),
    ("mobile-access", "移动接入", "Mobile access", Service.MOBILE_ACCESS, Kind.WORK_ORDER, "account", None, 500),
    ("mailbox", "安全邮箱", "Secure mailbox", Service.MAILBOX, Kind.WORK_ORDER, "mailbox", None, 500),
    ("certificate", "数字证书", "Digital certificate", Service.CERTIFICATE, Kind.WORK_ORDER, "certificate", None, 500),
    ("colocation", "服务器托管", "Server colocation", Service.COLOCATION, Kind.WORK_ORDER, "rack", None, 50),
)  # fmt: skip


def load() -> None:
    """Everything that can be ordered, and what it costs from 2026 on."""
    meters = ensure(
        Meter,
        (
            Meter(code=code, name=name, name_en=name_en, unit=unit)
            for code, name, name_en, unit, _price in METERS
        ),
        by="code",
    )
    _load_tariff(meters)
    ensure(Flavor, _flavors(), by="code")
    ensure(StorageClass, _storage_classes(meters), by="code")
    ensure(
        Image,
        [Image(code="debian-12", name="Debian 12", name_en="Debian 12", os="debian", min_disk_gb=20)],
        by="code",
    )
    ensure(Offering, _offerings(meters), by="code")
    DRTier.objects.bulk_create(_tiers(meters), ignore_conflicts=True)


def _load_tariff(meters: dict[str, Meter]) -> None:
    """Unless a price book is in force already, whoever made it."""
    if Tariff.objects.exists():
        return
    start = datetime(2026, 1, 1, tzinfo=get_default_timezone())
    tariff = Tariff.objects.create(
        code="2026", name="2026年价目表", name_en="Price book 2026", in_force=DateTimeTZRange(start, None)
    )
    Price.objects.bulk_create(
        Price(tariff=tariff, meter=meters[code], per_month=Decimal(price))
        for code, _name, _name_en, _unit, price in METERS
    )


def _flavors() -> list[Flavor]:
    return [
        Flavor(
            code=f"{prefix}.{vcpus}c{memory}g",
            name=f"{name} {vcpus}核{memory}G",
            name_en=f"{vcpus} vCPU, {memory} GB, {name_en}",
            line=line,
            vcpus=vcpus,
            memory_gb=memory,
        )
        for line, prefix, name, name_en in LINES
        for vcpus, memory in SIZES
    ]


def _storage_classes(meters: dict[str, Meter]) -> list[StorageClass]:
    return [
        StorageClass(code=code, name=name, name_en=name_en, meter=meters[meter], max_gb=largest, keeps=keeps)
        for keeps, classes in ((Keeps.BLOCK, STORAGE_CLASSES), (Keeps.OBJECT, OBJECT_CLASSES))
        for code, name, name_en, meter, largest in classes
    ]


def _tiers(meters: dict[str, Meter]) -> list[DRTier]:
    return [
        DRTier(
            level=level,
            edition="2007",
            name=name,
            name_en=name_en,
            rto_minutes=rto,
            rpo_minutes=rpo,
            off_site=True,
            provable_by_backup=provable,
            meter_local=meters["backup_local_gb"],
            meter_off_site=meters["backup_off_site_gb"],
            max_gb=500_000,
        )
        for level, name, name_en, rto, rpo, provable in TIERS
    ]


def _offerings(meters: dict[str, Meter]) -> list[Offering]:
    return [
        Offering(
            code=code,
            name=name,
            name_en=name_en,
            service=service,
            kind=kind,
            delivery=Delivery.WORK_ORDER if kind == Kind.WORK_ORDER else Delivery.AUTOMATIC,
            unit=unit,
            meter=meters[meter] if meter else None,
            max_quantity=most,
        )
        for code, name, name_en, service, kind, unit, meter, most in OFFERINGS
    ]
