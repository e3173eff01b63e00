"""The class names of the demo world."""

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
"""The classes of the segmentation map; the index is the class number."""

FIRST_OBJECT = SEGMENTS.index("person")

CLASSES = SEGMENTS[FIRST_OBJECT:]
"""The detection classes; the index is the label. label + FIRST_OBJECT is the number in the segmentation map."""
