"""Bounds by lines that are carried back to what is seen: CROWN (Zhang et al. 2018) and CROWN-IBP (Zhang et al. 2020).

A question is a linear function of what some layer says. Going backward, each layer turns it into one of what that layer
sees: exactly through linear layers, by a line below where it bends. Of what the first layer sees, the least is known.
CROWN asks so about what every layer that bends may see; CROWN-IBP asks intervals about that, and goes back once. Where
an interval is tighter, it is taken, so that neither is looser than intervals.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, singledispatch
from typing import Literal, get_args

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor, nn

from rlattack.defences.bounds import Interval, check_zeros_around, through, unbounded
from rlattack.defences.certificates.picking import Picking, Windows
from rlattack.defences.certificates.region import Region
from rlattack.defences.certificates.relaxation import bends, lines
from rlattack.defences.layers import Affine, Clip, Pick

Method = Literal["ibp", "crown-ibp", "crown"]
METHODS: tuple[Method, ...] = get_args(Method)
_AT_ONCE = 2**21
"""Numbers of the largest layer that questions are carried through at once."""
_LARGE = 2**12
"""Numbers of a picture beyond which convolutions are faster with channels last."""
_BENDING = (nn.ReLU, nn.Tanh, Clip)
_LINEAR = (nn.Linear, nn.Conv2d)


@dataclass(frozen=True)
class Traced:
    """A region on its way through layers.

    Attributes:
        layers: One after the other.
        region: What the first of them may see.
        seen: What each may see, and after them what the last says; shape (n, *entries) each.
    """

    layers: tuple[nn.Module, ...]
    region: Region
    seen: tuple[Interval, ...]

    @cached_property
    def said(self) -> list[Tensor]:
        """What the first layer, a linear one, says of the region's middles."""
        return [self.layers[0](middle) for middle in self.region.middles]


def trace(layers: Sequence[nn.Module], region: Region, method: Method) -> Traced:
    """What each layer may see of everything in a region: by intervals, and of layers that bend by CROWN where asked.

    Raises:
        InvalidInput: A layer that is not bounded.
    """
    while layers and isinstance(moved := region.through(layers[0]), Region):  # each entry by itself: still a region
        layers, region = layers[1:], moved
    here: Region | Interval = region
    seen: list[Interval] = []
    exact = True  # nothing bent and no two linear layers yet: then ends are those of the image itself
    for place, layer in enumerate(layers):
        now = here.box if isinstance(here, Region) else here
        if method != "ibp" and isinstance(layer, _BENDING):
            bent = bends(layer, now)
            if method == "crown" and not exact and bent.any():
                now = here = _tightened(Traced(tuple(layers[:place]), region, (*seen, now)), now, bent)
                bent = bends(layer, now)
            exact = exact and not bent.any()
        exact = exact and not (isinstance(layer, _LINEAR) and isinstance(here, Interval))
        seen.append(now)
        here = here.through(layer) if isinstance(here, Region) else through(layer, here)
    return Traced(tuple(layers), region, (*seen, here.box if isinstance(here, Region) else here))


def least(traced: Traced, asked: Tensor, method: Method) -> Tensor:
    """Lower bounds of linear functions of what the last layer says.

    Args:
        traced: A region on its way.
        asked: Weights of each, shape (n, questions, outputs) or, the same for every row, (1, questions, outputs).
        method: By which bounds.

    Returns:
        Shape (n, questions).
    """
    rows = len(traced.region.centre)
    asked = asked.expand(rows, -1, -1)
    found = _by_intervals(traced, asked)
    if method == "ibp" and len(traced.layers) > 1:  # of one layer, both are what it reaches
        return found
    flat = torch.arange(rows, device=asked.device).repeat_interleave(asked.shape[1])
    return torch.maximum(found, _answered(traced, flat, asked.flatten(0, 1)).view_as(found))


def _by_intervals(traced: Traced, asked: Tensor) -> Tensor:
    """Lower bounds by what the last linear layer may see, into which the functions are merged."""
    last, shift = len(traced.layers), torch.zeros(())
    if last and isinstance(layer := traced.layers[-1], nn.Linear):
        last -= 1
        shift = shift.to(asked) if layer.bias is None else asked @ layer.bias
        asked = asked @ layer.weight
    seen = traced.seen[last]
    middle, radius = (one.flatten(1)[:, :, None] for one in (seen.centre, seen.radius))
    return (asked @ middle - asked.abs() @ radius).squeeze(2) + shift.to(asked)


