"""Everything below ``/api/v1/``. Paths have no slash at the end; what a browser opens has one."""

from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework.routers import SimpleRouter

from api import problem_pages
from api.description import Description
from api.v1 import (
    absences,
    access_reviews,
    accounts,
    attachments,
    audit,
    audit_exports,
    audit_verification,
    calendar,
    candidates,
    cases,
    catalog,
    clouds,
    consoles,
    consultations,
    container_credentials,
    demo_clock,
    engine,
    findings,
    flows,
    leases,
    legal_holds,
    maintenances,
    me,
    month_closes,
    notifications,
    operations,
    order_documents,
    orders,
    people,
    project_limits,
    quota_foresight,
    quota_history,
    quotas,
    reach,
    recovery_points,
    resources,
    roles,
    snapshots,
    statements,
    supervision,
    sweeps,
    systems,
    takeovers,
    tariffs,
    tenants,
    tokens,
    unit_sheet,
    usage_segments,
    webhooks,
)

app_name = "api"

router = SimpleRouter(trailing_slash=False, use_regex_path=False)
router.register("tokens", tokens.Tokens, "tokens")
router.register("accounts", accounts.Accounts, "accounts")
router.register("second-factors", accounts.SecondFactors, "second-factors")
router.register("memberships", roles.Memberships, "memberships")
router.register("role-requests", roles.RoleRequests, "role-requests")
router.register("role-permissions", roles.RolePermissions, "role-permissions")
router.register("divisions", tenants.Divisions, "divisions")
router.register("departments", tenants.Departments, "departments")
router.register("systems", systems.Systems, "systems")
router.register("people", people.People, "people")
router.register("access-reviews", access_reviews.AccessReviews, "access-reviews")
router.register("access-review-lines", access_reviews.ReviewLines, "access-review-lines")
router.register("offerings", catalog.Offerings, "offerings")
router.register("flavors", catalog.Flavors, "flavors")
router.register("storage-classes", catalog.StorageClasses, "storage-classes")
router.register("images", catalog.Images, "images")
router.register("dr-tiers", catalog.DRTiers, "dr-tiers")
router.register("clouds", clouds.Clouds, "clouds")
router.register("maintenances", maintenances.Maintenances, "maintenances")
router.register("tariffs", tariffs.Tariffs, "tariffs")
router.register("quota-accounts", quotas.QuotaAccounts, "quota-accounts")
router.register("quota-changes", quota_history.LimitChanges, "quota-changes")
router.register("quota-raises", quota_history.TemporaryRaises, "quota-raises")
router.register("quota-crossings", quota_history.Crossings, "quota-crossings")
router.register("orders", orders.Orders, "orders")
router.register("attachments", attachments.Attachments, "attachments")
router.register("cases", cases.Cases, "cases")
router.register("consultations", consultations.Consultations, "consultations")
router.register("absences", absences.Absences, "absences")
router.register("flow-versions", flows.FlowVersions, "flow-versions")
router.register("operations", operations.Operations, "operations")
router.register("resources", resources.Resources, "resources")
router.register("sweeps", sweeps.Sweeps, "sweeps")
router.register("findings", findings.Findings, "findings")
router.register("expiries", leases.Expiries, "expiries")
router.register("lease-notices", leases.LeaseNotices, "lease-notices")
router.register("takeovers", takeovers.Takeovers, "takeovers")
router.register("takeover-candidates", candidates.Candidates, "takeover-candidates")
router.register("equivalents", candidates.Equivalents, "equivalents")
router.register("recovery-points", recovery_points.RecoveryPoints, "recovery-points")
router.register("legal-holds", legal_holds.LegalHolds, "legal-holds")
router.register("snapshots", snapshots.Snapshots, "snapshots")
router.register("security-rules", reach.SecurityRules, "security-rules")
router.register("floating-addresses", reach.FloatingAddresses, "floating-addresses")
router.register("container-credentials", container_credentials.ContainerCredentials, "container-credentials")
router.register("wipe-records", snapshots.WipeRecords, "wipe-records")
router.register("usage-segments", usage_segments.UsageSegments, "usage-segments")
router.register("month-closes", month_closes.MonthCloses, "month-closes")
router.register("statements", statements.Statements, "statements")
router.register("messages", notifications.Messages, "messages")
router.register("webhooks", webhooks.Webhooks, "webhooks")
router.register("webhook-deliveries", webhooks.WebhookDeliveries, "webhook-deliveries")
router.register("special-days", calendar.SpecialDays, "special-days")
router.register("supervision-cards", supervision.SupervisionCards, "supervision-cards")
router.register("audit-events", audit.AuditEvents, "audit-events")
router.register("audit-exports", audit_exports.AuditExports, "audit-exports")

