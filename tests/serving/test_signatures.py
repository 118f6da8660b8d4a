"""What the signatures of an exported model answer, against the same model in Python."""

import random
import re
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from nmt_keras.config import RecurrentAttentionConfig, RecurrentConfig, SearchConfig
from nmt_keras.data.dataset import pad
from nmt_keras.data.parallel_text import ParallelText
from nmt_keras.decoding.search import beam_search
from nmt_keras.decoding.translator import Scorer, Translator
from nmt_keras.errors import ConfigError
from nmt_keras.models.directory import LoadedModel
from nmt_keras.serving.savedmodel import ExportedModel, export_savedmodel, load_export
from nmt_keras.serving.signatures import ServingLimits, ServingSignatures

# Stock builds of TensorFlow Serving link all of tensorflow_text: SUPPORTED_TENSORFLOW_OPS in its model_servers/BUILD.
TEXT_OPS = {
    "NormalizeUTF8",
    "SentencepieceDetokenizeOp",
    "SentencepieceIdToStringOp",
    "SentencepieceOp",
    "SentencepieceTokenizeOp",
}


def ask(model: ExportedModel, signature: str, **inputs: Any) -> dict[str, Any]:
    """The outputs of a signature as NumPy arrays."""
    constants = {
        name: tf.constant(value, tf.string if isinstance(value, list) else tf.int32) for name, value in inputs.items()
    }
    return {name: value.numpy() for name, value in model.signatures[signature](**constants).items()}


def assert_alike(
    model: ExportedModel, sources: Sequence[Any], found: Sequence[bytes], expected: Sequence[bytes]
) -> None:
    """The translations are equal, or both have the same log-probability."""
    differing = [i for i, (one, other) in enumerate(zip(found, expected, strict=True)) if one != other]
    if differing:
        pairs = [
            ask(model, "score", source=[sources[i] for i in differing], target=[texts[i] for i in differing])
            for texts in (found, expected)
        ]
        np.testing.assert_allclose(pairs[0]["log_prob"], pairs[1]["log_prob"], atol=1e-4)


def test_the_default_translates_as_python_does(
    loaded: LoadedModel, exported: ExportedModel, sentences: list[str], search: SearchConfig
) -> None:
    expected = Translator(loaded.model, loaded.tokenizer, search).translate(sentences)
    found = ask(exported, "serving_default", source=sentences)
    assert [text.decode() for text in found["translation"]] == [translation.text for translation in expected]
    np.testing.assert_allclose(found["score"], [translation.score for translation in expected], atol=1e-4)
    assert not found["status"].any()
    assert len(set(found["translation"])) > len(sentences) // 2


@pytest.mark.parametrize(("beam_size", "n_best"), [(1, 1), (2, 1), (3, 3), (4, 2), (4, 4)])
def test_n_best_lists_are_those_of_the_search(
    loaded: LoadedModel,
    exported: ExportedModel,
    sentences: list[str],
    search: SearchConfig,
    beam_size: int,
    n_best: int,
) -> None:
    found = ask(exported, "translate_n_best", source=sentences, beam_size=beam_size, n_best=n_best)
    ids = loaded.tokenizer.encode_all(sentences)
    source_ids = pad(ids, (len(ids), max(map(len, ids))))
    hypotheses, scores = map(np.array, beam_search(loaded.model, source_ids, search, n_best, beam_size))
    assert found["translation"].shape == found["score"].shape == (len(sentences), n_best)
    for rank in range(n_best):
        expected = [
            text if len(row) > 1 else ""
            for text, row in zip(loaded.tokenizer.decode_all(hypotheses[:, rank]), ids, strict=True)
        ]
        assert [text.decode() for text in found["translation"][:, rank]] == expected
    blank = np.array([len(row) == 1 for row in ids])
    np.testing.assert_allclose(found["score"][~blank], scores[~blank], atol=1e-4)
    assert not found["score"][blank].any()
    assert (np.diff(found["score"], axis=1) <= 0).all()


def test_a_beam_of_the_model_s_own_size(exported: ExportedModel, sentences: list[str], search: SearchConfig) -> None:
    own = ask(exported, "translate_n_best", source=sentences, beam_size=0, n_best=1)
    default = ask(exported, "serving_default", source=sentences)
    assert own["translation"][:, 0].tolist() == default["translation"].tolist()
    wider = ask(exported, "translate_n_best", source=sentences, beam_size=0, n_best=search.beam_size + 1)
    named = ask(
        exported, "translate_n_best", source=sentences, beam_size=search.beam_size + 1, n_best=search.beam_size + 1
    )
    assert wider["translation"].tolist() == named["translation"].tolist()


