"""Every button of the page, pressed in Chromium against the real servers, and what the page then says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from samples.playground.faults import FAULTS
from samples.playground.profiles import LOCAL, PROFILES
from samples.playground.scene import ALGORITHMS, SERVERS
from samples.playground.streams import KINDS
from samples.processes import Process
from tests.samples.playground.chromium import INSTALLED, Page
from tests.samples.playground.conftest import Api
from tests.samples.playground.test_servers import CODES

pytestmark = [
    pytest.mark.interop,
    pytest.mark.thorough,
    pytest.mark.skipif(not INSTALLED, reason="chromium is not installed"),
]

SUMMARY = "document.querySelector('.summary').textContent"
ANSWERS = "[...document.querySelectorAll('.answer')]"
OFFENDING = {
    "expired": "exp",
    "not yet valid": "nbf",
    "other audience": "aud",
    "other issuer": "iss",
    "alg none": "alg",
    "HS256 with the public key": "alg",
    "other typ": "typ",
    "withdrawn key": "kid",
    "revoked": "jti",
    "no proof": "cnf",
    "replayed proof": "cnf",
}
"""The member that the page marks for a fault; of the others the signature, or the whole token, is to blame."""


@pytest.fixture
def page(browser: Page, playground: Process, api: Api) -> Iterator[Page]:
    """The page, loaded anew, with three accepted answers; at the end it has complained about nothing."""
    api.do("issuer", to="up")
    api.do("issuer", to="quick")
    browser.size(1440, 1000)
    browser.prefers(color_scheme="light")
    browser.said.clear()
    browser.asked.clear()
    browser.open(playground.url())
    browser.until(
        f"{ANSWERS}.length === 3 && document.querySelector('issuer-card table') && {SUMMARY} === 'All three accept'"
    )
    yield browser
    browser.open("about:blank")  # so that no events pile up
    assert browser.said == []
    assert {url for url in browser.asked if not url.startswith((playground.url(), "about:", "data:"))} == set()


def answered(page: Page, what: str) -> None:
    """Wait until the page sums the answers up like this."""
    page.until(f"{SUMMARY} === {json.dumps(what)}")


def test_page_begins_with_an_accepted_token(page: Page) -> None:
    """Three servers accept it; the explanation has nothing wrong; the token is shown in its three segments."""
    assert page.run(f"{ANSWERS}.map((one) => one.querySelector('.pill').textContent)") == ["✓ 200 OK", "✓ OK", "✓ OK"]
    assert page.run(f"{ANSWERS}.every((one) => /^[0-9.]+ ms$/.test(one.querySelector('.took').textContent))")
    assert page.run("document.querySelectorAll('.check').length") >= 15
    assert page.run("document.querySelectorAll('.check.right').length === document.querySelectorAll('.check').length")
    assert re.fullmatch(r"\u2713 all \d+ checks pass", page.text(".first.ok"))
    assert page.run("document.querySelectorAll('.raw .segment').length") == 3
    assert page.run("[...document.querySelectorAll('.member label')].map((one) => one.textContent)")[:3] == [
        "alg",
        "typ",
        "kid",
    ]
    assert "RFC 7519, 4.1.4" in page.text(".member[data-name=exp]")


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_button_is_refused_and_marked(page: Page, fault: str) -> None:
    """One press: three refusals with the code, the first wrong check, and the part of the token that is to blame."""
    page.click(fault, "mint-form")
    answered(page, f"All three refuse: {CODES[fault]}")
    assert page.run(f"{ANSWERS}.map((one) => one.querySelector('.code').textContent)") == [CODES[fault]] * 3
    assert page.run(f"{ANSWERS}.map((one) => one.querySelector('.pill').textContent)") == [
        "✕ 401 Unauthorized", "✕ UNAUTHENTICATED", "✕ UNAUTHENTICATED",
    ]  # fmt: skip
    assert page.run(f"{ANSWERS}.every((one) => one.querySelector('.wire').innerText.includes('www-authenticate'))")
    assert page.text(".note") == FAULTS[fault].shows
    if fault == "no token":
        assert page.text(".raw") == "no token is sent"
        return
    assert page.run("!!document.querySelector('.check.wrong')")
    first = page.run("document.querySelector('.check.wrong b').textContent")
    assert page.text(".first.bad").startswith(f"\u2715 {first}: ")
    marked = page.run("[...document.querySelectorAll('.member.offending')].map((one) => one.dataset.name)")
    assert marked == [name for name in [OFFENDING.get(fault)] if name]
    if CODES[fault] == "signature_invalid":
        assert page.run("document.querySelector('.segment.offending').dataset.segment") == "signature"
    assert CODES[fault] in page.text("token-view .verdict")


def test_every_algorithm_is_minted_from_the_form(page: Page) -> None:
    """Chosen, minted and sent: accepted by all three, and the header says so."""
    for algorithm in ALGORITHMS:
        page.choose("mint-form #f-algorithm", algorithm)
        page.click("Mint and send")
        page.until(f"document.querySelector('#header-alg').value === '\"{algorithm}\"'")
        answered(page, "All three accept")


def test_last_click_counts_whichever_response_comes_first(page: Page) -> None:
    """Two tokens are minted, and the response to the first click comes after all that the second click did."""
    page.run(
        "(() => { const real = fetch; let first = true; window.fetch = async (url, options) => {"
        " const response = await real(url, options);"
        " if (!first || !url.endsWith('/do/mint')) return response;"
        " first = false; const body = await response.text();"
        " await new Promise((done) => { window.release = done; });"
        " return new Response(body, { status: response.status }); }; })()"
    )
    chosen = "document.querySelector('#header-alg').value"
    for algorithm in ("ES256", "RS384"):
        page.choose("mint-form #f-algorithm", algorithm)
        page.click("Mint and send")
        page.until("!!window.release")
    page.until(f"{chosen} === '\"RS384\"'")
    answered(page, "All three accept")
    drawn = "requestAnimationFrame(() => requestAnimationFrame(done))"
    page.run(f"new Promise((done) => {{ window.release(); {drawn}; }})")
    assert page.run(chosen) == '"RS384"'


def test_clicks_take_effect_in_their_order(page: Page) -> None:
    """All streams are closed and then four are opened, and the first request is the slower one: four are open."""
    page.run(
        "(() => { const real = fetch; window.asked = []; window.fetch = async (url, options) => {"
        " if (!url.endsWith('/do/streams')) return real(url, options);"
        " window.asked.push(options.body);"
        " if (window.asked.length === 1) await new Promise((done) => { window.release = done; });"
        " return real(url, options); }; })()"
    )
    page.click("Close all", "stream-list")
    page.until("!!window.release")
    page.click("Open all four", "stream-list")
    drawn = "requestAnimationFrame(() => requestAnimationFrame(done))"
    page.run(f"new Promise((done) => {{ {drawn}; }})")
    assert page.run("window.asked.length") == 1
    page.run("window.release(); true")
    page.until("document.querySelectorAll('.streams li[data-state=open]').length === 4")
    page.click("Close all", "stream-list")
    page.until("document.querySelector('.streams').textContent === 'None is open.'")


def test_every_profile_is_minted_from_the_form(page: Page) -> None:
    """The token is that issuer's, and all three accept it."""
    issuers = set()
    for profile in (LOCAL, *PROFILES):
        page.choose("mint-form select[id^=f-issuer]", profile)
        page.run("document.querySelector('.summary').textContent = ''")
        page.click("Mint and send")
        answered(page, "All three accept")
        issuers.add(page.run("document.querySelector('#payload-iss')?.value ?? 'none, as in SPIFFE'"))
    assert len(issuers) == 1 + len(PROFILES)


