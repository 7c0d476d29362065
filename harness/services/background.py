"""An event loop in a thread of its own: what passes bytes on runs there, beside the synchronous rest of the harness."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Background:
    """The loop and its thread, from the moment it is made until ``end``."""

    def __init__(self, name: str) -> None:
        self.loop = asyncio.new_event_loop()
        self._servers: list[asyncio.Server] = []
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True, name=name)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What a piece of work comes to that is done there."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()

    def serve(self, starting: Coroutine[Any, Any, asyncio.Server]) -> None:
        """Start a server there."""
        self._servers.append(self.run(starting))

    def cut(self) -> None:
        """Accept nothing more; connections under way are cut."""
        self.run(self._cut())

    def end(self) -> None:
        """End the loop and its thread."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    async def _cut(self) -> None:
        for server in self._servers:
            server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for _ in range(2):  # what was aborted is closed at the loop's next turns
            await asyncio.sleep(0)