@pytest.mark.parametrize(
    ("beam_size", "n_best", "rule"),
    [
        (5, 1, r"beam_size must be at least 1 and at most 4\. Received:\] \[5\]"),
        (-1, 1, r"beam_size must be at least 1 and at most 4\. Received:\] \[-1\]"),
        (2, 3, r"n_best must be at least 1 and at most beam_size\. Received:\] \[3\]"),
        (2, 0, r"n_best must be at least 1"),
        (0, 5, r"beam_size must be at least 1 and at most 4"),
    ],
)
def test_beams_have_limits(exported: ExportedModel, beam_size: int, n_best: int, rule: str) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match=rule):
        ask(exported, "translate_n_best", source=["one"], beam_size=beam_size, n_best=n_best)


def test_forced_scores_are_python_s(loaded: LoadedModel, exported: ExportedModel, sentences: list[str]) -> None:
    targets = sentences[::-1]
    log_probs, lengths = Scorer(loaded.model, loaded.tokenizer).score(ParallelText(sentences, targets))
    found = ask(exported, "score", source=sentences, target=targets)
    np.testing.assert_allclose(found["log_prob"], log_probs, rtol=1e-5, atol=1e-4)
    assert found["length"].tolist() == lengths.tolist()
    assert not found["status"].any()
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"source and target must be as many"):
        ask(exported, "score", source=["one", "two"], target=["un"])


def _assert_attends(loaded: LoadedModel, attend: Callable[..., Any], sentences: list[str]) -> None:
    found = {name: value.numpy() for name, value in attend(source=tf.constant(sentences)).items()}
    # The search may write a translation in other pieces than its text is cut into, so its own tokens are forced here.
    piece_ids = {
        piece: i for i, piece in enumerate(loaded.tokenizer.pieces(np.arange(loaded.tokenizer.vocabulary_size)))
    }
    for row, sentence in enumerate(sentences):
        source_tokens = [token.decode() for token in found["source_tokens"][row] if token]
        target_tokens = [token.decode() for token in found["target_tokens"][row] if token]
        (source_ids,) = loaded.tokenizer.encode_all([sentence])
        assert source_tokens == loaded.tokenizer.pieces(source_ids)
        target_ids = np.array([piece_ids[token] for token in target_tokens], "int32")
        weights = found["attention"][row]
        assert not weights[len(target_tokens) :].any()
        assert not weights[:, len(source_tokens) :].any()
        if not sentence.strip():
            assert not target_tokens
            continue
        assert loaded.tokenizer.decode_all(target_ids[None]) == [found["translation"][row].decode()]
        expected = loaded.model.attention_weights(source_ids[None], np.append(np.int32(2), target_ids[:-1])[None])[
            "cross"
        ]
        expected = np.array(expected)[0].mean(axis=(0, 1))
        np.testing.assert_allclose(weights[: len(target_tokens), : len(source_tokens)], expected, atol=1e-5)


def test_alignments_of_a_transformer(
    loaded: LoadedModel, exported: ExportedModel, sentences: list[str], search: SearchConfig
) -> None:
    _assert_attends(loaded, exported.signatures["attention"], sentences)
    translations = Translator(loaded.model, loaded.tokenizer, search).translate(sentences)
    found = ask(exported, "attention", source=sentences)["translation"]
    assert [text.decode() for text in found] == [translation.text for translation in translations]


def test_alignments_of_a_recurrent_model(
    load: Callable[..., LoadedModel], sentences: list[str], search: SearchConfig
) -> None:
    loaded = load("lstm-attention", RecurrentAttentionConfig("lstm", embedding_dim=8, hidden_dim=12))
    server = ServingSignatures(loaded, search, ServingLimits())
    _assert_attends(loaded, server.attention, sentences)


def test_without_attention_there_is_no_signature_for_it(load: Callable[..., LoadedModel], search: SearchConfig) -> None:
    loaded = load("rnn", RecurrentConfig("rnn", embedding_dim=8, hidden_dim=12))
    functions = ServingSignatures(loaded, search, ServingLimits()).functions
    assert sorted(functions) == ["score", "serving_default", "translate_n_best"]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("one two three four five. six seven eight nine? zero", 3),
        ("“one two three four!” five six seven eight nine zero", 2),
        ("one two three four five\n\nsix seven eight nine zero one", 2),
        ("one two three four。five six seven eight！！！nine zero", 3),
        ("one two three four five six... seven 3.14 eight nine", 2),
    ],
)
def test_a_long_text_is_translated_sentence_by_sentence(
    loaded: LoadedModel, exported: ExportedModel, search: SearchConfig, text: str, parts: int
) -> None:
    text = f"{'nine eight seven six five four. ' * 2}{text} "
    assert len(loaded.tokenizer.encode_all([text])[0]) > 24
    found = ask(exported, "serving_default", source=["one", text])
    sentences = [part for part in re.split(r"(?<=[.?!”])\s+(?!3)|(?<=。)|(?<=！！！)|\n+", text) if part.strip()]
    assert len(sentences) == parts + 2
    expected = Translator(loaded.model, loaded.tokenizer, search).translate(sentences)
    assert found["translation"][1].decode() == " ".join(part.text for part in expected if part.text)
    assert found["score"][1] == pytest.approx(sum(part.score for part in expected), abs=1e-4)
    assert found["status"].tolist() == [0, 1]


