"""The published study that this harness follows: its figures and claims, compared with your own results.

Poyser, Atapour-Abarghouei, Breckon, "On the Impact of Lossy Image and Video Compression on the Performance of Deep
Convolutional Neural Network Architectures".
"""
