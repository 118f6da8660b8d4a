"""Which script a language is written in, and whether a sentence is in it."""

import unicodedata

# ISO 15924 code -> how the Unicode names of its letters begin.
_LETTER_NAMES = {
    "Arab": ("ARABIC",),
    "Armn": ("ARMENIAN",),
    "Beng": ("BENGALI",),
    "Cyrl": ("CYRILLIC",),
    "Deva": ("DEVANAGARI",),
    "Ethi": ("ETHIOPIC",),
    "Geor": ("GEORGIAN",),
    "Grek": ("GREEK", "MICRO SIGN", "OHM SIGN"),
    "Gujr": ("GUJARATI",),
    "Guru": ("GURMUKHI",),
    "Hani": ("CJK", "IDEOGRAPHIC", "BOPOMOFO"),
    "Hebr": ("HEBREW",),
    "Jpan": ("CJK", "IDEOGRAPHIC", "HIRAGANA", "KATAKANA", "HALFWIDTH KATAKANA"),
    "Khmr": ("KHMER",),
    "Knda": ("KANNADA",),
    "Kore": ("HANGUL", "HALFWIDTH HANGUL", "CJK"),
    "Laoo": ("LAO",),
    "Latn": ("LATIN", "FULLWIDTH LATIN", "FEMININE ORDINAL", "MASCULINE ORDINAL", "KELVIN", "ANGSTROM"),
    "Mlym": ("MALAYALAM",),
    "Mymr": ("MYANMAR",),
    "Sinh": ("SINHALA",),
    "Taml": ("TAMIL",),
    "Telu": ("TELUGU",),
    "Thai": ("THAI",),
}
_LETTER_NAMES |= {"Hans": _LETTER_NAMES["Hani"], "Hant": _LETTER_NAMES["Hani"]}

# Script -> languages (ISO 639-1 and 639-3 codes). A language of two scripts stands in both lines.
_LANGUAGES = {
    "Arab": "ar ara arb fa fas pes ps pus ur urd ug uig",
    "Armn": "hy hye",
    "Beng": "bn ben as asm",
    "Cyrl": "be bel bg bul kk kaz ky kir mk mkd mn mon khk ru rus sr srp tg tgk tt tat uk ukr uz uzb",
    "Deva": "hi hin mr mar ne nep npi sa san",
    "Ethi": "am amh ti tir",
    "Geor": "ka kat",
    "Grek": "el ell",
    "Gujr": "gu guj",
    "Guru": "pa pan",
    "Hani": "zh zho cmn yue wuu",
    "Hebr": "he heb yi yid",
    "Jpan": "ja jpn",
    "Khmr": "km khm",
    "Knda": "kn kan",
    "Kore": "ko kor",
    "Laoo": "lo lao",
    "Latn": (
        "af afr az aze azj bs bos ca cat cs ces cy cym da dan de deu en eng eo epo es spa et est eu eus "
        "fi fin fil fr fra ga gle gd gla gl glg hr hrv ht hat hu hun id ind is isl it ita kk kaz la lat lb "
        "ltz lt lit lv lav mg mlg ms msa mt mlt nb nob nl nld nn nno no nor pl pol pt por ro ron sk slk sl "
        "slv sq sqi sr srp sv swe sw swa tl tgl tr tur uz uzb vi vie xh xho yo yor zu zul"
    ),
    "Mlym": "ml mal",
    "Mymr": "my mya",
    "Sinh": "si sin",
    "Taml": "ta tam",
    "Telu": "te tel",
    "Thai": "th tha",
}


def scripts_of(language: str) -> tuple[str, ...]:
    """The scripts a language is written in.

    Args:
        language: its code ("fr", "fra", "pt-BR"); a script named in it ("sr-Latn", "zho_Hans") decides.

    Returns:
        ISO 15924 codes; empty for a language not known here.
    """
    primary, *subtags = language.replace("_", "-").split("-")
    named = tuple(subtag.title() for subtag in subtags if subtag.title() in _LETTER_NAMES)
    return named or tuple(script for script, languages in _LANGUAGES.items() if primary.lower() in languages.split())


class ScriptCheck:
    """Tells sentences whose letters are mostly of another script than the language's.

    Args:
        language: the code of a language.

    Raises:
        KeyError: its script is not known (`scripts_of` is empty).
    """

    def __init__(self, language: str) -> None:
        scripts = scripts_of(language)
        if not scripts:
            raise KeyError(language)
        self._weights = _Weights(tuple(name for script in scripts for name in _LETTER_NAMES[script]))

    def wrong(self, sentence: str) -> bool:
        """Whether more than half of the letters are of another script; False without letters."""
        return sum(map(self._weights.__getitem__, sentence)) < 0


class _Weights(dict[str, int]):
    """1: a letter of the script, -1: any other letter, 0: all else. Each character is judged once."""

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__()
        self._names = names

    def __missing__(self, character: str) -> int:
        weight = 0
        if character.isalpha():
            weight = 1 if unicodedata.name(character, "").startswith(self._names) else -1
        self[character] = weight
        return weight
