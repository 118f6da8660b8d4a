"""Attention maps and alignment errors: against known weights, and against the model's own causality."""

import json
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from keras import ops
from PIL import Image

from nmt_keras.analysis import alignment
from nmt_keras.analysis.alignment import AttentionMap, alignment_errors, attention_maps
from nmt_keras.cli.main import main
from nmt_keras.config import (
    ArchitectureConfig,
    RecurrentAttentionConfig,
    RecurrentConfig,
    SearchConfig,
    TrainingConfig,
    TransformerConfig,
    VocabularyConfig,
)
from nmt_keras.data import phrasebook
from nmt_keras.data.parallel_text import Corpus, ParallelText
from nmt_keras.data.phrasebook import PhrasePair, phrasebook_corpus, phrasebook_pairs
from nmt_keras.errors import ConfigError, ModelError
from nmt_keras.metrics.alignment_error import alignment_error_rate, word_links
from nmt_keras.models.directory import LoadedModel, ModelDescription, load_model, save_description, save_weights
from nmt_keras.text.special_tokens import BOS_ID
from nmt_keras.training.settings import TrainingSettings
from nmt_keras.training.trainer import train

TRANSFORMER = TransformerConfig(2, 3, model_dim=16, num_heads=2, feed_forward_dim=24)


def loaded(model: Any, tokenizer: Any, model_config: ArchitectureConfig) -> LoadedModel:
    name = "transformer" if isinstance(model_config, TransformerConfig) else model_config.cell
    return LoadedModel(
        model, tokenizer, ModelDescription(name, model_config, "en", "fr", tokenizer.sha256, SearchConfig())
    )


def test_a_row_is_named_after_the_token_that_it_predicts(
    model_config: ArchitectureConfig, build: Any, tokenizer: Any
) -> None:
    """The row of the first token that differs knows only what stands before it; the rows after it know the token."""
    model = loaded(build(model_config, tokenizer.vocabulary_size, seed=3, gain=3.0), tokenizer, model_config)
    if isinstance(model_config, RecurrentConfig) and not isinstance(model_config, RecurrentAttentionConfig):
        with pytest.raises(ModelError, match=r"need an architecture with attention.*Received: a model of"):
            attention_maps(model, "one two", "deux un")
        return
    targets = "un six sept un", "un deux sept un"
    first, second = (attention_maps(model, "one two three", target) for target in targets)
    assert first.keys() == second.keys()
    assert first["cross"].columns == tokenizer.pieces(tokenizer.encode_all(["one two three"])[0])
    assert first["cross"].columns[-1] == "</s>"
    for kind in first.keys() - {"encoder_self"}:
        rows = first[kind].rows, second[kind].rows
        assert list(rows) == [tokenizer.pieces(ids) for ids in tokenizer.encode_all(targets)]
        differs = next(t for t, (a, b) in enumerate(zip(*rows, strict=False)) if a != b)
        assert 1 <= differs < min(map(len, rows)) - 2
        a, b = (maps[kind].weights[..., : differs + 3, : differs + 3] for maps in (first, second))
        np.testing.assert_allclose(a[..., : differs + 1, :], b[..., : differs + 1, :], atol=1e-6)
        # In Bahdanau's order the query is the state before y_{t-1} is read, so the difference comes a row later.
        later = 2 if getattr(model_config, "attention", "") == "additive" else 1
        assert np.abs(a - b)[..., differs + later, :].max() > 1e-4
    for of_kind in first.values():
        np.testing.assert_allclose(of_kind.weights.sum(axis=-1), 1, atol=1e-5)
        assert of_kind.weights.shape[2:] == (len(of_kind.rows), len(of_kind.columns))


def test_the_transformer_s_own_targets_are_read_from_bos_on(build: Any, tokenizer: Any) -> None:
    model = loaded(build(TRANSFORMER, tokenizer.vocabulary_size), tokenizer, TRANSFORMER)
    maps = attention_maps(model, "one", "six sept")
    rows, columns = maps["decoder_self"].rows, maps["decoder_self"].columns
    assert columns == ["<s>", *rows[:-1]]
    assert rows[-1] == "</s>"
    assert maps["encoder_self"].rows == maps["encoder_self"].columns == maps["cross"].columns
    assert maps["decoder_self"].weights.shape[:2] == maps["cross"].weights.shape[:2] == (3, 2)
    assert maps["encoder_self"].weights.shape[:2] == (2, 2)
    assert (np.triu(maps["decoder_self"].weights, 1) == 0).all()  # what is predicted is not read


SOURCE_WORDS = ["👍", "L’été,", "isn't", "one"]
TARGET_WORDS = ["zéro", "Ё"]


