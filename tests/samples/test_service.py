"""The protected service and its notes, apart from any transport."""

from __future__ import annotations

import asyncio
import multiprocessing
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, closing
from pathlib import Path
from typing import Any

import pytest
from blockbuster import blockbuster_ctx

from bearward import ConfigurationError, Principal
from samples.notes import MEMORY, Note, NoteStore
from samples.service import (
    MAX_IMPORT,
    MAX_TEXT,
    ImportBatch,
    InvalidNoteError,
    ProtectedService,
    ServiceThread,
    until_stopped,
    validated_text,
)

ADA = Principal({"iss": "https://login.example", "sub": "ada"}, key_thumbprint="k")


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NoteStore]:
    """Notes in memory, and in a file."""
    path = MEMORY if request.param == "memory" else str(tmp_path / "notes.sqlite")
    with closing(NoteStore(path)) as opened:
        yield opened


def test_notes_are_kept_as_they_are(store: NoteStore) -> None:
    """Numbered from one in the order of writing; odd characters, NUL and nothing at all survive."""
    texts = ["milk", "", "ä🐻", "a\x00b\n"]
    assert store.add("ada", texts) == [Note(n, text, "ada") for n, text in enumerate(texts, 1)]
    assert [note.text for note in store.after(0)] == texts
    assert (store.after(3), store.last()) == ([Note(4, "a\x00b\n", "ada")], 4)


def test_all_are_stored_or_none(store: NoteStore) -> None:
    """A text that SQLite cannot store leaves nothing of those before it."""
    with pytest.raises(UnicodeEncodeError):
        store.add("ada", ["fine", "\ud800"])
    assert store.after(0) == []
    assert [note.text for note in store.add("ada", ["fine"])] == ["fine"]


