from django.urls import URLPattern, URLResolver, path
from django.views.generic import RedirectView

from govcloud.portal import session
from govcloud.portal.engine import views as engine
from govcloud.portal.findings import views as findings
from govcloud.portal.leases import views as leases
from govcloud.portal.operation import views as operation
from govcloud.portal.order import views as order
from govcloud.portal.people import departures, reviews
from govcloud.portal.people import views as people
from govcloud.portal.units import sheets, systems
from govcloud.portal.units import views as units
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
    path("units/", units.units, name="units"),
    path("units/export.<str:form>", units.export, name="units-export"),
    path("units/import/", sheets.taking_in, name="units-import"),
    path("units/template.xlsx", sheets.template, name="units-template"),
    path("units/workbook.xlsx", sheets.workbook, name="units-workbook"),
    path("units/<uuid:uuid>/", units.unit, name="unit"),
    path("units/<uuid:uuid>/connection/", units.connection, name="unit-connection"),
    path("units/<uuid:uuid>/change/", units.change, name="unit-change"),
    path("units/<uuid:uuid>/move/", units.move, name="unit-move"),
    path("units/<uuid:uuid>/closing/", units.closing, name="unit-closing"),
    path("systems/<uuid:uuid>/", systems.system, name="system"),
    path("systems/<uuid:uuid>/owner/", systems.owner, name="system-owner"),
    path("systems/<uuid:uuid>/change/", systems.change, name="system-change"),
    path("systems/<uuid:uuid>/retirement/", systems.retirement, name="system-retirement"),
    path("people/", people.people, name="people"),
    path("people/export.<str:form>", people.export, name="people-export"),
    path("people/<uuid:uuid>/", departures.person, name="person"),
    path("people/<uuid:uuid>/departure/", departures.departure, name="person-departure"),
    path("access-reviews/", reviews.reviews, name="reviews"),
    path("access-reviews/<uuid:uuid>/", reviews.review, name="review"),
    path("access-reviews/<uuid:uuid>/closing/", reviews.closing, name="review-closing"),
    path("access-reviews/<uuid:uuid>/export.<str:form>", reviews.export, name="review-export"),
    path("access-review-lines/<uuid:uuid>/decision/", reviews.decision, name="review-decision"),
    path("orders/<slug:number>/", order.order, name="order"),
]