def test_words_are_sums_over_the_source_and_means_over_the_target(tokenizer: Any) -> None:
    random = np.random.default_rng(6)
    source_ids, target_ids = tokenizer.encode_all([" ".join(SOURCE_WORDS), "  ".join(TARGET_WORDS)])
    cross = random.dirichlet(np.ones(len(source_ids)), (2, 3, len(target_ids)))
    decoder_self = random.dirichlet(np.ones(len(target_ids)), (2, 3, len(target_ids)))
    stub = SimpleNamespace(attention_weights=lambda *_: {"cross": cross[None], "decoder_self": decoder_self[None]})
    maps = attention_maps(loaded(stub, tokenizer, TRANSFORMER), " ".join(SOURCE_WORDS), " ".join(TARGET_WORDS), True)
    assert maps["cross"].columns == [*SOURCE_WORDS, "</s>"]
    assert maps["cross"].rows == maps["decoder_self"].rows == [*TARGET_WORDS, "</s>"]
    assert maps["decoder_self"].columns == ["<s>", *TARGET_WORDS]
    # The tokens of each word, found by what they spell.
    ends = []
    for ids, words in ((source_ids, SOURCE_WORDS), (target_ids, TARGET_WORDS)):
        prefixes = [tokenizer.decode_all(ids[None, :end])[0] for end in range(1, len(ids))]
        ends.append([0, *(prefixes.index(" ".join(words[: n + 1])) + 1 for n in range(len(words))), len(ids)])
    assert any(piece.startswith("<0x") for piece in tokenizer.pieces(source_ids[: ends[0][1]]))
    source_ends, target_ends = ends
    for row in range(3):
        of_word = slice(target_ends[row], target_ends[row + 1])
        for column in range(5):
            expected = cross[..., of_word, source_ends[column] : source_ends[column + 1]].sum(-1).mean(-1)
            np.testing.assert_allclose(maps["cross"].weights[..., row, column], expected, rtol=1e-5)
        # What is read lags one token behind.
        np.testing.assert_allclose(
            maps["decoder_self"].weights[..., row, 0], decoder_self[..., of_word, 0].mean(-1), rtol=1e-5
        )
        np.testing.assert_allclose(
            maps["decoder_self"].weights[..., row, 2],
            decoder_self[..., of_word, target_ends[1] + 1 : target_ends[2] + 1].sum(-1).mean(-1),
            rtol=1e-5,
        )


def test_a_layer_and_a_head_are_chosen() -> None:
    weights = np.random.default_rng(1).random((2, 3, 4, 5))
    chosen = AttentionMap(list("abcd"), list("vwxyz"), weights)
    np.testing.assert_allclose(chosen.mean(1, 2), weights[1, 2])
    np.testing.assert_allclose(chosen.mean(head=0), (weights[0, 0] + weights[1, 0]) / 2)
    np.testing.assert_allclose(chosen.mean(layer=0), weights[0].sum(axis=0) / 3)
    np.testing.assert_allclose(chosen.mean(), weights.reshape(6, 4, 5).sum(axis=0) / 6)
    for given, message in (((2, None), "layer must be .* below 2.*layer 2"), ((0, -1), "head must be .* below 3")):
        with pytest.raises(ConfigError, match=message):
            chosen.mean(*given)


@pytest.fixture
def reversed_pairs(digits: Corpus) -> list[PhrasePair]:
    """The digits, whose translation goes backward; "nine" is "huit un"."""
    pairs = []
    for source, target in zip(digits.split("train").sources, digits.split("train").targets, strict=True):
        links, position = [], 0
        for index, word in reversed(list(enumerate(source.split()))):
            for _ in range(1 + (word == "nine")):
                links.append((index, position))
                position += 1
        assert position == len(target.split())
        pairs.append(PhrasePair(source, target, tuple(links)))
    return pairs


