"""Settings that are read again while a service runs: when one of their files changes, and when it is asked to (SIGHUP).

Rules of this file: settings that cannot be used change nothing, and are one line in the log. The issuers take effect as
one step (`Verifier.replace_issuers`); what else has changed is named, and takes effect at the next start.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import fields

from bearward.bug_reports import report_bug
from bearward.errors import AuthError, ConfigurationError
from bearward.file_versions import FileVersion, version_of
from bearward.settings.settings import Settings
from bearward.verifier import Verifier

__all__ = ["SettingsReloader"]

_log = logging.getLogger("bearward.settings")

_RETRY_INTERVAL = 5.0
"""Seconds until what failed is tried again: required keys that were not available, settings that named what was not there."""


class SettingsReloader:
    """Keeps `verifier` at the settings that `load` reads; `settings` are those that it was made from.

    `await reloader.run()` in a task of the verifier's loop, for as long as the service runs, and call `reload_soon` in a
    handler of SIGHUP. The files of the settings, and of their secrets, are looked at every `interval` seconds.
    """

    def __init__(
        self, verifier: Verifier, load: Callable[[], Settings], settings: Settings, *, interval: float = 0.5
    ) -> None:
        self._verifier = verifier
        self._load = load
        self._settings = settings
        self._interval = interval
        self._versions: tuple[FileVersion, ...] = ()  # a file may have changed since it was read
        self._asked = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake = asyncio.Event()
        self._logged = ""

    @property
    def settings(self) -> Settings:
        """Those that are in force."""
        return self._settings

    def reload_soon(self) -> None:
        """Read the settings again at once, whether or not a file has changed; any thread, and a signal handler, may call."""
        self._asked = True
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # its loop is closed
                self._loop.call_soon_threadsafe(self._wake.set)

    async def run(self) -> None:
        """Look, and read again, until cancelled."""
        self._loop, self._wake = asyncio.get_running_loop(), asyncio.Event()
        seen, again_at = self._versions, float("inf")
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0 if self._asked else self._interval):
                    await self._wake.wait()
            self._wake.clear()
            asked, self._asked = self._asked, False
            before, seen = seen, await asyncio.to_thread(self._look)
            # A file that is still being written changes from one look to the next.
            changed = seen != self._versions and seen == before
            if asked or changed or self._loop.time() >= again_at:
                self._versions = seen
                again_at = float("inf") if await self._reload(asked=asked) else self._loop.time() + _RETRY_INTERVAL

    async def _reload(self, *, asked: bool) -> bool:
        """Whether there is nothing left to do until the next change."""
        try:
            settings = await asyncio.to_thread(self._load)
            if settings != self._settings:
                await self._put_in_force(settings)
            else:
                self._settings = settings  # the same, perhaps from other files, which are looked at from now on
                if asked:
                    _log.info("the settings were read again, and are as they were")
        except ConfigurationError as error:  # a file that is named now may come later
            self._keep("; ".join(map(str, error.mistakes)))
            return False
        except AuthError as error:
            self._keep(str(error))
            return False
        except Exception as error:  # noqa: BLE001  (a bug must not end the reloading: the next change may be a good one)
            report_bug(_log, "reading the settings again failed in an unexpected way", error)
        else:
            self._recovered()
        return True

    async def _put_in_force(self, settings: Settings) -> None:
        if settings.issuers != self._settings.issuers:
            self._check_single_use(settings)
            await self._verifier.replace_issuers(*settings.issuers)
        others = _differing(self._settings, settings)
        self._settings = settings
        _log.info("the settings changed and are in force: %d issuers", len(settings.issuers))
        if others:
            _log.warning("settings that take effect at the next start only: %s", ", ".join(others))

    def _check_single_use(self, settings: Settings) -> None:
        """What counts uses was made at the start: a fleet's, if it shares a cache and an issuer asked for it then."""
        if settings.cache == "memory://" or self._verifier.replays.is_shared:
            return
        before, after = (any(issuer.single_use for issuer in each.issuers) for each in (self._settings, settings))
        if after and not before:
            raise ConfigurationError(
                "single_use", "must be set at the start: until then each process would count uses by itself"
            )

    def _keep(self, reason: str) -> None:
        if reason != self._logged:
            self._logged = reason
            _log.warning("the settings changed and cannot be used, the last good ones stay in force: %s", reason)

    def _recovered(self) -> None:
        """The end of a warning is a warning: whoever sees the failure sees the recovery."""
        if self._logged:
            self._logged = ""
            _log.warning("the settings can be used again, and are in force")

    def _look(self) -> tuple[FileVersion, ...]:
        return tuple(version_of(path) for path in self._settings.files)


def _differing(before: Settings, after: Settings) -> list[str]:
    """The names of what differs, but for the issuers."""
    names = [item.name for item in fields(Settings) if item.compare and item.name != "issuers"]
    return [name for name in names if getattr(before, name) != getattr(after, name)]
