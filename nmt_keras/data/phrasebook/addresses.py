"""Draws sentences to somebody: the address says how many they are, and whether they are "tu" or "vous"."""

from nmt_keras.data.phrasebook.clause_grammar import draw_clause
from nmt_keras.data.phrasebook.nominals import PEOPLE, draw_name, draw_person
from nmt_keras.data.phrasebook.noun_phrases import NounPhrase, both
from nmt_keras.data.phrasebook.words import Draft, Phrase, Word, with_comma, words

COMMAND_FRAMES = (("t", 5), ("i", 3), ("d", 2), ("p", 1), ("a", 1))


def _addressee(draft: Draft) -> tuple[Phrase, NounPhrase]:
    """How somebody is called, and "you"."""
    kind = draft.draw.weighted((("name", 13), ("names", 3), ("sir", 2), ("madam", 2), ("children", 2)))
    link = draft.links()
    if kind in ("name", "names"):
        called = draw_name(draft)
        classes: tuple[str, ...] = PEOPLE
        if kind == "names":
            called = both(called, draw_name(draft), draft.links())
        phrase, plural, feminine = Phrase(called.english, called.french), called.plural, called.feminine
        head = called.head
    else:
        french = {"sir": "monsieur", "madam": "madame", "children": "les enfants"}[kind]
        phrase = Phrase(words(kind, link), words(french, link))
        plural, feminine, head = True, kind == "madam", "you"
        classes = (*PEOPLE, "child" if kind == "children" else "adult")
    you = draft.links()
    return phrase, NounPhrase(
        [Word("you", (you,))],
        [Word("vous" if plural else "tu", (you,))],
        head,
        2,
        plural,
        feminine,
        gender_shown=kind != "children",
        polite=kind in ("sir", "madam"),
        classes=classes,
        link=you,
    )


def _called(address: Phrase, sentence: Phrase) -> Phrase:
    return Phrase(with_comma(address.english) + sentence.english, with_comma(address.french) + sentence.french)


def draw_address(draft: Draft) -> Phrase:
    """Something said to somebody about them: "Paul, you are late"."""
    address, you = _addressee(draft)
    clause = draw_clause(draft, you)
    return _called(address, Phrase(clause.english(), clause.french()))


def draw_question(draft: Draft) -> Phrase:
    """A question to somebody about them."""
    address, you = _addressee(draft)
    clause = draw_clause(draft, you, negatable=False)
    return _called(address, Phrase(clause.english(True), clause.french(True)))


def draw_command(draft: Draft) -> Phrase:
    """A command."""
    address, you = _addressee(draft)
    clause = draw_clause(draft, you, tenses=("progressive",), frames=COMMAND_FRAMES, brief=True)
    clause.negation = "not" if clause.negation else ""
    if clause.direct is not None and clause.direct.pronoun:
        clause.direct = draw_person(draft, you, False)
    if clause.indirect is not None and clause.indirect.pronoun:
        clause.indirect = draw_person(draft, you, False)
    return _called(address, Phrase(clause.english_imperative(), clause.french_imperative()))
