"""Draws clauses, and the relative clauses in their noun phrases."""

import functools

from nmt_keras.data.phrasebook.adverbials import NO_PLACE, add_adverbials, draw_time
from nmt_keras.data.phrasebook.clauses import COMPOUND, Clause
from nmt_keras.data.phrasebook.lexicon import Verb, nouns_of, objects_of, phrases, predicates_of, verb, verbs, verbs_of
from nmt_keras.data.phrasebook.nominals import (
    PEOPLE,
    draw_destination,
    draw_fixed,
    draw_noun,
    draw_person,
    draw_place,
    draw_subject,
)
from nmt_keras.data.phrasebook.noun_phrases import Determiner, NounPhrase, both, noun_phrase
from nmt_keras.data.phrasebook.tenses import SILENT_TENSES, UNDATED, reconciled, tenses_of
from nmt_keras.data.phrasebook.words import Draft, Phrase, Word, words

FRAMES = (
    ("t", 36),
    ("i", 22),
    ("be", 15),
    ("have", 7),
    ("where", 6),
    ("a", 5),
    ("d", 9),
    ("p", 5),
    ("l", 5),
    ("modal", 10),
)
ANIMAL_FRAMES = (("t", 10), ("i", 14), ("be", 8), ("where", 5))


@functools.cache
def _candidates(
    frame: str, kind: str, allowed: tuple[str, ...] | None, gender_shown: bool, events: bool
) -> tuple[Verb, ...]:
    return tuple(
        item
        for item in verbs_of((frame,), kind)
        if tenses_of(item.aspect, allowed, gender_shown or item.auxiliary != "être")
        and (not events or item.aspect == "event")
    )


@functools.cache
def _modals(negative: bool) -> tuple[Verb, ...]:
    # "nobody has to" is not "personne ne doit"
    modals = (item for item in verbs() if "modal" in item.frames or "to" in item.frames)
    return tuple(item for item in modals if not (negative and item.english == "have to"))


def draw_clause(
    draft: Draft,
    subject: NounPhrase | None = None,
    tenses: tuple[str, ...] | None = None,
    negatable: bool = True,
    depth: int = 0,
    brief: bool = False,
    frames: tuple[tuple[str, int], ...] | None = None,
) -> Clause:
    """A clause.

    Args:
        draft: the sentence.
        subject: its subject; drawn if not given.
        tenses: the allowed tenses; None allows all.
        negatable: whether it may be negated.
        depth: how deep relative clauses may be nested in its noun phrases.
        brief: whether it has no time and no adverb.
        frames: (frame, weight) pairs to choose from.
    """
    if subject is None:
        subject = draw_subject(draft)
        if depth > 0:
            add_relative(draft, subject, depth - 1, 22)
    draw = draft.draw
    allowed_frames = frames or (ANIMAL_FRAMES if subject.animal else FRAMES)
    frame = draw.weighted(allowed_frames)
    kind = "animal" if subject.animal else "person"
    negation = ""
    if negatable and subject.definite and not subject.negative and draw.chance(16):
        negation = draw.weighted((("not", 5), ("never", 2), ("no longer", 2)))
    states = tenses_of("be", tenses, True)
    if frame in ("be", "where", "have") and states:
        return _state(draft, subject, frame, states, negation, brief)
    modal = None
    if frame == "modal":
        modal = draw.choice(_modals(subject.negative)) if tenses is None or "present" in tenses else None
        frame = draw.choice(("t", "i", "p", "a"))
    choices = _candidates(frame, kind, tenses, subject.gender_shown, modal is not None)
    if not choices:
        frame = "i" if draw.chance(40) else "t"
        choices = _candidates(frame, kind, tenses, subject.gender_shown, modal is not None)
    chosen = draw.choice(choices)
    if modal is not None:
        tense = "present"
    else:
        compound = subject.gender_shown or chosen.auxiliary != "être"
        tense = draw.weighted(tenses_of(chosen.aspect, tenses, compound))
    negation, tense = reconciled(negation, tense, chosen, modal)
    clause = Clause(subject, chosen, tense, draft.links(7), modal=modal, negation=negation)
    timeless = False
    if frame in ("t", "d"):
        timeless = _add_objects(draft, clause, frame, depth)
    elif frame == "a":
        clause.indirect = draw_person(draft, subject, True)
    elif frame == "p":
        clause.extras.append(draw_destination(draft))
    elif frame == "l":
        clause.extras.append(draw_place(draft, ("home",) if chosen.english == "live" else ("in", "at")))
    add_adverbials(draft, clause, frame, brief, timeless)
    return note(draft, clause)


