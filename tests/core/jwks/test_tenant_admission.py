"""What tenants that never proved themselves may cause: limited in total, at each provider and at a time, real ones let in."""

from __future__ import annotations

from bearward.jwks.tenant_admission import TenantAdmission, Ticket


class Clock:
    """Stands still unless it is moved."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


def fetch(ticket: Ticket, *, succeeded: bool) -> bool:
    """A fetch that ends at once. Whether it was admitted."""
    admitted = not ticket.admit(lambda: None)
    ticket.end(succeeded=succeeded)
    return admitted


def test_fetches_are_limited_at_each_provider() -> None:
    """Sixteen at once, then one a second; another provider is not affected."""
    clock = Clock()
    admission = TenantAdmission(clock)
    flood = [fetch(admission.ticket("a", vouched=False), succeeded=False) for _ in range(100)]
    assert sum(flood) == 16
    for _ in range(10):
        clock.at += 1.0
        assert sum(fetch(admission.ticket("a", vouched=False), succeeded=False) for _ in range(10)) == 1
    assert fetch(admission.ticket("b", vouched=False), succeeded=False)


def test_fetches_are_limited_in_sum() -> None:
    """However many provider hosts a template can name: 32 at once, then four a second."""
    clock = Clock()
    admission = TenantAdmission(clock)
    assert sum(fetch(admission.ticket(f"h{n}", vouched=False), succeeded=False) for n in range(1000)) == 32
    clock.at += 1.0
    assert sum(fetch(admission.ticket(f"i{n}", vouched=False), succeeded=False) for n in range(1000)) == 4


def test_refused_fetch_says_when_to_ask_again() -> None:
    """Never less than a second."""
    clock = Clock()
    admission = TenantAdmission(clock)
    for _ in range(16):
        fetch(admission.ticket("a", vouched=False), succeeded=False)
    assert admission.ticket("a", vouched=False).admit(lambda: None) == 1.0
    clock.at += 0.5
    assert admission.ticket("a", vouched=False).admit(lambda: None) == 1.0


def test_fetch_that_brings_keys_costs_nothing() -> None:
    """So any number of real tenants may come first after a restart."""
    admission = TenantAdmission(Clock())
    assert all(fetch(admission.ticket("a", vouched=False), succeeded=True) for _ in range(1000))


def test_invented_tenants_do_not_use_the_limits_of_confirmed_ones() -> None:
    """A resolver's word is worth more than the fit of a template."""
    admission = TenantAdmission(Clock())
    for _ in range(100):
        fetch(admission.ticket("a", vouched=False), succeeded=False)
    vouched = [fetch(admission.ticket("a", vouched=True), succeeded=False) for _ in range(100)]
    assert sum(vouched) == 64


def test_longest_running_fetch_gives_way_once_it_had_its_time() -> None:
    """A provider that lets unknown tenants wait keeps nobody out for more than a second."""
    clock = Clock()
    admission = TenantAdmission(clock)
    ended: list[int] = []
    waiting = [admission.ticket(f"h{n}", vouched=False) for n in range(32)]
    for number, ticket in enumerate(waiting):
        assert not ticket.admit(lambda number=number: ended.append(number))  # type: ignore[misc]
    clock.at += 0.9
    assert admission.ticket("real", vouched=False).admit(lambda: None) == 1.0
    assert ended == []
    clock.at += 0.1
    assert not admission.ticket("real", vouched=False).admit(lambda: None)
    assert ended == [0]


def test_fetch_that_gave_way_ends_once() -> None:
    """Its end gives back neither a place nor a permit of another."""
    clock = Clock()
    admission = TenantAdmission(clock)
    first = admission.ticket("h", vouched=False)
    first.admit(lambda: None)
    others = [admission.ticket(f"h{n}", vouched=False) for n in range(31)]
    for ticket in others:
        ticket.admit(lambda: None)
    clock.at += 1.0
    assert not admission.ticket("real", vouched=False).admit(lambda: None)
    first.end(succeeded=False)
    first.end(succeeded=True)
    assert sum(not admission.ticket(f"i{n}", vouched=False).admit(lambda: None) for n in range(100)) == 3


def test_refused_fetch_gives_nothing_back() -> None:
    """It took no permit."""
    admission = TenantAdmission(Clock())
    for _ in range(16):
        fetch(admission.ticket("a", vouched=False), succeeded=False)
    for _ in range(10):
        assert not fetch(admission.ticket("a", vouched=False), succeeded=True)


def test_providers_are_bounded_and_busy_ones_stay_limited() -> None:
    """However many hosts a template can name: the one that was not asked about for longest is forgotten first."""
    admission = TenantAdmission(Clock())
    for _ in range(100):
        fetch(admission.ticket("busy", vouched=False), succeeded=False)
    for number in range(5000):
        fetch(admission.ticket(f"h{number}", vouched=False), succeeded=True)
        assert not fetch(admission.ticket("busy", vouched=False), succeeded=True)
    assert len(admission._shares[False]._providers) == 1024
