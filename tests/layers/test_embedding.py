import keras
import numpy as np

from nmt_keras.layers.dropout import sequence_dropout
from nmt_keras.layers.embedding import TiedEmbedding


def test_one_matrix_on_the_way_in_and_out() -> None:
    random = np.random.default_rng(0)
    layer = TiedEmbedding(7, 9)
    layer.build((None, None))
    matrix, bias = random.normal(size=(7, 9)), random.normal(size=7)
    layer.embeddings.assign(matrix)
    layer.bias.assign(bias)
    ids = np.array([[3, 0, 6], [1, 1, 5]])
    np.testing.assert_allclose(np.array(layer(ids)), 3.0 * matrix[ids], rtol=1e-5)
    x = random.normal(size=(2, 3, 9))
    np.testing.assert_allclose(np.array(layer.logits(x.astype("float32"))), x @ matrix.T + bias, atol=1e-5)
    assert layer.count_params() == 7 * 9 + 7


def test_embeddings_enter_with_a_variance_of_9_16() -> None:
    keras.utils.set_random_seed(0)
    layer = TiedEmbedding(1000, 64)
    layer.build((None, None))
    entering = np.array(layer(np.arange(1000)))
    assert abs(entering.std() - 0.75) < 0.02
    assert abs(entering.mean()) < 0.02


def test_dropout_shares_its_mask_over_time() -> None:
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).normal(size=(50, 7, 40)).astype("float32") + 3
    dropout = sequence_dropout(0.25)
    np.testing.assert_array_equal(np.array(dropout(x, training=False)), x)
    dropped = np.array(dropout(x, training=True))
    kept = dropped != 0
    assert (kept == kept[:, :1]).all()
    assert abs(kept.mean() - 0.75) < 0.03
    assert not (kept == kept[:1]).all()  # another mask for each sentence
    np.testing.assert_allclose(dropped[kept], x[kept] / 0.75, rtol=1e-5)
    assert (np.array(dropout(x, training=True)) != dropped).any()
