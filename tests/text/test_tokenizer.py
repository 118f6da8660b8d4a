import gzip
import os
import unicodedata
from pathlib import Path

import keras
import numpy as np
import pytest
import sentencepiece

from nmt_keras.errors import ConfigError
from nmt_keras.text import tokenizer as tokenizer_module
from nmt_keras.text.special_tokens import BOS_ID, EOS_ID, PAD_ID, UNKNOWN_ID
from nmt_keras.text.tokenizer import Tokenizer, normalize, train_vocabulary

# Sentence -> what the model sees of it, written out by hand.
NORMALIZED = {
    "": "",
    " ": "",
    "    ": "",
    " leading": "leading",
    "trailing  ": "trailing",
    "doubled  and   tripled": "doubled and tripled",
    "a\N{LOWER ONE EIGHTH BLOCK}b": "a b",
    "a\N{LOWER ONE EIGHTH BLOCK} \N{LOWER ONE EIGHTH BLOCK}b": "a b",
    "\N{LOWER ONE EIGHTH BLOCK}\N{LOWER ONE EIGHTH BLOCK}a\N{LOWER ONE EIGHTH BLOCK}": "a",
    "\N{LOWER ONE EIGHTH BLOCK}": "",
    "e\N{COMBINING ACUTE ACCENT}te\N{COMBINING ACUTE ACCENT}": "\xe9t\xe9",
    "A\N{COMBINING RING ABOVE}": "\xc5",
    "\N{ANGSTROM SIGN}": "\xc5",
    "\N{HANGUL CHOSEONG HIEUH}\N{HANGUL JUNGSEONG A}": "\N{HANGUL SYLLABLE HA}",
    " e\N{COMBINING GRAVE ACCENT}  ": "\xe8",
}
UNCHANGED = [
    "A man sleeps on a bench.",
    "L’été, c’est à côté !",
    "Il crie\N{NO-BREAK SPACE}: «\N{NO-BREAK SPACE}Attention\N{NARROW NO-BREAK SPACE}!\N{NO-BREAK SPACE}»",
    "\N{NO-BREAK SPACE}a no-break space at both ends\N{NO-BREAK SPACE}",
    "\N{NO-BREAK SPACE}",
    "“double” ‘single’ „low“ «guillemets» 'straight' \"straight\"",
    "en – em — minus − hyphen - soft\N{SOFT HYPHEN}hyphen ellipsis …",
    "œuf, cœur, Æsir, ß, ﬁ, ½, №, ™",
    "👩‍👩‍👧‍👦 a family with joiners",
    "👍🏽 skin, 🇫🇷 flag, ☺️ variation",
    "❤",
    "Привет, мир!",
    "Ёлка и ёжик",
    "你好，世界。",
    "日本語のテキスト",
    "مرحبا بالعالم",
    "שלום עולם",
    "नमस्ते दुनिया",
    "สวัสดีชาวโลก",
    "한국어 문장",
    "Γειά σου Κόσμε",
    "q\N{COMBINING DOT BELOW}\N{COMBINING DOT ABOVE} does not compose",
    "0123456789 3.14 1,000,000 10%",
    "x²+y²≤z² ∑∫√∞",
    "1/2 a_b a-b a+b a=b <tag> &amp; {brace} [x] \\back\\",
    "<s> </s> <pad> <unk>",
    "</s>",
    "<0x41><0x0A>",
    "<unk>",
    "tab\tinside",
    "line\nend",
    "carriage\rreturn",
    "\x01\x02 control \x7f",
    "nul\x00inside",
    "\N{ZERO WIDTH SPACE}zero\N{ZERO WIDTH JOINER}width\N{WORD JOINER}",
    "\N{ZERO WIDTH NO-BREAK SPACE}byte order mark",
    "thin\N{THIN SPACE}em\N{EM SPACE}ideographic\N{IDEOGRAPHIC SPACE}spaces",
    "\N{RIGHT-TO-LEFT MARK}direction\N{LEFT-TO-RIGHT MARK}",
    "\U0001f9ff\U00010348\U0002070e",
    "\N{REPLACEMENT CHARACTER}",
    "⁇ what sentencepiece prints for the unknown ⁇",
    "UPPER lower MiXeD ǅ İ ı",
    "https://example.org/?a=b&c=%20",
    "a" * 300,
    "Full-width ＡＢＣ，１２３",
]


@pytest.mark.parametrize("text", NORMALIZED)
def test_normalize(text: str) -> None:
    assert normalize(text) == NORMALIZED[text]


