"""Settings that are read again while a service runs: what takes effect, what does not, and what is said about it."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import fields, replace
from pathlib import Path

import pytest

from bearward import ConfigurationError, JWKSOptions, Settings, SettingsReloader, TrustedIssuer, Verifier
from bearward.jwks.replacement import _TERMS
from bearward.settings import reload as module
from bearward.testing import LocalIssuer
from tests.conftest import Run
from tests.core.jwks.support import eventually

INTERVAL = 0.02


@pytest.fixture
def issuer() -> Iterator[LocalIssuer]:
    """An issuer that is up."""
    with LocalIssuer(algorithms=["ES256"]) as issuer:
        yield issuer


def text(issuer: LocalIssuer, more: str = "") -> str:
    """A configuration file."""
    return f'[[issuers]]\nissuer = "{issuer.url}"\naudience = "{issuer.audience}"\n{more}'


@asynccontextmanager
async def reloading(
    load: Callable[[], Settings], read: Settings | None = None
) -> AsyncIterator[tuple[Verifier, SettingsReloader]]:
    """A started verifier whose settings are looked at often."""
    settings = await asyncio.to_thread(load) if read is None else read
    async with settings.verifier() as verifier:
        reloader = SettingsReloader(verifier, load, settings, interval=INTERVAL)
        task = asyncio.create_task(reloader.run())
        yield verifier, reloader
        task.cancel()


def test_changed_file_is_in_force(issuer: LocalIssuer, run: Run, tmp_path: Path) -> None:
    """As is a secret in a file of its own."""

    async def scenario() -> None:
        config, secret = tmp_path / "a.toml", tmp_path / "secret"
        secret.write_text("0" * 32)
        keys = f'symmetric_keys = [{{ secret_file = "{secret}" }}]'
        config.write_text(f'[[issuers]]\nissuer = "ours"\naudience = "a"\n{keys}\n')
        async with reloading(lambda: Settings.from_toml(config)) as (verifier, reloader):
            before = reloader.settings
            assert before.files == (str(config), str(secret))
            secret.write_text("1" * 32)
            await eventually(lambda: reloader.settings != before)
            config.write_text(text(issuer))
            await eventually(lambda: verifier.issuers == (issuer.url,))
            assert reloader.settings.files == (str(config),)

    run(scenario())


def test_file_that_changed_before_the_first_look_is_read(issuer: LocalIssuer, run: Run, tmp_path: Path) -> None:
    """Between reading the settings and watching their file nothing is lost."""
    config = tmp_path / "a.toml"
    config.write_text('[[issuers]]\nissuer = "https://old.example"\naudience = "a"\n')
    settings = Settings.from_toml(config)

    async def scenario() -> None:
        config.write_text(text(issuer))
        async with reloading(lambda: Settings.from_toml(config), settings) as (verifier, _):
            await eventually(lambda: verifier.issuers == (issuer.url,))

    run(scenario())


@pytest.mark.parametrize("others", [False, True], ids=["the same files", "other files"])
def test_file_that_changes_while_it_is_put_in_force_is_read_again(
    others: bool, issuer: LocalIssuer, run: Run, tmp_path: Path
) -> None:
    """What is written between reading the settings and their taking effect is not lost."""
    config, secret = tmp_path / "a.toml", tmp_path / "secret"
    secret.write_text("0" * 32)
    config.write_text('[[issuers]]\nissuer = "https://old.example"\naudience = "a"\n')
    keys = f'symmetric_keys = [{{ secret_file = "{secret}" }}]' if others else 'jwks_uri = "https://x.example"'
    between = f'[[issuers]]\nissuer = "between"\naudience = "a"\n{keys}\n'
    settings = Settings.from_toml(config)

    def load() -> Settings:
        read = Settings.from_toml(config)
        if config.read_text() == between:
            config.write_text(text(issuer))
        return read

    async def scenario() -> None:
        config.write_text(between)
        async with reloading(load, settings) as (verifier, _):
            await eventually(lambda: verifier.issuers == (issuer.url,))

    run(scenario())


def test_bad_file_is_one_line_and_a_good_one_is_taken_again(
    issuer: LocalIssuer, run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """However often it is asked; so is one that is gone."""

    async def scenario() -> None:
        config = tmp_path / "a.toml"
        config.write_text(text(issuer))
        async with reloading(lambda: Settings.from_toml(config)) as (verifier, reloader):
            for content in ("[[issuers", None):
                caplog.clear()
                config.unlink()
                if content is not None:
                    config.write_text(content)
                await eventually(lambda: bool(caplog.records))
                reloader.reload_soon()
                await asyncio.sleep(INTERVAL * 5)
                (record,) = caplog.records
                assert "the last good ones stay in force" in record.getMessage()
                assert str(config) in record.getMessage()
                await verifier.verify(issuer.mint())
            config.write_text(text(issuer, 'required_claims = ["nothing"]\n'))
            await eventually(lambda: "nothing" in verifier._issuers.explicit[0].required_claims)

    with caplog.at_level(logging.WARNING, logger="bearward.settings"):
        run(scenario())


def test_several_mistakes_are_one_line(
    issuer: LocalIssuer, run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A line of a log is a line: whoever reads it by lines misses none."""

    async def scenario() -> None:
        config = tmp_path / "a.toml"
        config.write_text(text(issuer))
        async with reloading(lambda: Settings.from_toml(config)):
            config.write_text(text(issuer, "leeway = 900\nsendr = 5\n"))
            await eventually(lambda: bool(caplog.records))

    with caplog.at_level(logging.WARNING, logger="bearward.settings"):
        run(scenario())
    (record,) = caplog.records
    assert "issuers[0].sendr: is not a setting here" in record.getMessage()
    assert "; issuers[0].leeway: must be" in record.getMessage()
    assert "\n" not in record.getMessage()