def _tightened(traced: Traced, now: Interval, bent: Tensor) -> Interval:
    """What a layer may see, asked again for entries that count."""
    places = bent.nonzero()
    local = bent.ndim == 4 and all(map(_is_local, traced.layers))
    picking = Windows(places[:, 0], places[:, 2], places[:, 3]) if local else Picking(places[:, 0])
    ends = []
    for sign, end in ((1.0, now.lower), (-1.0, now.upper)):
        found = sign * _asked_entries(traced, places, picking, sign)
        tighter = torch.maximum if sign > 0 else torch.minimum
        ends.append(end.index_put(tuple(places.T), tighter(end[bent], found)))
    return Interval(ends[0], torch.maximum(*ends))  # rounding may cross ends that meet


def _is_local(layer: nn.Module) -> bool:
    """Whether a window of what it says is made of a window of what it sees."""
    if isinstance(layer, nn.Conv2d):
        return layer.padding == (0, 0) and layer.dilation == (1, 1) and layer.groups == 1
    return isinstance(layer, (*_BENDING, Affine, nn.Identity))


def _asked_entries(traced: Traced, places: Tensor, picking: Picking, sign: float) -> Tensor:
    """Lower bounds of single entries of what the last layer says, or of what is 0 minus them, shape (m,)."""
    shape, local = traced.seen[-1].lower.shape[1:], isinstance(picking, Windows)
    start = (shape[0], 1, 1) if local else tuple(shape)
    numbers = places[:, 1] if local else _flat(places[:, 1:], shape)
    found = []
    size = max(1, _AT_ONCE // (_widest(traced) if not local else _window(traced)))
    for first in range(0, len(places), size):
        part = slice(first, first + size)
        weight = torch.zeros(len(numbers[part]), *start, device=numbers.device)
        weight.flatten(1)[torch.arange(len(weight)), numbers[part]] = sign
        own = Windows(places[part, 0], places[part, 2], places[part, 3]) if local else Picking(places[part, 0])
        found.append(_back(traced, _Asked(weight, own, weight.new_zeros(len(weight)))))
    return torch.cat(found)


def _answered(traced: Traced, rows: Tensor, weight: Tensor) -> Tensor:
    """Lower bounds of functions of what the last layer says, of the row of each, shape (m,)."""
    size = max(1, _AT_ONCE // _widest(traced))
    shape = traced.seen[-1].lower.shape[1:]
    parts = zip(torch.split(rows, size), torch.split(weight, size), strict=True)
    return torch.cat(
        [_back(traced, _Asked(own.view(-1, *shape), Picking(of), own.new_zeros(len(own)))) for of, own in parts]
    )


def _flat(places: Tensor, shape: Sequence[int]) -> Tensor:
    """Numbers of entries in a row."""
    number = places[:, 0]
    for axis in range(1, len(shape)):
        number = number * shape[axis] + places[:, axis]
    return number


def _widest(traced: Traced) -> int:
    return max(one.lower[0].numel() for one in traced.seen)


def _window(traced: Traced) -> int:
    """Numbers of the largest window that one entry of the last layer looks at."""
    at, most = Windows(torch.empty(0), torch.empty(0), torch.empty(0)), 1
    for layer, seen in zip(reversed(traced.layers), reversed(traced.seen[:-1]), strict=True):
        at = at.before(layer) if isinstance(layer, nn.Conv2d) else at
        most = max(most, seen.lower.shape[1] * at.size[0] * at.size[1])
    return most


@dataclass(frozen=True)
class _Asked:
    """Linear functions of what a layer says.

    Attributes:
        weight: Of what it says, shape (m, *entries) or (m, channels, *window).
        picking: Which row and window each looks at.
        shift: What is added, shape (m,).
    """

    weight: Tensor
    picking: Picking
    shift: Tensor


def _back(traced: Traced, asked: _Asked) -> Tensor:
    """Lower bounds of functions of what the last layer says, carried back to the region."""
    region = traced.region
    if not traced.layers:
        at = [asked.shift + asked.picking.dot(asked.weight, middle) for middle in region.middles]
        return region.least(asked.weight, asked.picking, at)
    first, *rest = traced.layers
    for layer, seen in zip(reversed(rest), reversed(traced.seen[1:-1]), strict=True):
        asked = _before(layer, seen, asked)
    if not isinstance(first, _LINEAR):
        asked = _before(first, traced.seen[0], asked)
        at = [asked.shift + asked.picking.dot(asked.weight, middle) for middle in region.middles]
        return region.least(asked.weight, asked.picking, at)
    at = [asked.shift + asked.picking.dot(asked.weight, said) for said in traced.said]  # fewer than what it sees
    if isinstance(first, nn.Conv2d) and region.even is not None and _is_local(first):
        return region.least(_apart(first, asked.weight), asked.picking, at, laid=False)
    asked = _before(first, traced.seen[0], asked)
    return region.least(asked.weight, asked.picking, at)


@singledispatch
def _before(layer: nn.Module, seen: Interval, asked: _Asked) -> _Asked:
    """Functions of what a layer sees that are nowhere above those of what it says, for all that it may see."""
    raise unbounded(layer)


@_before.register(nn.ReLU)
@_before.register(nn.Tanh)
@_before.register(Clip)
def _bending(layer: nn.Module, seen: Interval, asked: _Asked) -> _Asked:
    found, pick, rises = lines(layer, seen), asked.picking, asked.weight > 0
    shift = asked.shift + pick.dot(asked.weight.clamp(max=0), found.high_at)
    if not isinstance(layer, nn.ReLU):  # whose lower lines all meet 0
        shift = shift + pick.dot(asked.weight.clamp(min=0), found.low_at)
    return replace(asked, weight=asked.weight * torch.where(rises, pick(found.low), pick(found.high)), shift=shift)


@_before.register
def _affine(layer: Affine, seen: Interval, asked: _Asked) -> _Asked:
    shape = (1, *seen.lower.shape[1:])
    slope, shift = (asked.picking(one.expand(shape)) for one in (layer.slope, layer.shift))
    return replace(asked, weight=asked.weight * slope, shift=asked.shift + (asked.weight * shift).flatten(1).sum(dim=1))


@_before.register
def _identity(layer: nn.Identity, seen: Interval, asked: _Asked) -> _Asked:
    return asked


@_before.register
def _flatten(layer: nn.Flatten, seen: Interval, asked: _Asked) -> _Asked:
    return replace(asked, weight=asked.weight.reshape(-1, *seen.lower.shape[1:]))


@_before.register
def _pick(layer: Pick, seen: Interval, asked: _Asked) -> _Asked:
    shape = seen.lower.shape[1:]
    weight = asked.weight.new_zeros(len(asked.weight), shape.numel())
    weight.index_add_(1, layer.index.flatten(), asked.weight.flatten(1))
    return replace(asked, weight=weight.view(-1, *shape))


@_before.register
def _linear(layer: nn.Linear, seen: Interval, asked: _Asked) -> _Asked:
    shift = asked.shift if layer.bias is None else asked.shift + asked.weight @ layer.bias
    return replace(asked, weight=asked.weight @ layer.weight, shift=shift)


@_before.register
def _convolution(layer: nn.Conv2d, seen: Interval, asked: _Asked) -> _Asked:
    check_zeros_around(layer)
    shift = asked.shift if layer.bias is None else asked.shift + asked.weight.sum(dim=(2, 3)) @ layer.bias
    if isinstance(asked.picking, Windows):
        picking = asked.picking.before(layer)
        return _Asked(_transposed(layer, asked.weight, picking.size), picking, shift)
    height, width = seen.lower.shape[2:]
    return replace(asked, weight=_transposed(layer, asked.weight, (height, width)), shift=shift)


def _transposed(layer: nn.Conv2d, weight: Tensor, size: tuple[int, int]) -> Tensor:
    """The transposed convolution, shape (m, channels, *size)."""
    around, step = layer.padding, layer.stride[0]
    assert not isinstance(around, str), "refused before"
    if layer.groups > 1 or layer.dilation != (1, 1) or layer.stride != (step, step):
        back = F.conv_transpose2d(weight, layer.weight, None, layer.stride, 0, 0, layer.groups, layer.dilation)
    else:
        back = F.pixel_shuffle(_apart(layer, weight), step)
    (above, before), (height, width) = around, back.shape[2:]
    rest = (-before, size[1] + before - width, -above, size[0] + above - height)
    return F.pad(back, rest) if any(rest) else back


def _apart(layer: nn.Conv2d, weight: Tensor) -> Tensor:
    """The transposed convolution by places within a stride, shape (m, channels * stride^2, ...), zeros at its ends.

    With a kernel of whole strides it falls apart into one without a stride for each place, which is a convolution:
    several times as fast as torch's own.
    """
    step = layer.stride[0]
    out, channels, *kernel = layer.weight.shape
    tall, wide = (-(-side // step) for side in kernel)
    whole = F.pad(layer.weight, (0, wide * step - kernel[1], 0, tall * step - kernel[0]))
    apart = whole.view(out, channels, tall, step, wide, step).permute(1, 3, 5, 0, 2, 4)
    apart = apart.reshape(channels * step**2, out, tall, wide).flip(2, 3)
    if weight[0].numel() > _LARGE:
        weight = weight.contiguous(memory_format=torch.channels_last)
    return F.conv2d(weight, apart, padding=(tall - 1, wide - 1))
