from django.urls import URLPattern, URLResolver, path
from django.views.generic import RedirectView

from govcloud.portal import session, staying
from govcloud.portal.account import mail, tokens
from govcloud.portal.account import views as account
from govcloud.portal.audit import views as audit
from govcloud.portal.calendar import views as calendar
from govcloud.portal.clouds import keeping
from govcloud.portal.clouds import views as clouds
from govcloud.portal.deciding import absences
from govcloud.portal.deciding import views as deciding
from govcloud.portal.engine import views as engine
from govcloud.portal.findings import passes
from govcloud.portal.findings import views as findings
from govcloud.portal.flows import views as flows
from govcloud.portal.holds import views as all_holds
from govcloud.portal.inbox import views as inbox
from govcloud.portal.leases import views as leases
from govcloud.portal.operation import views as operation
from govcloud.portal.order import confirming, papers
from govcloud.portal.order import views as order
from govcloud.portal.people import departures, reviews
from govcloud.portal.people import views as people
from govcloud.portal.quota import views as quota
from govcloud.portal.resource import credentials, holds, login_keys, postponing
from govcloud.portal.resource import views as resource
from govcloud.portal.security import accounts, factors
from govcloud.portal.security import views as security
from govcloud.portal.supervision import views as supervision
from govcloud.portal.takeovers import views as takeovers
from govcloud.portal.units import cloud_limits, registering, sheets, systems
from govcloud.portal.units import views as units
from govcloud.portal.webhooks import views as webhooks
from govcloud.portal.wiping import views as wiping
from govcloud.portal.worktop import views as worktop
from govcloud.portal.writing import standing, submission
from govcloud.portal.writing import views as writing

