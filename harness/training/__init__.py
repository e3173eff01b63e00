"""Training: recipes, training examples, and a training loop that can be interrupted and continued.

    job = Job(model=model, dataset=dataset, recipe=recipe, seed=0)
    result = train(job, place_of(job), Runtime(), watcher)
    result.weights, result.sha256

The seed and the iteration's number alone determine the samples of an iteration, their augmentation, and torch's random
numbers. So no random state has to be saved. A training that was interrupted continues from its last checkpoint, and on
the CPU it gives the same weights, bit for bit, as without the interruption.
"""
