"""What each built page costs a reader: bytes, requests and shifts are limited, times are shown."""

import sys

import pytest

pytest.importorskip("playwright.sync_api", reason="no browser: `make browser` sets it up")

from pages import SITE, pages, report


def test_no_page_costs_more_than_it_may(browser, capfd):
    with capfd.disabled():  # the table is worth seeing where all is well, too
        print(file=sys.stderr)
        faults = report(browser, [SITE], sorted(pages(SITE)), quick=True, out=sys.stderr)
    assert faults == [], "\n".join(faults)
