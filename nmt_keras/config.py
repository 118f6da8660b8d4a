"""The settings of a training, as frozen dataclasses. Values come from a preset, a file and the command line."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from importlib import resources
from typing import Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

import yaml

from nmt_keras.errors import ConfigError

Backend = Literal["tensorflow", "jax", "torch"]
Cell = Literal["rnn", "lstm", "gru"]
Precision = Literal["float32", "bfloat16"]

MOST_SEED = 2**32 - 1
_MOST_LAYERS, _MOST_UNITS, _MOST_DROPOUT = 1000, 2**16, 0.99


def out_of_range(name: str, value: float, low: float, high: float) -> list[str]:
    """The fault of a number that is not from `low` to `high`, NaN among them; an empty list if it has none."""
    return [] if low <= value <= high else [f"{name} must be from {low:,} to {high:,}. Received: {name}={value}."]


def number(default: Any, low: float, high: float) -> Any:
    """A field whose number is from `low` to `high`: more than anyone needs, and little enough to compute with."""
    return field(default=default, metadata={"range": (low, high)})


def field_faults(config: Any) -> list[str]:
    """The faults of all fields of a dataclass: values of another type than declared, and numbers out of range.

    Types other than str, bool, int, float and Literal are not looked at.
    """
    faults = []
    hints = get_type_hints(type(config))
    for each in fields(config):
        value, hint = getattr(config, each.name), hints[each.name]
        if type(None) in get_args(hint):
            if value is None:
                continue
            hint = get_args(hint)[0]  # of X | None
        if rule := _type_fault(value, hint):
            faults.append(f"{each.name} must be {rule}. Received: {each.name}={value!r}.")
        elif "range" in each.metadata:
            faults += out_of_range(each.name, value, *each.metadata["range"])
    return faults


def _type_fault(value: Any, hint: Any) -> str:
    """What a value must be, if it is not that."""
    if get_origin(hint) is Literal:
        return "" if value in get_args(hint) else f"one of {', '.join(map(str, get_args(hint)))}"
    accepted = {str: (str,), bool: (bool,), int: (int,), float: (int, float)}.get(hint)
    if accepted is None or (isinstance(value, accepted) and isinstance(value, bool) == (hint is bool)):
        return ""
    return {str: "a text", bool: "true or false", int: "a whole number", float: "a number"}[hint]


def _faults(config: Any, rule: str, **valid: bool) -> list[str]:
    return [f"{name} must be {rule}. Received: {name}={getattr(config, name)}." for name, ok in valid.items() if not ok]


def raise_faults(*faults: list[str]) -> None:
    """Reports all faults together.

    Raises:
        ConfigError: there is one.
    """
    if message := "\n".join(fault for several in faults for fault in several):
        raise ConfigError(message)


@dataclass(frozen=True)
class VocabularyConfig:
    """The joint SentencePiece vocabulary.

    Args:
        size: pieces at most, 4 special tokens and 256 bytes included.
        character_coverage: share of characters with a piece of their own; bytes spell the rest.

    Example:
        >>> nmt_keras.VocabularyConfig(size=2000).character_coverage
        1.0
    """

    size: int = number(8000, 261, 10**6)
    character_coverage: float = number(1.0, 0.98, 1)

    def __post_init__(self) -> None:
        raise_faults(field_faults(self))


@dataclass(frozen=True)
class TransformerConfig:
    """Sizes of a Transformer.

    Args:
        num_encoder_layers: encoder blocks.
        num_decoder_layers: decoder blocks.
        model_dim: width d, a multiple of num_heads and of 2.
        num_heads: attention heads.
        feed_forward_dim: hidden units of the feed-forward networks.
        dropout_rate: dropout on embeddings and on the output of each sublayer.
        inner_dropout_rate: dropout on attention weights and on the hidden units of the feed-forward networks.
        pre_norm: normalize before each sublayer (true) or after (false).
        positions: sinusoidal, learned (the first `max_positions`; later ones share the last), or none.
        max_positions: rows of learned positions.
        activation: of the feed-forward networks.
        tied_embeddings: one matrix for source, target and output (true), or three (false).

    Example:
        >>> nmt_keras.TransformerConfig(model_dim=256, num_heads=8).feed_forward_dim
        256
        >>> nmt_keras.TransformerConfig(model_dim=100, num_heads=8)
        Traceback (most recent call last):
            ...
        nmt_keras.errors.ConfigError: model_dim must be even and a multiple of num_heads=8. Received: model_dim=100.
    """

    num_encoder_layers: int = number(4, 1, _MOST_LAYERS)
    num_decoder_layers: int = number(4, 1, _MOST_LAYERS)
    model_dim: int = number(128, 1, _MOST_UNITS)
    num_heads: int = number(4, 1, _MOST_UNITS)
    feed_forward_dim: int = number(256, 1, _MOST_UNITS)
    dropout_rate: float = number(0.3, 0, _MOST_DROPOUT)
    inner_dropout_rate: float = number(0.1, 0, _MOST_DROPOUT)
    pre_norm: bool = True
    positions: Literal["sinusoidal", "learned", "none"] = "sinusoidal"
    max_positions: int = number(512, 1, 10**6)
    activation: Literal["relu", "gelu"] = "relu"
    tied_embeddings: bool = True

    def __post_init__(self) -> None:
        raise_faults(
            field_faults(self),
            _faults(
                self,
                f"even and a multiple of num_heads={self.num_heads}",
                model_dim=self.model_dim % max(self.num_heads, 1) == 0 and self.model_dim % 2 == 0,
            ),
        )


@dataclass(frozen=True)
class RecurrentConfig:
    """Sizes of a recurrent encoder-decoder with a fixed context.

    Args:
        cell: the recurrence: tanh RNN, LSTM or GRU.
        num_layers: recurrent layers in the encoder, and as many in the decoder.
        embedding_dim: width of the embeddings.
        hidden_dim: width H of the recurrent states.
        dropout_rate: dropout on embeddings and between layers (not inside the recurrence).
        encoder_direction: forward; backward, from the last token to the first (Sutskever et al. 2014); or
            bidirectional, with H / 2 units each way and a bridge into the decoder.
        residual: each layer but the first adds its input to its output.
        reset_after: of a GRU, the reset gate comes after the product with the state, as in the fused kernels; else
            before it (Cho et al. 2014).
        tied_embeddings: one matrix for source, target and output, with a projection to its width before the output
            (Press and Wolf 2017); else three.

    Example:
        >>> nmt_keras.RecurrentConfig("gru", hidden_dim=512).encoder_direction
        'forward'
    """

    cell: Cell
    num_layers: int = number(1, 1, _MOST_LAYERS)
    embedding_dim: int = number(128, 1, _MOST_UNITS)
    hidden_dim: int = number(600, 1, _MOST_UNITS)
    dropout_rate: float = number(0.3, 0, _MOST_DROPOUT)
    encoder_direction: Literal["forward", "backward", "bidirectional"] = "forward"
    residual: bool = False
    reset_after: bool = True
    tied_embeddings: bool = False

    def __post_init__(self) -> None:
        raise_faults(
            field_faults(self),
            _faults(
                self,
                "even for a bidirectional encoder",
                hidden_dim=self.encoder_direction != "bidirectional" or self.hidden_dim % 2 == 0,
            ),
        )


@dataclass(frozen=True)
class RecurrentAttentionConfig(RecurrentConfig):
    """Sizes of a recurrent encoder-decoder with attention.

    Args:
        attention: the score of source position i at target step t. general, dot or scaled_dot of the decoder's new
            state (Luong et al. 2015); additive of its state before the step (Bahdanau et al. 2015), with the context
            as an input of the step.
        input_feeding: the last attentional vector is an input of the next step (Luong et al. 2015, section 3.3).

    Example:
        >>> nmt_keras.RecurrentAttentionConfig("lstm", attention="additive").input_feeding
        False
    """

    attention: Literal["general", "dot", "scaled_dot", "additive"] = "general"
    input_feeding: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        raise_faults(
            _faults(
                self,
                "false with additive attention, whose context enters the step already",
                input_feeding=not (self.input_feeding and self.attention == "additive"),
            )
        )


ArchitectureConfig = TransformerConfig | RecurrentConfig


class Architecture(NamedTuple):
    """What `--architecture` names: the class of its configuration, and what the name says of it."""

    config_class: type[ArchitectureConfig]
    fixed: dict[str, Any]

    def configure(self, **settings: Any) -> ArchitectureConfig:
        """The configuration, with what the name says of it."""
        return self.config_class(**self.fixed | settings)


ARCHITECTURES = {
    "rnn": Architecture(RecurrentConfig, {"cell": "rnn"}),
    "lstm": Architecture(RecurrentConfig, {"cell": "lstm"}),
    "gru": Architecture(RecurrentConfig, {"cell": "gru"}),
    "rnn-attention": Architecture(RecurrentAttentionConfig, {"cell": "rnn"}),
    "lstm-attention": Architecture(RecurrentAttentionConfig, {"cell": "lstm"}),
    "gru-attention": Architecture(RecurrentAttentionConfig, {"cell": "gru"}),
    "transformer": Architecture(TransformerConfig, {}),
}


@dataclass(frozen=True)
class TrainingConfig:
    """How a model is trained.

    Args:
        epochs: most epochs; an epoch is a pass over the training text, unless `steps_per_epoch` says otherwise.
        steps_per_epoch: updates that are an epoch, after which there is a checkpoint and may be a validation; None for
            as many as a pass has.
        max_tokens: target tokens to train on at most, a sentence as often as it is seen, or None for no limit.
        batch_tokens: most source tokens, and most target tokens, of a batch, padding included.
        batch_shapes: number of fixed (rows, length) shapes that batches come in; XLA compiles each once. Without XLA
            there are four times as many.
        max_length: sentences with more tokens than this, on either side, are left out of training.
        learning_rate: the peak, reached after `warmup_steps` and then falling with 1/sqrt(step).
        warmup_steps: steps of linear warm-up.
        label_smoothing: share of the target distribution that is spread over the vocabulary.
        clip_norm: largest norm of the gradient; a larger one is scaled down to it.
        ema_decay: decay of the moving average of weights that is validated and kept; less in the first updates.
        validate_every: epochs between validations; the last epoch is always validated.
        patience: validations without a better BLEU (to a tenth), or an equal one with a lower loss, that end training.
        jit_compile: with TensorFlow, compile with XLA where model and devices allow it. JAX always does.
        precision: of the products of a training step, for accelerators that compute faster in bfloat16; weights, sums
            of the loss, validation and the model that is kept are float32 in any case.

    Example:
        >>> nmt_keras.TrainingConfig(epochs=5, learning_rate=1e-3).warmup_steps
        2000
    """

    epochs: int = number(100, 1, 10**9)
    steps_per_epoch: int | None = number(None, 1, 10**9)
    max_tokens: int | None = number(None, 1, 10**15)
    batch_tokens: int = number(4096, 1, 10**9)
    batch_shapes: int = number(6, 1, 1000)
    max_length: int = number(100, 1, 10**5)
    learning_rate: float = number(3e-3, 1e-30, 1e30)  # what float32 holds; that a training diverges is told by itself
    warmup_steps: int = number(2000, 1, 10**9)
    label_smoothing: float = number(0.1, 0, 0.99)
    clip_norm: float = number(1.0, 1e-9, 1e9)
    ema_decay: float = number(0.998, 0, 0.999999)
    validate_every: int = number(1, 1, 10**9)
    patience: int = number(10, 1, 10**9)
    jit_compile: bool = True
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        raise_faults(
            field_faults(self),
            _faults(self, f"at least max_length={self.max_length}", batch_tokens=self.batch_tokens >= self.max_length),
        )


@dataclass(frozen=True)
class SearchConfig:
    """How translations are searched for.

    Args:
        beam_size: hypotheses kept, K; 1 is greedy search.
        length_penalty: exponent a of GNMT's penalty ((5 + length) / 6)^a that divides the log-probability.
        max_length_ratio: a translation has at most this times the source's tokens, plus `extra_length`.
        extra_length: tokens, beside `max_length_ratio` times the source's.
        batch_size: sentences searched at once.

    Example:
        >>> nmt_keras.SearchConfig(beam_size=10).length_penalty
        1.0
    """

    beam_size: int = number(5, 1, 1000)
    length_penalty: float = number(1.0, 0, 10)
    max_length_ratio: float = number(2.0, 0.01, 100)
    extra_length: int = number(10, 1, 10**4)
    batch_size: int = number(64, 1, 10**6)

    def __post_init__(self) -> None:
        raise_faults(field_faults(self))


SECTIONS: dict[str, Any] = {"vocabulary": VocabularyConfig, "training": TrainingConfig, "search": SearchConfig}


@dataclass(frozen=True)
class Preset:
    """All settings that a preset names; the command line overrides them one by one.

    Args:
        architectures: the sizes of each that is asked for, by name.
        vocabulary: of the text.
        training: schedule and regularisation.
        search: for the model that is kept.
        name: of the preset, by which runs are told apart; empty for settings of one's own.

    Example:
        >>> own = nmt_keras.Preset({"gru": nmt_keras.RecurrentConfig("gru")})
        >>> own.training.epochs
        100
    """

    architectures: Mapping[str, ArchitectureConfig]
    vocabulary: VocabularyConfig = field(default_factory=VocabularyConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    search: SearchConfig = field(default_factory=SearchConfig)
    name: str = ""


PRESETS = ("debug", "quick", "tiny", "base", "big")


def load_preset(name: str, architectures: Iterable[str] = ARCHITECTURES) -> Preset:
    """Read the settings that a preset names.

    Args:
        name: one of `PRESETS`.
        architectures: names of the architectures whose sizes are wanted; all by default.

    Returns:
        The settings; `dataclasses.replace` changes them.

    Raises:
        ConfigError: there is no preset, or no architecture, of that name.

    Example:
        >>> from dataclasses import replace
        >>> preset = nmt_keras.load_preset("quick")
        >>> preset.architectures["lstm"].hidden_dim
        128
        >>> short = replace(preset, training=replace(preset.training, epochs=1))
    """
    if name not in PRESETS:
        raise ConfigError(f"--preset must be one of {', '.join(PRESETS)}. Received: {name!r}.")
    names = list(architectures)
    if unknown := [each for each in names if each not in ARCHITECTURES]:
        raise ConfigError(f"An architecture is one of {', '.join(ARCHITECTURES)}. Received: {', '.join(unknown)!r}.")
    text = resources.files("nmt_keras").joinpath("presets", f"{name}.yaml").read_text(encoding="utf-8")
    given: dict[str, dict[str, Any]] = yaml.safe_load(text)
    sizes = {each: ARCHITECTURES[each].configure(**given.get(each, {})) for each in names}
    return Preset(sizes, **{section: make(**given.get(section, {})) for section, make in SECTIONS.items()}, name=name)


def changed_keys(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """The names that two sets of settings hold different values by, or that only one of them holds."""
    return [name for name in {**one, **other} if one.get(name) != other.get(name)]


def flatten_dict(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """{"a": {"b": 1}} as {"a.b": 1}; an empty mapping stays a value."""
    names: dict[str, Any] = {}
    for name, value in nested.items():
        if isinstance(value, Mapping) and value:
            names |= flatten_dict(value, f"{prefix}{name}.")
        else:
            names[f"{prefix}{name}"] = value
    return names
