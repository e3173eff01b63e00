"""Pictures of samples at several compression levels, with the model's predictions drawn into them.

The modules: `recorded` finds the experiments in a database. `retrained` finds the experiments of retrained models and
their weights. `remake` rebuilds the codec, model and dataset of recorded experiments. `rerun` runs one sample again.
`panel` places pictures side by side. `panels` uses the others to draw a whole panel.
"""
