"""Operations on frames: levers that reduce resolution and frame rate, squared errors, PSNR, and the check of what a
codec gives back."""
