"""How often each address may ask: a bucket of tokens each, that fills again with time. Policy, without a clock."""

from __future__ import annotations

from autowasm import limits


class Buckets:
    """``rate`` tokens a second come into each bucket, up to ``burst``; no rate is no bound."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._left: dict[str, tuple[float, float]] = {}  # address -> tokens at a time

    def take(self, address: str, now: float) -> bool:
        """Take a token; whether there was one. ``now`` in seconds that only grow."""
        if self._rate <= 0:
            return True
        tokens, since = self._left.get(address, (self._burst, now))
        tokens = min(self._burst, tokens + (now - since) * self._rate)
        if address not in self._left and len(self._left) >= limits.ADDRESSES_KEPT:
            self._drop_full(now)
        self._left[address] = (max(tokens - 1, 0) if tokens >= 1 else tokens), now
        return tokens >= 1

    def _drop_full(self, now: float) -> None:
        """Forget who has a full bucket again, and where that is nobody all of them."""
        self._left = {
            address: (tokens, since)
            for address, (tokens, since) in self._left.items()
            if tokens + (now - since) * self._rate < self._burst
        }
        if len(self._left) >= limits.ADDRESSES_KEPT:
            self._left.clear()
