"""Still images: files to RGB frames, by Pillow.

What becomes of a file's pixels:

- greyscale, black-and-white and palette images become RGB with equal values, as do 16-bit greyscale images, of which
  the upper 8 bits are kept (0-65535 becomes 0-255); Pillow itself does the same with 16 bits of colour;
- CMYK and YCbCr are converted by Pillow, without colour profiles;
- an alpha channel is dropped where it is opaque everywhere, and refused otherwise: what stands behind a transparent
  pixel is not in the file;
- an orientation in EXIF is *not* applied: annotations (COCO's, VOC's) are in the coordinates of the stored pixels;
- animations, floating-point and 32-bit images are refused, and so is what would unpack to more than 179 million
  pixels (Pillow's limit against decompression bombs).

A JPEG whose data are cut short is refused. One that is damaged in the middle, but complete, decodes to something;
neither Pillow nor libjpeg can tell.
"""

from harness.images.reading import decoders, image_size, read_image

__all__ = ["decoders", "image_size", "read_image"]
