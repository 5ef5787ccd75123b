"""One settings file, read from the environment.

With ``DATABASE_URL`` unset the *embedded profile* applies: PostgreSQL from a wheel, a broker made of files and the
sandbox cloud, all below ``GOVCLOUD_VAR``. With it set the *production profile* applies, which refuses what only a
demonstration may have (a clock that can be moved, a generated secret key). ``README.md`` has the table of settings.
"""

import contextlib
import os
import secrets
import shlex
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from govcloud import logs
from govcloud.embedded import broker

BASE_DIR = Path(__file__).resolve().parent.parent
env = os.environ.get


def flag(name: str, *, default: bool = False) -> bool:
    value = env(name)
    return default if value is None else value.strip().lower() in {"1", "true", "yes", "on"}


def listed(name: str, default: str = "") -> list[str]:
    return [part.strip() for part in env(name, default).split(",") if part.strip()]


EMBEDDED = not env("DATABASE_URL")
VAR_DIR = Path(env("GOVCLOUD_VAR", str(BASE_DIR / "var"))).resolve()
DEBUG = flag("GOVCLOUD_DEBUG")


def made_once(name: str, filename: str) -> str:
    """A secret that nobody configured: in the embedded profile made at the first start and kept for the owner alone."""
    if not EMBEDDED:
        raise ImproperlyConfigured(f"{name} must be set in the production profile.")
    path = VAR_DIR / filename
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{filename}.{os.getpid()}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(64))
        with contextlib.suppress(FileExistsError):  # another process of the same start was quicker
            path.hardlink_to(draft)
        draft.unlink()
    return path.read_text()


SECRET_KEY = env("SECRET_KEY") or made_once("SECRET_KEY", "secret_key")

# What clouds' credentials are encrypted with, newest first: the first encrypts, all decrypt.
CREDENTIAL_KEYS = listed("CREDENTIAL_KEYS") or [made_once("CREDENTIAL_KEYS", "credential_key")]
CREDENTIAL_CIPHER = env("CREDENTIAL_CIPHER", "sm4-gcm")  # or aes-256-gcm; stored with what it encrypted
if any(len(key) < 32 for key in CREDENTIAL_KEYS):
    raise ImproperlyConfigured("CREDENTIAL_KEYS: each key has at least 32 characters.")

ALLOWED_HOSTS = listed("ALLOWED_HOSTS", "127.0.0.1,localhost,[::1]" if EMBEDDED else "")
CSRF_TRUSTED_ORIGINS = listed("CSRF_TRUSTED_ORIGINS")
CSRF_FAILURE_VIEW = "govcloud.portal.resuming.csrf_failure"

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "rest_framework",
    "knox",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "govcloud.calendars",
    "govcloud.audit",
    "tenants",
    "tenants.access",
    "govcloud.catalog",
    "govcloud.clouds",
    "govcloud.notifications",
    "govcloud.inventory",
    "govcloud.quotas",
    "govcloud.approvals",
    "govcloud.supervision",
    "govcloud.metering",
    "govcloud.chargeback",
    "govcloud.provisioning",
    "govcloud.protection",
    "govcloud.reconciliation",
    "govcloud.orders",
    "govcloud.leases",
    "govcloud.takeover",
    "govcloud.documents",
    "govcloud.organisation",
    "api",
    "govcloud.portal",
    "allauth",  # after the portal, whose templates come before its own
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "govcloud.demo",
    "govcloud.embedded",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "govcloud.portal.middleware.ContentSecurityPolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "govcloud.portal.middleware.DefaultLanguageMiddleware",
    "govcloud.portal.middleware.PageOfDeedMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "govcloud.portal.middleware.IdleSignOutMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "govcloud.portal.account.gate.FirstThingsFirstMiddleware",
    "govcloud.portal.middleware.RefusalMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "api.middleware.RequestIdMiddleware",
    "api.middleware.ContentSecurityPolicyMiddleware",
    "api.refused_writes.RefusedWritesMiddleware",
]
ROOT_URLCONF = "govcloud.urls"
WSGI_APPLICATION = "govcloud.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
            "builtins": ["govcloud.portal.templatetags.forms"],
        },
    },
]

GIVE_UP_ON_DATABASE = {"connect_timeout": "5", "tcp_user_timeout": "15000", "keepalives_idle": "30"}
"""libpq's: a database host that vanished without a word would else be waited for as long as TCP does, a quarter of an hour."""


