"""How far can the images and video that feed a vision model be compressed before it gets worse?"""
