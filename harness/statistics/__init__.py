"""How sure a number is: resampling, intervals, ratios, and the stored statistics that they are computed from."""
