"""French morphology: conjugation, agreement, elision and contraction."""

from nmt_keras.data.phrasebook.lexicon import Verb
from nmt_keras.data.phrasebook.words import Word

IMPERFECT = ("ais", "ais", "ait", "ions", "iez", "aient")
FUTURE = ("ai", "as", "a", "ons", "ez", "ont")

ELIDED = {
    "je": "j'",
    "me": "m'",
    "te": "t'",
    "se": "s'",
    "le": "l'",
    "la": "l'",
    "de": "d'",
    "ne": "n'",
    "que": "qu'",
}
CONTRACTED = {("de", "le"): "du", ("de", "les"): "des", ("à", "le"): "au", ("à", "les"): "aux"}
# An aspirated h, and a few vowels, behave like consonants.
ASPIRATED = ("héros", "haricot", "hibou", "huit", "onze")


def begins_with_vowel(text: str) -> bool:
    """Whether the word before this one is elided ("l'homme", but "le héros")."""
    return text[0].lower() in "aàâeéèêiîoôuyhœ" and not text.lower().startswith(ASPIRATED)


def conjugate(verb: Verb, tense: str, person: int, plural: bool) -> str:
    """The finite form.

    Args:
        verb: which verb.
        tense: "present", "imperfect", "future" or "imperative".
        person: 1, 2 or 3.
        plural: whether the subject is plural.
    """
    index = person - 1 + 3 * plural
    if tense == "present":
        return verb.present[index]
    if tense == "imperative":
        form = verb.present[index]
        return form[:-1] if form.endswith(("es", "vas")) and not plural else form
    if tense == "future":
        return verb.future_stem + FUTURE[index]
    stem = "ét" if verb.french == "être" else verb.present[3].removesuffix("ons")
    ending = IMPERFECT[index]
    if ending.startswith("i"):  # nous mangions, nous avancions: the spelling sign is needed before "a" only
        if stem.endswith("ge"):
            stem = stem[:-1]
        elif stem.endswith("ç"):
            stem = stem[:-1] + "c"
    return stem + ending


def agree(participle: str, feminine: bool, plural: bool) -> str:
    """The past participle, agreed."""
    form = participle + ("e" if feminine else "")
    return form + ("s" if plural and not form.endswith("s") else "")


def elide_and_contract(words: list[Word]) -> list[Word]:
    """The words as they are spelt next to each other; a merged word keeps the links of its parts."""
    result: list[Word] = []
    waiting: list[Word] = []  # words with an apostrophe, written together with the next one
    index = 0
    while index < len(words):
        word = words[index]
        following = words[index + 1] if index + 1 < len(words) else None
        if following is not None:
            if word.text in ELIDED and begins_with_vowel(following.text):
                waiting.append(Word(ELIDED[word.text], word.links))
                index += 1
                continue
            if word.text == "si" and following.text in ("il", "ils"):
                waiting.append(Word("s'", word.links))
                index += 1
                continue
            contracted = CONTRACTED.get((word.text, following.text)) if following.article else None
            if contracted is not None:
                after = words[index + 2] if index + 2 < len(words) else None
                if following.text == "les" or after is None or not begins_with_vowel(after.text):
                    word = Word(contracted, word.links + following.links)
                    index += 1
        if waiting:
            links = sum((part.links for part in waiting), ()) + word.links
            word = Word("".join(part.text for part in waiting) + word.text, links)
            waiting = []
        result.append(word)
        index += 1
    return result
