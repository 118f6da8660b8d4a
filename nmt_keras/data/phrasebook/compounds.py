"""Draws sentences of several clauses: coordination, subordination, reported speech."""

from nmt_keras.data.phrasebook.clause_grammar import draw_clause, note, transitive_verbs
from nmt_keras.data.phrasebook.clauses import COMPOUND, Clause
from nmt_keras.data.phrasebook.lexicon import nouns_of, objects_of, phrases, predicates_of, verb, verbs_of
from nmt_keras.data.phrasebook.nominals import draw_destination, draw_name, draw_noun, draw_subject
from nmt_keras.data.phrasebook.noun_phrases import NounPhrase, pronoun_for
from nmt_keras.data.phrasebook.tenses import BACKGROUND, FUTURE, PAST, PRESENT, WHEN_FUTURE, WHEN_PAST
from nmt_keras.data.phrasebook.words import Draft, Phrase, Word, with_comma, words

GETTING = ("buy", "choose", "take")


def statement(clause: Clause) -> Phrase:
    """The clause as a statement."""
    return Phrase(clause.english(), clause.french())


def joined(draft: Draft, english: str, french: str, first: Phrase, second: Phrase) -> Phrase:
    """Two phrases with a conjunction between them."""
    link = draft.links()
    return Phrase(
        first.english + words(english, link) + second.english, first.french + words(french, link) + second.french
    )


def coordinated(draft: Draft, english: str, french: str, first: Phrase, second: Phrase) -> Phrase:
    """Two independent clauses, with a comma and a conjunction between them."""
    return joined(draft, english, french, Phrase(with_comma(first.english), with_comma(first.french)), second)


def conjunction_first(draft: Draft, english: str, french: str, first: Phrase, second: Phrase) -> Phrase:
    """A subordinate clause with its conjunction and a comma, then the main clause."""
    link = draft.links()
    return Phrase(
        words(english, link) + with_comma(first.english) + second.english,
        words(french, link) + with_comma(first.french) + second.french,
    )


def _coordinator(draft: Draft) -> tuple[str, str]:
    return ("but", "mais") if draft.draw.chance(35) else ("and", "et")


def _other_subject(draft: Draft, clause: Clause) -> NounPhrase:
    """A subject that does not name the subject of the clause again."""
    subject = draw_subject(draft)
    while subject.head == clause.subject.head and not subject.pronoun:
        subject = draw_subject(draft)
    return subject


def _next_subject(draft: Draft, clause: Clause) -> NounPhrase:
    """Often a pronoun for the subject of the clause, where it cannot mean anybody else; or another subject."""
    subject = clause.subject
    if subject.person != 3 or subject.pronoun or not subject.human or subject.negative or subject.plural:
        return _other_subject(draft, clause)
    if subject.head in ("everyone", "someone", "who") or not draft.draw.chance(45):
        return _other_subject(draft, clause)
    return pronoun_for(subject, draft.links())


def draw_coordination(draft: Draft) -> Phrase:
    """Two clauses with "and" or "but"."""
    times = draft.draw.choice((PAST, PRESENT, FUTURE))
    first = draw_clause(draft, tenses=times, depth=1)
    second = draw_clause(draft, _next_subject(draft, first), tenses=times)
    return coordinated(draft, *_coordinator(draft), statement(first), statement(second))


def draw_two_verbs(draft: Draft) -> Phrase:
    """One subject with two verbs."""
    times = draft.draw.choice((PAST, PRESENT, FUTURE))
    subject = draw_subject(draft)
    while subject.pronoun or subject.negative:
        subject = draw_subject(draft)
    first = draw_clause(draft, subject, tenses=times, depth=1)
    second = draw_clause(draft, subject.without_words(), tenses=times)
    return joined(draft, *_coordinator(draft), statement(first), statement(second))


def draw_reason(draft: Draft) -> Phrase:
    """A clause with "because", or two with "so"."""
    times = draft.draw.choice((PAST, PRESENT, FUTURE))
    background = {PAST: BACKGROUND, PRESENT: PRESENT, FUTURE: PRESENT}[times]
    if draft.draw.chance(25):
        first = draw_clause(draft, tenses=background, depth=1)
        second = draw_clause(draft, _next_subject(draft, first), tenses=times)
        return coordinated(draft, "so", "donc", statement(first), statement(second))
    first = draw_clause(draft, tenses=times, depth=1)
    second = draw_clause(draft, _next_subject(draft, first), tenses=background)
    return joined(draft, "because", "parce que", statement(first), statement(second))


