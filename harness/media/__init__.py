"""Operations on frames: levers that reduce resolution and frame rate, squared errors, and PSNR."""
