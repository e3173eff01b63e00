"""The promises of every model (`harness.testing`), tried on a dataset that comes with the harness."""

from harness_my_model import MyModel

from harness.testing import ModelPromises


class TestMyModel(ModelPromises):
    spec = "my-model"
    dataset = "demo-world"
    learning_rate = 1e-2


def test_the_weights_know_their_classes():
    weights = MyModel().resolve_weights(None, ())
    assert weights.classes[:2] == ("sky", "road")
