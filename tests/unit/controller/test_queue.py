"""The queue as a state machine: nothing lost, nobody served twice at once, waits kept."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from autowasm.controller.plan import Again
from autowasm.controller.queue import Queue

NAMES = st.sampled_from("abcd")


class Machine(RuleBasedStateMachine):
    """Random additions, turns, ends of work and time, against a plain model of what is owed."""

    def __init__(self) -> None:
        super().__init__()
        self.queue: Queue[str] = Queue(first=1.0)
        self.now = 0.0
        self.owed: set[str] = set()
        self.active: set[str] = set()
        self.due: dict[str, float] = {}

    @rule(name=NAMES)
    def add(self, name: str) -> None:
        """There is news: from here on the name is owed a turn."""
        self.queue.add(name)
        self.owed.add(name)

    @rule(seconds=st.floats(0.1, 40))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds

    @rule()
    def take(self) -> None:
        """A turn goes to somebody that is owed one or whose wait is over, and never to who is at work."""
        turn = self.queue.take(self.now)
        free = {name for name in self.owed if name not in self.active}
        over = {name for name, at in self.due.items() if at <= self.now and name not in self.active}
        if turn is None:
            assert not free | over
            return
        assert turn.key in free | over
        assert turn.due == (self.due.get(turn.key, self.now + 1) <= self.now)
        self.owed.discard(turn.key)
        self.active.add(turn.key)

    @precondition(lambda self: self.active)
    @rule(data=st.data(), cap=st.one_of(st.none(), st.floats(0.5, 20)), after=st.floats(0, 5))
    def done(self, data, cap: float | None, after: float) -> None:
        """Work ends; where it is to be tried again, its wait is within its bounds."""
        name = data.draw(st.sampled_from(sorted(self.active)))
        self.active.remove(name)
        self.due.pop(name, None)
        self.queue.done(name, self.now, None if cap is None else Again(cap, after))
        if cap is not None:
            self.due[name] = self.queue._states[name].due_at
            assert after - 1e-6 <= self.due[name] - self.now <= max(after, cap) + 1e-6

    @precondition(lambda self: self.active)
    @rule(data=st.data())
    def skip(self, data) -> None:
        """Work that finds no news leaves the wait as it was."""
        name = data.draw(st.sampled_from(sorted(self.active)))
        self.active.remove(name)
        self.queue.skip(name)

    @invariant()
    def nothing_is_kept_for_nobody(self) -> None:
        """Memory is held for names that are owed something, at work or waiting, and for no others."""
        assert set(self.queue._states) == self.owed | self.active | set(self.due)

    @invariant()
    def the_next_wait_is_known(self) -> None:
        """A wait that is not over is never later than what next_due says."""
        ahead = [at for at in self.due.values() if at > self.now]
        due = self.queue.next_due()
        if ahead:
            assert due is not None
            assert due <= min(ahead)


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)


def test_waits_grow_to_their_cap():
    """Failures in a row double the wait up to the cap; a success starts it from the beginning."""
    queue: Queue[str] = Queue(first=1.0)
    now, waits = 0.0, []
    queue.add("a")
    for _ in range(5):
        assert queue.take(now).key == "a"
        queue.done("a", now, Again(cap=5.0))
        waits.append(queue.next_due() - now)
        now = queue.next_due()
    assert waits == [1.0, 2.0, 4.0, 5.0, 5.0]
    queue.take(now)
    queue.done("a", now, None)
    assert queue.next_due() is None
    queue.add("a")
    queue.take(now)
    queue.done("a", now, Again(cap=5.0))
    assert queue.next_due() - now == 1.0


def test_news_starts_waits_anew():
    """A name that fails after news waits as after its first failure: the news may have been the cure."""
    queue: Queue[str] = Queue(first=1.0)
    queue.add("a")
    queue.take(0.0)
    queue.done("a", 0.0, Again(cap=60.0))
    queue.take(1.0)
    queue.done("a", 1.0, Again(cap=60.0))
    assert queue.next_due() == 3.0
    queue.add("a")
    assert not queue.take(1.5).due
    queue.done("a", 1.5, Again(cap=60.0))
    assert queue.next_due() == 2.5


def test_a_name_without_news_keeps_its_wait():
    """A turn that is skipped does not end the wait."""
    queue: Queue[str] = Queue(first=1.0)
    queue.add("a")
    queue.take(0.0)
    queue.done("a", 0.0, Again(cap=60.0))
    queue.add("a")
    queue.take(0.5)
    queue.skip("a")
    assert queue.take(0.9) is None
    assert queue.take(1.0).due


def test_the_longest_waiting_name_is_next():
    """Turns are given in the order of additions."""
    queue: Queue[str] = Queue()
    for name in "cab":
        queue.add(name)
    assert [queue.take(0.0).key for _ in range(3)] == ["c", "a", "b"]


def test_a_wait_that_ends_during_the_work_is_answered_by_it():
    """Work that began before its name's wait was over, and ends well after it, owes no further turn."""
    queue: Queue[str] = Queue(first=1.0)
    queue.add("a")
    queue.take(0.0)
    queue.done("a", 0.0, Again(cap=60.0))
    queue.add("a")
    assert not queue.take(0.5).due
    assert queue.take(2.0) is None  # the wait is over, its name at work
    queue.done("a", 2.0, None)
    assert queue.take(2.0) is None


def test_a_wait_that_ends_during_the_work_does_not_shorten_the_next():
    """Work that fails after its name's wait was over waits again, from its own end on."""
    queue: Queue[str] = Queue(first=1.0)
    queue.add("a")
    queue.take(0.0)
    queue.done("a", 0.0, Again(cap=60.0))
    queue.add("a")
    queue.take(0.5)
    assert queue.take(2.0) is None
    queue.done("a", 2.0, Again(cap=60.0))
    assert queue.take(2.0) is None
    assert queue.next_due() == 3.0


def test_a_wait_that_ends_during_work_without_news_is_kept():
    """A turn that is skipped after its name's wait was over gives the name its turn at once."""
    queue: Queue[str] = Queue(first=1.0)
    queue.add("a")
    queue.take(0.0)
    queue.done("a", 0.0, Again(cap=60.0))
    queue.add("a")
    queue.take(0.5)
    assert queue.take(2.0) is None
    queue.skip("a")
    assert queue.take(2.0).due
