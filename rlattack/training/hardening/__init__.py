"""How agents are trained to stand attacks on what they see: regimes, one a file."""

from rlattack.training.hardening.regime import POISONS, REGIMES, Ground, Regime, kind_of, regime_of

__all__ = ["POISONS", "REGIMES", "Ground", "Regime", "kind_of", "regime_of"]
