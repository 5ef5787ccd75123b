"""Divisions, invented departments on three levels of them, and their application systems."""

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime

from stdnum.cn import uscc

from govcloud.demo.loading import ensure, next_keys
from govcloud.quotas.models import Dimension, QuotaAccount
from tenants.models import (
    Connection,
    DataClass,
    Department,
    Division,
    NetworkZone,
    ServiceScope,
    System,
    SystemOwner,
)
from tenants.owners import Owner, sealed_row

REGION = ("450000", "广西壮族自治区", "Guangxi Zhuang Autonomous Region")
CITIES = (
    ("450100", "南宁市", "Nanning"),
    ("450200", "柳州市", "Liuzhou"),
    ("450300", "桂林市", "Guilin"),
    ("450400", "梧州市", "Wuzhou"),
    ("450500", "北海市", "Beihai"),
    ("450600", "防城港市", "Fangchenggang"),
    ("450700", "钦州市", "Qinzhou"),
    ("450800", "贵港市", "Guigang"),
    ("450900", "玉林市", "Yulin"),
    ("451000", "百色市", "Baise"),
    ("451100", "贺州市", "Hezhou"),
    ("451200", "河池市", "Hechi"),
    ("451300", "来宾市", "Laibin"),
    ("451400", "崇左市", "Chongzuo"),
)
COUNTIES = (
    ("450123", "隆安县", "Long'an"),
    ("450222", "柳城县", "Liucheng"),
    ("450321", "阳朔县", "Yangshuo"),
    ("450521", "合浦县", "Hepu"),
    ("451022", "田东县", "Tiandong"),
    ("450621", "上思县", "Shangsi"),
)
FIELDS = (
    # what an invented department is for
    ("统筹发展", "Development Coordination"),
    ("公共服务标准", "Public Service Standards"),
    ("水土保育", "Soil and Water Stewardship"),
    ("山林生态", "Forest Ecology"),
    ("口岸协作", "Border Port Cooperation"),
    ("乡村建设促进", "Rural Construction"),
    ("公共文化资源", "Public Culture Resources"),
    ("安全监测", "Safety Monitoring"),
)
FUNCTIONS = (
    ("业务审批系统", "approval system"),
    ("数据共享平台", "data sharing platform"),
    ("信息公开网站", "public information site"),
    ("监督检查系统", "inspection system"),
    ("档案管理系统", "records system"),
    ("指挥调度平台", "dispatch platform"),
    ("统计分析系统", "statistics system"),
    ("便民服务平台", "citizen services"),
    ("项目管理系统", "project management"),
    ("移动办公平台", "mobile office"),
)
LIMITS = {
    # servers, vCPU, memory GB, storage GB, objects GB, backup GB, networks, floating addresses; by level of the department,
    # at least: a unit has twice what it has handed on
    0: (600, 4_800, 19_200, 600_000, 600_000, 600_000, 300, 300),
    1: (300, 2_400, 9_600, 300_000, 300_000, 300_000, 150, 150),
    2: (60, 480, 1_920, 60_000, 60_000, 60_000, 30, 30),
}
ORDERING = 8
"""Index of the department that the demo's applicant belongs to: a city's bureau, so that quota is held up a tree."""

STORY_SYSTEMS = 20
"""Level 3 systems of that department: each story takes one that nothing has been ordered for yet."""


@dataclass(frozen=True, slots=True)
class UnitPlan:
    """An invented department; ``parent`` is the index of the one above it."""

    name: str
    name_en: str
    division: str
    parent: int | None
    level: int


def units(*, big: bool = False) -> list[UnitPlan]:
    """Eight regional departments, seven city bureaus and five county offices; 126 units in the big mode."""
    region = [
        UnitPlan(f"自治区{zh}厅", f"Regional Department of {en}", REGION[0], None, 0) for zh, en in FIELDS
    ]
    cities = [_bureau(city, n % len(FIELDS)) for n, city in enumerate(CITIES[:7])]
    counties = [_office(county, n, len(region)) for n, county in enumerate(COUNTIES)]
    plans = region + cities + counties[:5]
    if big:
        bureaus = [_bureau(city, field) for field in range(len(FIELDS)) for city in CITIES]
        plans += [bureau for bureau in bureaus if bureau not in cities] + counties[5:]
    return plans


def _bureau(city: tuple[str, str, str], field: int) -> UnitPlan:
    zh, en = FIELDS[field]
    return UnitPlan(f"{city[1]}{zh}局", f"{city[2]} Bureau of {en}", city[0], field, 1)


def _office(county: tuple[str, str, str], field: int, bureaus_from: int) -> UnitPlan:
    zh, en = FIELDS[field]
    return UnitPlan(
        f"{county[1]}{zh}办公室", f"{county[2]} Office of {en}", county[0], bureaus_from + field, 2
    )


def load_divisions() -> dict[str, Division]:
    """By code; cities below the region, counties below the city whose code theirs begins with."""
    ensure(Division, [Division(code=REGION[0], name=REGION[1], name_en=REGION[2])], by="code")
    region = Division.objects.get(code=REGION[0])
    cities = ensure(
        Division, [Division(code=c, name=n, name_en=e, parent=region) for c, n, e in CITIES], by="code"
    )
    counties = [Division(code=c, name=n, name_en=e, parent=cities[f"{c[:4]}00"]) for c, n, e in COUNTIES]
    return {REGION[0]: region, **cities, **ensure(Division, counties, by="code")}


