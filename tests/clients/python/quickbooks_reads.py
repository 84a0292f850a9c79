"""The simulated Intuit, read by python-quickbooks: Change Data Capture, Query, faults."""

import os
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import requests
from gateway import check, equal
from intuit import BACK, CLIENT, SECRET, Intuit
from intuitlib.client import AuthClient
from intuitlib.enums import Scopes
from quickbooks import QuickBooks, exceptions
from quickbooks.cdc import change_data_capture
from quickbooks.objects.bill import Bill
from quickbooks.objects.customer import Customer
from quickbooks.objects.invoice import Invoice
from quickbooks.objects.timeactivity import TimeActivity


def raised(kind, body):
    """The exception of this kind that it raises."""
    try:
        body()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}")


with Intuit("--records", "5") as intuit:
    os.environ["REQUESTS_CA_BUNDLE"] = intuit.ca_file
    discovery = f"{intuit.base}/.well-known/openid_configuration"
    auth = AuthClient(CLIENT, SECRET, BACK, discovery)
    url = auth.get_authorization_url([Scopes.ACCOUNTING])
    location = requests.get(url, allow_redirects=False).headers["location"]
    code = location.split("code=")[1].split("&")[0]
    auth.get_bearer_token(code, realm_id=intuit.realm)
    QuickBooks.api_url_v3 = f"{intuit.base}/v3"
    intuit.break_by()

    def quickbooks(**others):
        return QuickBooks(auth_client=auth, company_id=intuit.realm, minorversion=75, **others)

    qb = quickbooks()
    hour_ago = (datetime.now(timezone.utc) - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def captured(classes, since=hour_ago):
        return change_data_capture(classes, since, qb=qb)

    @check("python-quickbooks captures what is new, void and deleted, kind by kind")
    def _():
        ids = [intuit.change("create", "Invoice")["id"] for _ in range(3)]
        intuit.change("void", "Invoice", ids[1])
        intuit.change("delete", "Invoice", ids[2])
        customer = intuit.change("create", "Customer", fields={"DisplayName": "Amy's"})["id"]
        answer = captured([Invoice, Customer, Bill])
        found = {invoice.Id: invoice for invoice in answer.Invoice._object_list}
        equal(set(found), set(ids))
        equal(found[ids[0]].SyncToken, "0")
        equal((found[ids[1]].PrivateNote, found[ids[1]].TotalAmt), ("Voided", 0))
        equal(found[ids[2]].status, "Deleted")
        equal([one.DisplayName for one in answer.Customer._object_list if one.Id == customer], ["Amy's"])
        equal(hasattr(answer, "Bill"), False)
        datetime.fromisoformat(answer.time)

    @check("python-quickbooks captures a thousand objects in all and no more")
    def _():
        for kind in ("Invoice", "Customer"):
            changes = [{"kind": kind, "operation": "create"}] * 700
            intuit._simulate("changes", {"changes": changes, "quietly": True})
        answer = captured([Invoice, Customer])
        total = len(answer.Invoice._object_list) + len(answer.Customer._object_list)
        equal(total, 1000)

    @check("python-quickbooks is refused a capture of kinds and of times that there is none for")
    def _():
        error = raised(exceptions.UnsupportedException, lambda: captured([TimeActivity]))
        assert "not supported" in error.detail, error.detail
        old = (datetime.now(timezone.utc) - timedelta(days=31)).strftime("%Y-%m-%dT%H:%M:%SZ")
        error = raised(exceptions.UnsupportedException, lambda: captured([Bill], old))
        assert "older than fixed days" in error.detail, error.detail

    @check("python-quickbooks queries, pages, orders and counts")
    def _():
        for _ in range(3):
            intuit.change("create", "TimeActivity")
        equal(TimeActivity.count(qb=qb), 8)
        query = (
            f"SELECT * FROM TimeActivity WHERE MetaData.LastUpdatedTime >= '{hour_ago}' "
            "ORDERBY MetaData.LastUpdatedTime STARTPOSITION 1 MAXRESULTS 1000"
        )
        equal([hours.Id for hours in TimeActivity.query(query, qb=qb)], ["6", "7", "8"])
        pages = [TimeActivity.all(start_position=at, max_results=3, qb=qb) for at in (1, 4, 7, 10)]
        equal([len(page) for page in pages], [3, 3, 2, 0])
        chosen = TimeActivity.choose(["2", "7", "99"], field="Id", qb=qb)
        equal([hours.Id for hours in chosen], ["2", "7"])

    @check("python-quickbooks sees inactive names only where it asks for them")
    def _():
        intuit.change("deactivate", "Customer", "2")
        first = "Id in ('1', '2', '3')"
        equal([one.Id for one in Customer.where(first, qb=qb)], ["1", "3"])
        both = Customer.where(f"{first} AND Active IN (true, false)", qb=qb)
        equal([(one.Id, one.Active) for one in both], [("1", True), ("2", False), ("3", True)])
        equal(both[1].DisplayName, "Customer 2 (deleted)")

    @check("python-quickbooks reads one record, and a deleted one is not found (610)")
    def _():
        made = intuit.change("create", "Bill")["id"]
        equal(Bill.get(made, qb=qb).Id, made)
        intuit.change("delete", "Bill", made)
        error = raised(exceptions.ObjectNotFoundException, lambda: Bill.get(made, qb=qb))
        equal(error.error_code, 610)

    @check("python-quickbooks reads money with its trailing zeros")
    def _():
        exact = quickbooks(use_decimal=True)
        amounts = [invoice.TotalAmt for invoice in Invoice.all(max_results=50, qb=exact)]
        equal({amount.as_tuple().exponent for amount in amounts if isinstance(amount, Decimal)}, {-2})

    @check("python-quickbooks is told what is wrong with a query")
    def _():
        def wrong(text):
            return raised(exceptions.ValidationException, lambda: Customer.query(text, qb=qb))

        equal(wrong("select * from Customer where Id = '1' or Id = '2'").error_code, 4000)
        equal(wrong("select * from Customer startposition 0").error_code, 4001)
        equal(wrong("select * from Nonsense").error_code, 4001)

    @check("python-quickbooks understands faults of the service as far as it can, and stumbles over XML")
    def _():
        def under(kind, **rule):
            intuit.break_by({**rule, "times": 1})
            return raised(kind, lambda: captured([Bill]))

        error = under(exceptions.ValidationException, fault="throttled", shape="json-429")
        equal(error.error_code, 3001)
        error = under(exceptions.QuickbooksException, fault="throttled", shape="xml-403")
        assert "ThrottleExceeded" in error.message, error.message
        error = under(exceptions.SevereException, fault="status", status=500)
        equal(error.error_code, 10000)
        error = under(exceptions.QuickbooksException, fault="lapsed")
        equal(error.error_code, 6190)
        error = under(exceptions.AuthorizationException, fault="unauthorized")
        assert "Token expired" in error.detail, error.detail
        captured([Bill])