def note(draft: Draft, clause: Clause, *more: str) -> Clause:
    """Record which clause this is, by its main words."""
    heads = [clause.subject.head, clause.verb.english, *more]
    heads += [part.head for part in (clause.direct, clause.indirect) if part is not None]
    draft.clauses.append(" ".join(heads))
    return clause


def _state(
    draft: Draft,
    subject: NounPhrase,
    frame: str,
    tenses: tuple[tuple[str, int], ...],
    negation: str,
    brief: bool,
) -> Clause:
    """A clause with "be": tired, hungry, so many years old, or somewhere."""
    draw = draft.draw
    tense = draw.weighted(tenses)
    if frame == "have" and not brief and tenses[0][0] == "present" and draw.chance(60):
        return _age(draft, subject)
    if tense != "present" and negation:
        negation = "not"
    name = "have" if frame == "have" else "be"
    clause = Clause(subject, verb("be", name), tense, draft.links(7), negation=negation)
    passing = frame == "have"
    if frame == "have":
        state = draw_fixed(draft, "state")
        clause.extras.append(state)
        said = state.english[0].text
    elif frame == "where":
        classes = ("outdoor",) if subject.animal else ("at", "in")
        clause.extras.append(draw_place(draft, classes))
        said = clause.extras[0].english[-1].text
    else:
        spoken = [word.text for word in subject.english]
        chosen = draw.choice(
            [
                item
                for item in predicates_of(subject.classes[:1])
                if (subject.gender_shown or item.forms[0] == item.forms[1])
                and (tense != "future" or "passing" in item.classes)
                and item.english not in spoken
            ]
        )
        said, passing = chosen.english, "passing" in chosen.classes
        if negation == "never" and not passing:
            clause.negation = "not"
        link = draft.links()
        form = chosen.form(subject.feminine, subject.several)
        predicate = Phrase(words(chosen.english, link), words(form, link))
        if chosen.comparative and draw.chance(35):
            degree = draw_fixed(draft, "degree")
            predicate = Phrase(degree.english + predicate.english, degree.french + predicate.french)
        clause.extras.append(predicate)
    if passing and not brief and not negation and not subject.negative and tense != "future" and draw.chance(15):
        clause.adverb = ("still", "encore")
    elif (passing or frame == "where") and not brief and tense == "past_progressive" and draw.chance(30):
        clause.time = draw_fixed(draft, "past time")
    return note(draft, clause, said)


def _age(draft: Draft, subject: NounPhrase) -> Clause:
    numbers = phrases("number")
    classes = subject.classes
    english, french = draft.draw.choice(
        numbers[:15] if "child" in classes else numbers[28:] if "adult" in classes else numbers
    )
    link, years = draft.links(), draft.links()
    clause = Clause(subject, verb("be", "have"), "present", draft.links(7))
    clause.extras.append(
        Phrase(words(english, link) + words("years old", years), words(french, link) + words("ans", years))
    )
    return note(draft, clause, english)


def _add_objects(draft: Draft, clause: Clause, frame: str, depth: int) -> bool:
    """Add the objects; true if they end in a relative clause, which a time would seem to belong to."""
    draw, chosen = draft.draw, clause.verb
    nouns = objects_of(chosen.objects_of(clause.subject.animal))
    noun = draw.choice(nouns)
    while noun.english == clause.subject.head:
        noun = draw.choice(nouns)
    if "person" in noun.classes:
        clause.direct = draw_person(draft, clause.subject, True, clause.tense in COMPOUND)
    elif chosen.aspect == "feeling" and chosen.english != "want":
        general = any(name in noun.classes for name in ("food", "drink", "animal"))
        clause.direct = draw_noun(draft, noun, "generic" if general else "definite")
    else:
        clause.direct = draw_noun(draft, noun, negated=bool(clause.negation or clause.subject.negative))
        if frame == "t" and not clause.negation and not clause.subject.negative and draw.chance(6):
            second = draw.choice(nouns)
            if second is not noun and "person" not in second.classes:
                clause.direct = both(clause.direct, draw_noun(draft, second), draft.links())
    if frame == "d":
        clause.indirect = draw_person(draft, clause.subject, True)
        return False
    return depth > 0 and clause.tense != "past" and add_relative(draft, clause.direct, depth - 1, 20)


# Relative clauses