def test_recovery_is_logged_as_the_failure_was(
    issuer: LocalIssuer, run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Also if the file is what it was before, and nothing has to be put in force."""

    async def scenario() -> None:
        config = tmp_path / "a.toml"
        config.write_text(text(issuer))
        async with reloading(lambda: Settings.from_toml(config)):
            config.write_text("[[issuers")
            await eventually(lambda: "cannot be used" in caplog.text)
            config.write_text(text(issuer))
            await eventually(lambda: "can be used again" in caplog.text)

    with caplog.at_level(logging.WARNING, logger="bearward.settings"):
        run(scenario())
    assert len(caplog.records) == 2


def test_asking_reads_at_once_and_says_so(issuer: LocalIssuer, run: Run, caplog: pytest.LogCaptureFixture) -> None:
    """From a signal handler or another thread; settings without a file are read when asked alone."""

    async def scenario() -> None:
        settings = Settings(issuers=(TrustedIssuer(issuer.url, audience=issuer.audience),))
        async with reloading(lambda: settings) as (_, reloader):
            await asyncio.sleep(INTERVAL * 3)
            assert not caplog.records
            thread = threading.Thread(target=reloader.reload_soon)
            thread.start()
            await eventually(lambda: bool(caplog.records))
            thread.join()
        reloader.reload_soon()  # after its loop has ended, harmless

    with caplog.at_level(logging.INFO, logger="bearward.settings"):
        run(scenario())
    assert [record.getMessage() for record in caplog.records] == ["the settings were read again, and are as they were"]


def test_what_is_asked_is_done_at_once(issuer: LocalIssuer, run: Run, caplog: pytest.LogCaptureFixture) -> None:
    """A signal may come while the service starts, and later; nobody waits an interval for what it asked."""
    settings = Settings(issuers=(TrustedIssuer(issuer.url, audience=issuer.audience),))

    async def scenario() -> None:
        async with settings.verifier() as verifier:
            reloader = SettingsReloader(verifier, lambda: settings, settings, interval=3600.0)
            reloader.reload_soon()
            task = asyncio.create_task(reloader.run())
            await eventually(lambda: caplog.text.count("read again") == 1)
            await asyncio.to_thread(reloader.reload_soon)
            await eventually(lambda: caplog.text.count("read again") == 2)
            task.cancel()

    with caplog.at_level(logging.INFO, logger="bearward.settings"):
        run(scenario())


class Counted:
    """Settings of a file whose version is what the test says, and how often they were looked at and read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, issuer: LocalIssuer, versions: Callable[[int], int]) -> None:
        self.looks = self.loads = 0
        self._versions = versions
        trusted = TrustedIssuer(issuer.url, audience=issuer.audience)
        self.settings = Settings(issuers=(trusted,), files=("a.toml",))
        monkeypatch.setattr(module, "version_of", self._version)

    def _version(self, _: str) -> tuple[int, int, int]:
        self.looks += 1
        return (self._versions(self.looks), 0, 0)

    def load(self) -> Settings:
        """They never change."""
        self.loads += 1
        return self.settings


