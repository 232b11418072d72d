"""A token bucket: so many at once after a calm, and then so many a second."""


class Bucket:
    """Tokens that come back at a steady rate. In any ``t`` seconds it gives at most ``burst + rate * t`` of them.

    Attributes:
        tokens: How many it held when it was last asked.
    """

    __slots__ = ("_at", "_burst", "_rate", "tokens")

    def __init__(self, rate: float, burst: float, now: float, tokens: float | None = None) -> None:
        """Start full, or with so many tokens.

        Args:
            rate: Tokens a second, above zero.
            burst: The most it holds, at least 1.
            now: Seconds that only move forward, as in all other methods.
            tokens: At most ``burst``; default all.
        """
        self._rate = rate
        self._burst = burst
        self.tokens = burst if tokens is None else tokens
        self._at = now

    def full(self, now: float) -> bool:
        """Tell whether all tokens are back."""
        self.tokens = min(self._burst, self.tokens + (now - self._at) * self._rate)
        self._at = now
        return self.tokens >= self._burst

    def take(self, now: float) -> bool:
        """Take a token, and tell whether there was one."""
        self.full(now)
        if self.tokens < 1.0:
            return False
        self.tokens -= 1.0
        return True
