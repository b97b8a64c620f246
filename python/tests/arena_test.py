"""Tests of the arena of the worker's half."""

import random
import threading

import pytest

from headrace_worker import arena as arena_module
from headrace_worker import batch, errors


def test_blocks_are_aligned_apart_and_grow_together_again():
    arena = arena_module.Arena(1 << 20, 2 << 20)
    random.seed(3)
    held = {}
    for _ in range(2000):
        if held and (len(held) > 40 or random.random() < 0.5):
            assert arena.release(held.pop(random.choice(list(held)))[0])
        else:
            size = random.randint(1, 20_000)
            held[len(held) + random.random()] = (arena.allocate(size), size)
        spans = sorted(held.values())
        assert all(offset % 64 == 0 and 1 << 20 <= offset <= (2 << 20) - size for offset, size in spans)
        assert all(a[0] + a[1] <= b[0] for a, b in zip(spans, spans[1:]))
    for offset, _ in held.values():
        arena.release(offset)
    assert arena.used() == 0
    assert arena.allocate(1 << 20) == 1 << 20


def test_what_is_not_in_use_is_not_released():
    arena = arena_module.Arena(0, 4096)
    offset = arena.allocate(100)
    assert not arena.release(offset + 64)
    assert arena.release(offset)
    assert not arena.release(offset)


def test_no_room_is_an_error_that_names_the_remedy():
    arena = arena_module.Arena(0, 4096)
    arena.allocate(4096)
    with pytest.raises(errors.RegionFull, match="data-byte-size"):
        arena.allocate(64)
    with pytest.raises(errors.RegionFull, match="data-byte-size"):
        arena.allocate(4097, wait=True)


def test_who_waits_gets_what_is_released():
    arena = arena_module.Arena(0, 4096)
    first = arena.allocate(4096)
    got = []
    thread = threading.Thread(target=lambda: got.append(arena.allocate(64, wait=True)))
    thread.start()
    arena.release(first)
    thread.join(30)
    assert got == [0]


def test_who_waits_is_told_of_the_end():
    arena = arena_module.Arena(0, 4096)
    arena.allocate(4096)
    ended = []

    def wait():
        try:
            arena.allocate(64, wait=True)
        except errors.ChannelClosed as error:
            ended.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    arena.close()
    thread.join(30)
    assert len(ended) == 1


def test_the_space_of_calls_keeps_its_chunk():
    arena = arena_module.Arena(0, 256 << 20)
    space = batch.CallSpace(arena)
    first = [space.place(1000) for _ in range(3)]
    space.reset()
    assert [space.place(1000) for _ in range(3)] == first
    space.reset()
    assert arena.used() == 1 << 20


def test_the_space_of_calls_grows_and_gives_large_blocks_back():
    arena = arena_module.Arena(0, 256 << 20)
    space = batch.CallSpace(arena)
    small, larger, huge = space.place(10), space.place(5 << 20), space.place(100 << 20)
    assert len({small, larger, huge}) == 3
    space.reset()
    assert arena.used() == 10 << 20
    assert space.place(5 << 20) == larger


def test_the_space_of_calls_uses_the_last_free_bytes():
    arena = arena_module.Arena(0, 1 << 20)
    space = batch.CallSpace(arena)
    space.place(900_000)
    with pytest.raises(errors.RegionFull):
        space.place(900_000)
    space.reset()
    space.place(900_000)
