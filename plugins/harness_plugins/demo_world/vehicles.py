"""Cars, trucks and buses."""

from harness_plugins.demo_world.bodies import Part
from harness_plugins.demo_world.draws import RandomDraws
from harness_plugins.demo_world.geometry import PinholeCamera, Stand
from harness_plugins.demo_world.light import Colour, Light
from harness_plugins.demo_world.solids import Face, Prism, SolidPainter, disc

GLASS: Colour = (38, 44, 52)
TYRE: Colour = (22, 22, 24)
LENGTHS = {"car": 4.3, "truck": 7.6, "bus": 10.5}
"""Length of each kind of vehicle in metres."""
WIDTHS = {"car": 1.8, "truck": 2.4, "bus": 2.5}
"""Width of each kind of vehicle in metres."""

_PAINTS: tuple[Colour, ...] = (
    (212, 212, 210),
    (178, 180, 182),
    (52, 54, 58),
    (96, 98, 102),
    (150, 40, 36),
    (44, 66, 118),
    (196, 178, 120),
    (60, 92, 74),
    (124, 108, 90),
)
_LIVERIES: tuple[Colour, ...] = ((206, 170, 60), (170, 44, 40), (70, 110, 150), (218, 218, 214), (86, 130, 92))
_LOADS: tuple[Colour, ...] = ((206, 204, 196), (160, 150, 132), (92, 104, 118), (226, 226, 224))


def vehicle(kind: str, stand: Stand, camera: PinholeCamera, light: Light, draws: RandomDraws) -> list[Part]:
    """Return the parts of a vehicle ("car", "truck" or "bus"), from far to near."""
    painter = SolidPainter(camera, light)
    if kind == "car":
        return _car(stand, painter, draws)
    return _truck(stand, painter, draws) if kind == "truck" else _bus(stand, painter, draws)


def _varied(draws: RandomDraws, paint: Colour) -> Colour:
    shift = draws.uniform(-16.0, 16.0)
    red, green, blue = (min(240, max(16, int(value + shift))) for value in paint)
    return red, green, blue


def _wheels(stand: Stand, painter: SolidPainter, half: float, ahead: tuple[float, ...], radius: float) -> list[Part]:
    """Return the wheels on the side that the camera sees."""
    parts = []
    for side in (half, -half):
        hub = stand.place(side, radius, 0.0)
        out_x, _, out_z = stand.place(side * 2.0, radius, 0.0)
        if (out_x - hub[0]) * hub[0] + (out_z - hub[2]) * hub[2] >= 0.0:
            continue
        for position in ahead:
            centre = stand.place(side, radius, position)
            face = Face((centre,), 1.0, painter.camera.upright(centre[2]))
            parts.append(painter.part(disc(stand, side, radius, position, radius), TYRE, face, 20))
            parts.append(painter.part(disc(stand, side, radius, position, radius * 0.55, 8), (128, 130, 134), face, 60))
            parts.append(painter.part(disc(stand, side, radius, position, radius * 0.2, 6), (40, 40, 42), face, 0))
    return parts


def _under(stand: Stand, painter: SolidPainter, length: float, half: float, radius: float) -> list[Part]:
    """Return the tyres as seen from the front or behind, below the body."""
    parts = []
    for end in (-length * 0.36, length * 0.36):
        for side in (-half + 0.14, half - 0.14):
            corners = [
                stand.place(side + across, up, end)
                for across, up in ((-0.12, 0.0), (0.12, 0.0), (0.12, radius), (-0.12, radius))
            ]
            face = Face((), 0.8, painter.camera.upright(corners[0][2]))
            parts.append(painter.part(corners, TYRE, face, 10))
    parts.sort(key=lambda part: part.plane[2])
    return parts


def _lamps(painter: SolidPainter, face: Face, front: bool, low: float, high: float) -> list[Part]:
    colour: Colour = (236, 234, 214) if front else (168, 26, 22)
    return [
        painter.patch(face, (0.04, low, 0.2, high), colour, 0),
        painter.patch(face, (0.8, low, 0.96, high), colour, 0),
    ]


