"""The demo world: a renderer of random street scenes with exact ground truth, reproducible from a seed."""