def test_error_rates_of_known_attention(
    reversed_pairs: list[PhrasePair], tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Layer 0 attends where it should, spread over its heads and a word's tokens; layer 1 to the first word."""
    random = np.random.default_rng(2)
    pairs = reversed_pairs * 6
    gold = {(pair.source, pair.target): {j: i for i, j in pair.alignment} for pair in pairs}
    batches = []

    def attention_weights(source_ids: np.ndarray, target_in_ids: np.ndarray) -> dict[str, np.ndarray]:
        weights = np.zeros((len(source_ids), 2, 2, target_in_ids.shape[1], source_ids.shape[1]))
        sources, targets = map(tokenizer.decode_all, (source_ids, target_in_ids[:, 1:]))
        for row, pair in enumerate(zip(sources, targets, strict=True)):
            if not pair[0]:
                continue
            source_words = tokenizer.word_indices(source_ids[row])
            for t, word in enumerate(tokenizer.word_indices(target_in_ids[row, 1:])):
                for layer, right in enumerate((gold[pair].get(word, -1), 0)):
                    of_right = source_words == right
                    noise = random.dirichlet(np.ones(len(source_words))) * 3
                    weights[row, layer, :, t] = np.stack([noise, -noise]) + of_right / of_right.sum()
        batches.append(len(source_ids))
        return {"cross": weights}

    monkeypatch.setattr(alignment, "compile_inference", lambda model, function, arguments: function)
    layers = alignment_errors(
        loaded(SimpleNamespace(attention_weights=attention_weights), tokenizer, TRANSFORMER), pairs
    )
    assert len(batches) > 1
    assert [score.error_rate for score in layers[:1]] == [pytest.approx(0)]
    num_links = sum(len(pair.alignment) for pair in pairs)
    to_first_word = sum(i == 0 for pair in pairs for i, _ in pair.alignment)
    # As many links are predicted as there are gold ones.
    assert layers[1].error_rate == pytest.approx(1 - to_first_word / num_links)
    assert layers[1].precision == layers[1].recall == pytest.approx(to_first_word / num_links)


def test_error_rates_of_a_model_one_pair_at_a_time(
    reversed_pairs: list[PhrasePair], build: Any, tokenizer: Any
) -> None:
    model = build(TRANSFORMER, tokenizer.vocabulary_size, seed=8, gain=4.0)
    pairs = reversed_pairs[:8]
    links: list[list[Any]] = [[], [], []]
    for pair in pairs:
        source, target = tokenizer.encode_all([pair.source, pair.target])
        weights = model.attention_weights(source[None], np.array([[BOS_ID, *target[:-1]]]))["cross"]
        for layer, of_layer in enumerate(ops.convert_to_numpy(weights)[0].mean(axis=1)):
            links[layer].append(word_links(of_layer, tokenizer.word_indices(source), tokenizer.word_indices(target)))
    expected = [alignment_error_rate(of_layer, [pair.alignment for pair in pairs]) for of_layer in links]
    assert links[0] != links[1] != links[2] != links[0]
    assert alignment_errors(loaded(model, tokenizer, TRANSFORMER), pairs) == expected


def saved(directory: Path, model: Any, tokenizer: Any, model_config: ArchitectureConfig, language: str = "fr") -> str:
    architecture = "transformer" if isinstance(model_config, TransformerConfig) else "gru"
    description = ModelDescription(
        architecture, model_config, "en", language, tokenizer.sha256, SearchConfig(beam_size=1)
    )
    save_description(directory, tokenizer, description)
    save_weights(directory, model)
    return str(directory)


@pytest.fixture
def transformer(tmp_path: Path, build: Any, tokenizer: Any) -> str:
    """The directory of a Transformer."""
    model = build(TRANSFORMER, tokenizer.vocabulary_size, seed=8, gain=4.0)
    return saved(tmp_path / "transformer", model, tokenizer, TRANSFORMER)


def test_attention_writes_all_weights(
    transformer: str, tokenizer: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["attention", "--model", transformer, "--source", "one two", "--output", "new/weights.json", "--words"]
    assert main([*arguments, "--target", "deux un"]) == 0
    written = json.loads((tmp_path / "new" / "weights.json").read_text(encoding="utf-8"))
    assert (written["source"], written["target"], written["words"]) == ("one two", "deux un", True)
    maps = attention_maps(load_model(Path(transformer)), "one two", "deux un", words=True)
    assert written["attention"].keys() == maps.keys() == {"cross", "encoder_self", "decoder_self"}
    for kind, of_kind in maps.items():
        assert (written["attention"][kind]["rows"], written["attention"][kind]["columns"]) == (
            of_kind.rows,
            of_kind.columns,
        )
        np.testing.assert_allclose(written["attention"][kind]["weights"], of_kind.weights, atol=1e-6)
    # Without --target, the model's own translation.
    capsys.readouterr()
    assert main(arguments) == 0
    written = json.loads((tmp_path / "new" / "weights.json").read_text(encoding="utf-8"))
    assert f"new/weights.json: one two -> {written['target']}" in capsys.readouterr().out
    assert written["target"] != "deux un"
    assert written["attention"]["cross"]["rows"] == [*written["target"].split(" "), "</s>"]


def test_attention_draws_a_figure(transformer: str, tmp_path: Path) -> None:
    arguments = ["attention", "--model", transformer, "--source", "one $two$ three_", "--target", "un $5", "--output"]
    for number, options in enumerate(([], ["--kind", "decoder_self", "--layer", "2", "--head", "1"])):
        assert main([*arguments, f"{number}.png", *options]) == 0
        with Image.open(tmp_path / f"{number}.png") as image:
            assert min(image.size) > 300
    assert (tmp_path / "0.png").read_bytes() != (tmp_path / "1.png").read_bytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--output", "map.pdf"], "--output must end in .png, .svg or .json. Received: --output map.pdf."),
        (["--output", "map.png", "--kind", "self"], "--kind must be one of cross, encoder_self, decoder_self"),
        (["--output", "map.png", "--layer", "3"], "--layer must be at least 0 and below 3. Received: --layer 3."),
    ],
)
def test_faults_of_attention(
    transformer: str, options: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["attention", "--model", transformer, "--source", "one", "--target", "un", *options]) == 2
    assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["transformer"]


