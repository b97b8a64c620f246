"""An asynchronous handler whose requests wait for one another."""

import asyncio
import collections
import sys


class Meeting:
    def initialize(self, context):
        asyncio.get_event_loop().run_until_complete(self._prepare())

    async def _prepare(self):
        self._loop = asyncio.get_running_loop()
        self._opened = collections.defaultdict(asyncio.Event)

    async def handle(self, rows, context):
        (row,) = rows
        order, _, name = bytes(row["body"]).decode().partition(" ")
        assert asyncio.get_running_loop() is self._loop
        if order == "exit":
            sys.exit(3)
        if order == "open":
            self._opened[name].set()
        if order == "wait":
            try:
                await self._opened[name].wait()
            except asyncio.CancelledError:
                self._opened["cancelled"].set()
                raise
        context.set_response_status(201, "met")
        return [name]
