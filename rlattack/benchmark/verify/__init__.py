"""Verification: a run is checked by who does not trust it, without the attacks that were played in it."""

from typing import TYPE_CHECKING

from rlattack.registry import lazily

if TYPE_CHECKING:
    from rlattack.benchmark.verify.checks import Check, Verdict
    from rlattack.benchmark.verify.verifier import verify

__all__ = ["Check", "Verdict", "verify"]

__getattr__ = lazily(__name__, checks="Check Verdict", verifier="verify")