def _car(stand: Stand, painter: SolidPainter, draws: RandomDraws) -> list[Part]:
    paint = _varied(draws, draws.choice(_PAINTS))
    half = draws.uniform(0.84, 0.94)
    end = draws.uniform(1.95, 2.3)
    tall = draws.uniform(1.38, 1.72)
    estate = draws.uniform(0.0, 0.55)
    waist = tall * 0.6
    body = Prism(
        (
            (-end, 0.26, half),
            (end, 0.26, half),
            (end + 0.04, 0.55, half),
            (end - 0.1, waist - 0.16, half * 0.97),
            (0.9, waist, half * 0.97),
            (-end + 0.25, waist + 0.02, half * 0.97),
            (-end - 0.02, waist - 0.1, half),
        )
    )
    cabin = Prism(
        (
            (-end + 0.2, waist, half * 0.95),
            (1.0, waist, half * 0.95),
            (0.25, tall, half * 0.78),
            (-end + 0.85 - estate, tall, half * 0.78),
        )
    )
    parts = _under(stand, painter, 2.0 * end, half, 0.32)
    for kind, number, face in body.faces(stand, painter.camera, painter.light):
        parts.append(painter.fill(face, paint, 36))
        if kind == "rim" and number in (1, 2, 5, 6):
            front = number in (1, 2)
            if number in (1, 6):
                parts.append(painter.patch(face, (0.0, 0.0, 1.0, 0.35), (46, 46, 48), 30))
            if number in (1, 6):
                parts.append(painter.patch(face, (0.36, 0.4, 0.64, 0.75), (222, 222, 214), 50))
                parts += _lamps(painter, face, front, 0.62, 0.98)
            if number == 2:
                parts.append(painter.patch(face, (0.26, 0.1, 0.74, 0.6), (40, 40, 44), 40))
    for kind, number, face in cabin.faces(stand, painter.camera, painter.light):
        if kind == "rim" and number == 0:
            continue
        parts.append(painter.fill(face, paint, 30))
        if kind == "side":
            parts.append(painter.patch(face, (0.1, 0.1, 0.5, 0.86), GLASS, 60))
            parts.append(painter.patch(face, (0.54, 0.1, 0.9, 0.86), GLASS, 60))
        elif number in (1, 3):
            parts.append(painter.patch(face, (0.07, 0.1, 0.93, 0.9), GLASS, 70))
            parts.append(painter.patch(face, (0.1, 0.55, 0.6, 0.86), (82, 92, 104), 60))
    parts += _wheels(stand, painter, half + 0.01, (-end * 0.62, end * 0.64), 0.33)
    return parts


def _box(rear: float, front: float, low: float, high: float, half: float) -> Prism:
    return Prism(((rear, low, half), (front, low, half), (front, high, half), (rear, high, half)))


def _truck(stand: Stand, painter: SolidPainter, draws: RandomDraws) -> list[Part]:
    paint = _varied(draws, draws.choice(_PAINTS))
    load = _varied(draws, draws.choice(_LOADS))
    end, half = draws.uniform(3.3, 3.9), draws.uniform(1.12, 1.25)
    roof, cab_roof = draws.uniform(2.9, 3.5), draws.uniform(2.2, 2.7)
    split = end - draws.uniform(1.5, 1.9)
    cab, cargo = _box(split + 0.1, end, 0.5, cab_roof, half * 0.94), _box(-end, split, 0.85, roof, half)
    ribs = draws.choice((0, 5, 7))
    parts = _under(stand, painter, 2.0 * end, half, 0.48)
    for _, _, face in _box(-end, end, 0.45, 0.86, half * 0.8).faces(stand, painter.camera, painter.light):
        parts.append(painter.fill(face, (48, 48, 50), 50))
    ahead_first = stand.place(0.0, 0.0, end)[2] > stand.place(0.0, 0.0, -end)[2]
    for prism in (cab, cargo) if ahead_first else (cargo, cab):
        for kind, number, face in prism.faces(stand, painter.camera, painter.light):
            if prism is cab:
                parts += _cab_face(painter, kind, number, face, paint)
            else:
                parts += _cargo_face(painter, kind, number, face, load, ribs)
    parts += _wheels(stand, painter, half + 0.01, (-end * 0.72, -end * 0.42, end * 0.72), 0.48)
    return parts