def draw_occasion(draft: Draft) -> Phrase:
    """A clause with "when" or "while"."""
    kind = draft.draw.choice(("past", "future", "while"))
    if kind == "past":
        first = draw_clause(draft, tenses=WHEN_PAST, negatable=False, brief=True)
        second = draw_clause(draft, _other_subject(draft, first), tenses=("past_progressive",), brief=True)
    elif kind == "future":
        first = draw_clause(draft, tenses=WHEN_FUTURE, negatable=False, brief=True)
        second = draw_clause(draft, _other_subject(draft, first), tenses=("future",), brief=True)
    else:
        times = draft.draw.choice((("progressive",), ("past_progressive",)))
        first = draw_clause(draft, tenses=times, negatable=False, brief=True)
        second = draw_clause(draft, _other_subject(draft, first), tenses=times, brief=True)
    english, french = ("while", "pendant que") if kind == "while" else ("when", "quand")
    if draft.draw.chance(50):
        return joined(draft, english, french, statement(second), statement(first))
    return conjunction_first(draft, english, french, statement(first), statement(second))


def draw_condition(draft: Draft) -> Phrase:
    """A clause with "if"."""
    first = draw_clause(draft, tenses=PRESENT, brief=True)
    second = draw_clause(draft, _next_subject(draft, first), tenses=FUTURE)
    return conjunction_first(draft, "if", "si", statement(first), statement(second))


def draw_report(draft: Draft) -> Phrase:
    """What somebody says, thinks, knows, hopes or believes."""
    draw = draft.draw
    subject = draw_subject(draft, plain=True)
    chosen = draw.choice(verbs_of(("c",), "person"))
    outer = note(draft, Clause(subject, chosen, "present", draft.links(7)))
    if chosen.english in ("say", "think") and draw.chance(20):
        outer.adverb = draw.choice(phrases("frequency"))
    elif chosen.english == "know" and draw.chance(20):  # the others would take the subjunctive
        outer.negation = "not"
    inner = draw_clause(draft, _next_subject(draft, outer), tenses=FUTURE if chosen.english == "hope" else None)
    return joined(draft, "that", "que", statement(outer), statement(inner))


def draw_reference(draft: Draft) -> Phrase:
    """A clause about a thing, and one that takes it up: "it" or "they" is the thing."""
    draw = draft.draw
    subject = (
        draw_name(draft)
        if draw.chance(50)
        else draw_noun(draft, draw.choice(nouns_of(("person",))), "definite", plural=False)
    )
    things = nouns_of(("text", "thing", "clothes", "furniture", "vehicle"))
    noun = draw.choice(things)
    described = draw.chance(35)
    thing = draw_noun(draft, noun, adjective=0 if described else 22)
    tense = draw.choice(("perfect", "progressive", "future", "going_to"))
    verbs = [item for item in transitive_verbs(noun.classes) if item.aspect == "event"]
    first_verb = draw.choice([item for item in verbs if item.english in GETTING])
    first = note(draft, Clause(subject, first_verb, tense, draft.links(7), direct=thing))
    again = pronoun_for(thing, draft.links())
    if described:
        second = Clause(again, verb("be", "be"), "present", draft.links(7))
        adjective = draw.choice(predicates_of(noun.classes))
        link = draft.links()
        form = adjective.form(again.feminine, again.plural)
        second.extras.append(Phrase(words(adjective.english, link), words(form, link)))
        note(draft, second, adjective.english)
        return coordinated(draft, "and", "et", statement(first), statement(second))
    chosen = draw.choice([item for item in verbs if item.english not in (*GETTING, "look for", "write", "draw")])
    choices = ("perfect", "progressive", "future", "going_to") if tense in COMPOUND else ("future", "going_to")
    person = pronoun_for(subject, draft.links())
    second = note(draft, Clause(person, chosen, draw.choice(choices), draft.links(7), direct=again))
    return coordinated(draft, *_coordinator(draft), statement(first), statement(second))


def draw_purpose(draft: Draft) -> Phrase:
    """Somebody goes somewhere to do something."""
    draw = draft.draw
    subject = draw_subject(draft, plain=True)
    tenses = ("progressive", "future", "going_to", *(("perfect",) if subject.gender_shown else ()))
    clause = Clause(subject, verb("go", "p"), draw.choice(tenses), draft.links(7))
    clause.extras.append(draw_destination(draft))
    chosen = draw.choice(verbs_of(("g",), "person"))
    thing = draw_noun(draft, draw.choice(objects_of(chosen.objects)))
    link, aim = draft.links(), draft.links()
    clause.extras.append(
        Phrase(
            [Word("to", (aim,)), *words(chosen.english, link), *thing.english],
            [Word("pour", (aim,)), *words(chosen.french, link), *thing.french],
        )
    )
    draft.clauses.append(f"to {chosen.english} {thing.head}")
    return statement(note(draft, clause))


def draw_chain(draft: Draft, parts: int) -> Phrase:
    """So many sentences, joined."""
    plans = ((_single, 3), (draw_coordination, 2), (draw_reason, 2), (draw_report, 2), (draw_reference, 1))
    phrase = draft.draw.weighted(plans)(draft)
    for _ in range(parts - 1):
        again = any(word.text == "but" for word in phrase.english)
        conjunction = ("and", "et") if again else _coordinator(draft)
        phrase = coordinated(draft, *conjunction, phrase, draft.draw.weighted(plans)(draft))
    return phrase


def _single(draft: Draft) -> Phrase:
    return statement(draw_clause(draft, depth=2))