def test_many_threads_may_write(store: NoteStore) -> None:
    """Each note gets its own number."""
    threads = [threading.Thread(target=store.add, args=("ada", ["x"] * 10)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [note.id for note in store.after(0)] == list(range(1, 81))


def _write(path: str) -> None:
    with closing(NoteStore(path)) as other:
        other.add("bob", ["from elsewhere"] * 20)


def test_processes_share_a_file(tmp_path: Path) -> None:
    """What one writes another reads, and none is turned away because another one writes."""
    path = str(tmp_path / "notes.sqlite")
    context = multiprocessing.get_context("spawn")
    with closing(NoteStore(path)) as store:
        writers = [context.Process(target=_write, args=(path,)) for _ in range(2)]
        for writer in writers:
            writer.start()
        store.add("ada", ["from here"] * 20)
        for writer in writers:
            writer.join(60)
        assert [writer.exitcode for writer in writers] == [0, 0]
        assert sorted(note.text for note in store.after(0)) == ["from elsewhere"] * 40 + ["from here"] * 20


def test_unusable_notes_file_is_a_configuration_error(tmp_path: Path) -> None:
    """A folder, a file that is no database; what was opened to find out is closed."""
    (tmp_path / "text").write_text("this is no database, and long enough to be seen as none" * 20)
    for path in (tmp_path, tmp_path / "text", tmp_path / "no" / "folder"):
        with pytest.raises(ConfigurationError, match="notes: must be") as refused:
            NoteStore(str(path))
        assert str(path) not in {str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.exists()}
        del refused  # until here it held what failed, and the file with it


def test_note_validation() -> None:
    """A string of Unicode scalar values of at most a mebibyte; the empty one is fine."""
    for good in ("", "x" * MAX_TEXT, "ä" * (MAX_TEXT // 2)):
        assert validated_text(good) == good
    wrong: list[Any] = [None, 1, b"x", "\ud800", "x" * (MAX_TEXT + 1), "ä" * (MAX_TEXT // 2 + 1)]
    for bad in wrong:
        with pytest.raises(InvalidNoteError):
            validated_text(bad)


def test_import_is_bounded() -> None:
    """By its size, and empty texts count too."""
    importing = ImportBatch()
    for _ in range(MAX_IMPORT // (MAX_TEXT + 64)):
        importing.add("x" * MAX_TEXT)
    with pytest.raises(InvalidNoteError):
        importing.add("x" * MAX_TEXT)
    empty = ImportBatch()
    for _ in range(MAX_IMPORT // 64):
        empty.add("")
    with pytest.raises(InvalidNoteError):
        empty.add("")


def test_author_is_subject_client_or_issuer(store: NoteStore) -> None:
    """The subject; where the issuer sends none, the client; else the issuer."""
    service = ProtectedService(store)
    claims = {"iss": "https://login.example"}
    for principal, author in (
        (ADA, "ada"),
        (Principal({**claims, "client_id": "app"}, key_thumbprint="k"), "app"),
        (Principal(claims, key_thumbprint="k"), "https://login.example"),
    ):
        assert service.add_note(principal, "x").author == author


def test_watch_in_a_thread_stops_when_closed(store: NoteStore) -> None:
    """Notes of other threads arrive in order."""
    service, going_on = ProtectedService(store), threading.Event()
    going_on.set()
    seen: list[str] = []
    threading.Thread(target=service.import_notes, args=(ADA, ["a", "b", "c"])).start()
    for note in service.watch(0, going_on.is_set):
        seen.append(note.text)
        if len(seen) == 3:
            going_on.clear()
    assert seen == ["a", "b", "c"]


def test_notes_never_block_the_event_loop(store: NoteStore) -> None:
    """Every call of SQLite happens in the thread of the notes: blockbuster finds none in the loop."""
    service_thread = ServiceThread(ProtectedService(store))

    async def work() -> list[str]:
        last = await service_thread.do(service_thread.service.last)
        async with aclosing(service_thread.watch(last)) as watching:
            await service_thread.do(service_thread.service.add_note, ADA, "a")
            await service_thread.do(service_thread.service.import_notes, ADA, ["b", ""])
            seen = [(await anext(watching)).text for _ in range(3)]
        listed = await service_thread.do(service_thread.service.notes)
        assert [note.text for note in listed] == seen
        return seen

    with blockbuster_ctx("samples"):
        assert asyncio.run(work()) == ["a", "b", ""]
    service_thread.close()


def test_watch_sees_notes_of_other_processes(tmp_path: Path) -> None:
    """A second connection to the same file stands for another process."""
    path = str(tmp_path / "notes.sqlite")
    service_thread = ServiceThread(ProtectedService(NoteStore(path)))

    async def work() -> str:
        async with aclosing(service_thread.watch(0)) as watching, asyncio.timeout(30):
            first = asyncio.ensure_future(_following(watching))
            await asyncio.to_thread(_write, path)
            return (await first).text

    assert asyncio.run(work()) == "from elsewhere"
    service_thread.close()


def test_until_stopped_ends_with_its_items_or_the_event() -> None:
    """Whichever comes first; what was waited for is ended with it, and an error passes through."""
    ended: list[str] = []

    async def numbers(*, forever: bool) -> AsyncIterator[int]:
        try:
            yield 1
            yield 2
            if forever:
                await asyncio.Event().wait()
        finally:
            ended.append("numbers")

    async def failing() -> AsyncIterator[int]:
        yield 1
        raise InvalidNoteError("x")

    async def work() -> None:
        stopping = asyncio.Event()
        assert [n async for n in until_stopped(stopping, numbers(forever=False))] == [1, 2]
        asyncio.get_running_loop().call_later(0.01, stopping.set)
        assert [n async for n in until_stopped(stopping, numbers(forever=True))] == [1, 2]
        with pytest.raises(InvalidNoteError):
            assert [n async for n in until_stopped(asyncio.Event(), failing())] == [1]
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(work())
    assert ended == ["numbers", "numbers"]


async def _following(notes: AsyncIterator[Note]) -> Note:
    return await anext(notes)
