"""The random shape of a street: its width, its houses, and the materials of its ground and walls."""

from dataclasses import dataclass

from harness_plugins.demo_world.draws import RandomDraws
from harness_plugins.demo_world.light import Colour

_WALLS: tuple[Colour, ...] = (
    (176, 160, 138),
    (146, 104, 84),
    (120, 92, 78),
    (196, 190, 178),
    (134, 138, 140),
    (168, 140, 104),
    (104, 110, 104),
)


@dataclass(frozen=True, slots=True)
class Front:
    """A house in the row along a street, or a hedge if `green`. It starts `start` metres along the street; sizes in
    metres."""

    start: float
    height: float
    wall: Colour
    glass: int
    bay: float
    storey: float
    base: float
    pane: float
    bricks: bool
    green: bool


@dataclass(frozen=True, slots=True)
class Street:
    """The lateral positions of kerbs and house fronts in metres, the houses, and what is painted on the road."""

    middle: float
    kerb: float
    left: float
    right: float
    end: float
    crossing: float
    stripes: float
    tarmac: int
    paving: Colour
    slab: float
    fronts: tuple[Front, ...]
    shadow: float
    seed: int


def street(draws: RandomDraws) -> Street:
    """Return a random street. Its `crossing` is the depth of a side road, and its `stripes` the depth of a zebra
    crossing; 0 means that there is none."""
    kerb = draws.uniform(3.4, 5.2)
    middle = draws.uniform(-1.8, 1.8)
    grey = 92 + draws.below(84)
    paving = (grey + draws.below(14), grey, grey - draws.below(18))
    return Street(
        middle=middle,
        kerb=kerb,
        left=middle - kerb - draws.uniform(2.2, 5.0),
        right=middle + kerb + draws.uniform(2.2, 5.0),
        end=draws.uniform(32.0, 80.0),
        crossing=draws.uniform(9.0, 20.0) if draws.chance(0.4) else 0.0,
        stripes=draws.uniform(5.0, 11.0) if draws.chance(0.35) else 0.0,
        tarmac=70 + draws.below(52),
        paving=paving,
        slab=draws.choice((0.0, 0.5, 1.0)),
        fronts=tuple(_front(draws, -20.0 + 11.0 * number) for number in range(24)),
        shadow=draws.uniform(-4.0, 4.0) if draws.chance(0.6) else 99.0,
        seed=draws.below(1 << 18),
    )


def _front(draws: RandomDraws, start: float) -> Front:
    """Return a random house or hedge that starts about `start` metres along the street."""
    green = draws.chance(0.16)
    shift = draws.uniform(-18.0, 18.0)
    wall = draws.choice(_WALLS)
    red, green_, blue = (int(value + shift) for value in wall)
    colour = (74 + draws.below(30), 92 + draws.below(24), 52) if green else (red, green_, blue)
    return Front(
        start=start + draws.uniform(-2.5, 2.5),
        height=draws.uniform(1.6, 6.0) if green else draws.uniform(5.5, 17.0),
        wall=colour,
        glass=26 + draws.below(60),
        bay=draws.uniform(1.5, 3.2),
        storey=draws.uniform(2.6, 3.4),
        base=draws.choice((0.9, 3.2, 3.4)),
        pane=draws.uniform(0.17, 0.3),
        bricks=draws.chance(0.5),
        green=green,
    )
