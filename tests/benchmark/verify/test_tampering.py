"""Whatever is changed of a run is found, and a run that nobody has touched passes."""

import pytest

from rlattack.benchmark.verify import verify
from rlattack.errors import ContentError
from tests.kit.forgeries import FORGERIES


def test_a_run_that_nobody_has_touched_passes_every_check(played):
    verdict = verify(played)
    assert verdict.failed == ()
    assert [check.name for check in verdict.checks if check.status == "not checked"] == ["costs"]


@pytest.mark.parametrize("what", FORGERIES)
def test_tampering_is_found(what, run):
    forge, check = FORGERIES[what]
    forge(run)
    if check == "refused":
        with pytest.raises(ContentError, match=r"results\.json"):
            verify(run.folder)
    else:
        assert check in {one.name for one in verify(run.folder).failed}
