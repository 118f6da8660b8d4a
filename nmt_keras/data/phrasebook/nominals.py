"""Draws noun phrases, and the prepositional phrases made of them."""

from nmt_keras.data.phrasebook.lexicon import Noun, attributes_of, nouns_of, phrases
from nmt_keras.data.phrasebook.noun_phrases import (
    PRONOUNS,
    Determiner,
    NounPhrase,
    both,
    indefinite_phrase,
    name_phrase,
    noun_phrase,
    pronoun_phrase,
)
from nmt_keras.data.phrasebook.words import Draft, Phrase, Word, words

DETERMINERS = {
    "singular": (("the", 10), ("a", 9), ("this", 3), ("possessive", 5), ("of", 2)),
    "plural": (
        ("the", 10),
        ("some", 4),
        ("number", 5),
        ("many", 2),
        ("several", 2),
        ("this", 2),
        ("possessive", 4),
        ("all", 2),
    ),
    "mass": (("the", 6), ("some", 9), ("possessive", 2), ("this", 1)),
    "definite": (("the", 12), ("this", 3), ("possessive", 5), ("of", 2)),
    "pointed": (("the", 4), ("this", 1)),
    "subject": (("the", 14), ("a", 2), ("this", 3), ("possessive", 5), ("every", 1), ("of", 2)),
    "subjects": (
        ("the", 12),
        ("some", 1),
        ("number", 3),
        ("many", 1),
        ("several", 1),
        ("this", 2),
        ("possessive", 4),
        ("all", 1),
    ),
}
IN_NEGATION = {"a": "not a", "some": "any", "number": "any", "many": "any", "several": "any"}
OWNED = ("kin", "animal", "food", "text", "thing", "clothes", "vehicle", "furniture", "own")
POSSESSORS = ("my", "his", "her", "our", "their")
PEOPLE = ("person",)
PLACES = ("at", "in")
INDEFINITE = (("everyone", "tout le monde"), ("someone", "quelqu'un"), ("nobody", "personne"))


def draw_name(draft: Draft, feminine: bool | None = None) -> NounPhrase:
    """A first name, other than the last one."""
    if feminine is None:
        feminine = draft.draw.chance(50)
    names = phrases("female name" if feminine else "male name")
    number = draft.draw.index(len(names))
    if names[number][0] == draft.named:
        number -= 1
    english, french = names[number]
    draft.named = english
    return name_phrase(english, french, feminine, draft.links())


def draw_determiner(draft: Draft, noun: Noun, plural: bool, table: str, negated: bool = False) -> Determiner:
    """A determiner that suits the noun.

    Args:
        draft: the sentence.
        noun: the noun.
        plural: its number.
        table: a key of DETERMINERS.
        negated: whether the noun is the direct object of a negated verb ("pas de").
    """
    kind = draft.draw.weighted(DETERMINERS[table])
    owned = any(name in noun.classes for name in OWNED)
    if kind in ("possessive", "of") and (not owned or (plural and "own" in noun.classes)):
        kind = "the"
    if noun.count == "single" and kind in ("a", "this", "every"):
        kind = "possessive"
    draft.anybody |= kind == "every"
    if negated:
        kind = IN_NEGATION.get(kind, kind)
    if kind == "possessive":
        return Determiner(kind, draft.draw.choice(POSSESSORS[:-1] if draft.anybody else POSSESSORS))
    if kind == "number":
        numbers = phrases("number")
        return Determiner(
            kind, *draft.draw.choice(numbers[:11] if table == "subjects" or draft.draw.chance(50) else numbers)
        )
    if kind == "of":
        if draft.draw.chance(60):
            return Determiner(kind, owner=draw_name(draft))
        owner = draft.draw.choice([item for item in nouns_of(PEOPLE) if item is not noun])
        return Determiner(kind, owner=noun_phrase(owner, False, Determiner("the"), None, draft.links(3)))
    return Determiner(kind)


def draw_noun(
    draft: Draft,
    noun: Noun,
    table: str = "",
    negated: bool = False,
    plural: bool | None = None,
    adjective: int = 22,
) -> NounPhrase:
    """A noun with a determiner and sometimes an adjective.

    Args:
        draft: the sentence.
        noun: the noun.
        table: which determiners: "" (any that suit an object), "definite", "pointed" (the or this),
            "subject" or "generic".
        negated: whether it is the direct object of a negated verb.
        plural: its number; drawn if not given.
        adjective: percentage with an adjective.
    """
    if plural is None:
        plural = noun.count == "count" and (table == "generic" or draft.draw.chance(30))
    if table == "generic":
        return noun_phrase(noun, plural, Determiner("generic"), None, draft.links(3))
    if table == "subject" and plural:
        table = "subjects"
    if not table:
        table = "mass" if noun.count == "mass" else "plural" if plural else "singular"
    choices = attributes_of(noun.classes)
    chosen = draft.draw.choice(choices) if choices and draft.draw.chance(adjective) else None
    determiner = draw_determiner(draft, noun, plural, table, negated)
    return noun_phrase(noun, plural, determiner, chosen, draft.links(3))