def add_relative(draft: Draft, phrase: NounPhrase, depth: int, percent: int) -> bool:
    """In so many percent of draws, put a relative clause behind the noun phrase; true if it was done."""
    if not phrase.open or not draft.draw.chance(percent):
        return False
    phrase.open = False
    kinds = [("object", 5)]
    if phrase.human or phrase.animal:
        kinds.append(("subject", 6))
    if phrase.human:
        kinds += [("whose", 1), ("with", 1)]
    if "at" in phrase.classes or "in" in phrase.classes:
        kinds.append(("where", 6))
    relative = draw_relative(draft, phrase, draft.draw.weighted(kinds), depth)
    if relative is None:
        return False
    phrase.english += relative.english
    phrase.french += relative.french
    return True


def relative_subject(phrase: NounPhrase, link: int) -> NounPhrase:
    """The relative pronoun "who" or "that" for the noun phrase."""
    pronoun = phrase.without_words()
    pronoun.english = [Word("who" if phrase.human else "that", (link,))]
    pronoun.french = [Word("qui", (link,))]
    pronoun.link = link
    return pronoun


def draw_relative(draft: Draft, phrase: NounPhrase, kind: str, depth: int) -> Phrase | None:
    """A relative clause.

    Args:
        draft: the sentence.
        phrase: what it is about.
        kind: "subject" (qui), "object" (que), "silent object" (the same in a tense whose participle does not agree),
            "whose" (dont), "with" (avec qui) or "where" (où).
        depth: how deep relative clauses may be nested in it.

    Returns:
        Its words, or None if no verb suits.
    """
    link = draft.links()
    if kind == "subject":
        clause = draw_clause(draft, relative_subject(phrase, link), depth=depth)
        return Phrase(clause.english(), clause.french())
    if kind in ("object", "silent object"):
        found = _with_gap(draft, phrase, SILENT_TENSES if kind == "silent object" else None)
    elif kind == "whose":
        found = _with_owned_subject(draft)
    else:
        subject = draw_subject(draft, plain=True)
        if subject.head == phrase.head:
            return None
        if kind == "with":
            found = draw_clause(draft, subject, UNDATED, negatable=False, brief=True, frames=(("w", 1),))
        else:
            found = _without_place(draft, subject)
    if found is None:
        return None
    english, french = {"whose": ("whose", "dont"), "with": ("with whom", "avec qui"), "where": ("where", "où")}.get(
        kind, ("that", "que")
    )
    return Phrase(words(english, link) + found.english(), words(french, link) + found.french())


def _with_owned_subject(draft: Draft) -> Clause:
    """A clause about something that belongs to somebody: "[whose] dog is sleeping"."""
    noun = draft.draw.choice(nouns_of(("kin", "animal")))
    plural = noun.count == "count" and draft.draw.chance(25)
    subject = noun_phrase(noun, plural, Determiner("the"), None, draft.links(3))
    subject.english = subject.english[1:]
    return draw_clause(draft, subject)


def _without_place(draft: Draft, subject: NounPhrase) -> Clause:
    """What somebody does somewhere, without saying where."""
    events = _candidates("i", "person", None, subject.gender_shown, True)
    chosen = draft.draw.choice([*[item for item in events if item.english not in NO_PLACE], verb("live", "l")])
    compound = subject.gender_shown or chosen.auxiliary != "être"
    tense = draft.draw.weighted(tenses_of(chosen.aspect, None, compound))
    clause = Clause(subject, chosen, tense, draft.links(7))
    if tense == "past":
        clause.time = draw_time(draft, tense)
    elif tense == "present" and chosen.aspect == "event":
        clause.adverb = draft.draw.choice(phrases("frequency"))
    return note(draft, clause)


def _with_gap(draft: Draft, phrase: NounPhrase, tenses: tuple[str, ...] | None) -> Clause | None:
    """A clause whose object is left out: "[that] Paul is reading"."""
    subject = draw_subject(draft, plain=True)
    found = [item for item in transitive_verbs(phrase.classes) if tenses_of(item.aspect, tenses, True)]
    if not found or subject.head == phrase.head:
        return None
    chosen = draft.draw.choice(found)
    tense = draft.draw.weighted(tenses_of(chosen.aspect, tenses, True))
    clause = Clause(subject, chosen, tense, draft.links(7), direct=phrase.without_words())
    add_adverbials(draft, clause, "gap", False)
    return note(draft, clause)


@functools.cache
def transitive_verbs(classes: tuple[str, ...]) -> tuple[Verb, ...]:
    """The verbs that a person can do to a noun of these classes."""
    return tuple(item for item in verbs_of(("t",), PEOPLE[0]) if any(name in classes for name in item.objects))
