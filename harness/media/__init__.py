"""How frames are changed and compared: resolution and frame rate as levers, squared errors and PSNR."""
