"""How the size that a defence learns at grows over a run."""

import numpy as np
import pytest

from rlattack.errors import InvalidInput
from rlattack.training.hardening.ramp import Ramped


def test_sizes_grow_as_the_papers_have_it():
    linear = Ramped(start=0.1, ramp=0.5)
    assert [linear.share(done) for done in (0.0, 0.05, 0.1, 0.35, 0.6, 1.0)] == pytest.approx([0, 0, 0, 0.5, 1, 1])
    smooth = Ramped(ramp=1.0, smooth=True)
    told = [smooth.share(done) for done in np.linspace(0, 1, 101)]
    assert (told[0], told[-1]) == (0, pytest.approx(1))
    slopes = np.diff(told)
    assert (slopes >= 0).all()
    assert np.ptp(slopes[25:]) < 1e-9  # linear from a quarter on, and no bend there
    assert slopes[24] == pytest.approx(slopes[25], rel=0.1)
    assert Ramped(ramp=0).share(0.0) == 1


@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize("start", [0.0, 0.1, 0.3, 0.9, 0.95])
def test_a_run_meets_the_whole_size_before_it_ends(start, smooth):
    assert Ramped(start=start, ramp=1 - start, smooth=smooth).share(1.0) == pytest.approx(1)
    with pytest.raises(InvalidInput, match=f"start and ramp, shares .* got {start:g} and {1.01 - start:g}, .* at most"):
        Ramped(start=start, ramp=1.01 - start, smooth=smooth)
