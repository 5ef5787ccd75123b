from django.urls import URLPattern, URLResolver, path
from django.views.generic import RedirectView

from govcloud.portal import session
from govcloud.portal.calendar import views as calendar
from govcloud.portal.engine import views as engine
from govcloud.portal.findings import views as findings
from govcloud.portal.inbox import views as inbox
from govcloud.portal.leases import views as leases
from govcloud.portal.operation import views as operation
from govcloud.portal.order import views as order
from govcloud.portal.supervision import views as supervision
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
]
