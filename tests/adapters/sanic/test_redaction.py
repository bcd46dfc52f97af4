"""No token reaches a log, under whichever spelling a client put it into a URL."""

from __future__ import annotations

import logging

import pytest

from bearward_sanic.redaction import RedactingFilter

TOKEN = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJlLW9mLWl0LWFsbA"
OPAQUE = "0pA9ueT0ken-with-20-characters"


def _logged(message: object, *arguments: object) -> str:
    record = logging.LogRecord("sanic.root", logging.INFO, "", 0, message, arguments, None)
    assert RedactingFilter().filter(record)
    return record.getMessage()


@pytest.mark.parametrize(
    "text",
    [
        "GET /x?access_token={}",
        "GET /x?a=1&access_token={}&b=2",
        "GET /x?access%5Ftoken={}",
        "GET /x?access%5ftoken={}",
        "GET /x?%61ccess_token={}",
        "GET /x?%61%63%63%65%73%73%5f%74%6f%6b%65%6e={}",
        "GET /x?access_token%3D{}",
        "GET /x?next=%2Fy%3Faccess_token%3D{}",
        "GET /x?next=%252Fy%253Faccess%255Ftoken%253D{}",
        "GET /x?ACCESS_TOKEN={}",
        "GET /x?Access_Token={}",
        "GET /x?accessToken={}",
        "GET /x?access-token={}",
        "GET /x;access_token={}",
        'body {{"access_token": "{}"}}',
        "GET /x#access_token={}",
        "GET /x?access_token[]={}",
        "GET /x?access_token%5B%5D={}",
        "GET /x?access_token%5b0%5d={}",
        "GET /x?access_token+={}",
        "GET /x?access_token%00={}",
    ],
)
@pytest.mark.parametrize("token", [TOKEN, OPAQUE])
def test_every_spelling_of_the_parameter_is_redacted(text: str, token: str) -> None:
    """RFC 3986 section 2.1: any character of the name may be percent-encoded, and in a nested URL more than once."""
    logged = _logged(text.format(token))
    assert token not in logged
    assert token[:12] not in logged
    assert logged.startswith(text[:6])


@pytest.mark.parametrize("text", ["GET /{}", "GET /x?token={}", "GET /x?id_token_hint={}", "Bearer {}", "{}", "t:{}:"])
def test_signed_token_is_redacted_at_any_position(text: str) -> None:
    """Whatever has the form of a JWS is no text for a log, whichever name it has there."""
    for token in (TOKEN, TOKEN.replace(".", "%2E"), TOKEN.replace(".", "%252e")):
        assert "eyJ" not in _logged(text.format(token))


@pytest.mark.parametrize(
    "text",
    [
        "GET /notes?page=2&token_type=x 200 31",
        "https://keys.example.com/eyes/jwks.json",
        "1.2.3 eyeball.example.co.uk",
        "access_token",
    ],
)
def test_other_text_stays(text: str) -> None:
    """What is no token is logged as it is."""
    assert _logged(text) == text


def test_arguments_and_tracebacks_are_redacted() -> None:
    """What logging formats later holds no token either: arguments of any type, and the text of an exception."""
    error = ValueError(f"/x?access_token={OPAQUE}")
    assert OPAQUE not in _logged("%s %r %d", error, f"access_token={OPAQUE}", 3)
    try:
        raise error
    except ValueError as raised:
        record = logging.LogRecord("sanic.error", 40, "", 0, "failed", (), (type(raised), raised, raised.__traceback__))
    RedactingFilter().filter(record)
    text = logging.Formatter().format(record)
    assert OPAQUE not in text
    assert "Traceback" in text