def test_nothing_is_looked_at_between_two_intervals(
    issuer: LocalIssuer, run: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor after it was asked to: one request is one look."""
    counted = Counted(monkeypatch, issuer, lambda _: 1)

    async def turns() -> int:
        for _ in range(20):  # whatever else was handed to a thread has run by then
            await asyncio.to_thread(int)
        return counted.looks

    async def scenario() -> None:
        async with counted.settings.verifier() as verifier:
            reloader = SettingsReloader(verifier, counted.load, counted.settings, interval=3600.0)
            task = asyncio.create_task(reloader.run())
            assert await turns() == 0
            reloader.reload_soon()
            await eventually(lambda: "read again" in caplog.text)
            assert await turns() == 1
            task.cancel()

    with caplog.at_level(logging.INFO, logger="bearward.settings"):
        run(scenario())


READ = {
    "a file that is as it was at the first look": (lambda _: 1, 10, 1),
    "a file that is being written, and then done": (lambda look: min(look, 8), 14, 1),
    "a file that is written without an end": (lambda look: look, 14, 0),
    "a file that changed once": (lambda look: 1 + (look > 5), 14, 2),
}


@pytest.mark.parametrize("what", READ)
def test_file_is_read_once_it_has_changed_and_stays(
    what: str, issuer: LocalIssuer, run: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither before, half written, nor again and again; and where nothing is new, nothing is said."""
    versions, looks, loads = READ[what]
    monkeypatch.setattr(module, "_RETRY_INTERVAL", 0.0)
    counted = Counted(monkeypatch, issuer, versions)

    async def scenario() -> None:
        async with reloading(counted.load, counted.settings):
            await eventually(lambda: counted.looks >= looks)

    with caplog.at_level(logging.INFO, logger="bearward.settings"):
        run(scenario())
    assert (counted.loads, caplog.text) == (loads, "")


def test_file_is_not_read_while_it_is_being_written(
    issuer: LocalIssuer, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From one look to the next it must be the same."""
    loaded_at: list[int] = []
    counted = Counted(monkeypatch, issuer, lambda look: min(look, 8))

    def load() -> Settings:
        loaded_at.append(counted.looks)
        return counted.load()

    async def scenario() -> None:
        async with reloading(load, counted.settings):
            await eventually(lambda: bool(loaded_at))

    run(scenario())
    assert loaded_at == [9]


def test_other_settings_leave_the_issuers_alone(
    issuer: LocalIssuer, run: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What takes effect at the next start only is named, and the keys that are held are not touched."""
    replaced: list[object] = []
    before = Settings(issuers=(TrustedIssuer(issuer.url, audience=issuer.audience),))
    original = Verifier.replace_issuers

    async def noted(verifier: Verifier, *issuers: TrustedIssuer) -> None:
        replaced.append(issuers)
        await original(verifier, *issuers)

    monkeypatch.setattr(Verifier, "replace_issuers", noted)
    current, others = [before], (TrustedIssuer(issuer.url, audience="another"),)

    async def scenario() -> None:
        async with reloading(lambda: current[0], before) as (_, reloader):
            for settings in (
                replace(before, token_cache=0),
                replace(before, token_cache=0, issuers=others, files=("/nonexistent",)),
            ):
                current[0] = settings
                reloader.reload_soon()
                await eventually(lambda: reloader.settings is settings)  # noqa: B023

    with caplog.at_level(logging.WARNING, logger="bearward.settings"):
        run(scenario())
    assert replaced == [others]
    (record,) = caplog.records
    assert record.getMessage() == "settings that take effect at the next start only: token_cache"


def test_required_keys_are_asked_for_again(
    issuer: LocalIssuer, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The new settings take effect once the keys are there, and not before."""
    monkeypatch.setattr(module, "_RETRY_INTERVAL", 0.05)

    async def scenario() -> None:
        config = tmp_path / "a.toml"
        with LocalIssuer(algorithms=["ES256"]) as other:
            other.down()
            config.write_text(text(issuer))
            async with reloading(lambda: Settings.from_toml(config)) as (verifier, _):
                await verifier.verify(issuer.mint())
                config.write_text(text(other, '[issuers.keys]\nstart = "required"\ntotal_timeout = 0.5\n'))
                await eventually(lambda: "are required" in caplog.text)
                await verifier.verify(issuer.mint())
                other.up()
                await eventually(lambda: verifier.issuers == (other.url,))
                await verifier.verify(other.mint())

    run(scenario())
    assert caplog.text.count("the last good ones stay in force") == 1


def test_bug_in_reading_does_not_end_it(issuer: LocalIssuer, run: Run, caplog: pytest.LogCaptureFixture) -> None:
    """It is reported, and the next change may be a good one."""
    good = Settings(issuers=(TrustedIssuer(issuer.url, audience=issuer.audience),))
    results: list[Settings | Exception] = [
        ValueError("a bug"),
        replace(good, token_cache=0),
        ConfigurationError("a", "b"),
    ]

    def load() -> Settings:
        result = results.pop(0)
        if isinstance(result, Exception):
            raise result
        return result

    async def scenario() -> None:
        async with reloading(load, good) as (_, reloader):
            for expected in ("failed in an unexpected way", "at the next start only: token_cache", "a: b"):
                reloader.reload_soon()
                await eventually(lambda: expected in caplog.text)  # noqa: B023

    run(scenario())


def test_every_option_of_keys_is_known_to_say_which_keys_are_right_or_not() -> None:
    """A new option of the first kind must be listed: otherwise keys that it refuses would be carried along."""
    times_bounds_and_credentials = {
        *("max_age", "min_age", "refresh_fraction", "stale_if_error", "cooldown", "burst", "max_backoff"),
        *("max_unknown_kids", "max_waiters", "connect_timeout", "read_timeout", "total_timeout", "headers"),
        *("client_cert", "client_key", "start", "start_wait", "snapshot_dir", "poll_interval"),
    }
    options = {item.name for item in fields(JWKSOptions) if item.init}
    assert options == {*_TERMS, *times_bounds_and_credentials, "jwks_file"}  # the source itself


def test_file_that_is_named_before_it_is_there_is_taken_once_it_comes(
    issuer: LocalIssuer, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A ConfigMap and a Secret arrive one after the other; nobody touches the file of the settings again."""
    monkeypatch.setattr(module, "_RETRY_INTERVAL", INTERVAL)

    async def scenario() -> None:
        config, secret = tmp_path / "a.toml", tmp_path / "secret"
        config.write_text(text(issuer))
        async with reloading(lambda: Settings.from_toml(config)) as (verifier, _):
            keys = f'symmetric_keys = [{{ secret_file = "{secret}" }}]'
            config.write_text(f'[[issuers]]\nissuer = "ours"\naudience = "a"\n{keys}\n')
            await eventually(lambda: "stay in force" in caplog.text)
            secret.write_text("0" * 32)
            await eventually(lambda: verifier.issuers == ("ours",))

    with caplog.at_level(logging.WARNING, logger="bearward.settings"):
        run(scenario())
    assert caplog.text.count("stay in force") == 1


def test_other_file_with_the_same_secret_is_looked_at(issuer: LocalIssuer, run: Run, tmp_path: Path) -> None:
    """What is configured is as it was, and comes from elsewhere: the next change is made there."""

    async def scenario() -> None:
        config, one, other = (tmp_path / name for name in ("a.toml", "one", "other"))
        for path in (one, other):
            path.write_text("0" * 32)
        form = '[[issuers]]\nissuer = "ours"\naudience = "a"\nsymmetric_keys = [{{ secret_file = "{}" }}]\n'
        config.write_text(form.format(one))
        async with reloading(lambda: Settings.from_toml(config)) as (_, reloader):
            before = reloader.settings
            config.write_text(form.format(other))
            await eventually(lambda: reloader.settings.files == (str(config), str(other)))
            other.write_text("1" * 32)
            await eventually(lambda: reloader.settings != before)

    run(scenario())


def test_tokens_that_count_once_need_a_restart_where_a_fleet_counts(
    issuer: LocalIssuer, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    """What counts them in the shared cache is made at the start: until then each process would count by itself."""
    trusted = TrustedIssuer(issuer.url, audience=issuer.audience, jwks=issuer.keys.jwks())
    before = Settings(issuers=(trusted,), cache="redis://127.0.0.1:9", cache_secret=b"0123456789abcdef")
    coming = [before]

    async def scenario() -> None:
        async with reloading(lambda: coming[-1]) as (verifier, reloader):
            coming.append(replace(before, issuers=(replace(trusted, sender="bearer", single_use=True),)))
            reloader.reload_soon()
            await eventually(lambda: "single_use" in caplog.text)
            assert not verifier._issuers.explicit[0].single_use

    with caplog.at_level(logging.WARNING, logger="bearward.settings"):
        run(scenario())
