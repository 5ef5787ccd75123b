"""The columns of the sheets in which divisions, units and systems are exchanged. Headings are in both languages in every file."""

from dataclasses import dataclass
from enum import StrEnum

from django.db.models import TextChoices
from django.utils import translation

from tenants.models import Connection, DataClass, NetworkZone, ServiceScope

SEPARATOR = " / "


class Kind(StrEnum):
    TEXT = "text"
    WHOLE = "whole"  # a whole number
    DAY = "day"
    CREDIT_CODE = "credit_code"  # GB 32100


@dataclass(frozen=True, slots=True)
class Column:
    """``field`` is the name that rules point at, without its slash; what may be left out keeps what it is or its default."""

    field: str
    chinese: str
    english: str
    note_chinese: str = ""
    note_english: str = ""
    kind: Kind = Kind.TEXT
    choices: type[TextChoices] | None = None
    required: bool = False
    width: int = 18
    clears: bool = True  # whether an empty cell empties what is there
    personal: bool = False  # never shown in what an import tells of

    @property
    def heading(self) -> str:
        return f"{self.chinese}{SEPARATOR}{self.english}"

    def is_called(self, given: str) -> bool:
        """By the heading of either language, both, or the field's name; case and blanks do not matter."""
        names = {_folded(name) for name in (self.chinese, self.english, self.field, self.heading)}
        return _folded(given.removesuffix("*")) in names

    def word(self, value: str) -> str:
        """A choice as the files have it, in both languages."""
        assert self.choices is not None  # noqa: S101  only columns with choices have words
        chinese, english = _labels(self.choices, value)
        return f"{chinese}{SEPARATOR}{english}"

    def value_of(self, given: str) -> str | None:
        """The choice that is meant, by its code or its word in either language; None for none of them."""
        assert self.choices is not None  # noqa: S101
        for value in self.choices.values:
            names = {value, self.word(value), *_labels(self.choices, value)}
            if _folded(given) in {_folded(name) for name in names}:
                return str(value)
        return None


def _folded(text: str) -> str:
    return "".join(text.split()).casefold()


def _labels(choices: type[TextChoices], value: str) -> tuple[str, str]:
    labels = []
    for language in ("zh-hans", "en"):
        with translation.override(language):
            labels.append(str(choices(value).label))
    return labels[0], labels[1]


DIVISIONS: tuple[Column, ...] = (
    Column(
        "code", "行政区划代码", "Division", "GB/T 2260，6 位；以此识别行政区划，并由此得知上级区划",
        "GB/T 2260, six digits; divisions are known by it, and so is what they belong to", required=True,
    ),
    Column("name", "名称", "Name", required=True, width=32),
    Column("name_en", "英文名称", "Name in English", width=32),
)  # fmt: skip

UNITS: tuple[Column, ...] = (
    Column(
        "credit_code", "统一社会信用代码", "Unified social credit code", "GB 32100，18 位；以此识别单位",
        "GB 32100, 18 characters; units are known by it", kind=Kind.CREDIT_CODE, required=True,
        width=24,
    ),
    Column("name", "单位名称", "Name", required=True, width=32),
    Column("name_en", "英文名称", "Name in English", width=32),
    Column("division", "行政区划代码", "Division", "GB/T 2260，6 位；可为本文件中的行政区划", "GB/T 2260, six digits; may be one of this file", required=True),
    Column(
        "parent", "上级单位信用代码", "Credit code of the unit above", "为空则为顶级单位；可为本文件中的单位",
        "empty: at the top of the tree; may be a unit of this file", kind=Kind.CREDIT_CODE, width=24,
    ),
    Column(
        "connection", "接入状态", "Connection", "为空则不变，新单位为未接入", "empty: as it is; not connected for a new unit",
        choices=Connection, clears=False, width=26,
    ),
)  # fmt: skip

SYSTEMS: tuple[Column, ...] = (
    Column(
        "code", "系统代码", "Code", "小写字母、数字、连字符；以此识别系统", "lower-case letters, digits, hyphens; systems are known by it",
        required=True,
    ),
    Column("name", "系统名称", "Name", required=True, width=32),
    Column("name_en", "英文名称", "Name in English", width=32),
    Column("department", "所属单位信用代码", "Credit code of the department", kind=Kind.CREDIT_CODE, required=True, width=24),
    Column("mlps_level", "等保级别", "MLPS level", "GB/T 22240，1 至 3", "GB/T 22240, 1 to 3", kind=Kind.WHOLE, required=True),
    Column("filing_number", "备案号", "Filing number", "如 450100-00021-26003", "like 450100-00021-26003", width=22),
    Column("cryptography_assessed_on", "密评日期", "Cryptography assessed on", "年-月-日", "year-month-day", kind=Kind.DAY),
    Column(
        "zone", "网络区域", "Zone", "为空则不变，新系统为公用区", "empty: as it is; the public zone for a new system",
        choices=NetworkZone, clears=False, width=24,
    ),
    Column(
        "dr_level", "灾难恢复等级", "DR level", "GB/T 20988，1 至 6；为空则不变，新系统为 1",
        "GB/T 20988, 1 to 6; empty: as it is; 1 for a new system", kind=Kind.WHOLE, clears=False,
    ),
    Column("data_class", "数据级别", "Data class", choices=DataClass, width=24),
    Column("service_scope", "服务范围", "Scope of service", choices=ServiceScope, width=28),
    Column("authority", "主管部门信用代码", "Credit code of the competent authority", kind=Kind.CREDIT_CODE, width=24),
    Column("owner_name", "负责人", "Owner", personal=True),
    Column("owner_phone", "负责人电话", "Owner's telephone", personal=True),
    Column("owner_email", "负责人邮箱", "Owner's mail", personal=True, width=26),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SheetForm:
    chinese: str
    english: str
    columns: tuple[Column, ...]
    key: str  # the field by which a row is known

    @property
    def title(self) -> str:
        return f"{self.chinese} {self.english}"

    def is_called(self, title: str) -> bool:
        return _folded(title) in {_folded(name) for name in (self.chinese, self.english, self.title)}


DIVISION_SHEET = SheetForm("行政区划", "Divisions", DIVISIONS, "code")
UNIT_SHEET = SheetForm("单位", "Units", UNITS, "credit_code")
SYSTEM_SHEET = SheetForm("业务系统", "Systems", SYSTEMS, "code")
FORMS = (DIVISION_SHEET, UNIT_SHEET, SYSTEM_SHEET)
"""In the order in which they are taken in: rows name those of the sheets before."""
