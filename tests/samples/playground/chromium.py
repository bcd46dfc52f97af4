"""Headless Chromium, by the Chrome DevTools Protocol: what a person does with a page, and what the page then says.

Rule of this file: it presses keys and mouse buttons, and reads; what is read is the caller's business.
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
from websockets.sync.client import ClientConnection, connect

__all__ = ["INSTALLED", "Page", "chromium"]

INSTALLED = shutil.which("chromium") is not None
TIMEOUT = 40.0
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
    "--force-color-profile=srgb",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
)
KEYS = {"Tab": 9, "Enter": 13, "Space": 32, "ArrowRight": 39, "ArrowLeft": 37}


class Page:
    """One tab."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._number = 0
        self.said: list[str] = []
        """What the page wrote to the console, its errors and violations of its policy among it."""
        self.asked: list[str] = []
        """The URLs that it asked for."""
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.do(f"{domain}.enable")

    def do(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the protocol."""
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv(timeout=TIMEOUT))
            if message.get("id") == self._number:
                assert "error" not in message, f"{method}: {message['error']}"
                return message.get("result", {})  # type: ignore[no-any-return]
            self._hear(message)

    def open(self, url: str) -> None:
        """Go there."""
        self.do("Page.navigate", url=url)

    def run(self, script: str) -> Any:
        """The value of an expression, awaited."""
        answer = self.do("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def until(self, script: str, *, timeout: float = TIMEOUT) -> Any:
        """Wait until an expression is truthy; its value."""
        deadline = time.monotonic() + timeout
        while not (value := self.run(script)):
            assert time.monotonic() < deadline, f"{script}: never; {self.said[-3:]}"

            time.sleep(0.1)
        return value

    def text(self, selector: str) -> str:
        """What an element says."""
        return str(self.run(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''"))

    def click(self, name: str, within: str = "body") -> None:
        """Press what has this accessible name, with the mouse."""
        find = (
            f"[...document.querySelector({json.dumps(within)}).querySelectorAll('button, summary, a, label')]"
            f".find((one) => (one.ariaLabel ?? one.innerText).trim() === {json.dumps(name)})"
        )
        self.until(f"!!({find}) && !({find}).disabled")
        self.run(f"({find}).scrollIntoView({{ block: 'center', behavior: 'instant' }})")
        centre = (
            f"new Promise((done) => requestAnimationFrame(() => {{ const b = ({find}).getBoundingClientRect();"
            " done([b.x + b.width / 2, b.y + b.height / 2]); }))"
        )
        box, before = self.run(centre), None
        while box != before:  # where the page still moves, the press would miss
            box, before = self.run(centre), box
        for kind in ("mousePressed", "mouseReleased"):
            self.do("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)

    def press(self, key: str) -> None:
        """Press one key."""
        code = {"key": " " if key == "Space" else key, "code": key, "windowsVirtualKeyCode": KEYS[key]}
        text = {"Enter": "\r", "Space": " "}.get(key)
        self.do("Input.dispatchKeyEvent", type="keyDown", **code, **({} if text is None else {"text": text}))
        self.do("Input.dispatchKeyEvent", type="keyUp", **code)

    def fill(self, selector: str, text: str) -> None:
        """Replace what stands in a field, as typing does."""
        quoted = json.dumps(selector)
        self.run(f"document.querySelector({quoted}).focus(); document.querySelector({quoted}).select()")
        self.do("Input.insertText", text=text)

    def choose(self, selector: str, value: str) -> None:
        """Choose an option."""
        found = f"document.querySelector({json.dumps(selector)})"
        self.run(
            f"{found}.value = {json.dumps(value)}; {found}.dispatchEvent(new Event('change', {{ bubbles: true }}))"
        )

    def size(self, width: int, height: int, *, scale: float = 1.0, mobile: bool = False) -> None:
        """The size of the window in CSS pixels."""
        self.do(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=mobile
        )

    def prefers(self, **features: str) -> None:
        """What the system prefers: `prefers(color_scheme="dark")`."""
        wanted = [{"name": f"prefers-{name.replace('_', '-')}", "value": value} for name, value in features.items()]
        self.do("Emulation.setEmulatedMedia", features=wanted)

    def picture(self, path: Path, *, whole: bool = False) -> None:
        """A PNG of what is seen, or of the whole page."""
        data = self.do("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"]
        path.write_bytes(base64.b64decode(data))

    def _hear(self, message: dict[str, Any]) -> None:
        method, parameters = message.get("method"), message.get("params", {})
        if method == "Network.requestWillBeSent":
            self.asked.append(parameters["request"]["url"])
        elif method == "Runtime.consoleAPICalled":
            self.said.append(" ".join(str(one.get("value", one.get("description"))) for one in parameters["args"]))
        elif method == "Runtime.exceptionThrown":
            self.said.append(str(parameters["exceptionDetails"].get("exception", {}).get("description")))
        elif method == "Log.entryAdded":
            self.said.append(f"{parameters['entry']['text']} {parameters['entry'].get('url', '')}")


@contextmanager
def chromium(profile: Path) -> Iterator[Page]:
    """A browser with a profile of its own, and one empty tab."""
    process = subprocess.Popen(
        ["chromium", *FLAGS, f"--user-data-dir={profile}", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with connect(_debugger(profile, process), max_size=None, proxy=None, ping_interval=None) as socket:
            yield Page(socket)
    finally:
        process.terminate()
        process.wait(30)


def _debugger(profile: Path, process: subprocess.Popen[bytes]) -> str:
    """The address of the tab's debugger, once the browser says where it listens."""
    deadline = time.monotonic() + TIMEOUT
    chosen = profile / "DevToolsActivePort"
    while not chosen.is_file() or not chosen.read_text().count("\n"):
        assert process.poll() is None, "chromium ended"
        assert time.monotonic() < deadline, "chromium does not listen"
        time.sleep(0.05)
    port = chosen.read_text().split("\n")[0]
    while True:
        for target in httpx2.get(f"http://127.0.0.1:{port}/json/list", timeout=30, trust_env=False).json():
            if target["type"] == "page":
                return str(target["webSocketDebuggerUrl"])
        assert time.monotonic() < deadline, "chromium opens no tab"
        time.sleep(0.05)
