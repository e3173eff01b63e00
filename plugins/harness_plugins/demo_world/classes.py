"""The names of what the demo world contains."""

SEGMENTS = (
    "sky",
    "road",
    "sidewalk",
    "building",
    "vegetation",
    "furniture",
    "person",
    "car",
    "truck",
    "bus",
    "sign",
    "light",
)
"""Classes of the per-pixel map, by number."""

FIRST_OBJECT = SEGMENTS.index("person")

CLASSES = SEGMENTS[FIRST_OBJECT:]
"""Detection classes, by label; label + FIRST_OBJECT is the number in the class map."""
