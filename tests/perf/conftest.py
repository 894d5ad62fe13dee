"""Registers the games that are known by hand."""

import tests.kit.games  # noqa: F401