@pytest.mark.parametrize(("binding", "member"), [("dpop", "jkt"), ("certificate", "x5t#S256")])
def test_bound_tokens_are_minted_and_sent_with_and_without_proof(page: Page, binding: str, member: str) -> None:
    """Accepted as bound; without the proof refused."""
    page.choose("#f-bound-to", binding)
    page.click("Mint and send")
    page.until(f"document.querySelector('#payload-cnf')?.value.includes({json.dumps(member)})")
    answered(page, "All three accept")
    page.choose("send-form select[id^=f-proof]", "none")
    page.click("Send to all three")
    answered(page, f"All three refuse: {'dpop_proof_missing' if binding == 'dpop' else 'token_sender_constrained'}")


def test_form_says_subject_scope_and_lifetime(page: Page) -> None:
    """What is typed is in the token; a call that needs more is refused for its scope."""
    page.fill("#f-subject", "bob")
    page.fill("#f-scope", "notes:read")
    page.fill("#f-lifetime-in-seconds", "77")
    page.click("Mint and send")
    page.until("document.querySelector('#payload-sub').value === '\"bob\"'")
    assert (
        page.run(
            "Number(document.querySelector('#payload-exp').value) - Number(document.querySelector('#payload-iat').value)"
        )
        == 77
    )
    page.choose("#f-call", "add a note")
    page.click("Send to all three")
    answered(page, "All three refuse: scope_insufficient")
    assert page.run(f"{ANSWERS}.map((one) => one.querySelector('.pill').textContent)") == [
        "✕ 403 Forbidden", "✕ PERMISSION_DENIED", "✕ PERMISSION_DENIED",
    ]  # fmt: skip
    page.choose("#f-call", "whoami")
    page.click("Send to all three")
    answered(page, "All three accept")
    assert page.run(f"{ANSWERS}.every((one) => one.innerText.includes('bob'))")