def draw_subject(draft: Draft, plain: bool = False) -> NounPhrase:
    """The subject of a clause: a person, people or, sometimes, an animal.

    Args:
        draft: the sentence.
        plain: whether it must be a pronoun, a name or a definite person.
    """
    draw = draft.draw
    kinds = (("pronoun", 12), ("name", 8), ("noun", 14))
    kind = draw.weighted(kinds if plain else (*kinds, ("animal", 4), ("both", 2), ("indefinite", 2)))
    if kind == "pronoun":
        return pronoun_phrase(draw.choice(("I", "we", "he", "she")), draft.links())
    if kind == "name":
        return draw_name(draft)
    if kind == "both":
        first, second = draw_name(draft), draw_name(draft)
        return both(first, second, draft.links())
    if kind == "indefinite":
        english, french = draw.choice(INDEFINITE)
        draft.anybody = True
        return indefinite_phrase(english, french, draft.links())
    noun = draw.choice(nouns_of(("animal",) if kind == "animal" else PEOPLE))
    return draw_noun(draft, noun, "definite" if plain else "subject")


def draw_person(draft: Draft, subject: NounPhrase, pronouns: bool, compound: bool = False) -> NounPhrase:
    """A person other than the subject, as an object.

    Args:
        draft: the sentence.
        subject: the subject of the clause.
        pronouns: whether it may be a pronoun.
        compound: whether a participle will agree with it, so that its gender must be known.
    """
    draw = draft.draw
    kind = draw.weighted((("pronoun", 5 if pronouns else 0), ("name", 6), ("noun", 9)))
    if kind == "pronoun":
        keys = ["he", "she"]
        if not compound:
            keys.append("they, masculine")
            if subject.person == 3:
                keys += ["I", "we"]
        return pronoun_phrase(draw.choice(keys), draft.links())
    if kind == "name":
        name = draw_name(draft)
        if name.head not in subject.head:
            return name
    people = nouns_of(PEOPLE)
    noun = draw.choice(people)
    if noun.english == subject.head:
        noun = people[(people.index(noun) + 1) % len(people)]
    return draw_noun(draft, noun, "definite")


def draw_fixed(draft: Draft, kind: str) -> Phrase:
    """A fixed phrase of a kind."""
    english, french = draft.draw.choice(phrases(kind))
    link = draft.links()
    return Phrase(words(english, link), words(french, link))


def draw_place(
    draft: Draft, classes: tuple[str, ...] = PLACES, others: tuple[str, ...] = ("here", "position", "surface")
) -> Phrase:
    """Where something is or happens.

    Args:
        draft: the sentence.
        classes: of nouns.
        others: the kinds of other places, drawn if the classes are the usual ones.
    """
    draw = draft.draw
    if classes == PLACES:
        if "here" in others and draw.chance(12):
            return draw_fixed(draft, "here")
        if draw.chance(20):
            return draw_position(draft, others)
    noun = draw.choice(nouns_of(classes))
    link = draft.links()
    english, french = ("at", "à") if "at" in noun.classes else ("in", "dans")
    phrase = draw_noun(draft, noun, "definite", plural=False, adjective=15)
    return Phrase(words(english, link) + phrase.english, words(french, link) + phrase.french)


def draw_position(draft: Draft, kinds: tuple[str, ...]) -> Phrase:
    """A place beside a thing: behind the house; if the kinds allow it, also one on or under furniture."""
    noun = draft.draw.choice(nouns_of(("furniture", "nature", "vehicle", "room")))
    choices = phrases("position")
    if "surface" in kinds and "furniture" in noun.classes:
        choices += phrases("surface")
    english, french = draft.draw.choice(choices)
    link = draft.links()
    phrase = draw_noun(draft, noun, "definite", plural=False, adjective=15)
    return Phrase(words(english, link) + phrase.english, words(french, link) + phrase.french)


def draw_destination(draft: Draft) -> Phrase:
    """Where somebody goes."""
    noun = draft.draw.choice(nouns_of(("at",)))
    link = draft.links()
    phrase = draw_noun(draft, noun, "definite", plural=False, adjective=15)
    return Phrase([Word("to", (link,)), *phrase.english], [Word("à", (link,)), *phrase.french])


def draw_companion(draft: Draft, subject: NounPhrase) -> Phrase:
    """With whom: a name, a person, or a stressed pronoun."""
    link = draft.links()
    other = draw_person(draft, subject, True, compound=True)
    english, french = other.english, other.french
    if other.pronoun:
        forms = PRONOUNS[other.pronoun]
        english, french = [Word(forms.object, (other.link,))], [Word(forms.stressed, (other.link,))]
    return Phrase([Word("with", (link,)), *english], [Word("avec", (link,)), *french])
