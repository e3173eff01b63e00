"""Training: a recipe, examples in an order that only the seed decides, and a loop that survives being killed.

    job = Job(task="detection", model=model, dataset=dataset, recipe=recipe, seed=0)
    result = train(job, Place.of(job), watcher)
    result.weights, result.sha256

What an iteration sees (which samples, how they are augmented, what torch draws) is a function of the seed and of the
iteration's number alone. So there is no random state to save: training that was cut off goes on from its last
checkpoint and ends, on the CPU, in the same weights bit for bit.
"""
