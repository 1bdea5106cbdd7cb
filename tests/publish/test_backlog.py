"""What waits to be sent and removed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.publish.backlog import Backlog

NAMES = st.sampled_from(["a", "b", "c", "d"])
STEPS = st.one_of(
    st.tuples(st.just("add"), NAMES),
    st.tuples(st.just("prune"), NAMES),
    st.tuples(st.sampled_from(["take", "done", "put back"]), st.just("")),
)


def take(backlog: Backlog, most: int = 2) -> list[str]:
    """The next names, whose sizes do not matter."""
    return backlog.take(lambda _: 1, most_bytes=100, most=most)


@given(st.lists(STEPS, max_size=40))
def test_nothing_is_forgotten_and_nothing_is_removed_before_its_successor(
    steps: list[tuple[str, str]],
) -> None:
    """Whatever happens in whatever order: see the assertions; the model counts every addition."""
    backlog, count = Backlog(), 0
    unsent: dict[str, int] = {}
    at_work: list[str] = []
    pruned: dict[str, int] = {}
    for verb, name in steps:
        if verb == "add":
            count += 1
            unsent.setdefault(name, count)
            pruned.pop(name, None)
            backlog.add(name)
        elif verb == "prune":
            backlog.prune(name)
            pruned[name] = count
            if name not in at_work:
                unsent.pop(name, None)
        elif verb == "take" and not at_work:
            at_work = take(backlog)
            assert not set(at_work) & set(pruned)
        elif verb == "done":
            # What was added again while it was on its way waits once more.
            unsent = {n: c for n, c in unsent.items() if n not in at_work}
            at_work = []
            backlog.done()
            break
        elif verb == "put back":
            unsent = {n: c for n, c in unsent.items() if not (n in at_work and n in pruned)}
            at_work = []
            backlog.put_back()
        first_unsent = min(unsent.values(), default=count + 1)
        assert set(backlog.removable()) <= {n for n, c in pruned.items() if c < first_unsent}


def test_names_come_in_their_order_and_back_to_the_front() -> None:
    """What could not be sent is tried first again."""
    backlog = Backlog()
    for name in ("a", "b", "c"):
        backlog.add(name)

    assert take(backlog) == ["a", "b"]
    backlog.put_back()
    assert take(backlog, most=1) == ["a"]
    backlog.done()
    assert take(backlog) == ["b", "c"]


def test_a_round_ends_with_the_bytes_it_may_have() -> None:
    """One file always goes, however big; no other is added to it then."""
    backlog = Backlog()
    for name in ("big", "small"):
        backlog.add(name)

    assert backlog.take({"big": 9, "small": 1}.__getitem__, most_bytes=5, most=9) == ["big"]


def test_waiting_ends_when_closed() -> None:
    """At once, or when nothing waits any more."""
    backlog = Backlog()
    backlog.add("a")

    assert backlog.wait(0)
    backlog.close(at_once=False)
    assert backlog.wait(None)
    take(backlog)
    backlog.done()
    assert not backlog.wait(None)
    backlog.open()
    backlog.add("b")
    backlog.close(at_once=True)
    assert not backlog.wait(None)
    assert not backlog.pause(60)
