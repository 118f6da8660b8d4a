import pytest

from nmt_keras.data.scripts import ScriptCheck, scripts_of

SENTENCES = {
    "en": "The cat sat on the mat.",
    "fr": "Ça, c’est où ? À l’œuvre, ﬁn n° 5ª !",
    "vi": "Tôi không hiểu tiếng Việt.",
    "pl": "Zażółć gęślą jaźń.",
    "ru": "Кошка сидит на коврике.",
    "uk": "Об’єднання їжаків ґанку.",
    "el": "Η γάτα κάθεται στο χαλί.",
    "he": "החתול ישב על השטיח.",
    "ar": "جلست القطة على السجادة.",
    "fa": "گربه روی قالیچه نشست.",
    "hi": "बिल्ली चटाई पर बैठी है।",
    "th": "แมวนั่งบนเสื่อ",
    "ka": "კატა ხალიჩაზე ზის.",
    "hy": "Կատուն նստած է գորգի վրա։",
    "zh": "猫坐在垫子上。",
    "ja": "ネコがマットの上に座った。佐々木さん",
    "ko": "고양이가 매트 위에 앉았다.",
    "am": "ድመቷ ምንጣፉ ላይ ተቀመጠች።",
}


@pytest.mark.parametrize("language", SENTENCES)
def test_a_language_accepts_itself_and_refuses_other_scripts(language: str) -> None:
    check = ScriptCheck(language)
    for other, sentence in SENTENCES.items():
        share_letters = set(scripts_of(language)) & set(scripts_of(other))
        # Japanese accepts Chinese (the same ideographs), and Korean texts may hold them as well.
        share_letters |= {other} if language in ("ja", "ko") and other == "zh" else set()
        assert check.wrong(sentence) == (not share_letters), (language, other)


def test_the_majority_of_letters_decides() -> None:
    check = ScriptCheck("en")
    assert not check.wrong("abc где")  # three against three
    assert check.wrong("abc гдеж")
    assert not check.wrong("abcd где")
    assert not check.wrong("Владимир is the name of a city in Russia")


@pytest.mark.parametrize("sentence", ["", "12 + 30 = 42", "…!? «»", "😀 👍🏽", "\u2028\x0b"])
def test_text_without_letters_is_in_any_script(sentence: str) -> None:
    assert not ScriptCheck("en").wrong(sentence)
    assert not ScriptCheck("ru").wrong(sentence)


def test_a_language_of_two_scripts_accepts_both() -> None:
    check = ScriptCheck("sr")
    assert not check.wrong("Mačka sedi na tepihu.")
    assert not check.wrong("Мачка седи на тепиху.")
    assert check.wrong(SENTENCES["el"])


@pytest.mark.parametrize(
    ("language", "scripts"),
    [
        ("en", ("Latn",)),
        ("pt-BR", ("Latn",)),
        ("EN_us", ("Latn",)),
        ("deu", ("Latn",)),
        ("sr", ("Cyrl", "Latn")),
        ("sr-Latn", ("Latn",)),
        ("zho_Hans", ("Hans",)),
        ("xx-Cyrl", ("Cyrl",)),
        ("xx", ()),
        ("simple", ()),
    ],
)
def test_scripts_of(language: str, scripts: tuple[str, ...]) -> None:
    assert scripts_of(language) == scripts


def test_an_unknown_language_cannot_be_checked() -> None:
    with pytest.raises(KeyError):
        ScriptCheck("xx")
