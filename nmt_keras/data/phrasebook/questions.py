"""Draws questions."""

from nmt_keras.data.phrasebook.clause_grammar import draw_clause, note
from nmt_keras.data.phrasebook.clauses import Clause
from nmt_keras.data.phrasebook.english import be
from nmt_keras.data.phrasebook.french import conjugate
from nmt_keras.data.phrasebook.lexicon import nouns_of, phrases, verb, verbs_of
from nmt_keras.data.phrasebook.nominals import draw_name, draw_noun, draw_subject
from nmt_keras.data.phrasebook.noun_phrases import (
    Determiner,
    NounPhrase,
    indefinite_phrase,
    noun_phrase,
    pronoun_phrase,
)
from nmt_keras.data.phrasebook.tenses import tenses_of
from nmt_keras.data.phrasebook.words import Draft, Phrase, Word, words

UNDATED = ("progressive", "perfect", "past_progressive", "future", "going_to", "present")


def _asked_subject(draft: Draft) -> NounPhrase:
    """Somebody else than "I" and "nobody"."""
    subject = draw_subject(draft)
    if subject.pronoun == "I":
        return pronoun_phrase("we", draft.links())
    return draw_name(draft) if subject.negative else subject


def draw_yes_no(draft: Draft) -> Phrase:
    """A question to answer with yes or no."""
    clause = draw_clause(draft, _asked_subject(draft), negatable=False, depth=1)
    return Phrase(clause.english(True), clause.french(True))


def draw_who(draft: Draft) -> Phrase:
    """Who does something, or to whom something is done."""
    link = draft.links()
    draft.anybody = True
    who = indefinite_phrase("who", "qui", link)
    if draft.draw.chance(65):
        clause = draw_clause(draft, who, negatable=False)
        return Phrase(clause.english(), clause.french())
    verbs = [item for item in verbs_of(("t",), "person") if "person" in item.objects]
    return _object_question(draft, who, verbs)


def draw_what(draft: Draft) -> Phrase:
    """What, which or how many things somebody does something to."""
    draw = draft.draw
    kind = draw.choice(("what", "which", "how many"))
    verbs = [item for item in verbs_of(("t",), "person") if item.objects[0] != "person"]
    if kind == "what":
        return _object_question(draft, indefinite_phrase("what", "que", draft.links()), verbs)
    noun = draw.choice(
        [item for item in nouns_of(("text", "thing", "clothes", "food", "vehicle")) if item.count == "count"]
    )
    plural = kind == "how many" or draw.chance(30)
    asked = noun_phrase(noun, plural, Determiner("generic"), None, draft.links(3))
    link = draft.links()
    if kind == "which":
        form = ("quelles" if plural else "quelle") if noun.feminine else ("quels" if plural else "quel")
        asked.french = [Word(form, (link,)), *asked.french[1:]]
        asked.english = [Word("which", (link,)), *asked.english]
    else:
        asked.french = [*words("combien de", link), *asked.french[1:]]
        asked.english = [*words("how many", link), *asked.english]
    verbs = [
        item
        for item in verbs
        if any(name in noun.classes for name in item.objects) and (kind == "which" or item.aspect != "feeling")
    ]
    return _object_question(draft, asked, verbs)


def _object_question(draft: Draft, asked: NounPhrase, verbs: list) -> Phrase:
    subject = _asked_subject(draft)
    while subject.animal:
        subject = _asked_subject(draft)
    chosen = draft.draw.choice(verbs)
    tense = draft.draw.weighted(tenses_of(chosen.aspect, UNDATED, asked.gender_shown))
    clause = note(draft, Clause(subject, chosen, tense, draft.links(7), direct=asked.without_words()))
    if tense == "present" and chosen.aspect == "event":
        clause.adverb = draft.draw.choice(phrases("frequency"))
    return Phrase(asked.english + clause.english(True), asked.french + clause.french(True))


def draw_circumstance(draft: Draft) -> Phrase:
    """Where, when or why."""
    draw = draft.draw
    kind = draw.choice(("where", "when", "why"))
    subject = _asked_subject(draft)
    if kind == "why":
        clause = draw_clause(draft, subject, negatable=True)
    elif kind == "when":
        clause = draw_clause(draft, subject, tenses=("future", "going_to"), negatable=False, brief=True)
    else:
        verbs = [item for item in verbs_of(("i",), "person") if "q" in item.frames or "m" in item.frames]
        while subject.animal:
            subject = _asked_subject(draft)
        chosen = draw.choice([*verbs, verb("live", "l")])
        tense = draw.weighted(tenses_of(chosen.aspect, UNDATED, subject.gender_shown or chosen.auxiliary != "être"))
        clause = note(draft, Clause(subject, chosen, tense, draft.links(7)))
        if tense == "present" and chosen.aspect == "event":
            clause.adverb = draw.choice(phrases("frequency"))
    link = draft.links()
    french = {"where": "où", "when": "quand", "why": "pourquoi"}[kind]
    return Phrase([Word(kind, (link,)), *clause.english(True)], [Word(french, (link,)), *clause.french(True)])


def draw_where_is(draft: Draft) -> Phrase:
    """Where something is; here the French verb comes before its subject."""
    noun = draft.draw.choice(nouns_of(("thing", "clothes", "text", "animal", "kin", "place")))
    subject = draw_noun(draft, noun, "definite")
    link, main = draft.links(), draft.links()
    draft.clauses.append(f"where {subject.head}")
    return Phrase(
        [Word("where", (link,)), Word(be("present", 3, subject.plural), (main,)), *subject.english],
        [
            Word("où", (link,)),
            Word(conjugate(verb("be", "be"), "present", 3, subject.plural), (main,)),
            *subject.french,
        ],
    )
