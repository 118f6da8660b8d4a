import pytest

from nmt_keras.config import ArchitectureConfig, RecurrentConfig, TransformerConfig

TWO_ARCHITECTURES = {
    "rnn": RecurrentConfig("rnn", num_layers=2, embedding_dim=8, hidden_dim=12, dropout_rate=0.0),
    "transformer": TransformerConfig(1, 2, model_dim=16, num_heads=2, feed_forward_dim=24, dropout_rate=0.0),
}


@pytest.fixture(params=TWO_ARCHITECTURES.values(), ids=list(TWO_ARCHITECTURES))
def model_config(request: pytest.FixtureRequest) -> ArchitectureConfig:
    """Two kinds of memory and state; the contract is tested with all architectures."""
    return request.param