v1: list[URLPattern | URLResolver] = [
    path("me", me.Me.as_view({"get": "retrieve", "patch": "partial_update"}), name="me"),
    path("calendar-sheet", calendar.CalendarSheet.as_view({"post": "create"}), name="calendar-sheet"),
    path(
        "supervision-statistics",
        supervision.SupervisionStatistics.as_view({"get": "retrieve"}),
        name="supervision-statistics",
    ),
    path(
        "appraisal-sheets/<code:month>",
        supervision.AppraisalSheets.as_view({"get": "retrieve"}),
        name="appraisal-sheet",
    ),
    path(
        "notice-preferences",
        notifications.Preferences.as_view({"get": "retrieve", "put": "update"}),
        name="notice-preferences",
    ),
    path(
        "audit-verification",
        audit_verification.AuditVerification.as_view({"get": "retrieve"}),
        name="audit-verification",
    ),
    path("engine", engine.Engine.as_view({"get": "retrieve"}), name="engine"),
    path("demo-clock", demo_clock.DemoClock.as_view({"get": "retrieve", "put": "update"}), name="demo-clock"),
    path(
        "resources/<uuid:uuid>/console",
        consoles.Consoles.as_view({"post": "create"}),
        name="resource-console",
    ),
    path(
        "orders/<uuid:uuid>/attachments",
        attachments.OrderAttachments.as_view({"post": "create"}),
        name="order-attachments",
    ),
    path("orders/<uuid:uuid>/form", order_documents.Forms.as_view({"get": "retrieve"}), name="order-form"),
    path(
        "orders/<uuid:uuid>/package",
        order_documents.Packages.as_view({"get": "retrieve"}),
        name="order-package",
    ),
    path(
        "container-credentials/<uuid:uuid>/secret",
        container_credentials.Secrets.as_view({"post": "create"}),
        name="container-credential-secret",
    ),
    path("quota-effects", quota_foresight.QuotaEffects.as_view({"get": "retrieve"}), name="quota-effects"),
    path("quota-capacity", quota_foresight.QuotaCapacity.as_view({"get": "retrieve"}), name="quota-capacity"),
    path(
        "systems/<uuid:uuid>/cloud-limits",
        project_limits.SystemLimits.as_view({"get": "retrieve"}),
        name="system-cloud-limits",
    ),
    path(
        "unit-sheet", unit_sheet.UnitSheet.as_view({"get": "retrieve", "post": "create"}), name="unit-sheet"
    ),
    path(
        "unit-sheet/template", unit_sheet.UnitSheet.as_view({"get": "template"}), name="unit-sheet-template"
    ),
    path("", include(router.urls)),
    path("schema/", Description.as_view(), name="schema"),
    path(
        "docs/",
        SpectacularSwaggerSplitView.as_view(url_name="api:schema", template_name="api/docs.html"),
        name="docs",
    ),
    path("problems/", problem_pages.index, name="problems"),
    path("problems/<slug:code>", problem_pages.page, name="problem"),
]
urlpatterns = [path("api/v1/", include(v1))]