def database(url: str | None) -> dict[str, object]:
    """Django's connection settings from ``postgresql://user:password@host:port/name?option=value``."""
    common: dict[str, object] = {
        "ENGINE": "django.db.backends.postgresql",
        "CONN_MAX_AGE": int(env("DATABASE_CONN_MAX_AGE", "60")),
        "CONN_HEALTH_CHECKS": True,
    }
    if not url:
        # The socket is in a short path of its own: a socket's address holds 107 characters at most.
        from govcloud.embedded.postgres import socket_directory  # noqa: PLC0415

        return {**common, "NAME": "govcloud", "USER": "govcloud", "HOST": str(socket_directory(VAR_DIR))}
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"}:
        raise ImproperlyConfigured("DATABASE_URL must start with postgresql://")
    return {
        **common,
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or ""),
        "OPTIONS": {**GIVE_UP_ON_DATABASE, **dict(parse_qsl(parts.query))},
    }


DATABASES = {"default": {**database(env("DATABASE_URL")), "TEST": {"NAME": env("TEST_DATABASE")}}}
WEB_STATEMENT_SECONDS = int(
    env("WEB_STATEMENT_SECONDS", "60" if DATABASES["default"]["CONN_MAX_AGE"] else "0")
)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "tenants.User"
AUTH_PASSWORD_VALIDATORS = [  # what GB/T 22239 level 3 asks of a password; ages are in tenants.access.passwords
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "tenants.access.passwords.Kinds", "OPTIONS": {"least": 3}},
    {"NAME": "tenants.access.passwords.NotOneOfTheLast"},
]
PASSWORD_HISTORY = int(env("PASSWORD_HISTORY", "5"))  # how many former passwords do not come back
PASSWORD_MAX_AGE_DAYS = int(env("PASSWORD_MAX_AGE_DAYS", "0" if EMBEDDED else "90"))  # 0: for ever

# Approvers and administrators have a second factor. Only a demonstration may leave it to them.
SECOND_FACTOR = env("SECOND_FACTOR", "offered" if EMBEDDED else "required")
if SECOND_FACTOR not in {"offered", "required"}:
    raise ImproperlyConfigured("SECOND_FACTOR is “required” or “offered”.")
if SECOND_FACTOR != "required" and not EMBEDDED:
    raise ImproperlyConfigured("SECOND_FACTOR: the production profile requires it.")

ACCOUNT_ADAPTER = "govcloud.portal.account.entrance.Entrance"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*"]  # nobody signs up; the entrance says so
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_RATE_LIMITS = False  # tenants.lockout and tenants.access.attempts rule every way in
MFA_ADAPTER = "govcloud.portal.account.authenticators.Authenticators"
MFA_FORMS = {"authenticate": "govcloud.portal.account.forms.CodeForm"}
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_TOLERANCE = 1  # steps of half a minute by which a telephone's clock may be off
SOCIALACCOUNT_ADAPTER = "govcloud.portal.account.single_sign_on.SingleSignOn"
SOCIALACCOUNT_LOGIN_ON_GET = True  # a form may not lead to another host, by the pages' own policy
SOCIALACCOUNT_STORE_TOKENS = False
OIDC_NAME = env("OIDC_NAME", "")
OIDC_USERNAME_CLAIM = env("OIDC_USERNAME_CLAIM", "preferred_username")
SOCIALACCOUNT_PROVIDERS = {
    "openid_connect": {
        "OAUTH_PKCE_ENABLED": True,
        "APPS": [
            {
                "provider_id": "sso",
                "name": OIDC_NAME,
                "client_id": env("OIDC_CLIENT_ID", ""),
                "secret": env("OIDC_CLIENT_SECRET", ""),
                "settings": {"server_url": env("OIDC_SERVER_URL", "")},
            }
        ]
        if env("OIDC_SERVER_URL")
        else [],
    }
}
LOGIN_URL = "portal:sign-in"
LOGIN_REDIRECT_URL = "portal:orders"
LOGOUT_REDIRECT_URL = "portal:sign-in"
SESSION_COOKIE_AGE = 15 * 60  # idle seconds, of tokens too: GB/T 22239 level 3 asks for an idle time-out
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not EMBEDDED and not flag("GOVCLOUD_PLAIN_HTTP")
SESSION_COOKIE_SAMESITE = "Lax"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if flag("BEHIND_TLS_PROXY"):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 31_536_000

LANGUAGE_CODE = "zh-hans"
LANGUAGES = [("zh-hans", "简体中文"), ("en", "English")]
LOCALE_PATHS = [BASE_DIR / "govcloud" / "locale"]
TIME_ZONE = env("TIME_ZONE", "Asia/Shanghai")

STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
WHITENOISE_USE_FINDERS = EMBEDDED
if EMBEDDED:
    STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # whitenoise warns of a directory that is not there

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "api.authentication.TokenAuthentication",
        "api.authentication.PortalSession",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_PAGINATION_CLASS": "api.pagination.Pages",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "api.schema.Schema",
    "EXCEPTION_HANDLER": "api.problems.handle",
    "COERCE_DECIMAL_TO_STRING": True,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "NUM_PROXIES": int(flag("BEHIND_TLS_PROXY")),  # whose X-Forwarded-For is believed: nobody's, or its own
}
REST_KNOX = {
    "TOKEN_TTL": timedelta(days=int(env("API_TOKEN_DAYS", "90"))),
    "AUTH_HEADER_PREFIX": "Bearer",
    "TOKEN_LIMIT_PER_USER": 20,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "govcloud",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "ENUM_NAME_OVERRIDES": {  # names in the schema for choices that share a field name ("kind", "status")
        "ItemKind": "govcloud.catalog.models.Kind",
        "ItemAction": "govcloud.orders.models.Action",
        "VolumeKind": ["volume"],
        "CreateAction": ["create"],
        "ChangeAction": ["change"],
        "RenewAction": ["renew"],
        "ReleaseAction": ["release"],
        "QuotaKind": ["quota"],
        "ServerKind": ["server"],
        "ContainerKind": ["container"],
        "ResourceKind": "govcloud.inventory.models.ResourceKind",
        "ResourceStatus": "govcloud.inventory.lifecycle.Status",
        "OperationKind": "govcloud.provisioning.models.OperationKind",
        "OperationStatus": "govcloud.provisioning.lifecycle.OperationStatus",
        "OrderStatus": "govcloud.orders.lifecycle.Status",
        "CaseKind": "govcloud.approvals.models.CaseKind",
        "CaseStatus": "govcloud.approvals.lifecycle.Status",
        "StageStatus": "govcloud.approvals.lifecycle.StageStatus",
        "MatterQuota": "govcloud.approvals.models.Quota",
        "StepState": "govcloud.provisioning.lifecycle.StepState",
        "CloudStatus": "govcloud.catalog.lifecycle.CloudStatus",
        "CloudHealthState": "govcloud.clouds.models.HealthState",
        "StatementStatus": "govcloud.chargeback.lifecycle.Status",
        "SweepStatus": "govcloud.reconciliation.lifecycle.SweepStatus",
        "FindingKind": "govcloud.reconciliation.vocabulary.FindingKind",
        "Remedy": "govcloud.reconciliation.vocabulary.Remedy",
        "FindingStatus": "govcloud.reconciliation.lifecycle.FindingStatus",
        "DayKind": "govcloud.calendars.models.DayKind",
        "NoticeKind": "govcloud.notifications.kinds.Kind",
        "WebhookKind": "govcloud.notifications.kinds.SENT_OUTSIDE.items",
        "LeaseNoticeKind": "govcloud.leases.models.NoticeKind",
        "WebhookStatus": "govcloud.notifications.lifecycle.WebhookStatus",
        "WebhookDeliveryState": "govcloud.notifications.lifecycle.DeliveryState",
        "NetworkZone": "tenants.models.NetworkZone",
        "Role": "tenants.models.Role",
        "Permission": "tenants.access.permissions.Permission",
        "TokenKind": "tenants.access.models.TokenKind",
        "TokenScope": "tenants.access.models.TokenScope",
        "RoleRequestStatus": "tenants.access.models.RequestStatus",
    },
}

CELERY_BROKER_URL = env("BROKER_URL") or "filesystem://"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_TIMER_PRECISION = 0.1  # seconds by which a bell rung for a moment may be late
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 20.0
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_SOFT_TIME_LIMIT = 1_500
CELERY_TASK_TIME_LIMIT = 1_560
if CELERY_BROKER_URL.startswith("filesystem:"):
    CELERY_BROKER_TRANSPORT_OPTIONS = broker.options(VAR_DIR)
else:
    # By a direct exchange workers hold what is not due, in the place of what is: docs/decisions/0014
    CELERY_TASK_DEFAULT_QUEUE, CELERY_TASK_DEFAULT_EXCHANGE_TYPE = "govcloud", "topic"
    CELERY_TASK_DEFAULT_QUEUE_TYPE = env("BROKER_QUEUE_TYPE", "quorum")
    CELERY_BROKER_NATIVE_DELAYED_DELIVERY_QUEUE_TYPE = "classic"  # what is lost with it is rung again
    CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0}  # and so is what is not taken