@pytest.mark.parametrize("text", UNCHANGED)
def test_normalize_leaves_the_rest(text: str) -> None:
    assert unicodedata.is_normalized("NFC", text)
    assert normalize(text) == text


def test_text_survives(tokenizer: Tokenizer) -> None:
    texts = [*NORMALIZED, *UNCHANGED]
    rows = tokenizer.encode_all(texts, batch_size=7)
    ids = np.zeros((len(texts), max(map(len, rows))), "int32")
    for padded, row in zip(ids, rows, strict=True):
        padded[: len(row)] = row
    expected = [NORMALIZED.get(text, text) for text in texts]
    assert tokenizer.decode_all(ids) == expected
    assert [normalize(text) for text in texts] == expected


def test_ids_are_sentencepiece_s_own(tokenizer: Tokenizer) -> None:
    pieces = sentencepiece.SentencePieceProcessor(model_proto=tokenizer.proto)
    texts = ["one two three", "zéro sept", "L’été 👍", "a  b", ""]
    for text, ids in zip(texts, tokenizer.encode_all(texts), strict=True):
        assert ids.tolist() == [*pieces.encode(text), EOS_ID]
    assert tokenizer.vocabulary_size == pieces.get_piece_size()
    assert len(tokenizer.encode_all(texts)[0]) < len(texts[0]) + 1  # pieces longer than a character


def test_word_indices_group_the_tokens_of_each_word(tokenizer: Tokenizer) -> None:
    """Decoded on their own, the tokens of a word spell the word."""
    texts = [*NORMALIZED, *UNCHANGED, "zéro  un 👍 Ё", "one two three"]
    most = 0
    for text, ids in zip(texts, tokenizer.encode_all(texts), strict=True):
        words = tokenizer.word_indices(ids)
        expected = NORMALIZED.get(text, normalize(text)).split(" ") if normalize(text) else []
        assert [index for index, token in zip(words, ids, strict=True) if token == EOS_ID] == [-1]
        assert sorted(set(words.tolist()) - {-1}) == list(range(len(expected)))
        assert [tokenizer.decode_all(ids[None, words == index])[0] for index in range(len(expected))] == expected
        most = max(most, np.bincount(words + 1)[1:].max(initial=0))
    assert most > 100  # a word of many tokens


def test_pieces_are_sentencepiece_s_own(tokenizer: Tokenizer) -> None:
    processor = sentencepiece.SentencePieceProcessor(model_proto=tokenizer.proto)
    text = "zéro  un 👍 Ё"
    (ids,) = tokenizer.encode_all([text])
    pieces = tokenizer.pieces(np.append(BOS_ID, ids))
    assert pieces == ["<s>", *processor.encode(text, out_type=str), "</s>"]
    assert {"▁un", "<0xF0>"} <= set(pieces)


def test_word_indices_of_a_padded_batch(tokenizer: Tokenizer) -> None:
    long, short, empty = tokenizer.encode_all(["zéro 👍 un", "two", ""])
    batch = np.full((3, len(long) + 2), PAD_ID, "int32")
    for row, ids in zip(batch, (long, short, empty), strict=True):
        row[: len(ids)] = ids
    words = tokenizer.word_indices(batch)
    for row, ids in zip(words, (long, short, empty), strict=True):
        assert row.tolist() == tokenizer.word_indices(ids).tolist() + [-1] * (batch.shape[1] - len(ids))
    assert words.max(axis=1).tolist() == [2, 0, -1]


def test_special_ids(tokenizer: Tokenizer) -> None:
    pieces = sentencepiece.SentencePieceProcessor(model_proto=tokenizer.proto)
    assert (pieces.pad_id(), pieces.unk_id(), pieces.bos_id(), pieces.eos_id()) == (0, 1, 2, 3)
    assert (PAD_ID, UNKNOWN_ID, BOS_ID, EOS_ID) == (0, 1, 2, 3)


def test_only_the_end_is_special(tokenizer: Tokenizer) -> None:
    for ids in tokenizer.encode_all([*NORMALIZED, *UNCHANGED]):
        assert ids.dtype == np.int32
        assert ids[-1] == EOS_ID
        assert ids[:-1].min(initial=EOS_ID + 1) > EOS_ID


