import keras

from kerascnn.layers import LearnedLossWeight


def test_two_layers_do_not_share():
    first, second = LearnedLossWeight(), LearnedLossWeight()
    first.log_variance.assign(1.0)
    assert float(second.log_variance) == 0.0
    assert first.handle is not second.handle


def test_a_copied_model_has_its_own():
    inputs = keras.Input((3,))
    model = keras.Model(inputs, LearnedLossWeight(name="weight")(inputs))
    copy = keras.models.clone_model(model)
    model.get_layer("weight").log_variance.assign(1.0)
    assert float(copy.get_layer("weight").log_variance) == 0.0
    assert copy.get_layer("weight").handle.layer is copy.get_layer("weight")