def _cab_face(painter: SolidPainter, kind: str, number: int, face: Face, paint: Colour) -> list[Part]:
    parts = [painter.fill(face, paint, 30)]
    if kind == "side":
        parts.append(painter.patch(face, (0.3, 0.48, 0.9, 0.84), GLASS, 50))
    elif number == 1:
        parts.append(painter.patch(face, (0.06, 0.46, 0.94, 0.9), GLASS, 60))
        parts.append(painter.patch(face, (0.1, 0.62, 0.45, 0.86), (76, 86, 98), 50))
        parts.append(painter.patch(face, (0.24, 0.14, 0.76, 0.38), (36, 36, 38), 60))
        parts += _lamps(painter, face, True, 0.06, 0.2)
    return parts


def _cargo_face(painter: SolidPainter, kind: str, number: int, face: Face, load: Colour, ribs: int) -> list[Part]:
    parts = [painter.fill(face, load, 34)]
    dark: Colour = (load[0] * 5 // 8, load[1] * 5 // 8, load[2] * 5 // 8)
    if kind == "side":
        parts += [
            painter.patch(face, ((rib + 0.4) / ribs, 0.0, (rib + 0.6) / ribs, 1.0), dark, 30) for rib in range(ribs)
        ]
        parts.append(painter.patch(face, (0.0, 0.0, 1.0, 0.05), (60, 60, 62), 20))
    elif number == 3:
        parts.append(painter.patch(face, (0.48, 0.04, 0.52, 0.96), dark, 20))
        parts.append(painter.patch(face, (0.04, 0.0, 0.96, 0.06), (70, 70, 70), 20))
        parts += _lamps(painter, face, False, 0.02, 0.09)
    elif number == 1:
        parts.append(painter.patch(face, (0.0, 0.92, 1.0, 1.0), dark, 20))
    return parts


def _bus(stand: Stand, painter: SolidPainter, draws: RandomDraws) -> list[Part]:
    paint = _varied(draws, draws.choice(_LIVERIES))
    end, half, roof = draws.uniform(4.6, 5.4), draws.uniform(1.2, 1.28), draws.uniform(2.85, 3.15)
    panes = draws.choice((6, 7, 8))
    parts = _under(stand, painter, 2.0 * end, half, 0.48)
    for kind, number, face in _box(-end, end, 0.32, roof, half).faces(stand, painter.camera, painter.light):
        parts.append(painter.fill(face, paint, 28))
        if kind == "side":
            parts.append(painter.patch(face, (0.0, 0.0, 1.0, 0.1), (60, 60, 62), 20))
            for pane in range(panes):
                parts.append(painter.patch(face, ((pane + 0.1) / panes, 0.46, (pane + 0.9) / panes, 0.84), GLASS, 60))
            for door in (0.56, 0.86):
                parts.append(painter.patch(face, (door, 0.06, door + 0.09, 0.84), (58, 64, 72), 40))
        elif number in (1, 3):
            front = number == 1
            parts.append(painter.patch(face, (0.06, 0.34 if front else 0.5, 0.94, 0.82), GLASS, 60))
            if front:
                parts.append(painter.patch(face, (0.12, 0.55, 0.5, 0.78), (84, 94, 106), 50))
            parts.append(painter.patch(face, (0.18, 0.87, 0.82, 0.97), (240, 190, 70) if front else (50, 50, 52), 80))
            parts.append(painter.patch(face, (0.0, 0.0, 1.0, 0.08), (50, 50, 52), 20))
            parts += _lamps(painter, face, front, 0.12, 0.2)
    parts += _wheels(stand, painter, half + 0.01, (-end * 0.6, end * 0.62), 0.48)
    return parts