def load_departments(*, big: bool, at: datetime) -> list[Department]:
    """In the order of ``units``; those that are missing are made."""
    divisions = load_divisions()
    plans = units(big=big)
    codes = [credit_code(n, division=plan.division) for n, plan in enumerate(plans, 1)]
    found = {
        department.credit_code: department for department in Department.objects.filter(credit_code__in=codes)
    }
    keys = iter(next_keys(Department, len(plans) - len(found)))
    departments: list[Department] = []
    for plan, code in zip(plans, codes, strict=True):
        parent = departments[plan.parent] if plan.parent is not None else None
        departments.append(
            found.get(code)
            or _department(
                plan, code, division=divisions[plan.division], parent=parent, key=next(keys), at=at
            )
        )
    Department.objects.bulk_create(
        department for department in departments if department.credit_code not in found
    )
    _load_accounts(plans, departments)
    return departments


def _department(
    plan: UnitPlan, code: str, *, division: Division, parent: Department | None, key: int, at: datetime
) -> Department:
    return Department(
        pk=key,
        name=plan.name,
        name_en=plan.name_en,
        credit_code=code,
        division=division,
        parent=parent,
        path=f"{parent.path if parent else '/'}{key}/",
        connection=Connection.CONNECTED,
        created_at=at,
    )


def _load_accounts(plans: list[UnitPlan], departments: list[Department]) -> None:
    """An account that is open keeps its limit, whoever has changed it since."""
    below = Counter(plan.parent for plan in plans)
    dimensions = (
        Dimension.SERVERS,
        Dimension.VCPUS,
        Dimension.MEMORY_GB,
        Dimension.STORAGE_GB,
        Dimension.OBJECT_GB,
        Dimension.BACKUP_GB,
        Dimension.NETWORKS,
        Dimension.ADDRESSES,
    )
    QuotaAccount.objects.bulk_create(
        (
            QuotaAccount(department=department, dimension=dimension, limit=limit)
            for number, (plan, department) in enumerate(zip(plans, departments, strict=True))
            for dimension, limit in zip(dimensions, _limits(plan.level, below[number]), strict=True)
        ),
        ignore_conflicts=True,
    )


def _limits(level: int, below: int) -> list[int]:
    handed_on = LIMITS.get(level + 1, LIMITS[level])
    return [max(own, 2 * below * each) for own, each in zip(LIMITS[level], handed_on, strict=True)]


def credit_code(number: int, *, division: str) -> str:
    """The unified social credit code of the n-th invented department, right by both of its check characters.

    Check characters after GB 11714 (of the organisation) and GB 32100 (of the whole).
    """
    body = f"MB99{number:04d}"
    weights = (3, 7, 9, 10, 5, 8, 4, 2)
    weighted = sum(weight * int(character, 36) for weight, character in zip(weights, body, strict=True))
    stem = f"11{division}{body}{'0123456789X'[-weighted % 11]}"
    return f"{stem}{uscc.calc_check_digit(stem)}"


OWNER = Owner(name="示例负责人", phone="0771-5550100", email="owner@example.org")


def load_systems(departments: list[Department], *, at: datetime) -> dict[str, System]:
    """Sixty systems (123 for 126 units): the ordering department's are of level 3, the others' of every kind."""
    rows = [_level_3(departments[ORDERING], n, at) for n in range(STORY_SYSTEMS)]
    others = [department for n, department in enumerate(departments) if n != ORDERING]
    wanted = (60 if len(departments) <= 20 else 123) - len(rows)
    rows += [_ordinary(others[n % len(others)], n, len(others), at) for n in range(wanted)]
    systems = ensure(System, rows, by="code")
    owners = [sealed_row(each, OWNER) for each in systems.values()]
    SystemOwner.objects.bulk_create(owners, ignore_conflicts=True)
    return systems


def _level_3(department: Department, n: int, at: datetime) -> System:
    zh, en = FUNCTIONS[n % len(FUNCTIONS)]
    phase = n // len(FUNCTIONS) + 1
    return System(
        code=f"core-{n + 1:02d}",
        name=f"{FIELDS[0][0]}{zh}（{'一二三四五'[phase - 1]}期）",
        name_en=f"{FIELDS[0][1]} {en}, phase {phase}",
        department=department,
        mlps_level=3,
        filing_number=_filing_number(department, n),
        cryptography_assessed_on=date(2026, 3, 16),
        zone=NetworkZone.PRIVATE,
        dr_level=3,
        data_class=DataClass.SENSITIVE,
        service_scope=ServiceScope.CROSS_DEPARTMENT,
        created_at=at,
    )


KINDS = (
    (2, NetworkZone.PUBLIC, 2),
    (3, NetworkZone.PRIVATE, 3),
    (1, NetworkZone.PUBLIC, 1),
    (2, NetworkZone.INTERNET, 2),
)
"""MLPS level, zone and DR level of the other departments' systems, in turn."""


def _ordinary(department: Department, n: int, departments: int, at: datetime) -> System:
    """The n-th one, dealt out to so many departments in turn."""
    function, index = divmod(n, departments)
    level, zone, dr_level = KINDS[n % len(KINDS)]
    zh, en = FUNCTIONS[function % len(FUNCTIONS)]
    return System(
        code=f"unit-{index + 1:03d}-{function + 1}",
        name=f"{department.name}{zh}",
        name_en=f"{department.name_en}: {en}",
        department=department,
        mlps_level=level,
        filing_number=_filing_number(department, n + STORY_SYSTEMS) if level >= 2 else "",
        cryptography_assessed_on=date(2026, 3, 16) if level >= 3 else None,
        zone=zone,
        dr_level=dr_level,
        data_class=DataClass.PUBLIC if zone == NetworkZone.INTERNET else DataClass.INTERNAL,
        service_scope=ServiceScope.SOCIETY if zone == NetworkZone.INTERNET else ServiceScope.UNIT,
        created_at=at,
    )


def _filing_number(department: Department, n: int) -> str:
    return f"{department.division.code}-{99000 + n:05d}-26001"
