"""Bound context: where it reaches, where it ends, and that it is captured by value."""

import asyncio
import functools
import gc
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import Context, ContextVar, copy_context
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fapilog.carry import carry_context
from fapilog.context import (
    OUTSIDE,
    RequestContext,
    Scope,
    bind_context,
    clear_context,
    context_scope,
    current,
    reset,
    unbind_context,
)


@contextmanager
def request_scope(request: RequestContext) -> Iterator[None]:
    """Make a request the current one for a block, as the ASGI exchange does."""
    token = current.set(Scope({}, request))
    try:
        yield
    finally:
        reset(current, token)


def bound() -> dict[str, Any]:
    """Return what an event logged here would carry."""
    scope = current.get()
    return {**scope.request.shared, **scope.fields}


@pytest.fixture
def request_() -> RequestContext:
    return RequestContext({"request_id": "r1", "trace_id": "t1"})


def test_what_is_bound_is_there_until_it_is_unbound() -> None:
    """The later value wins; a key that is not bound is ignored."""
    bind_context(user=1, role="admin")
    bind_context(user=2)
    assert bound() == {"user": 2, "role": "admin"}

    unbind_context("role", "nothing")
    assert bound() == {"user": 2}

    clear_context()
    assert bound() == {}


def test_values_are_captured_when_they_are_bound() -> None:
    """P36: a list that grows later does not grow in the log."""
    items = [1]
    bind_context(items=items)
    with context_scope(more=items):
        items.append(2)

        assert bound() == {"items": [1], "more": [1]}


def test_a_captured_state_never_changes() -> None:
    """A log call keeps the mappings by reference: they are replaced, not written to."""
    bind_context(a=1)
    kept = current.get().fields

    bind_context(b=2)
    unbind_context("a")
    clear_context()

    assert kept == {"a": 1}


def test_a_scope_restores_what_was_there() -> None:
    """Nested, after an exception, and with what was bound inside."""
    bind_context(a=1)

    def fail() -> None:
        with context_scope(a=2, b=2):
            with context_scope(c=3):
                assert bound() == {"a": 2, "b": 2, "c": 3}
            bind_context(inside=True)
            raise KeyError

    with pytest.raises(KeyError):
        fail()

    assert bound() == {"a": 1}


def test_a_scope_may_be_used_again_and_inside_itself() -> None:
    """One object, several blocks."""
    scope = context_scope(a=1)
    with scope, scope:
        assert bound() == {"a": 1}
    with scope:
        assert bound() == {"a": 1}

    assert bound() == {}


def test_a_scope_decorates_functions() -> None:
    """Each call, also a recursive one, has a scope of its own."""

    @context_scope(job="import")
    def work(depth: int) -> list[dict[str, Any]]:
        bind_context(depth=depth)
        below = work(depth - 1) if depth else []
        return [bound(), *below]

    assert work(1) == [{"job": "import", "depth": 1}, {"job": "import", "depth": 0}]
    assert work.__name__ == "work"
    assert bound() == {}


@pytest.mark.asyncio
async def test_a_scope_decorates_coroutine_functions() -> None:
    """The fields are there while the body runs, not only while the coroutine is made; calls do not mix."""

    @context_scope(job="import")
    async def work(number: int) -> dict[str, Any]:
        bind_context(number=number)
        await asyncio.sleep(0)
        return bound()

    results = await asyncio.gather(*(work(number) for number in range(5)))

    assert results == [{"job": "import", "number": number} for number in range(5)]
    assert await work(7) == {"job": "import", "number": 7}
    assert bound() == {}


@pytest.mark.asyncio
async def test_tasks_inherit_and_keep_to_themselves() -> None:
    """P3: what a task binds stays its own."""
    bind_context(tenant="t")

    async def work(number: int) -> dict[str, Any]:
        bind_context(number=number)
        await asyncio.sleep(0)
        return bound()

    results = await asyncio.gather(*(work(number) for number in range(100)))

    assert results == [{"tenant": "t", "number": number} for number in range(100)]
    assert bound() == {"tenant": "t"}


def test_a_thread_starts_with_nothing() -> None:
    """A worker thread does not belong to the request that made it."""
    bind_context(a=1)
    seen: list[dict[str, Any]] = []

    thread = threading.Thread(target=lambda: seen.append(bound()))
    thread.start()
    thread.join()

    assert seen == [{}]


def test_context_is_carried_into_an_executor() -> None:
    """Often, concurrently, and nothing comes back or stays in the thread."""
    variable: ContextVar[int] = ContextVar("of_the_application", default=0)
    bind_context(user=1)
    variable.set(7)
    barrier = threading.Barrier(4)

    def work(number: int) -> tuple[dict[str, Any], int]:
        bind_context(number=number)
        barrier.wait(10)
        return bound(), variable.get()

    carried = carry_context(work)
    clear_context()
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(carried, range(8)))
        after = pool.submit(bound).result()

    assert results == [({"user": 1, "number": number}, 7) for number in range(8)]
    assert after == {}
    assert bound() == {}
    assert carried.__name__ == "work"


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", ["function", "partial", "object", "method"])
async def test_context_is_carried_into_a_coroutine(kind) -> None:
    """Whatever makes the coroutine: its body runs with the carried fields, and they are gone after it."""

    class Work:
        async def __call__(self, number: int) -> dict[str, Any]:
            bind_context(number=number)
            await asyncio.sleep(0)
            return bound()

    async def function(number: int) -> dict[str, Any]:
        return await Work()(number)

    with context_scope(user=1):
        carried = carry_context(
            {
                "function": function,
                "partial": functools.partial(function),
                "object": Work(),
                "method": Work().__call__,
            }[kind]
        )

    assert await carried(2) == {"user": 1, "number": 2}
    assert bound() == {}
    assert await asyncio.create_task(carried(3)) == {"user": 1, "number": 3}  # type: ignore[arg-type]