CLOUD_HEALTH = timedelta(seconds=float(env("CLOUD_HEALTH_SECONDS", "60")))  # between two looks at a cloud
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR_DIR / "beat-schedule")
SWEEP = timedelta(seconds=float(env("SWEEP_SECONDS", "2")))
SEALING = float(env("AUDIT_SEAL_SECONDS", "10" if EMBEDDED else "60"))
CELERY_BEAT_SCHEDULE = {
    "sweep-provisioning": {"task": "provisioning.sweep", "schedule": SWEEP},
    "replace-centre-keys": {"task": "provisioning.replace_centre_keys", "schedule": timedelta(seconds=10)},
    "forget-provisioning": {"task": "provisioning.forget", "schedule": timedelta(hours=1)},
    "sweep-protection": {"task": "protection.sweep", "schedule": float(env("BACKUP_SWEEP_SECONDS", "30"))},
    "look-at-clouds": {"task": "clouds.look", "schedule": min(5.0, CLOUD_HEALTH.total_seconds())},
    "place-what-waits": {"task": "orders.place_waiting", "schedule": float(env("PLACEMENT_SECONDS", "10"))},
    "sweep-attachments": {"task": "orders.sweep_attachments", "schedule": timedelta(hours=1)},
    "sweep-leases": {"task": "leases.sweep", "schedule": float(env("LEASE_SWEEP_SECONDS", "60"))},
    "sweep-quotas": {"task": "quotas.sweep", "schedule": float(env("QUOTA_SWEEP_SECONDS", "60"))},
    "sweep-notices": {"task": "notifications.sweep", "schedule": float(env("NOTICE_SWEEP_SECONDS", "10"))},
    "forget-notices": {"task": "notifications.forget", "schedule": timedelta(hours=1)},
    "sweep-supervision": {
        "task": "supervision.sweep",
        "schedule": float(env("SUPERVISION_SWEEP_SECONDS", "60")),
    },
    "sweep-organisation": {"task": "organisation.sweep", "schedule": timedelta(minutes=10)},
    "sweep-takeovers": {"task": "takeover.sweep", "schedule": timedelta(seconds=30)},
    "reconcile": {"task": "reconciliation.sweep", "schedule": float(env("RECONCILE_SECONDS", "600"))},
    "export-audit": {"task": "audit.export", "schedule": timedelta(minutes=10)},
    "seal-audit": {"task": "audit.seal", "schedule": SEALING},
}

# The cloud: names of clouds are those of clouds.yaml, found as openstacksdk finds it.
if EMBEDDED and not env("OS_CLIENT_CONFIG_FILE") and not env("OS_CLOUD"):
    os.environ["OS_CLIENT_CONFIG_FILE"] = str(VAR_DIR / "sandbox" / "clouds.yaml")
CLOUD_API_TIMEOUT = float(env("CLOUD_API_TIMEOUT", "30"))  # seconds a single call may take
# Longer than the API time-out, renewed by long work
STEP_LEASE = timedelta(seconds=float(env("STEP_LEASE_SECONDS", "90")))
# How late a call with unknown outcome may still land
STEP_SETTLE = timedelta(seconds=float(env("STEP_SETTLE_SECONDS", "60")))
STEP_ATTEMPTS = int(env("STEP_ATTEMPTS", "8"))
STEP_POLL = timedelta(seconds=float(env("STEP_POLL_SECONDS", "1")))
CLOUD_CALLS_KEPT = timedelta(days=int(env("CLOUD_CALLS_DAYS", "90")))
# Between them passes read only what has changed, where the cloud can tell
RECONCILE_FULL_EVERY = timedelta(hours=float(env("RECONCILE_FULL_HOURS", "6")))
LEASE_NOTICE_DAYS = [int(days) for days in listed("LEASE_NOTICE_DAYS", "30,7,1")]  # before the end
LEASE_GRACE = timedelta(days=float(env("LEASE_GRACE_DAYS", "30")))  # from the end to taking back
LEASE_RECLAIM_NOTICE_DAYS = [int(days) for days in listed("LEASE_RECLAIM_NOTICE_DAYS", "7,1")]
LEASE_POSTPONEMENT = timedelta(days=float(env("LEASE_POSTPONE_DAYS", "90")))  # from the day of asking
LEASE_RETRY = timedelta(seconds=float(env("LEASE_RETRY_SECONDS", "600")))  # of what stood in the way
QUOTA_THRESHOLDS = [int(share) for share in listed("QUOTA_THRESHOLDS", "80,95")]  # per cent of a limit
QUOTA_RAISE_NOTICE_WORKING_DAYS = max(1, int(env("QUOTA_RAISE_NOTICE_WORKING_DAYS", "5")))
REVIEW_NOTICE_WORKING_DAYS = max(1, int(env("REVIEW_NOTICE_WORKING_DAYS", "5")))  # before the deadline
REVIEW_EVERY_DAYS = max(0, int(env("REVIEW_EVERY_DAYS", "180")))  # 0: nobody is reminded of the next one
PLAYBOOK_DIR = BASE_DIR / "playbooks"
PLAYBOOK_TIMEOUT = float(env("PLAYBOOK_TIMEOUT_SECONDS", "900"))
# Fewer than worker processes, so that clouds are never left waiting
PLAYBOOKS_AT_ONCE = int(env("PLAYBOOKS_AT_ONCE", "3"))
RUN_DIR = VAR_DIR / "runs"
# Private key for guests, made at the first start
GUEST_KEY_FILE = Path(env("GUEST_KEY_FILE", str(VAR_DIR / "guest_key")))

