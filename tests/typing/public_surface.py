"""What a type checker sees of the public names. Checked by mypy and pyright in strict mode, never run."""

from collections.abc import Callable
from typing import Any, assert_type

from opentelemetry.trace import Span

import fapilog
from fapilog import (
    AsyncLoggerBuilder,
    AsyncLoggerFacade,
    DrainResult,
    LoggerBuilder,
    Sensitive,
    SyncLoggerFacade,
    bind_context,
    carry_context,
    clear_context,
    configure,
    context_scope,
    get_async_logger,
    get_logger,
    list_presets,
    recorder,
    register_level,
    runtime,
    runtime_async,
    set_level,
    span_link,
    unbind_context,
)

assert_type(fapilog.__version__, str)


def synchronous() -> None:
    """The synchronous facade returns None from each level method, and itself from bind."""
    logger = get_logger("shop", preset="production")
    assert_type(logger, SyncLoggerFacade)
    assert_type(logger.name, str)
    assert_type(logger.info("paid", order=7, card=Sensitive("4111")), None)
    assert_type(logger.error("failed %s", "twice", exc_info=ValueError(), stack_info=True), None)
    assert_type(logger.log("NOTICE", "text", key=b"bytes"), None)
    assert_type(logger.bind(user=1), SyncLoggerFacade)
    assert_type(logger.unbind("user"), SyncLoggerFacade)
    assert_type(logger.is_enabled_for("DEBUG"), bool)
    assert_type(logger.drain(timeout=1.0), DrainResult)
    with runtime() as scoped:
        assert_type(scoped, SyncLoggerFacade)


async def asynchronous() -> None:
    """The asynchronous facade's methods are awaitable, and need not be awaited."""
    logger = await get_async_logger(preset="production")
    assert_type(logger, AsyncLoggerFacade)
    await logger.info("paid", order=7)
    assert_type(logger.bind(user=1), AsyncLoggerFacade)
    assert_type(await logger.drain(), DrainResult)
    assert_type(await get_logger().stop_and_drain(), DrainResult)
    async with runtime_async() as scoped:
        assert_type(scoped, AsyncLoggerFacade)


def builders() -> SyncLoggerFacade:
    """Builder methods chain, and end in the facade of their kind."""
    builder = LoggerBuilder().with_preset("production").with_level("INFO").add_stdout(format="json")
    assert_type(builder, LoggerBuilder)
    configure(builder=builder)
    return builder.build()


async def async_builders() -> None:
    """The asynchronous builder's ``build`` is awaited."""
    assert_type(await AsyncLoggerBuilder().add_memory().build(), AsyncLoggerFacade)


def context() -> None:
    """Context takes any field; carry_context keeps the signature of what it carries."""
    bind_context(user_id=1)
    unbind_context("user_id")
    clear_context()
    with context_scope(tenant="a"):
        pass

    def work(item: int) -> str:
        return str(item)

    carried: Callable[[int], str] = carry_context(work)
    assert_type(carried(1), str)
    assert_type(carry_context(work, link=True)(1), str)
    assert_type(carry_context(link=True)(work)(1), str)


async def linked_work() -> None:
    """Linked work keeps its signature, too; as a block it is a span."""
    with span_link("mail", attributes={"customer": 7}) as span:
        assert_type(span, Span)

    @span_link()
    async def send(address: str) -> bytes:
        return address.encode()

    assert_type(await send("a@b"), bytes)
    assert_type(await carry_context(send)("a@b"), bytes)


async def recorded_jobs() -> None:
    """A flight recorder is a block of either kind, and keeps the signature of what it decorates."""
    with recorder(level="DEBUG", on=("error", "slow"), slow_seconds="30s"):
        pass
    async with recorder(on="slow", max_events=100, max_bytes="64 KB"):
        pass

    @recorder()
    async def job(order: int) -> str:
        return str(order)

    @recorder()
    def step(order: int) -> str:
        return str(order)

    assert_type(await job(7), str)
    assert_type(step(7), str)


def process() -> None:
    """Levels and presets of the process."""
    register_level("NOTICE", 25)
    set_level("DEBUG", logger="shop")
    presets: Any = list_presets()
    assert presets