@pytest.mark.asyncio
async def test_a_carried_coroutine_that_is_thrown_away_makes_no_noise() -> None:
    """The garbage collector closes it in some other context; warnings are errors here."""

    async def work() -> None:
        await asyncio.get_running_loop().create_future()

    carried = carry_context(work)
    coroutine = carried()
    Context().run(coroutine.send, None)

    copy_context().run(coroutine.close)


def test_a_request_shares_what_synchronous_code_binds(request_) -> None:
    """P1: a sync dependency runs in a copy of the context in a thread; the endpoint still sees what it bound."""
    with request_scope(request_):
        Context().run(_in_request, request_, lambda: bind_context(user=1))

        assert bound() == {"request_id": "r1", "trace_id": "t1", "user": 1}
        assert request_.noted == {"user": 1}
    assert bound() == {}


@pytest.mark.asyncio
async def test_what_a_task_of_a_request_binds_reaches_the_completion_event_only(request_) -> None:
    """P3: two tasks of one request do not see each other's fields."""

    async def work(number: int) -> dict[str, Any]:
        bind_context(number=number)
        await asyncio.sleep(0)
        return bound()

    with request_scope(request_):
        results = await asyncio.gather(work(1), work(2))
        outer = bound()

    assert [result["number"] for result in results] == [1, 2]
    assert "number" not in outer
    assert request_.noted["number"] in {1, 2}


def test_a_task_wins_over_what_its_request_shares(request_) -> None:
    """What was bound nearer."""
    with request_scope(request_):
        request_.share({"user": "shared"})
        with context_scope(user="own"):
            assert bound()["user"] == "own"
        assert bound()["user"] == "shared"


def test_a_scope_does_not_reach_the_completion_event(request_) -> None:
    """Its fields are for the block."""
    with request_scope(request_), context_scope(step=1):
        pass

    assert request_.noted == {}


@pytest.mark.asyncio
async def test_clearing_keeps_the_identity_of_the_request(request_) -> None:
    """P4: after ``clear_context`` the events still belong to their request; annotations stay too."""
    with request_scope(request_):
        request_.note({"annotated": 1})
        bind_context(user=1)
        await asyncio.to_thread(bind_context, role="admin")
        clear_context()

        assert bound() == {"request_id": "r1", "trace_id": "t1"}
        assert request_.noted == {"annotated": 1}


def test_unbinding_reaches_the_request_too(request_) -> None:
    """What synchronous code shared and noted is gone from both."""
    with request_scope(request_):
        bind_context(user=1, role=2)
        unbind_context("user")

        assert bound() == {"request_id": "r1", "trace_id": "t1", "role": 2}
        assert request_.noted == {"role": 2}


def test_the_context_may_set_the_request_id(request_) -> None:
    """Design 5: and the request's own events follow."""
    with request_scope(request_):
        bind_context(request_id="mine")

        assert bound()["request_id"] == "mine"


def test_requests_do_not_inherit_from_the_server(request_) -> None:
    """P3: what was bound at start-up, or by the request before on the same connection, is not on a request."""
    bind_context(startup=True)
    with request_scope(request_):
        assert "startup" not in bound()
    assert bound() == {"startup": True}
    assert OUTSIDE.shared == {}


def test_a_scope_may_end_in_another_context(request_) -> None:
    """A9: a generator dependency is closed in another copy of the context; nothing raises."""
    for make in (lambda: context_scope(a=1), lambda: request_scope(request_)):
        scope = make()
        Context().run(scope.__enter__)
        Context().run(scope.__exit__, None, None, None)

    assert bound() == {}


def test_many_threads_bind_to_one_request_without_loss(request_) -> None:
    """Each replaces the whole mapping, under the request's lock."""
    barrier = threading.Barrier(8)

    def work(number: int) -> None:
        barrier.wait(10)
        for index in range(200):
            bind_context(**{f"k{number}_{index}": index})

    threads = [threading.Thread(target=Context().run, args=(_in_request, request_, work, n)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(request_.noted) == 8 * 200
    assert len(request_.shared) == 8 * 200 + 2


def test_a_finished_request_is_let_go(request_) -> None:
    """No reference stays behind in the thread that served it."""

    class Witnessed(RequestContext):
        __slots__ = ("__weakref__",)

    request = Witnessed({"request_id": "r"})
    witness = weakref.ref(request)
    with request_scope(request):
        bind_context(a=1)
    del request
    gc.collect()

    assert witness() is None


@given(st.lists(st.tuples(st.sampled_from(["bind", "unbind", "clear"]), st.sampled_from("abc"), st.integers())))
def test_context_behaves_like_a_dict(steps) -> None:
    """Any order of binding, unbinding and clearing."""
    expected: dict[str, Any] = {}

    def run() -> None:
        for step, key, value in steps:
            if step == "bind":
                bind_context(**{key: value})
                expected[key] = value
            elif step == "unbind":
                unbind_context(key)
                expected.pop(key, None)
            else:
                clear_context()
                expected.clear()
            assert bound() == expected

    Context().run(run)


def _in_request(request: RequestContext, function: Any, *args: Any) -> None:
    with request_scope(request):
        function(*args)