def test_what_cannot_be_split_is_cut(loaded: LoadedModel, exported: ExportedModel) -> None:
    words = ["seven"] * 60
    long = " ".join(words)
    (ids,) = loaded.tokenizer.encode_all([long])
    (kept,) = loaded.tokenizer.decode_all(ids[None, :23])
    sources = [long, kept, f"one two. {long}. three"]
    for signature, inputs in (
        ("serving_default", {}),
        ("translate_n_best", {"beam_size": 3, "n_best": 2}),
        ("attention", {}),
        ("score", {"target": ["un deux"] * 3}),
    ):
        found = ask(exported, signature, source=sources, **inputs)
        result = found.get("translation", found.get("log_prob"))
        np.testing.assert_array_equal(result[0], result[1])
        assert found["status"].tolist() == [2, 0, 2], signature


def test_a_long_target_is_cut(exported: ExportedModel) -> None:
    found = ask(exported, "score", source=["one", "one"], target=["un", "deux " * 500])
    assert found["status"].tolist() == [0, 2]
    assert found["length"].tolist()[1] == 27  # the longest translation of 24 source tokens


def test_texts_of_the_longest_length_are_left_whole(loaded: LoadedModel, exported: ExportedModel) -> None:
    """A line break or a full stop splits nothing that fits."""
    for text in ("one. two\nthree! four", "one? " * 5):
        assert len(loaded.tokenizer.encode_all([text])[0]) <= 24
        assert ask(exported, "serving_default", source=[text])["status"].tolist() == [0]


ODD = [
    b"\xff\xfe",
    b"one \xc3",
    b"\xed\xa0\x80 two",  # a surrogate
    b"\xf8\x88\x80\x80\x80",
    b"\x00",
    b"three\x00four",
    b"\x01\x02\x1b[31m\x7f",
    "\ufeff one".encode(),
    "\u202eone\u202c two\u2028three".encode(),
    "e\u0301\u0301\u0301".encode() * 5,
    "\U0010ffff\ufffe\ufffd".encode(),
    "\N{LOWER ONE EIGHTH BLOCK}".encode(),
    b"</s> <s> <pad> <unk> <0x41>",
    b"\t\r\n \n",
    b"." * 500,
    b"one. " * 60,
    b"x" * 5000,
    bytes(range(256)),
]


def test_any_bytes_are_taken_and_change_no_neighbour(exported: ExportedModel, sentences: list[str]) -> None:
    alone = ask(exported, "serving_default", source=sentences)
    mixed: list[Any] = [*ODD]
    for place, sentence in enumerate(sentences):
        mixed.insert(2 * place % len(mixed), sentence)
    places = [next(i for i, text in enumerate(mixed) if text is sentence) for sentence in sentences]
    for signature, inputs in (
        ("serving_default", {}),
        ("translate_n_best", {"beam_size": 3, "n_best": 1}),
        ("attention", {}),
    ):
        found = ask(exported, signature, source=mixed, **inputs)
        translations = found["translation"].reshape(-1)
        assert_alike(exported, sentences, translations[places], alone["translation"])
        for text, translation, status in zip(mixed, translations, found["status"], strict=True):
            translation.decode()
            raw = text.encode() if isinstance(text, str) else text
            assert (status == 3) == (raw.decode(errors="replace").encode() != raw)
            assert signature == "attention" or raw.decode(errors="replace").strip() or translation == b""
    assert np.isfinite(ask(exported, "score", source=mixed, target=mixed[::-1])["log_prob"]).all()


def test_repaired_text_is_translated_as_python_repairs_it(exported: ExportedModel) -> None:
    repaired = [text.decode(errors="replace") for text in ODD]
    found, expected = (ask(exported, "serving_default", source=[*texts]) for texts in (ODD, repaired))
    assert found["translation"].tolist() == expected["translation"].tolist()
    assert 3 in found["status"]
    assert 3 not in expected["status"]


