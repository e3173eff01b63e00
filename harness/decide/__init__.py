"""Decisions from results: how strongly a codec can compress, what a level costs, and which of two codecs is better.

- `walk` recommends the cheapest level whose loss is acceptable. `limit` is the largest loss that is allowed,
  `within_limit` tests one level against it, and `cost` computes what the level costs.
- `comparison` compares two ladders, which `sides` selects: by Bjontegaard differences (`bjontegaard`, `deltas`), at
  equal levels (`levels`), and by their mean over the levels (`means`).
"""