def test_decode_stops_at_the_first_end_and_skips_padding(tokenizer: Tokenizer) -> None:
    one, two = tokenizer.encode_all(["one two", "three"])
    ids = np.array([[*one, *two, PAD_ID], [*two, PAD_ID, *[9] * len(one)]], "int32")
    assert tokenizer.decode_all(ids) == ["one two", "three"]
    assert tokenizer.decode_all(one[None, :-1]) == ["one two"]  # no end at all
    assert tokenizer.decode_all(np.full((2, 3), PAD_ID, "int32")) == ["", ""]


def test_a_new_random_seed_does_no_harm(tokenizer: Tokenizer) -> None:
    """It clears TensorFlow's caches, and a tokenizer may live longer than one training."""
    before = tokenizer.encode_all(["one two"])[0]
    keras.utils.set_random_seed(1)
    assert tokenizer.encode_all(["one two"])[0].tolist() == before.tolist()
    assert tokenizer.decode_all(before[None]) == ["one two"]


def test_no_sentence(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode_all([]) == []


def test_the_vocabulary_depends_on_text_and_seed_alone(tokenizer: Tokenizer, digits) -> None:
    text = [*digits.split("train").sources, *digits.split("train").targets]
    first = train_vocabulary(text, 300, 1.0, seed=1)
    assert train_vocabulary(text, 300, 1.0, seed=1) == first
    assert Tokenizer(first).vocabulary_size == 300
    assert Tokenizer(first).sha256 == Tokenizer(first).sha256 != tokenizer.sha256


def test_the_seed_chooses_the_sentences_where_there_are_too_many(digits, monkeypatch: pytest.MonkeyPatch) -> None:
    text = list(dict.fromkeys(digits.split("train").targets))
    monkeypatch.setattr(tokenizer_module, "_MAX_SENTENCES", 20)
    first, again, other = (train_vocabulary(text, 300, 1.0, seed=seed) for seed in (1, 1, 2))
    assert first == again != other
    monkeypatch.setattr(tokenizer_module, "_MAX_SENTENCES", len(text))
    assert train_vocabulary(text, 300, 1.0, seed=1) == train_vocabulary(text, 300, 1.0, seed=2)


def test_the_vocabulary_does_not_see_what_normalization_removes(digits) -> None:
    text = digits.split("train").targets
    decomposed = [unicodedata.normalize("NFD", f" {sentence.replace(' ', '  ')} ") for sentence in text]
    assert decomposed != text
    assert train_vocabulary(decomposed, 300, 1.0, seed=1) == train_vocabulary(text, 300, 1.0, seed=1)


def test_a_small_corpus_gives_a_small_vocabulary() -> None:
    assert 260 < Tokenizer(train_vocabulary(["one two three"] * 3, 5000, 1.0, seed=1)).vocabulary_size < 300


def test_too_small_a_vocabulary_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match=r"vocabulary\.size must .*Received: size=262\."):
        train_vocabulary(["the quick brown fox jumps over the lazy dog"], 262, 1.0, seed=1)


def test_long_sentences_are_not_passed_over() -> None:
    text = ["one two three"] * 3 + ["\N{THAI CHARACTER KO KAI}" * 2000]  # 6,000 bytes
    tokenizer = Tokenizer(train_vocabulary(text, 300, 1.0, seed=1))
    (ids,) = tokenizer.encode_all(["\N{THAI CHARACTER KO KAI}"])
    assert not any(piece.startswith("<0x") for piece in tokenizer.pieces(ids))


def _multi30k_valid() -> list[str]:
    beside = Path(__file__).parents[2].parent / "shared" / "data"
    for root in filter(None, [os.environ.get("NMT_KERAS_DATA"), beside]):
        for directory in (Path(root), Path(root) / "multi30k"):
            files = [directory / f"val.{language}.gz" for language in ("en", "fr")]
            if all(file.is_file() for file in files):
                return [line for file in files for line in gzip.decompress(file.read_bytes()).decode().splitlines()]
    return []


def test_multi30k_survives(tokenizer: Tokenizer) -> None:
    sentences = _multi30k_valid()
    if not sentences:
        pytest.skip("no Multi30k in the directory NMT_KERAS_DATA, nor in ../shared/data")
    rows = tokenizer.encode_all(sentences)
    ids = np.zeros((len(rows), max(map(len, rows))), "int32")
    for row, sentence in zip(ids, rows, strict=True):
        row[: len(sentence)] = sentence
    assert len(sentences) > 1000
    assert tokenizer.decode_all(ids) == [normalize(sentence) for sentence in sentences]
    assert not (ids == UNKNOWN_ID).any()
