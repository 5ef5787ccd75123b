from django.urls import URLPattern, URLResolver, path
from django.views.generic import RedirectView

from govcloud.portal import session
from govcloud.portal.deciding import absences
from govcloud.portal.deciding import views as deciding
from govcloud.portal.engine import views as engine
from govcloud.portal.findings import views as findings
from govcloud.portal.flows import views as flows
from govcloud.portal.leases import views as leases
from govcloud.portal.operation import views as operation
from govcloud.portal.order import views as order
from govcloud.portal.worktop import views as worktop

app_name = "portal"
urlpatterns: list[URLPattern | URLResolver] = [
    path("", RedirectView.as_view(pattern_name="portal:orders"), name="home"),
    path("sign-in/", session.SignIn.as_view(), name="sign-in"),
    path("sign-out/", session.sign_out, name="sign-out"),
    path("language/", session.choose_language, name="set-language"),
    path("orders/", worktop.orders, name="orders"),
    path("orders/export.<str:form>", worktop.export, name="orders-export"),
    path("leases/", leases.leases, name="leases"),
    path("leases/export.<str:form>", leases.export, name="leases-export"),
    path("engine/", engine.engine, name="engine"),
    path("findings/", findings.findings, name="findings"),
    path("findings/export.<str:form>", findings.export, name="findings-export"),
    path("findings/<uuid:uuid>/", findings.finding, name="finding"),
    path("findings/<uuid:uuid>/application/", findings.application, name="finding-application"),
    path("findings/<uuid:uuid>/dismissal/", findings.dismissal, name="finding-dismissal"),
    path("operations/<uuid:uuid>/", operation.operation, name="operation"),
    path("operations/<uuid:uuid>/retry/", operation.retry, name="operation-retry"),
    path("operations/<uuid:uuid>/abandonment/", operation.abandonment, name="operation-abandonment"),
    path("orders/<slug:number>/", order.order, name="order"),
    path("orders/<slug:number>/decision/", deciding.decision, name="decision"),
    path("orders/<slug:number>/delegation/", deciding.delegation, name="delegation"),
    path("orders/<slug:number>/reviewer/", deciding.reviewer, name="reviewer"),
    path("orders/<slug:number>/consultation/", deciding.consultation, name="consultation"),
    path(
        "orders/<slug:number>/consultation/<uuid:uuid>/answer/", deciding.answer, name="consultation-answer"
    ),
    path(
        "orders/<slug:number>/consultation/<uuid:uuid>/waiver/", deciding.waiver, name="consultation-waiver"
    ),
    path("orders/<slug:number>/reminder/", deciding.reminder, name="reminder"),
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