ATTACHMENT_DIR = Path(env("ATTACHMENT_DIR", str(VAR_DIR / "attachments")))  # what orders are founded on
ATTACHMENTS_MB = int(env("ATTACHMENTS_MB", "50"))  # of one order, together
DISCARDED_FILES_KEPT = timedelta(days=float(env("DISCARDED_FILES_DAYS", "30")))  # of drafts thrown away
# Called with a file's path; its status says clean (0) or infected (1)
ATTACHMENT_SCANNER = shlex.split(env("ATTACHMENT_SCANNER", ""))

# Mail goes to a server of this machine unless told otherwise; the embedded profile writes it below var/mail instead.
EMAIL_HOST = env("SMTP_HOST", "localhost")
EMAIL_PORT = int(env("SMTP_PORT", "25"))
EMAIL_HOST_USER = env("SMTP_USER", "")
EMAIL_HOST_PASSWORD = env("SMTP_PASSWORD", "")
EMAIL_USE_TLS = flag("SMTP_STARTTLS")
EMAIL_TIMEOUT = float(env("SMTP_TIMEOUT", "20"))  # seconds for each step of the talk
DEFAULT_FROM_EMAIL = env("MAIL_FROM", "govcloud@localhost")
if EMBEDDED and not env("SMTP_HOST"):
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = VAR_DIR / "mail"
MAIL_DOMAINS = [each.lower() for each in listed("MAIL_DOMAINS")]  # of people's addresses; empty: all
PORTAL_URL = env("PORTAL_URL", "http://127.0.0.1:8000").rstrip("/")  # what links in mail begin with
NOTICES_GIVEN_UP_AFTER = timedelta(hours=float(env("NOTICES_GIVEN_UP_HOURS", "72")))
# CIDRs; empty: every public address and no other
WEBHOOK_NETWORKS = [ip_network(each) for each in listed("WEBHOOK_NETWORKS")]
WEBHOOK_PLAIN_HTTP = flag("WEBHOOK_PLAIN_HTTP")
WEBHOOK_TIMEOUT = float(env("WEBHOOK_TIMEOUT_SECONDS", "10"))
WEBHOOK_LOG_KEPT = timedelta(days=int(env("WEBHOOK_LOG_DAYS", "90")))
# Working days after a limit until leaders hear of it
SUPERVISION_LEADER_DAYS = int(env("SUPERVISION_LEADER_DAYS", "2"))
METRICS_TOKEN = env("METRICS_TOKEN", "")  # what a scrape of /metrics must bring; empty: only this machine may

AUDIT_HASH = env("AUDIT_HASH", "sm3")  # sm3 or sha256; stored with every seal
# Where the sealed trail is taken once a day: a directory of another machine, or sftp://user@host:port/directory
AUDIT_EXPORT_TO = env("AUDIT_EXPORT_TO", str(VAR_DIR / "audit-exports") if EMBEDDED else "")
AUDIT_EXPORT_KEY_FILE = env("AUDIT_EXPORT_KEY_FILE", "")  # private key for SFTP
AUDIT_EXPORT_KNOWN_HOSTS = env("AUDIT_EXPORT_KNOWN_HOSTS", "")  # file of the host keys that SFTP trusts
AUDIT_EXPORT_EVERY = timedelta(hours=float(env("AUDIT_EXPORT_HOURS", "24")))

# The demo clock moves the time that services are given. Only a demonstration may have one.
DEMO_CLOCK_FILE = VAR_DIR / "clock" if EMBEDDED else None
if env("GOVCLOUD_DEMO_CLOCK") and not EMBEDDED:
    raise ImproperlyConfigured("GOVCLOUD_DEMO_CLOCK: the production profile has no clock that can be moved.")

LOGGING = logs.configured(level=env("LOG_LEVEL", "INFO"))
