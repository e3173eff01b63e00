"""Still images: decodes image files to RGB frames with Pillow.

How the pixels of a file are converted:

- greyscale, black-and-white and palette images become RGB, without a change of the values;
- of 16-bit greyscale images the upper 8 bits are kept (0-65535 becomes 0-255); Pillow itself does the same with 16-bit
  colour;
- Pillow converts CMYK and YCbCr to RGB, without colour profiles;
- an alpha channel is dropped if it is opaque everywhere. Otherwise the image is refused, because the file does not
  contain the background behind transparent pixels;
- an orientation (in EXIF, XMP, a TIFF tag, or AVIF's irot and imir) is *not* applied, because annotations (COCO, VOC)
  use the coordinates of the stored pixels. Nor are colour profiles, gamma and pixel aspect ratios;
- animations, floating-point images and 32-bit images are refused, and so are images that would decode to more than 179
  million pixels (Pillow's limit against decompression bombs).

A truncated file is refused. All checksums of a PNG are compared. Other formats have none: a JPEG that is complete but
damaged in the middle decodes to wrong pixels without an error. docs/reference/files.md says how much each format passes
over.
"""

from harness.images.reading import decoders, image_size, read_image, stored_content

__all__ = ["decoders", "image_size", "read_image", "stored_content"]