app_name = "portal"
urlpatterns: list[URLPattern | URLResolver] = [
    path("", RedirectView.as_view(pattern_name="portal:orders"), name="home"),
    path("sign-in/", session.SignIn.as_view(), name="sign-in"),
    path("sign-out/", session.sign_out, name="sign-out"),
    path("session/", staying.session, name="session"),
    path("language/", session.choose_language, name="set-language"),
    path("account/", account.account, name="account"),
    path("account/password/", account.password, name="password"),
    path("account/second-factor/", account.second_factor_page, name="second-factor"),
    path("account/second-factor/codes/", account.recovery_codes, name="recovery-codes"),
    path("account/second-factor/removal/", account.second_factor_removal, name="second-factor-removal"),
    path("account/mail/", mail.mail_page, name="mail"),
    path("account/mail/removal/", mail.removal, name="mail-removal"),
    path("account/mail/<str:link>/", mail.confirmation, name="mail-confirmation"),
    path("account/tokens/", tokens.tokens_page, name="tokens"),
    path("account/tokens/<uuid:uuid>/revocation/", tokens.revocation, name="token-revocation"),
    path("security/accounts/", accounts.accounts_page, name="accounts"),
    path("security/accounts/export.<str:form>", accounts.export, name="accounts-export"),
    path("security/accounts/<uuid:uuid>/", accounts.account, name="account-of"),
    path(
        "security/accounts/<uuid:uuid>/password-reset/",
        accounts.password_reset,
        name="account-password-reset",
    ),
    path(
        "security/accounts/<uuid:uuid>/second-factor-reset/",
        accounts.factor_reset,
        name="account-factor-reset",
    ),
    path("security/roles/", security.roles, name="roles"),
    path("security/roles/<uuid:uuid>/revocation/", security.revocation, name="role-revocation"),
    path(
        "security/roles/requests/<uuid:uuid>/confirmation/", security.confirmation, name="role-confirmation"
    ),
    path("security/roles/requests/<uuid:uuid>/refusal/", security.refusal, name="role-refusal"),
    path("security/second-factors/", factors.factors, name="second-factors"),
    path("security/permissions/", security.permissions, name="permissions"),
    path("security/tokens/", security.everybodys_tokens, name="everybodys-tokens"),
    path(
        "security/tokens/<uuid:uuid>/revocation/", security.token_revocation, name="anybodys-token-revocation"
    ),
    path("orders/", worktop.orders, name="orders"),
    path("orders/export.<str:form>", worktop.export, name="orders-export"),
    path("orders/systems", worktop.systems, name="orders-systems"),
    path("orders/new/", writing.new, name="order-new"),
    path("orders/new/systems", writing.systems, name="order-new-systems"),
    path("leases/", leases.leases, name="leases"),
    path("leases/export.<str:form>", leases.export, name="leases-export"),
    path("legal-holds/", all_holds.holds, name="holds"),
    path("legal-holds/export.<str:form>", all_holds.export, name="holds-export"),
    path("wipe-records/", wiping.records, name="wipe-records"),
    path("wipe-records/export.<str:form>", wiping.export, name="wipe-records-export"),
    path("wipe-records/<uuid:uuid>/", wiping.record, name="wipe-record"),
    path("quota/", quota.units, name="quota"),
    path("quota/capacity/", quota.capacity, name="quota-capacity"),
    path("quota/<uuid:uuid>/", quota.unit, name="quota-unit"),
    path("quota/<uuid:uuid>/allotment/", quota.allotment, name="quota-allotment"),
    path("quota/<uuid:uuid>/limits/<slug:dimension>/", quota.limit, name="quota-limit"),
    path("quota/<uuid:uuid>/history.<str:form>", quota.history, name="quota-history"),
    path("inbox/", inbox.inbox, name="inbox"),
    path("inbox/reading/", inbox.reading, name="inbox-reading"),
    path("inbox/preferences/", inbox.preferences, name="inbox-preferences"),
    path("inbox/<uuid:uuid>/", inbox.message, name="inbox-message"),
    path("inbox/<uuid:uuid>/opening/", inbox.opening, name="inbox-opening"),
    path("supervision/", supervision.supervision, name="supervision"),
    path("supervision/appraisal-<str:month>.xlsx", supervision.sheet, name="appraisal"),
    path("calendar/", calendar.calendar, name="calendar"),
    path("calendar/entry/", calendar.entry, name="calendar-entry"),
    path("calendar/sheet/", calendar.sheet, name="calendar-sheet"),
    path("calendar/<slug:day>/removal/", calendar.removal, name="calendar-removal"),
    path("clouds/", clouds.clouds, name="clouds"),
    path("clouds/export.<str:form>", clouds.export, name="clouds-export"),
    path("clouds/new/", keeping.new, name="cloud-new"),
    path("clouds/<uuid:uuid>/", clouds.cloud, name="cloud"),
    path("clouds/<uuid:uuid>/change/", keeping.change, name="cloud-change"),
    path("clouds/<uuid:uuid>/credentials/", keeping.signing_in, name="cloud-credentials"),
    path("clouds/<uuid:uuid>/names/", keeping.naming, name="cloud-names"),
    path("clouds/<uuid:uuid>/maintenance/", clouds.setting_aside, name="cloud-maintenance"),
    path(
        "clouds/<uuid:uuid>/maintenance/<uuid:maintenance_uuid>/ending/",
        clouds.ending,
        name="cloud-maintenance-end",
    ),
    path("clouds/<uuid:uuid>/activation/", clouds.activation, name="cloud-activation"),
    path("clouds/<uuid:uuid>/deactivation/", clouds.deactivation, name="cloud-deactivation"),
    path("clouds/<uuid:uuid>/retirement/", clouds.retirement, name="cloud-retirement"),
    path("takeovers/", takeovers.takeovers, name="takeovers"),
    path("takeovers/survey/", takeovers.survey, name="takeover-survey"),
    path("takeovers/export.<str:form>", takeovers.export, name="takeovers-export"),
    path("takeovers/<uuid:uuid>/", takeovers.takeover, name="takeover"),
    path("takeovers/<uuid:uuid>/export.<str:form>", takeovers.candidates_export, name="takeover-export"),
    path("takeovers/<uuid:uuid>/survey/", takeovers.survey_again, name="takeover-survey-again"),
    path("takeovers/<uuid:uuid>/assignment/", takeovers.assignment, name="takeover-assignment"),
    path("takeovers/<uuid:uuid>/names/", takeovers.equivalent, name="takeover-equivalent"),
    path("takeovers/<uuid:uuid>/taking/", takeovers.taking_over, name="takeover-taking"),
    path("takeovers/<uuid:uuid>/giving-up/", takeovers.giving_up, name="takeover-giving-up"),
    path(
        "takeovers/<uuid:uuid>/things/<uuid:candidate_uuid>/name/",
        takeovers.renaming,
        name="takeover-renaming",
    ),
    path("engine/", engine.engine, name="engine"),
    path("findings/", findings.findings, name="findings"),
    path("findings/export.<str:form>", findings.export, name="findings-export"),
    path("findings/passes/", passes.passes, name="passes"),
    path("findings/passes/export.<str:form>", passes.export, name="passes-export"),
    path("findings/<uuid:uuid>/", findings.finding, name="finding"),
    path("findings/<uuid:uuid>/application/", findings.application, name="finding-application"),
    path("findings/<uuid:uuid>/dismissal/", findings.dismissal, name="finding-dismissal"),
    path("audit/", audit.trail, name="audit"),
    path("audit/export.<str:form>", audit.export, name="audit-export"),
    path("audit/proof/", audit.proof, name="audit-proof"),
    path("audit/proof/verification/", audit.verification_now, name="audit-verification"),
    path("audit/proof/export/", audit.export_now, name="audit-export-now"),
    path("audit/<uuid:uuid>/", audit.event, name="audit-event"),
    path("operations/", operation.operations, name="operations"),
    path("operations/export.<str:form>", operation.export, name="operations-export"),
    path("operations/<uuid:uuid>/", operation.operation, name="operation"),
    path("operations/<uuid:uuid>/retry/", operation.retry, name="operation-retry"),
    path("operations/<uuid:uuid>/abandonment/", operation.abandonment, name="operation-abandonment"),
    path("operations/<uuid:uuid>/cancellation/", operation.cancellation, name="operation-cancellation"),
    path("resources/<uuid:uuid>/", resource.resource, name="resource"),
    path("resources/<uuid:uuid>/console/", resource.console, name="resource-console"),
    path("resources/<uuid:uuid>/deeds/set-login-keys/", login_keys.replacement, name="resource-login-keys"),
    path("resources/<uuid:uuid>/login-keys/removal/", login_keys.removal, name="resource-login-key-removal"),
    path(
        "resources/<uuid:uuid>/credentials/<uuid:credential>/secret/",
        credentials.secret,
        name="resource-secret",
    ),
    path(
        "resources/<uuid:uuid>/points/<uuid:point>/hold/", holds.placing_on_point, name="resource-point-hold"
    ),
    path(
        "resources/<uuid:uuid>/points/<uuid:point>/hold-lifting/",
        holds.lifting_from_point,
        name="resource-point-hold-lifting",
    ),
    path("resources/<uuid:uuid>/postponement/", postponing.postponement, name="resource-postponement"),
    path("resources/<uuid:uuid>/hold/", holds.placing, name="resource-hold"),
    path("resources/<uuid:uuid>/hold-lifting/", holds.lifting, name="resource-hold-lifting"),
    path("resources/<uuid:uuid>/deeds/<slug:action>/", resource.act, name="resource-act"),
    path("units/", units.units, name="units"),
    path("units/export.<str:form>", units.export, name="units-export"),
    path("units/new/", registering.unit, name="unit-new"),
    path("units/<uuid:uuid>/new-system/", registering.system, name="system-new"),
    path("units/import/", sheets.taking_in, name="units-import"),
    path("units/template.xlsx", sheets.template, name="units-template"),
    path("units/workbook.xlsx", sheets.workbook, name="units-workbook"),
    path("units/<uuid:uuid>/", units.unit, name="unit"),
    path("units/<uuid:uuid>/connection/", units.connection, name="unit-connection"),
    path("units/<uuid:uuid>/change/", units.change, name="unit-change"),
    path("units/<uuid:uuid>/move/", units.move, name="unit-move"),
    path("units/<uuid:uuid>/closing/", units.closing, name="unit-closing"),
    path("systems/<uuid:uuid>/", systems.system, name="system"),
    path("systems/<uuid:uuid>/cloud-limits/", cloud_limits.limits, name="system-cloud-limits"),
    path("systems/<uuid:uuid>/owner/", systems.owner, name="system-owner"),
    path("systems/<uuid:uuid>/change/", systems.change, name="system-change"),
    path("systems/<uuid:uuid>/retirement/", systems.retirement, name="system-retirement"),
    path("systems/<uuid:uuid>/standing/", standing.standing, name="system-standing"),
    path("systems/<uuid:uuid>/standing/<uuid:resource>/", standing.change, name="system-change-of"),
    path("people/", people.people, name="people"),
    path("people/export.<str:form>", people.export, name="people-export"),
    path("people/<uuid:uuid>/", departures.person, name="person"),
    path("people/<uuid:uuid>/departure/", departures.departure, name="person-departure"),
    path("access-reviews/", reviews.reviews, name="reviews"),
    path("access-reviews/<uuid:uuid>/", reviews.review, name="review"),
    path("access-reviews/<uuid:uuid>/closing/", reviews.closing, name="review-closing"),
    path("access-reviews/<uuid:uuid>/export.<str:form>", reviews.export, name="review-export"),
    path(
        "access-reviews/<uuid:review>/lines/<uuid:uuid>/decision/", reviews.decision, name="review-decision"
    ),
    path("orders/<slug:number>/", order.order, name="order"),
    path("orders/<slug:number>/heading/", writing.heading, name="order-heading"),
    path("orders/<slug:number>/items/new/<slug:choice>/", writing.new_item, name="order-new-item"),
    path("orders/<slug:number>/items/<int:position>/", writing.item, name="order-item"),
    path("orders/<slug:number>/items/<int:position>/removal/", writing.removal, name="order-item-removal"),
    path("orders/<slug:number>/submission/", submission.submission, name="order-submission"),
    path("orders/<slug:number>/withdrawal/", submission.withdrawal, name="order-withdrawal"),
    path("orders/<slug:number>/cancellation/", submission.cancellation, name="order-cancellation"),
    path("orders/<slug:number>/confirmation/", confirming.confirmation, name="order-confirmation"),
    path("orders/<slug:number>/remedy/", confirming.remedy, name="order-remedy"),
    path("orders/<slug:number>/form.pdf", papers.form, name="order-form"),
    path("orders/<slug:number>/package.zip", papers.package, name="order-package"),
    path("orders/<slug:number>/files/", papers.upload, name="order-files"),
    path("orders/<slug:number>/files/<uuid:uuid>/", papers.file, name="order-file"),
    path("orders/<slug:number>/files/removal/<uuid:uuid>/", papers.removal, name="order-file-removal"),
    path("orders/<slug:number>/decision/", deciding.decision, name="decision"),
    path("orders/<slug:number>/decision/delegation/", deciding.delegation, name="delegation"),
    path("orders/<slug:number>/decision/reviewer/", deciding.reviewer, name="reviewer"),
    path("orders/<slug:number>/decision/consultation/", deciding.consultation, name="consultation"),
    path(
        "orders/<slug:number>/decision/consultation/<uuid:uuid>/answer/",
        deciding.answer,
        name="consultation-answer",
    ),
    path(
        "orders/<slug:number>/decision/consultation/<uuid:uuid>/waiver/",
        deciding.waiver,
        name="consultation-waiver",
    ),
    path("orders/<slug:number>/reminder/", deciding.reminder, name="reminder"),
    path("webhooks/", webhooks.webhooks_page, name="webhooks"),
    path("webhooks/<uuid:uuid>/", webhooks.webhook_page, name="webhook"),
    path("webhooks/<uuid:uuid>/switching-off/", webhooks.switching_off, name="webhook-off"),
    path("webhooks/<uuid:uuid>/switching-on/", webhooks.switching_on, name="webhook-on"),
    path("webhooks/<uuid:uuid>/secret/", webhooks.new_secret, name="webhook-secret"),
    path(
        "webhooks/<uuid:webhook>/deliveries/<uuid:uuid>/redelivery/",
        webhooks.redelivery,
        name="webhook-redelivery",
    ),
    path("absences/", absences.absences, name="absences"),
    path("absences/<uuid:uuid>/end/", absences.end, name="absence-end"),
    path("flows/", flows.flows, name="flows"),
    path("flows/<uuid:uuid>/", flows.flow, name="flow"),
    path("flows/<uuid:uuid>/draft/", flows.draft, name="flow-draft"),
    path("flows/<uuid:uuid>/name/", flows.rename, name="flow-name"),
    path("flows/<uuid:uuid>/new-stage/", flows.new_stage, name="flow-new-stage"),
    path("flows/<uuid:uuid>/stages/<slug:code>/", flows.stage, name="flow-stage"),
    path("flows/<uuid:uuid>/stages/<slug:code>/place/", flows.place, name="flow-stage-place"),
    path("flows/<uuid:uuid>/publication/", flows.publication, name="flow-publication"),
    path("flows/<uuid:uuid>/discarding/", flows.discarding, name="flow-discarding"),
]
