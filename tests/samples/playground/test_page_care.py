"""The page with care: for keyboards and screen readers, in both themes, on a phone, without leaks, and when it is alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from samples.processes import Process
from tests.samples.playground import axe
from tests.samples.playground.chromium import INSTALLED, Page, chromium
from tests.samples.playground.conftest import Api

pytestmark = [
    pytest.mark.interop,
    pytest.mark.thorough,
    pytest.mark.skipif(not INSTALLED, reason="chromium is not installed"),
]

READY = "document.querySelectorAll('.answer').length === 3 && !!document.querySelector('server-table table')"
SIZES = {"desktop": (1440, 1000), "tablet": (820, 1180), "phone": (360, 780)}
FOCUSED = "(() => { const one = document.activeElement; return (one.ariaLabel || one.innerText || one.id || one.tagName).trim(); })()"

SHOWN = (
    "(() => { const one = document.activeElement; const shown = one.type === 'radio' ? one.nextElementSibling : one;"
    " return getComputedStyle(shown).outlineStyle !== 'none'; })()"
)
UNREACHED = (
    "[...document.querySelectorAll('a[href], button:not(:disabled), input, select, textarea, summary, [tabindex=\"0\"]')]"
    ".filter((one) => one.checkVisibility() && !(one.type === 'radio' && !one.checked) && !window.reached.has(one))"
    ".map((one) => one.cloneNode(false).outerHTML)"
)


@pytest.fixture
def page(browser: Page, playground: Process, api: Api) -> Iterator[Page]:
    """The page, loaded anew, on a desktop."""
    api.do("issuer", to="up")
    api.do("issuer", to="quick")
    browser.size(*SIZES["desktop"])
    browser.prefers(color_scheme="light")
    browser.said.clear()
    browser.open(playground.url())
    browser.until(READY)
    yield browser
    browser.run("localStorage.clear()")
    browser.open("about:blank")  # so that no events pile up


@pytest.fixture(scope="module")
def axe_core() -> str:
    """The source of axe-core."""
    return axe.script()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_axe_finds_no_violation(page: Page, axe_core: str, scheme: str, size: str) -> None:
    """In either theme, at each size: with accepted answers, refused ones and a form that is open, streams, an error."""
    page.size(*SIZES[size])
    page.prefers(color_scheme=scheme, reduced_motion="reduce")
    assert axe.violations(page, axe_core) == []
    page.click("swapped payload", "mint-form")
    page.until("document.querySelector('.summary').textContent.includes('signature_invalid')")
    page.click("Paste a token of your own")
    page.click("Close all", "stream-list")
    page.until("document.querySelector('.streams').textContent === 'None is open.'")
    page.click("Open all four", "stream-list")
    page.until("document.querySelectorAll('.streams li[data-state=ended]').length === 4")
    assert axe.violations(page, axe_core) == []
    page.click("Mint and send", "mint-form")
    page.until("document.querySelector('.summary').textContent === 'All three accept'")
    page.click("Open all four", "stream-list")
    page.until("document.querySelectorAll('.streams li progress').length === 4")
    page.run("document.querySelector('app-error').show('The playground does not respond.')")
    assert axe.violations(page, axe_core) == []
    page.click("Close all", "stream-list")


def tab_through(page: Page) -> set[str]:
    """Press Tab from the beginning of the page to its end; the tags of the controls that were not reached."""
    # a mark on the elements would change them, and what is changed is made anew with the servers' next news
    page.run("document.activeElement.blur(); scrollTo(0, 0); window.reached = new WeakSet()")
    page.press("Tab")
    assert page.run(FOCUSED) == "Skip to the answers"
    while not page.run("document.activeElement === document.body"):
        assert page.run(SHOWN), page.run(FOCUSED)
        assert not page.run("window.reached.has(document.activeElement)"), page.run(FOCUSED)
        page.run("window.reached.add(document.activeElement); true")
        page.press("Tab")
    return set(page.run(UNREACHED))


def test_everything_is_reached_by_the_keyboard(page: Page) -> None:
    """Tab reaches each control once, in the order of the page, and shows where it is; Enter presses."""
    missed = tab_through(page)
    for _ in range(2):  # buttons that the servers' news made anew behind the focus are reached the next time
        missed &= tab_through(page) if missed else set()
    assert missed == set()


def test_fault_can_be_chosen_by_keyboard_and_is_announced(page: Page) -> None:
    """Focus stays on the button, and the sum of the answers is said by a live region."""
    page.run("[...document.querySelectorAll('.fault')].find((one) => one.textContent === 'expired').focus()")
    page.press("Enter")
    page.until("document.querySelector('.summary').textContent === 'All three refuse: token_expired'")
    assert page.run(FOCUSED) == "expired"
    assert page.run("document.querySelector('.summary').getAttribute('role')") == "status"
    assert page.run("document.querySelector('.note').getAttribute('role')") == "status"


def test_focus_and_the_reader_s_place_survive_what_happens_live(page: Page) -> None:
    """While the state is drawn anew several times a second, a focused button and a focused table stay the same elements."""
    page.run("window.button = [...document.querySelectorAll('issuer-card button')][0]; window.button.focus(); true")
    page.click("Send to all three")
    page.run("window.button.focus(); true")
    before = page.text("server-table")
    page.until(f"document.querySelector('server-table').innerText !== {json.dumps(before)}")
    assert page.run("document.activeElement === window.button && window.button.isConnected")
    page.run("window.table = document.querySelector('server-table .scroll'); window.table.focus(); true")
    before = page.text("server-table")
    page.until(f"document.querySelector('server-table').innerText !== {json.dumps(before)}")
    assert page.run("document.activeElement === window.table && window.table.isConnected")


@pytest.mark.parametrize("size", SIZES)
def test_nothing_scrolls_sideways(page: Page, size: str) -> None:
    """The page is as wide as the window at each size, also with long tokens and codes, and with streams."""
    page.size(*SIZES[size])
    page.click("Close all", "stream-list")
    page.until("document.querySelector('.streams').textContent === 'None is open.'")
    page.click("Open all four", "stream-list")
    page.until("document.querySelectorAll('.streams li[data-state=open]').length === 4")
    page.click("Revoke the token")
    page.until("document.querySelectorAll('.streams li[data-state=open]').length === 0")
    revoked = page.run("document.querySelector('.raw').textContent")
    page.click("Mint and send", "mint-form")
    page.until(f"document.querySelector('.raw').textContent !== {json.dumps(revoked)}")
    page.click("Open all four", "stream-list")
    page.until("document.querySelectorAll('.streams li[data-state=open]').length === 4")
    page.click("replayed proof", "mint-form")
    page.until("document.querySelector('.summary').textContent.includes('dpop_replayed')")
    wide = (
        "[...document.querySelectorAll('body *')].filter((one) => one.getBoundingClientRect().right > innerWidth + 1"
        " && !one.closest('.scroll, .visually-hidden, thead')).map((one) => one.outerHTML.slice(0, 90))"
    )
    assert (page.run("document.documentElement.scrollWidth <= innerWidth"), page.run(wide)) == (True, [])


def test_nothing_jumps_while_it_loads(page: Page, playground: Process) -> None:
    """The layout shifts of a load, as browsers count them, are below 0.1 in sum: skeletons keep the place."""
    page.do(
        "Page.addScriptToEvaluateOnNewDocument",
        source="window.shifts = []; new PerformanceObserver((list) => window.shifts.push(...list.getEntries().map((one) =>"
        " one.value))).observe({ type: 'layout-shift', buffered: true });",
    )
    page.open(f"{playground.url()}/?again")
    page.until(READY)
    page.until("document.querySelector('rules-table tbody tr') !== null")
    page.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert page.run("window.shifts.reduce((sum, one) => sum + one, 0)") < 0.1


def test_reduced_motion_is_respected(page: Page, playground: Process) -> None:
    """No animation and no smooth scrolling; otherwise the skeletons breathe."""
    for preference, animated in (("reduce", False), ("no-preference", True)):
        page.prefers(reduced_motion=preference)
        skeleton = "(() => { const one = document.createElement('div'); one.className = 'skeleton'; document.body.append(one); const name = getComputedStyle(one).animationName; one.remove(); return name; })()"
        assert (page.run(skeleton) != "none") is animated
        assert (page.run("getComputedStyle(document.documentElement).scrollBehavior") == "smooth") is animated


def test_theme_follows_the_system_until_chosen(page: Page, playground: Process) -> None:
    """The switch wins, and is remembered; it is all that the page remembers."""
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.run(ground)
    page.prefers(color_scheme="dark")
    dark = page.run(ground)
    assert light != dark
    page.click("Light", "theme-switch")
    page.until(f"{ground} === {json.dumps(light)}")
    page.open(playground.url())
    page.until(READY)
    assert page.run(ground) == light
    assert page.run("JSON.stringify({ ...localStorage })") == '{"theme":"light"}'
    page.click("Dark", "theme-switch")
    page.prefers(color_scheme="light")
    page.until(f"{ground} === {json.dumps(dark)}")


def test_tokens_stay_out_of_url_storage_and_log(page: Page, playground: Process) -> None:
    """Not the page's own, and not those of the workshop; the page's own is not in its document either."""
    page.do("Network.setCacheDisabled", cacheDisabled=True)
    page.run(
        "window.granted = []; window.trueFetch = window.fetch; window.fetch = async (...asked) => {"
        " const token = asked[1]?.headers?.authorization; if (token) window.granted.push(token.split(' ')[1]);"
        " return window.trueFetch(...asked); }; true"
    )
    page.click("expired", "mint-form")
    page.until("document.querySelector('.summary').textContent.includes('token_expired')")
    page.click("Open all four", "stream-list")
    page.until("window.granted.length >= 2")
    own = set(page.run("window.granted"))
    shown = page.run("document.querySelector('.raw').textContent")
    assert all(token.count(".") == 2 for token in (*own, shown))
    stored = page.run(
        "(async () => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, location.href, history.state,"
        " (await indexedDB.databases()).length, (await caches.keys()).length]))()"
    )
    logged = "\n".join((*playground.lines, playground.errors(), *page.said))
    document = page.run(
        "document.documentElement.outerHTML + [...document.querySelectorAll('input, textarea')].map((one) => one.value)"
    )
    for token in (*own, shown):
        for part in token.split("."):
            assert part not in stored
            assert part not in logged
            assert not any(part in url for url in page.asked)
    assert not any(token.split(".")[2] in document for token in own)
    assert page.run("Object.keys(window).filter((name) => String(window[name]).startsWith('eyJ'))") == ["granted"]


def test_unreachable_playground_says_what_to_do(tmp_path: Path) -> None:
    """The page says that it is not connected, and a button says what to do; once it is back, the page goes on by itself."""
    with Process("samples.playground", "--port", "0") as process, chromium(tmp_path) as page:
        page.size(*SIZES["desktop"])
        page.open(process.url(90))
        page.until(READY)
        port = process.address().rpartition(":")[2]
        assert process.stop() == 0
        page.until("document.querySelector('connection-state').textContent.startsWith('Not connected')")
        page.click("Send to all three")
        page.until("document.querySelector('app-error').innerText.includes('Start it again and reload the page')")
        with Process("samples.playground", "--port", port) as again:
            again.url(90)
            page.until("document.querySelector('connection-state').textContent.startsWith('Live')")
            page.click("Mint and send")
            page.until("document.querySelector('.summary').textContent === 'All three accept'")
