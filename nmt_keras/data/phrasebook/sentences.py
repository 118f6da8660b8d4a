"""Whole sentences: clauses combined, elided, capitalized and aligned."""

from dataclasses import dataclass

from nmt_keras.data.phrasebook.clauses import Clause
from nmt_keras.data.phrasebook.french import elide_and_contract
from nmt_keras.data.phrasebook.grammar import Grammar
from nmt_keras.data.phrasebook.lexicon import adjectives_of, verb, verbs_of
from nmt_keras.data.phrasebook.noun_phrases import NounPhrase, pronoun_phrase
from nmt_keras.data.phrasebook.words import Draw, Phrase, Word, with_comma, words


@dataclass(frozen=True)
class PhrasePair:
    """An English sentence, its French translation, and which words translate which.

    Args:
        source: the English sentence.
        target: the French sentence.
        alignment: pairs (index in source.split(), index in target.split()), sorted.
    """

    source: str
    target: str
    alignment: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class DrawnSentence:
    """A pair and the clauses that it combines, sorted."""

    pair: PhrasePair
    clauses: tuple[str, ...]


def finished(english: list[Word], french: list[Word], mark: str) -> PhrasePair:
    """The sentence as it is written, from its words.

    Args:
        english, french: the words, neither elided nor capitalized.
        mark: "." or "?".
    """
    french = elide_and_contract(french)
    linked: dict[int, list[int]] = {}
    for index, word in enumerate(french):
        for link in word.links:
            linked.setdefault(link, []).append(index)
    pairs = {
        (index, other) for index, word in enumerate(english) for link in word.links for other in linked.get(link, ())
    }
    return PhrasePair(_text(english, mark), _text(french, mark), tuple(sorted(pairs)))


def _text(sentence: list[Word], mark: str) -> str:
    text = " ".join(word.text for word in sentence)
    return text[0].upper() + text[1:] + mark


def joined(grammar: Grammar, english: str, french: str, first: Phrase, second: Phrase) -> Phrase:
    """Two phrases with a conjunction between them."""
    link = grammar.links()
    return Phrase(
        first.english + words(english, link) + second.english,
        first.french + words(french, link) + second.french,
    )


def statement(clause: Clause) -> Phrase:
    """The clause as a statement."""
    return Phrase(clause.english(), clause.french())


PAST = ("perfect", "past", "past_progressive")
BACKGROUND = ("past_progressive", "used_to")
PRESENT = ("present", "progressive")
FUTURE = ("future", "going_to")

PLANS = (
    ("simple", 40),
    ("fronted", 8),
    ("question", 8),
    ("where", 3),
    ("who", 3),
    ("vocative", 4),
    ("and", 8),
    ("because", 6),
    ("that", 7),
    ("comparison", 6),
    ("existence", 3),
    ("if", 4),
)


def draw_sentence(draw: Draw, plans: tuple[tuple[str, float], ...] = PLANS) -> DrawnSentence:
    """One sentence of the grammar."""
    grammar = Grammar(draw)
    plan = draw.weighted(plans)
    mark = "."
    if plan == "simple":
        phrase = statement(grammar.clause(depth=1))
    elif plan == "fronted":
        phrase = _fronted(grammar)
    elif plan in ("question", "where", "vocative"):
        phrase, mark = _question(grammar, plan), "?"
    elif plan == "who":
        link = grammar.links()
        subject = NounPhrase([Word("who", (link,))], [Word("qui", (link,))], "who", link=link)
        phrase, mark = statement(grammar.clause(subject, negatable=False)), "?"
    elif plan == "that":
        phrase = _reported(grammar)
    elif plan == "comparison":
        phrase = _comparison(grammar)
    elif plan == "existence":
        phrase = _existence(grammar)
    elif plan == "if":
        first, second = grammar.clause(tenses=PRESENT), grammar.clause(tenses=FUTURE)
        link = grammar.links()
        condition = statement(first)
        phrase = Phrase(
            [Word("if", (link,)), *with_comma(condition.english), *second.english()],
            [Word("si", (link,)), *with_comma(condition.french), *second.french()],
        )
    else:
        phrase = _compound(grammar, plan)
    return DrawnSentence(finished(phrase.english, phrase.french, mark), tuple(sorted(grammar.clauses)))


def draw_long(draw: Draw) -> DrawnSentence:
    """A sentence of two to six pairs of clauses, each of a kind that shorter sentences have."""
    grammar = Grammar(draw)
    phrase = _long_part(grammar)
    for _ in range(1 + draw.index(4)):
        english, french = (("and", "et"), ("but", "mais"))[draw.chance(0.4)]
        phrase = joined(grammar, english, french, phrase, _long_part(grammar))
    return DrawnSentence(finished(phrase.english, phrase.french, "."), tuple(sorted(grammar.clauses)))


