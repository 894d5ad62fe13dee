"""The verifier's own list of controls is that of the attacks."""

from rlattack.attacks import ATTACKS
from rlattack.benchmark.verify.reaches import CONTROLS


def test_the_verifier_knows_all_controls_by_name():
    ours = [name for name, kind in ATTACKS.working() if kind.is_control and name not in ATTACKS.added]
    assert sorted(CONTROLS) == sorted(ours)
