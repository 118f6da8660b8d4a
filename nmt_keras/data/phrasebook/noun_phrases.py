"""Noun phrases: pronouns, names, and nouns with determiners and adjectives."""

from dataclasses import dataclass, field

from nmt_keras.data.phrasebook.english import with_article
from nmt_keras.data.phrasebook.french import begins_with_vowel
from nmt_keras.data.phrasebook.lexicon import Adjective, Noun
from nmt_keras.data.phrasebook.words import Word, words

# English subject and object, French subject, direct and indirect object, person, plural, feminine.
PRONOUNS = {
    "I": ("I", "me", "je", "me", "me", 1, False, False),
    "we": ("we", "us", "nous", "nous", "nous", 1, True, False),
    "he": ("he", "him", "il", "le", "lui", 3, False, False),
    "she": ("she", "her", "elle", "la", "lui", 3, False, True),
    "they m": ("they", "them", "ils", "les", "leur", 3, True, False),
    "they f": ("they", "them", "elles", "les", "leur", 3, True, True),
    "it m": ("it", "it", "il", "le", "lui", 3, False, False),
    "it f": ("it", "it", "elle", "la", "lui", 3, False, True),
    "you one": ("you", "you", "tu", "te", "te", 2, False, False),
    "you more": ("you", "you", "vous", "vous", "vous", 2, True, False),
}
POSSESSIVES = {
    "my": ("mon", "ma", "mes"),
    "his": ("son", "sa", "ses"),
    "her": ("son", "sa", "ses"),
    "our": ("notre", "notre", "nos"),
    "their": ("leur", "leur", "leurs"),
}


@dataclass
class NounPhrase:
    """A noun phrase in both languages.

    Args:
        english, french: its words (of a pronoun: as the subject).
        head: what it is about, for telling combinations of clauses apart.
        person, plural, feminine: what the French verb, participle and adjective agree with.
        gender_shown: whether the English tells the gender.
        pronoun: its key in PRONOUNS, if it is one.
        classes: of its noun.
        human: whether it is "who" or "that".
        link: of its head.
    """

    english: list[Word]
    french: list[Word]
    head: str
    person: int = 3
    plural: bool = False
    feminine: bool = False
    gender_shown: bool = True
    pronoun: str = ""
    classes: tuple[str, ...] = ("person",)
    human: bool = True
    link: int = 0
    after: list[tuple[list[Word], list[Word]]] = field(default_factory=list)


def pronoun_phrase(key: str, link: int) -> NounPhrase:
    """A personal pronoun."""
    subject, _, french, _, _, person, plural, feminine = PRONOUNS[key]
    shown = key not in ("I", "we", "you one", "you more")
    return NounPhrase(
        [Word(subject, (link,))],
        [Word(french, (link,))],
        subject,
        person,
        plural,
        feminine,
        shown,
        key,
        link=link,
    )


def object_pronoun(key: str, indirect: bool, link: int) -> tuple[list[Word], list[Word]]:
    """The English and French object pronoun."""
    row = PRONOUNS[key]
    return [Word(row[1], (link,))], [Word(row[4 if indirect else 3], (link,))]


def name_phrase(english: str, french: str, feminine: bool, link: int) -> NounPhrase:
    """A first name."""
    return NounPhrase([Word(english, (link,))], [Word(french, (link,))], english, feminine=feminine, link=link)


def both(first: NounPhrase, second: NounPhrase, link: int) -> NounPhrase:
    """Two coordinated noun phrases: masculine unless both are feminine."""
    return NounPhrase(
        [*first.english, Word("and", (link,)), *second.english],
        [*first.french, Word("et", (link,)), *second.french],
        f"{first.head} and {second.head}",
        plural=True,
        feminine=first.feminine and second.feminine,
        classes=first.classes,
        human=first.human,
        link=link,
    )


def noun_phrase(
    noun: Noun,
    plural: bool,
    determiner: tuple[str, str],
    adjective: Adjective | None,
    first_link: int,
) -> NounPhrase:
    """A determiner, a noun and perhaps an adjective.

    Args:
        noun: the noun.
        plural: its number.
        determiner: its kind and, for a possessive or a number, the English word (and French word) itself:
            ("the", ""), ("a", ""), ("some", ""), ("any", ""), ("many", ""), ("this", ""), ("all", ""),
            ("every", ""), ("generic", ""), ("possessive", "my"), ("number", "three=trois").
        adjective: the attribute.
        first_link: three free links start here.
    """
    det_link, adj_link, noun_link = first_link, first_link + 1, first_link + 2
    feminine = noun.feminine
    english = [Word(noun.english_plural if plural else noun.english, (noun_link,))]
    french = [Word(noun.french_plural if plural else noun.french, (noun_link,))]
    if adjective is not None:
        english.insert(0, Word(adjective.english, (adj_link,)))
        form = adjective.form(feminine, plural)
        if adjective.before:
            if adjective.before_vowel and not plural and not feminine and begins_with_vowel(french[0].text):
                form = adjective.before_vowel
            french.insert(0, Word(form, (adj_link,)))
        else:
            french.append(Word(form, (adj_link,)))
    english, french = _determined(
        determiner,
        english,
        french,
        feminine,
        plural,
        noun.mass,
        adjective is not None and adjective.before,
        det_link,
    )
    return NounPhrase(
        english,
        french,
        noun.english,
        plural=plural,
        feminine=feminine,
        classes=noun.classes,
        human="person" in noun.classes,
        link=noun_link,
    )


def _determined(
    determiner: tuple[str, str],
    english: list[Word],
    french: list[Word],
    feminine: bool,
    plural: bool,
    mass: bool,
    adjective_first: bool,
    link: int,
) -> tuple[list[Word], list[Word]]:
    kind, which = determiner
    vowel = begins_with_vowel(french[0].text)
    article = Word("les" if plural else "la" if feminine else "le", (link,), article=True)
    if kind == "the":
        return [Word("the", (link,)), *english], [article, *french]
    if kind == "generic":
        return english, [article._replace(links=french[-1].links), *french]
    if kind == "a":
        return with_article(english, link), [Word("une" if feminine else "un", (link,)), *french]
    if kind == "not a":
        return with_article(english, link), [Word("de", (link,)), *french]
    if kind == "any":
        return [Word("any", (link,)), *english], [Word("de", (link,)), *french]
    if kind == "some":
        if mass:
            partitive = [Word("de", (link,)), article]
        else:
            partitive = [Word("de" if adjective_first else "des", (link,))]
        return [Word("some", (link,)), *english], [*partitive, *french]
    if kind == "many":
        return [Word("many", (link,)), *english], [*words("beaucoup de", link), *french]
    if kind == "this":
        form = "ces" if plural else "cette" if feminine else "cet" if vowel else "ce"
        return [Word("these" if plural else "this", (link,)), *english], [Word(form, (link,)), *french]
    if kind == "possessive":
        forms = POSSESSIVES[which]
        form = forms[2] if plural else forms[0] if vowel or not feminine else forms[1]
        return [Word(which, (link,)), *english], [Word(form, (link,)), *french]
    number_english, number_french = which.split("=")
    if feminine and number_french.endswith(("un", "et un")):
        number_french += "e"
    return [*words(number_english, link), *english], [*words(number_french, link), *french]