def _long_part(grammar: Grammar) -> Phrase:
    plan = grammar.draw.choice(("simple", "and", "because", "that"))
    if plan == "simple":
        return statement(grammar.clause(depth=1))
    return _reported(grammar) if plan == "that" else _compound(grammar, plan)


def _fronted(grammar: Grammar) -> Phrase:
    clause = grammar.clause()
    clause.fronted = True
    return statement(clause)


def _question(grammar: Grammar, plan: str) -> Phrase:
    if plan == "vocative":
        name = grammar.name()
        clause = grammar.clause(
            NounPhrase(
                [Word("you", (link := grammar.links(),))],
                [Word("tu", (link,))],
                "you",
                2,
                feminine=name.feminine,
                link=link,
            ),
            negatable=False,
        )
        return Phrase(with_comma(name.english) + clause.english(True), with_comma(name.french) + clause.french(True))
    clause = grammar.clause(grammar.subject(0), negatable=False)
    if clause.subject.pronoun == "I":
        clause.subject = pronoun_phrase("he", grammar.links())
    phrase = Phrase(clause.english(True), clause.french(True))
    if plan == "where" and "i" in clause.verb.frames and not clause.extras and clause.direct is None:
        link = grammar.links()
        return Phrase([Word("where", (link,)), *phrase.english], [Word("où", (link,)), *phrase.french])
    return phrase


def _reported(grammar: Grammar) -> Phrase:
    subject = grammar.subject(0)
    while "animal" in subject.classes:
        subject = grammar.subject(0)
    chosen = grammar.draw.choice(verbs_of(("c",), "person"))
    outer = grammar.finish(
        Clause(subject, chosen, "present", grammar.links(5), negation="never" if chosen.english == "say" else ""),
        0,
        place=False,
        adverb=False,
    )
    inner = grammar.clause(tenses=FUTURE if chosen.english == "hope" else None)
    return joined(grammar, "that", "que", statement(outer), statement(inner))


def _compound(grammar: Grammar, plan: str) -> Phrase:
    times = grammar.draw.choice((PAST, PRESENT, FUTURE))
    if plan == "because":
        english, french = "because", "parce que"
        reasons = {PAST: BACKGROUND, PRESENT: PRESENT, FUTURE: PRESENT}[times]
    else:
        english, french = (("and", "et"), ("but", "mais"))[grammar.draw.chance(0.4)]
        reasons = times
    first, second = grammar.clause(tenses=times), grammar.clause(tenses=reasons)
    return joined(grammar, english, french, statement(first), statement(second))


def _comparison(grammar: Grammar) -> Phrase:
    first, second = grammar.name(), grammar.person(NounPhrase([], [], ""), False, False, 0)
    if first.head == second.head:
        second = grammar.noun(grammar.draw.choice(_people()), definite=True)
    adjective = grammar.draw.choice([item for item in adjectives_of(("person",)) if item.comparative])
    clause = Clause(first, verb("be", "be"), "present", grammar.links(5))
    more, quality, than = grammar.links(), grammar.links(), grammar.links()
    form = words(adjective.form(first.feminine, False), quality)
    kind = grammar.draw.choice(("more", "as", "less"))
    if kind == "as":
        english = words("as", more) + words(adjective.english, quality) + words("as", than)
        french = words("aussi", more) + form
    elif kind == "less":
        english = words("less", more) + words(adjective.english, quality) + words("than", than)
        french = words("moins", more) + form
    else:
        english = words(adjective.comparative, quality) + words("than", than)
        if len(english) == 3:
            english[0] = english[0]._replace(links=(more,))
            links: tuple[int, ...] = (more,)
        else:
            english[0] = english[0]._replace(links=(more, quality))
            links = (more,)
        french = words("plus", *links) + form
    clause.extras.append(Phrase(english + second.english, french + words("que", than) + second.french))
    grammar.clauses.append(f"{first.head} {adjective.english} {second.head}")
    return statement(clause)


def _people() -> tuple:
    from nmt_keras.data.phrasebook.lexicon import nouns_of

    return nouns_of(("person",))


def _existence(grammar: Grammar) -> Phrase:
    from nmt_keras.data.phrasebook.lexicon import nouns_of

    noun = grammar.draw.choice(nouns_of(("thing", "animal", "text", "clothes", "dish")))
    plural = grammar.draw.chance(0.5)
    determiner = ("many", "") if plural and grammar.draw.chance(0.3) else ("number", "") if plural else ("a", "")
    from nmt_keras.data.phrasebook.lexicon import phrases
    from nmt_keras.data.phrasebook.noun_phrases import noun_phrase

    if determiner[0] == "number":
        determiner = ("number", "=".join(grammar.draw.choice(phrases("number"))))
    what = noun_phrase(noun, plural, determiner, None, grammar.links(3))
    place = grammar.place()
    link = grammar.links()
    grammar.clauses.append(f"there {noun.english} {place.english[-1].text}")
    return Phrase(
        words("there are" if plural else "there is", link) + what.english + place.english,
        words("il y a", link) + what.french + place.french,
    )
