"""Decisions from results: how far a codec can go (`walk`), what that costs (`cost`), and which of two is better.

`limit` is the loss that is allowed, `bound` the test of one level against it. `comparison` compares two ladders
(`sides`) by Bjontegaard's `rates` and their `deltas`, at equal `levels`, and in their `means`.
"""
