"""A token bucket: so many at once after a calm, and then so many a second."""


class Bucket:
    """Tokens that come back at a steady rate. In any ``t`` seconds it gives at most ``burst + rate * t`` of them.

    Attributes:
        held: For whoever uses it: how many it had no token for.
        level: The level of the last of those.
    """

    __slots__ = ("_at", "_burst", "_rate", "_tokens", "held", "level")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        """Start full.

        Args:
            rate: Tokens a second, above zero.
            burst: The most it holds, at least 1.
            now: Seconds that only move forward, as in all other methods.
        """
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._at = now
        self.held = 0
        self.level = ""

    def full(self, now: float) -> bool:
        """Tell whether all tokens are back."""
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        return self._tokens >= self._burst

    def take(self, now: float) -> bool:
        """Take a token, and tell whether there was one."""
        self.full(now)
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True
