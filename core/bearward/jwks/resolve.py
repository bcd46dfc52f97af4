"""From a host's name to its addresses, in a thread of its own for each question.

Rule of this file: a name server that does not answer costs the one who asked it, and nobody else. The loop's own
`getaddrinfo` waits in a pool of a few threads: names that hang would hold them all, so that the keys of another issuer
could not be fetched and a file could not be read; and a program would not end before the last of them gave up. Threads
here are daemons, at most so many, and one that was given up ends when the name server answers, or fails.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading

__all__ = ["addresses_of"]

_MOST = 256
_free = threading.BoundedSemaphore(_MOST)


async def addresses_of(host: str, port: int) -> list[str]:
    """The addresses of `host`, each once, in the order in which they should be tried.

    Raises:
        OSError: there are none, or too many names are being looked up.
        UnicodeError: `host` cannot be a name.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[list[str]] = loop.create_future()

    def look_up() -> None:
        found: list[str] | Exception
        try:
            entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found = list(dict.fromkeys(str(entry[4][0]) for entry in entries))
        except Exception as exc:  # noqa: BLE001  (raised again where it is awaited)
            found = exc
        finally:
            _free.release()
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(_tell, answer, found)

    if not _free.acquire(blocking=False):
        raise OSError("too many names are being looked up")
    try:
        threading.Thread(target=look_up, name=f"bearward looks up {host[:64]}", daemon=True).start()
    except RuntimeError as exc:  # the system has no more threads
        _free.release()
        raise OSError("no thread to look a name up") from exc
    return await answer


def _tell(answer: asyncio.Future[list[str]], found: list[str] | Exception) -> None:
    if answer.done():  # given up
        return
    if isinstance(found, Exception):
        answer.set_exception(found)
    else:
        answer.set_result(found)
