"""The study's own tables: its published figures, and one's own results in its layout.

Poyser, Atapour-Abarghouei, Breckon, "On the Impact of Lossy Image and Video Compression on the Performance of Deep
Convolutional Neural Network Architectures".
"""
