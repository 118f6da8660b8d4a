"""Noun phrases in both languages: pronouns, names, and nouns with determiners and adjectives."""

from dataclasses import dataclass
from typing import NamedTuple

from nmt_keras.data.phrasebook.english import with_article
from nmt_keras.data.phrasebook.french import begins_with_vowel
from nmt_keras.data.phrasebook.lexicon import Adjective, Noun
from nmt_keras.data.phrasebook.words import Phrase, Word, words


class Pronoun(NamedTuple):
    """The forms of a personal pronoun: subject and object, and what agrees with it."""

    subject: str
    object: str
    french_subject: str
    direct: str
    indirect: str
    stressed: str
    person: int
    plural: bool
    feminine: bool
    gender_shown: bool


PRONOUNS = {
    "I": Pronoun("I", "me", "je", "me", "me", "moi", 1, False, False, False),
    "we": Pronoun("we", "us", "nous", "nous", "nous", "nous", 1, True, False, False),
    "he": Pronoun("he", "him", "il", "le", "lui", "lui", 3, False, False, True),
    "she": Pronoun("she", "her", "elle", "la", "lui", "elle", 3, False, True, True),
    # The gender of these is known from the words that they stand for, in the same sentence.
    "they, masculine": Pronoun("they", "them", "ils", "les", "leur", "eux", 3, True, False, True),
    "they, feminine": Pronoun("they", "them", "elles", "les", "leur", "elles", 3, True, True, True),
    "it, masculine": Pronoun("it", "it", "il", "le", "lui", "lui", 3, False, False, True),
    "it, feminine": Pronoun("it", "it", "elle", "la", "lui", "elle", 3, False, True, True),
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
        english, french: its words (of a pronoun: as the subject); none at all if it is left out, as the gap in a
            relative clause or the subject of a second verb.
        head: what it is about.
        person, plural, feminine: what the French verb, participle and adjective agree with.
        gender_shown: whether the English tells the gender.
        pronoun: its key in PRONOUNS, if it is a personal pronoun.
        negative: "nobody", which takes "ne" in French.
        polite: one person addressed as "vous": a plural verb, a singular adjective.
        classes: of its noun.
        link: of its head.
        open: whether a relative clause may follow it.
        definite: whether a negation of its verb is clear ("all the men do not sing" is not).
    """

    english: list[Word]
    french: list[Word]
    head: str
    person: int = 3
    plural: bool = False
    feminine: bool = False
    gender_shown: bool = True
    pronoun: str = ""
    negative: bool = False
    polite: bool = False
    classes: tuple[str, ...] = ("person",)
    link: int = 0
    open: bool = False
    definite: bool = True

    @property
    def animal(self) -> bool:
        return "animal" in self.classes

    @property
    def human(self) -> bool:
        return "person" in self.classes

    @property
    def several(self) -> bool:
        """Whether participles and adjectives are plural."""
        return self.plural and not self.polite

    def without_words(self) -> "NounPhrase":
        """What agrees the same way, but is not said."""
        return NounPhrase(
            [],
            [],
            self.head,
            self.person,
            self.plural,
            self.feminine,
            self.gender_shown,
            negative=self.negative,
            polite=self.polite,
            classes=self.classes,
            link=self.link,
            definite=self.definite,
        )


def pronoun_phrase(key: str, link: int) -> NounPhrase:
    """A personal pronoun."""
    forms = PRONOUNS[key]
    return NounPhrase(
        [Word(forms.subject, (link,))],
        [Word(forms.french_subject, (link,))],
        forms.subject,
        forms.person,
        forms.plural,
        forms.feminine,
        forms.gender_shown,
        key,
        link=link,
    )


def pronoun_for(phrase: NounPhrase, link: int) -> NounPhrase:
    """The pronoun that stands for a third person, for a thing or an animal: he, she, it or they."""
    gender = "feminine" if phrase.feminine else "masculine"
    if phrase.plural:
        key = f"they, {gender}"
    elif phrase.human:
        key = "she" if phrase.feminine else "he"
    else:
        key = f"it, {gender}"
    pronoun = pronoun_phrase(key, link)
    pronoun.head, pronoun.classes = phrase.head, phrase.classes
    return pronoun


def name_phrase(english: str, french: str, feminine: bool, link: int) -> NounPhrase:
    """A first name."""
    return NounPhrase(words(english, link), words(french, link), english, feminine=feminine, link=link)


def indefinite_phrase(english: str, french: str, link: int) -> NounPhrase:
    """Everyone, someone, nobody, who or what; of these, only "tout le monde" and "que" have a gender of their own."""
    return NounPhrase(
        words(english, link),
        words(french, link),
        english,
        gender_shown=english in ("everyone", "what"),
        negative=english == "nobody",
        link=link,
        definite=english not in ("everyone", "someone"),
    )


def both(first: NounPhrase, second: NounPhrase, link: int) -> NounPhrase:
    """Two coordinated noun phrases: masculine unless both are feminine."""
    return NounPhrase(
        [*first.english, Word("and", (link,)), *second.english],
        [*first.french, Word("et", (link,)), *second.french],
        f"{first.head} and {second.head}",
        plural=True,
        feminine=first.feminine and second.feminine,
        classes=first.classes,
        link=link,
    )


class Determiner(NamedTuple):
    """A determiner.

    Args:
        kind: the, a, not a, any, some, many, several, all, every, this, generic (none in English), possessive,
            number, of (the possessor with 's).
        english, french: the words, of a possessive or a number.
        owner: the possessor, if the kind is "of".
    """

    kind: str
    english: str = ""
    french: str = ""
    owner: NounPhrase | None = None


def noun_phrase(
    noun: Noun, plural: bool, determiner: Determiner, adjective: Adjective | None, first_link: int
) -> NounPhrase:
    """A determiner, a noun and perhaps an adjective; three free links start at `first_link`."""
    det_link, adj_link, noun_link = first_link, first_link + 1, first_link + 2
    english = [Word(noun.english_plural if plural else noun.english, (noun_link,))]
    french = [Word(noun.french_plural if plural else noun.french, (noun_link,))]
    if adjective is not None:
        english.insert(0, Word(adjective.english, (adj_link,)))
        form = adjective.form(noun.feminine, plural)
        if adjective.before:
            if adjective.before_vowel and not plural and not noun.feminine and begins_with_vowel(french[0].text):
                form = adjective.before_vowel
            french.insert(0, Word(form, (adj_link,)))
        else:
            french.append(Word(form, (adj_link,)))
    adjective_first = adjective is not None and adjective.before
    english, french = _determined(determiner, Phrase(english, french), noun, plural, adjective_first, det_link)
    return NounPhrase(
        english,
        french,
        noun.english,
        plural=plural,
        feminine=noun.feminine,
        classes=noun.classes,
        link=noun_link,
        open=determiner.kind in ("the", "a", "this", "number", "some", "many") and noun.count == "count",
        definite=determiner.kind in ("the", "this", "possessive", "of"),
    )


def _determined(
    determiner: Determiner, phrase: Phrase, noun: Noun, plural: bool, adjective_first: bool, link: int
) -> Phrase:
    """The determiner put before the noun; a possessor comes after the French noun."""
    english, french = phrase
    kind = determiner.kind
    definite = Word("les" if plural else "la" if noun.feminine else "le", (link,), article=True)
    if kind == "generic":
        return Phrase(english, [definite._replace(links=french[-1].links), *french])
    if kind == "of" and determiner.owner is not None:
        owner = determiner.owner
        possessor = owner.english[-1]
        possessor = Word(possessor.text + "'s", (*possessor.links, link))
        return Phrase(
            [*owner.english[:-1], possessor, *english], [definite, *french, Word("de", (link,)), *owner.french]
        )
    if kind in ("a", "not a"):
        article = "de" if kind == "not a" else "une" if noun.feminine else "un"
        return Phrase(with_article(english, link), [Word(article, (link,)), *french])
    if kind in ("possessive", "number"):
        before = words(determiner.english, link)
    elif kind == "all":
        before = words("all the", link)
    else:
        before = words("these" if kind == "this" and plural else kind, link)
    if kind in ("the", "all") or (kind == "some" and noun.count == "mass"):
        quantity = {"the": "", "all": "toutes" if noun.feminine else "tous", "some": "de"}[kind]
        return Phrase(before + english, [*words(quantity, link), definite, *french])
    if kind == "some":
        return Phrase(before + english, words("de" if adjective_first else "des", link) + french)
    text = determiner.french if kind == "number" else determiner.english
    return Phrase(before + english, words(_form(kind, noun, plural, text, french[0].text), link) + french)


def _form(kind: str, noun: Noun, plural: bool, text: str, following: str = "") -> str:
    """The French determiner that agrees."""
    vowel = bool(following) and begins_with_vowel(following)
    if kind == "possessive":
        forms = POSSESSIVES[text]
        return forms[2] if plural else forms[0] if vowel or not noun.feminine else forms[1]
    if kind == "this":
        return "ces" if plural else "cette" if noun.feminine else "cet" if vowel else "ce"
    if kind == "number":
        return text + ("e" if noun.feminine and text.endswith("un") else "")
    return {"any": "de", "many": "beaucoup de", "several": "plusieurs", "every": "chaque"}[kind]