def test_order_and_size_of_a_batch_change_nothing(exported: ExportedModel, sentences: list[str]) -> None:
    together = ask(exported, "serving_default", source=sentences)
    shuffled = random.Random(4).sample(range(len(sentences)), len(sentences))
    again = ask(exported, "serving_default", source=[sentences[i] for i in shuffled])
    assert_alike(exported, [sentences[i] for i in shuffled], again["translation"], together["translation"][shuffled])
    np.testing.assert_allclose(again["score"], together["score"][shuffled], atol=1e-4)
    singly = [ask(exported, "serving_default", source=[sentence]) for sentence in sentences]
    assert_alike(exported, sentences, [one["translation"][0] for one in singly], together["translation"])
    np.testing.assert_allclose([one["score"][0] for one in singly], together["score"], atol=1e-4)


@pytest.mark.parametrize("sources", [[], [""], ["", "   ", "\t\r\n", "\u3000\u2028"]])
def test_nothing_gives_nothing(exported: ExportedModel, sources: list[str]) -> None:
    assert ask(exported, "serving_default", source=sources)["translation"].tolist() == [b""] * len(sources)
    assert ask(exported, "translate_n_best", source=sources, beam_size=2, n_best=2)["score"].shape == (len(sources), 2)
    assert ask(exported, "score", source=sources, target=sources)["length"].shape == (len(sources),)
    assert ask(exported, "attention", source=sources)["attention"].shape[0] == len(sources)


def _graph(model: ExportedModel) -> Any:
    content = (model.path / "saved_model.pb").read_bytes()
    return saved_model_pb2.SavedModel.FromString(content).meta_graphs[0].graph_def


def test_every_op_is_in_a_stock_build_of_tensorflow_serving(exported: ExportedModel) -> None:
    graph = _graph(exported)
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    functions = {function.signature.name for function in graph.library.function}
    ops = {node.op for node in nodes} - functions
    assert {op for op in ops if not hasattr(tf.raw_ops, op)} == TEXT_OPS
    assert not [op for op in ops if "Py" in op or "Xla" in op]
    assert not [f for f in graph.library.function if f.attr["_XlaMustCompile"].b]


def test_limits_must_make_sense(loaded: LoadedModel, search: SearchConfig) -> None:
    for number in (1, 1_000_001, 2**40):
        with pytest.raises(ConfigError, match=rf"--max-source-tokens must be at least 2 and .* Received: {number}\."):
            ServingLimits(max_source_tokens=number)
    for number in (0, 1_000_001, 2**40):
        with pytest.raises(ConfigError, match=rf"--max-beam-size must be at least 1 and .* Received: {number}\."):
            ServingLimits(max_beam_size=number)
    with pytest.raises(ConfigError, match=r"--beam-size 3, --max-beam-size 2"):
        ServingSignatures(loaded, search, ServingLimits(max_beam_size=2))


@pytest.mark.heavy
def test_with_xla_the_translations_are_the_same(
    loaded: LoadedModel, exported: ExportedModel, held_out: list[str], tmp_path: Path
) -> None:
    limits = ServingLimits(**{name: exported.card["limits"][name] for name in ("max_source_tokens", "max_beam_size")})
    path = export_savedmodel(loaded, tmp_path / "xla", held_out[:2], limits=limits, xla=True)  # the gate asks the same
    compiled = load_export(path)
    assert (compiled.card["xla"], exported.card["xla"]) == (True, False)
    library = _graph(compiled).library.function
    assert any(function.attr["_XlaMustCompile"].b for function in library)
    few = [*held_out[:3], "", "nine"]
    for signature, inputs in (
        ("serving_default", {}),
        ("translate_n_best", {"beam_size": 2, "n_best": 2}),
        ("attention", {}),
    ):
        found, expected = (ask(model, signature, source=few, **inputs) for model in (compiled, exported))
        for name in expected:
            if expected[name].dtype == object:
                assert found[name].tolist() == expected[name].tolist()
            else:
                np.testing.assert_allclose(found[name], expected[name], atol=1e-4)
    assert ask(compiled, "serving_default", source=[])["translation"].shape == (0,)


def test_a_graph_that_is_traced_beside_a_gpu_runs_elsewhere(load: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_module("keras.src.backend.tensorflow.rnn"), "cudnn_ok", lambda *_, **__: True)
    loaded = load("lstm-attention", RecurrentAttentionConfig("lstm", embedding_dim=8, hidden_dim=8))
    ids = tf.TensorSpec((None, None), tf.int32)
    encode = tf.function(lambda ids: loaded.model.encode(ids)["values"])
    assert "CudnnRNN" in str(encode.get_concrete_function(ids).graph.as_graph_def())
    server = ServingSignatures(loaded, SearchConfig(beam_size=2), ServingLimits())
    for function in server.functions.values():
        assert "CudnnRNN" not in str(function.get_concrete_function().graph.as_graph_def())
