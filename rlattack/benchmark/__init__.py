"""The benchmark: what others claim is played, ranked and checked."""

__all__: list[str] = []
