"""The command line, one file a verb; nothing imports it."""

__all__: list[str] = []
