"""Draws comparisons, superlatives, and what there is."""

from nmt_keras.data.phrasebook.clause_grammar import note
from nmt_keras.data.phrasebook.clauses import Clause
from nmt_keras.data.phrasebook.compounds import statement
from nmt_keras.data.phrasebook.english import superlative
from nmt_keras.data.phrasebook.lexicon import Adjective, Noun, adjectives_of, nouns_of, phrases, verb
from nmt_keras.data.phrasebook.nominals import PEOPLE, PLACES, draw_name, draw_noun, draw_person, draw_place
from nmt_keras.data.phrasebook.noun_phrases import PRONOUNS, Determiner, NounPhrase, noun_phrase
from nmt_keras.data.phrasebook.words import Draft, Phrase, Word, words


def _compared(classes: tuple[str, ...]) -> list[Adjective]:
    return [item for item in adjectives_of(classes) if item.comparative]


def _degree_words(text: str, more: int, quality: int) -> list[Word]:
    """ "taller", or "more famous": the ending or the word that compares, and the adjective."""
    first, *rest = text.split()
    if rest:
        return [Word(first, (more,)), *words(" ".join(rest), quality)]
    return [Word(first, (more, quality))]


def draw_comparison(draft: Draft) -> Phrase:
    """More, less or as ... as."""
    draw = draft.draw
    if draw.chance(70):
        classes: tuple[str, ...] = PEOPLE
        first = (
            draw_name(draft)
            if draw.chance(50)
            else draw_noun(draft, draw.choice(nouns_of(PEOPLE)), "definite", adjective=0)
        )
        second = draw_person(draft, first, True, compound=True)
    else:
        noun = draw.choice(
            [
                item
                for item in nouns_of(("animal", "vehicle", "clothes", "place", "furniture"))
                if _compared(item.classes)
            ]
        )
        classes = noun.classes
        other = draw.choice([item for item in nouns_of(classes[:1]) if item is not noun])
        first = draw_noun(draft, noun, "definite", adjective=0)
        second = draw_noun(draft, other, "definite", adjective=0)
    french_second = second.french
    english_second = second.english
    if second.pronoun:
        forms = PRONOUNS[second.pronoun]
        english_second, french_second = [Word(forms.object, (second.link,))], [Word(forms.stressed, (second.link,))]
    adjective = draw.choice(_compared(classes))
    clause = Clause(first, verb("be", "be"), "present", draft.links(7))
    more, quality, than = draft.links(), draft.links(), draft.links()
    kind = draw.weighted((("plus", 5), ("aussi", 3), ("moins", 2)))
    if kind == "plus":
        english = _degree_words(adjective.comparative, more, quality)
    else:
        english = [Word("as" if kind == "aussi" else "less", (more,)), Word(adjective.english, (quality,))]
    english.append(Word("as" if kind == "aussi" else "than", (than,)))
    french = [Word(kind, (more,)), Word(adjective.form(first.feminine, first.plural), (quality,)), Word("que", (than,))]
    clause.extras.append(Phrase(english + english_second, french + french_second))
    note(draft, clause, adjective.english, second.head)
    return statement(clause)


def draw_superlative(draft: Draft) -> Phrase:
    """The one of several that is the most so."""
    draw = draft.draw
    noun = draw.choice([item for item in nouns_of(PEOPLE) if item.count == "count"])
    first = draw_name(draft, noun.feminine)
    group = draw_noun(draft, noun, "pointed", plural=True, adjective=0)
    adjective = draw.choice(_compared(PEOPLE))
    more, quality, of = draft.links(), draft.links(), draft.links()
    clause = Clause(first, verb("be", "be"), "present", draft.links(7))
    english = [Word("the", (more,)), *_degree_words(superlative(adjective.comparative), more, quality)]
    french = [
        Word("la" if first.feminine else "le", (more,)),
        Word("plus", (more,)),
        Word(adjective.form(first.feminine, False), (quality,)),
    ]
    clause.extras.append(
        Phrase([*english, Word("of", (of,)), *group.english], [*french, Word("de", (of,)), *group.french])
    )
    note(draft, clause, adjective.english, group.head)
    return statement(clause)


def draw_existence(draft: Draft) -> Phrase:
    """What there is somewhere."""
    draw = draft.draw
    noun = draw.choice(
        [
            item
            for item in nouns_of(("thing", "animal", "text", "clothes", "person", "furniture"))
            if item.count == "count"
        ]
    )
    negated = draw.chance(15)
    what = _counted(draft, noun, negated)
    place = draw_place(draft, ("outdoor",) if "animal" in noun.classes else PLACES)
    link, no = draft.links(), draft.links()
    draft.clauses.append(f"there {noun.english} {place.english[-1].text}")
    are = "are" if what.plural else "is"
    if negated:
        english = [Word("there", (link,)), Word(are, (link,)), Word("not", (no,))]
        french = [Word("il", (link,)), Word("ne", (no,)), Word("y", (link,)), Word("a", (link,)), Word("pas", (no,))]
    else:
        english, french = words(f"there {are}", link), words("il y a", link)
    return Phrase(english + what.english + place.english, french + what.french + place.french)


def _counted(draft: Draft, noun: Noun, negated: bool) -> NounPhrase:
    draw = draft.draw
    if negated:
        determiner, plural = Determiner("any"), True
    elif draw.chance(50):
        determiner, plural = Determiner("a"), False
    else:
        kind = draw.weighted((("number", 6), ("many", 2), ("several", 2), ("some", 2)))
        number = draw.choice(phrases("number")) if kind == "number" else ("", "")
        determiner, plural = Determiner(kind, *number), True
    return noun_phrase(noun, plural, determiner, None, draft.links(3))