@pytest.fixture
def small_phrasebook(reversed_pairs: list[PhrasePair], monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The digits in place of the phrasebook, and the seeds that it was asked for with."""
    seeds = []

    def pairs(seed: int) -> dict[str, list[PhrasePair]]:
        seeds.append(seed)
        return {"valid": reversed_pairs[:40], "test": reversed_pairs[40:]}

    monkeypatch.setattr(phrasebook, "phrasebook_pairs", pairs)
    return seeds


def test_a_fixed_context_is_refused(
    tmp_path: Path, build: Any, tokenizer: Any, small_phrasebook: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    model_config = RecurrentConfig("gru", 1, 8, 12)
    model = saved(tmp_path / "gru", build(model_config, tokenizer.vocabulary_size), tokenizer, model_config)
    given = ["--source", "one", "--target", "un", "--output", "map.png"]
    for arguments in (["attention", *given], ["alignment-error"]):
        assert main([*arguments, "--model", model]) == 2
        assert "an architecture with attention, such as lstm-attention or transformer. Received: a model of " in (
            capsys.readouterr().err
        )


def test_alignment_error(
    transformer: str,
    reversed_pairs: list[PhrasePair],
    small_phrasebook: list[int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ["alignment-error", "--model", transformer, "--split", "valid", "--seed", "2"]
    assert main([*arguments, "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    scores = alignment_errors(load_model(Path(transformer)), reversed_pairs[:40])
    rates = [score.error_rate for score in scores]
    assert figures == {
        "seed": 2,
        "split": "valid",
        "sentences": 40,
        "best_layer": rates.index(min(rates)),
        "layers": [{"layer": layer} | asdict(score) for layer, score in enumerate(scores)],
    }
    assert small_phrasebook == [2]
    assert main(arguments) == 0
    *lines, best = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0] for line in lines] == [
        f"layer {layer}: alignment error rate {100 * rate:.1f}%" for layer, rate in enumerate(rates)
    ]
    assert best == f"best: layer {figures['best_layer']}, of 3, on the 40 sentences of valid"
    assert main([*arguments, "--split", "dev"]) == 2
    assert "--split must be one of valid, test. Received: --split dev." in capsys.readouterr().err


def test_alignment_error_of_other_languages_is_refused(
    tmp_path: Path, build: Any, tokenizer: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    model = build(TRANSFORMER, tokenizer.vocabulary_size)
    assert main(["alignment-error", "--model", saved(tmp_path / "model", model, tokenizer, TRANSFORMER, "de")]) == 2
    assert "translates en-fr. Received: --model" in capsys.readouterr().err


@pytest.mark.heavy
def test_i_goes_with_je_and_eating_with_mange(tmp_path: Path) -> None:
    settings = TrainingSettings(
        "transformer",
        TransformerConfig(1, 1, 64, 4, 128, dropout_rate=0, inner_dropout_rate=0),
        VocabularyConfig(600),
        TrainingConfig(
            max_tokens=500_000,
            batch_tokens=1536,
            learning_rate=0.01,
            warmup_steps=50,
            ema_decay=0.95,
            jit_compile=False,
        ),
    )
    splits = dict(phrasebook_corpus().splits)
    splits["valid"] = ParallelText(splits["valid"].sources[:50], splits["valid"].targets[:50])
    train(Corpus("phrasebook", "en", "fr", splits), settings, tmp_path / "model", lambda figures, step: None)
    model = load_model(tmp_path / "model")
    cross = attention_maps(model, "I am eating.", "Je mange.", words=True)["cross"]
    assert [cross.columns[column] for column in cross.mean().argmax(axis=1)][:2] == ["I", "eating."]
    assert min(score.error_rate for score in alignment_errors(model, phrasebook_pairs()["test"][:200])) < 0.55
