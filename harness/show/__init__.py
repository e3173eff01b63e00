"""Pictures of what a model made of one sample at several levels.

What is where: `recorded` finds the experiments in a database, `remake` gets from them back to codec, model and data,
`rerun` runs one sample anew, `panel` lays the pictures out, `panels` does all of it.
"""
