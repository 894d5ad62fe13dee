"""How agents are trained to stand attacks on what they see: regimes, one a file."""

from rlattack.training.hardening.regime import REGIMES, Ground, Regime, kind_of, regime_of

__all__ = ["REGIMES", "Ground", "Regime", "kind_of", "regime_of"]
