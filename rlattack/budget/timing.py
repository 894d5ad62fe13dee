"""When what is seen, or done, arrives: late, or only now and then."""

from torch import Tensor

from rlattack.budget.change import Change


class _Late(Change):
    unit = "steps"
    most = 1000.0
    signed = False
    whole = True
    remembers = True


class Delay(_Late):
    """Gives what was there so many steps ago; the first one until there are as many."""

    kind = "delay"

    def apply(self, shown: Tensor, severities: Tensor, details: Tensor) -> Tensor:
        """What was there then."""
        return self._past.shown(severities, shown)


class Frozen(_Late):
    """Gives what is there in the first step, holds it for so many more, gives what is there then, and so on."""

    kind = "frozen"

    def apply(self, shown: Tensor, severities: Tensor, details: Tensor) -> Tensor:
        """What was there when it was looked at last."""
        return self._past.shown(self._past.step(shown) % (severities.long() + 1), shown)
