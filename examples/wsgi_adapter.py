"""An adapter for WSGI (PEP 3333) in some sixty lines of code: docs/adapters.md explains it."""

import asyncio
import json
import os
import threading
from contextvars import ContextVar

from bearward import AuthError, Fault, KeysNeededError, deny
from bearward.adapters import Kind, as_access, bearer_token, challenge, mark_of, register_gate, verify_function

STATUS = {
    Fault.CREDENTIALS: "401 Unauthorized",
    Fault.PERMISSION: "403 Forbidden",
    Fault.SERVICE: "503 Service Unavailable",
}
_let_in = ContextVar("_let_in", default=None)  # the rule by which the call that runs here was admitted
register_gate(lambda _: _let_in.get())


class Guard:
    """Middleware around one application for each path: `Guard(verifier, {"/orders": requires(...)(orders)})`."""

    def __init__(self, verifier, applications, *, default=deny):
        self._verifier, self._verify = verifier, verify_function(verifier)
        self._default = as_access(default, "default")
        self._applications = dict(applications)
        self._start_loop()
        os.register_at_fork(after_in_child=self._start_loop)  # as `gunicorn --preload` does; the verifier follows
        self._run(verifier.start())

    def _start_loop(self):
        self._loop = asyncio.new_event_loop()  # keys are fetched there, while threads serve calls
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def close(self):
        self._run(self._verifier.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __call__(self, environ, start_response):
        application = self._applications.get(environ["PATH_INFO"], _not_found)
        marked = mark_of(application)
        rule = self._default if marked is None else marked
        try:
            environ["bearward.principal"] = self._admit(rule, environ.get("HTTP_AUTHORIZATION"))
        except AuthError as refused:
            headers = [("WWW-Authenticate", value)] if (value := challenge(refused)) else []
            start_response(STATUS[refused.fault], [("Content-Type", "application/problem+json"), *headers])
            return [json.dumps({"title": str(refused), "code": refused.code}).encode()]
        token = _let_in.set(rule)
        try:
            return application(environ, start_response)
        finally:
            _let_in.reset(token)

    def _admit(self, rule, header):
        if rule.kind is Kind.PUBLIC or (rule.kind is Kind.OPTIONAL and header is None):
            return None
        principal = self._verified(bearer_token([] if header is None else [header]))
        if (refusal := rule.refusal(principal, self._verifier.now())) is not None:
            raise refusal
        return principal

    def _verified(self, token):
        try:
            return self._verify(token, False)  # from the keys that are held, without waiting
        except KeysNeededError:
            return self._run(self._verifier.verify(token))

    def _run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()


def _not_found(environ, start_response):
    start_response("404 Not Found", [("Content-Type", "text/plain")])
    return [b""]