def test_editor_changes_what_is_signed(page: Page) -> None:
    """A changed claim, a removed one and an added one; and the old signature under a new claim."""
    page.fill("#payload-aud", '"https://elsewhere.example"')
    page.click("Sign it again")
    answered(page, "All three refuse: audience_mismatch")
    page.fill("#payload-aud", '"https://api.example"')
    page.click("Sign it again")
    answered(page, "All three accept")
    page.click("Remove exp", "token-view")
    page.click("Sign it again")
    answered(page, "All three refuse: claim_missing")
    page.fill("#f-add-to-the-claims", "exp")
    page.press("Enter")
    page.fill("#payload-exp", "4102444800")
    page.click("Sign it again")
    answered(page, "All three accept")
    page.fill("#payload-sub", '"root"')
    page.click("Keep the old signature")
    answered(page, "All three refuse: signature_invalid")
    page.fill("#f-add-to-the-header", "crit")
    page.press("Enter")
    page.fill("#header-crit", '["exp"]')
    page.click("Sign it again")
    answered(page, "All three refuse: header_critical")


def test_copy_puts_the_token_on_the_clipboard(page: Page) -> None:
    """The whole token, as it was sent; a browser that does not allow it is told another way."""
    token, said = (
        page.run("document.querySelector('.raw').textContent"),
        "document.querySelector('token-view').innerText",
    )
    try:
        page.do("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
        page.click("Copy")
        page.until(f"{said}.includes('Copied.')")
        assert page.run("navigator.clipboard.readText()") == token
    finally:
        page.do("Browser.resetPermissions")
    page.run("navigator.clipboard.writeText = () => Promise.reject(new Error('denied'))")
    page.click("Copy")
    page.until(f"{said}.includes('Select the token above')")


def test_pasted_token_is_sent(page: Page) -> None:
    """Also one that is none."""
    page.click("Paste a token of your own")
    page.fill("#f-your-token", "not.a.token")
    page.click("Use this token")
    answered(page, "All three refuse: token_malformed")
    assert "not a token with three readable segments" in page.text("token-view")
    page.fill("#f-your-token", "a b")
    page.click("Use this token")
    answered(page, "All three refuse")
    assert "nothing was sent" in page.text(".answer")


def test_issuer_buttons_change_its_keys_and_state(page: Page) -> None:
    """Rotate, withdraw, down, up, slow, quick: the page shows each, and the log tells it."""
    keys = "[...document.querySelectorAll('issuer-card tbody tr')].map((row) => row.innerText)"
    page.choose("mint-form #f-algorithm", "RS384")
    page.click("Rotate the key")
    page.until(f"{keys}.filter((row) => row.includes('RS384') && row.includes('published')).length >= 1")
    page.click("Withdraw old keys")
    page.until(f"{keys}.filter((row) => row.includes('published')).length === 0")
    page.click("Take the issuer down")
    page.until("document.querySelector('issuer-card .pill').textContent === '✕ down'")
    page.click("Send to all three")
    answered(page, "All three accept")
    page.until("document.querySelector('event-log').innerText.includes('is down: no server can fetch keys')")
    page.click("Bring the issuer up")
    page.until("document.querySelector('issuer-card .pill').textContent === '✓ up'")
    page.click("Make it slow")
    page.until("document.querySelector('issuer-card .pill').textContent === '! slow'")
    page.click("Make it quick")
    page.until("document.querySelector('issuer-card .pill').textContent === '✓ up'")


@pytest.mark.parametrize("kind", ["token", "session", "subject", "key"])
def test_revoking_by_button_is_refused_everywhere_and_ends_streams(page: Page, kind: str) -> None:
    """The next answer is a refusal, and the streams that were open end before one's eyes."""
    page.choose("mint-form #f-algorithm", "ES384")
    page.fill("#f-subject", f"page-{kind}")
    page.click("Mint and send")
    page.until(f"document.querySelector('#payload-sub').value === '\"page-{kind}\"'")
    answered(page, "All three accept")
    page.click("Close all", "stream-list")
    page.click("Open all four", "stream-list")
    page.until("document.querySelectorAll('.streams li[data-state=open]').length === 4")
    page.click(f"Revoke the {kind}")
    page.until("document.querySelectorAll('.streams li[data-state=ended]').length === 4")
    assert page.text(".streams").count("token_revoked") == 3
    page.click("Send to all three")
    answered(page, "All three refuse: token_revoked")
    if kind == "key":
        page.click("Rotate the key")


def test_streams_count_down_and_end_with_their_token(page: Page) -> None:
    """Each kind by its own button; what it ends with is what its transport says."""
    page.click("Close all", "stream-list")
    page.fill("#f-lifetime-in-seconds", "4")
    page.click("Mint and send")
    page.until(
        "Number(document.querySelector('#payload-exp').value) - Number(document.querySelector('#payload-iat').value) === 4"
    )
    for kind in KINDS:
        page.click(f"Open: {kind}", "stream-list")
    page.until("document.querySelectorAll('.streams li progress').length === 4")
    assert re.search(r"ends in \d s", page.text(".streams"))
    page.until("document.querySelectorAll('.streams li[data-state=ended]').length === 4")
    ended = page.text(".streams")
    for words in ("token_expired", "1008 token_expired", "UNAUTHENTICATED token_expired", "CANCELLED"):
        assert words in ended
    page.click("Close all", "stream-list")
    page.until("document.querySelector('.streams').innerText.includes('None is open.')")


def test_rules_are_searched_and_follow_the_token(page: Page) -> None:
    """The column says what this token is let in to; the search narrows the rows down."""
    rows = "[...document.querySelectorAll('rules-table tbody tr')]"
    page.until("document.querySelector('rules-table').innerText.includes('allowed 19 of 19')")
    page.fill("#f-search", "grpc notes:write")
    page.until(f"{rows}.length === 3")
    assert "3 shown" in page.text("rules-table")
    page.fill("#f-search", "no such words")
    page.until("document.querySelector('rules-table').innerText.includes('No rule contains these words.')")
    page.fill("#f-search", "stream")
    page.until("!document.querySelector('rules-table').innerText.includes('No rule contains these words.')")
    page.click("expired", "mint-form")
    page.until(f"{rows}.length === 1 && {rows}[0].innerText.includes('token_expired')")
    assert "allowed 5 of 19" in page.text("rules-table")


def test_servers_keys_and_caches_are_shown_live(page: Page) -> None:
    """Keys, generation and cache of each server; a rotation raises the generation of all three."""
    generation = "[...document.querySelectorAll('server-table tr')].find((row) => row.innerText.startsWith('Generation'))?.innerText"
    page.until(f"/\\d/.test({generation})")
    before = [int(number) for number in re.findall(r"\d+", page.run(generation))]
    page.click("Rotate the key")
    page.click("Mint and send")
    answered(page, "All three accept")
    page.until(f"({generation}).match(/\\d+/g).every((number, at) => Number(number) > {before}[at])")
    assert page.run("document.querySelectorAll('server-table .pill.ok').length") == 3


def test_events_are_logged_and_counted(page: Page) -> None:
    """A refused token is an event of each server, at the top of the log, and one more in its row of the counters."""
    counter = (
        "[...document.querySelectorAll('code-counters tr')].filter((row) => row.textContent.includes('token_expired'))"
        ".flatMap((row) => [...row.querySelectorAll('td')].map((cell) => Number(cell.textContent)))"
    )
    before = page.run(counter) or [0, 0, 0]
    page.click("expired", "mint-form")
    page.until(f"{counter}.length === 3 && {counter}.every((number, at) => number > {before}[at])")
    logged = "[...document.querySelectorAll('.log li[data-what=Refused]')].slice(0, 3).map((one) => one.textContent)"
    page.until(f"{logged}.every((line) => line.includes('token_expired'))")
    assert {server for line in page.run(logged) for server in SERVERS if server in line} == set(SERVERS)
    assert "lookup" in page.text("server-table")


def test_pages_own_stream_ends_with_its_token_and_restarts(page: Page) -> None:
    """The page says how long its token lives, and that it got another."""
    page.until("/token ends in \\d+ s/.test(document.querySelector('connection-state').innerText)")
    page.until("document.querySelector('connection-state').innerText.includes('renewed 1\\u00d7')")
    page.click("Send to all three")
    answered(page, "All three accept")
