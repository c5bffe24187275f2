"""The channel: every item once, an end, bounded, and no sleeper left behind by a cancelled one."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasonmill.engine.flow.channel import Channel, ChannelEnded


def test_the_channel_ends_when_its_last_writer_leaves():
    async def scenario():
        channel = Channel("c", 2)

        async def write(items):
            with channel.writer():
                for item in items:
                    await channel.put(item)

        async with asyncio.TaskGroup() as group:
            group.create_task(write(range(5)))
            group.create_task(write(range(5, 10)))
            got = [item async for item in channel]
        with pytest.raises(ChannelEnded):
            await channel.get()
        return got

    assert sorted(asyncio.run(scenario())) == list(range(10))


def test_a_writer_waits_for_room_and_a_reader_for_items():
    async def scenario():
        channel = Channel("c", 1)
        with channel.writer():
            await channel.put(1)
            blocked = asyncio.create_task(channel.put(2))
            await asyncio.sleep(0.02)
            assert not blocked.done()
            assert await channel.get() == 1
            await blocked
            assert await channel.get() == 2
            starved = asyncio.create_task(channel.get())
            await asyncio.sleep(0.02)
            await channel.put(3)
            assert await starved == 3
        return channel.figures()

    figures = asyncio.run(scenario())
    assert figures.items == 3
    assert figures.blocked_s > 0
    assert figures.starved_s > 0


@settings(max_examples=40, deadline=None)
@given(bound=st.integers(1, 4), items=st.integers(0, 30), readers=st.integers(1, 4), cancel=st.sets(st.integers(0, 3)))
def test_no_item_is_lost_or_doubled_when_readers_are_cancelled(bound, items, readers, cancel):
    async def scenario():
        channel = Channel("c", bound)
        got = []

        async def read():
            async for item in channel:
                got.append(item)
                await asyncio.sleep(0)

        async def write():
            with channel.writer():
                for item in range(items):
                    await channel.put(item)
                    await asyncio.sleep(0)

        tasks = [asyncio.create_task(read()) for _ in range(readers + 1)]  # one is never cancelled
        writing = asyncio.create_task(write())
        await asyncio.sleep(0)
        for index in cancel:
            if index < readers:
                tasks[index].cancel()
        await asyncio.wait_for(writing, 5)
        await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
        return got

    assert sorted(asyncio.run(scenario())) == list(range(items))


def test_a_bound_below_one_is_refused_with_its_value():
    with pytest.raises(ValueError, match="bound 0"):
        Channel("c", 0)
