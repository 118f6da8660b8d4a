"""Agreement over a distance: a relative clause between the subject and what must agree with it."""

import functools
from dataclasses import dataclass

from nmt_keras.data.parallel_text import AgreementPair
from nmt_keras.data.phrasebook.clause_grammar import draw_clause, draw_relative, note, relative_subject
from nmt_keras.data.phrasebook.clauses import Clause
from nmt_keras.data.phrasebook.french import agree
from nmt_keras.data.phrasebook.lexicon import nouns_of, predicates_of, verb, verbs_of
from nmt_keras.data.phrasebook.listed import LISTED_SENTENCES
from nmt_keras.data.phrasebook.nominals import draw_noun
from nmt_keras.data.phrasebook.noun_phrases import NounPhrase
from nmt_keras.data.phrasebook.pairs import DrawnSentence, finished
from nmt_keras.data.phrasebook.tenses import SILENT_TENSES
from nmt_keras.data.phrasebook.words import Draft, Draw, Phrase, Word, words

LONGEST_DISTANCE = 40
PAIRS_PER_DISTANCE = 10
SUBJECTS = ("person", "animal", "clothes", "text", "thing", "vehicle", "furniture")


@dataclass(frozen=True)
class _Interrupted:
    right: Phrase
    wrong: Phrase
    distance: int


def draw_interrupted(draft: Draft) -> Phrase:
    """A sentence whose subject and predicate stand apart."""
    return _interrupted(draft, draft.draw.weighted(((1, 6), (2, 3), (3, 1)))).right


def agreement_pairs(seed: int = 1) -> tuple[AgreementPair, ...]:
    """Pairs to score a model by: does it give the right form the higher probability?

    Args:
        seed: what all draws come from.

    Returns:
        Ten pairs for each distance from 1 to 40 words, in the order of the distance.
    """
    return tuple(pair for pair, _ in _drawn_pairs(seed))


def agreement_sentences(seed: int) -> list[DrawnSentence]:
    """The right sentences of `agreement_pairs`, with their alignments and clauses."""
    return [sentence for _, sentence in _drawn_pairs(seed)]


@functools.lru_cache(maxsize=2)
def _drawn_pairs(seed: int) -> tuple[tuple[AgreementPair, DrawnSentence], ...]:
    draw = Draw(seed)
    found: dict[int, list[tuple[AgreementPair, DrawnSentence]]] = {n: [] for n in range(1, LONGEST_DISTANCE + 1)}
    sources = {source for source, _ in LISTED_SENTENCES}
    missing = LONGEST_DISTANCE * PAIRS_PER_DISTANCE
    while missing:
        draft = Draft(draw)
        drawn = _interrupted(draft, draw.index(9))
        row = found.get(drawn.distance)
        if row is None or len(row) == PAIRS_PER_DISTANCE:
            continue
        right, wrong = finished(drawn.right, "."), finished(drawn.wrong, ".")
        if right.target == wrong.target or right.source in sources:
            continue
        sources.add(right.source)
        pair = AgreementPair(right.source, right.target, wrong.target, drawn.distance)
        row.append((pair, DrawnSentence(right, draft.combination)))
        missing -= 1
    return tuple(item for row in found.values() for item in row)


def _interrupted(draft: Draft, parts: int) -> _Interrupted:
    """A subject, a relative clause of so many parts (0: one reduced to its participle), and a predicate."""
    draw = draft.draw
    classes = ("person", "animal") if parts != 1 or draw.chance(60) else SUBJECTS
    noun = draw.choice([item for item in nouns_of(classes) if item.count == "count"])
    subject = draw_noun(draft, noun, "pointed", adjective=0)
    relative = _reduced(draft, subject) if parts == 0 else _relative(draft, subject, parts)
    right, wrong = _predicate(draft, subject)
    english = subject.english + relative.english
    french = subject.french + relative.french
    return _Interrupted(
        Phrase(english + right.english, french + right.french),
        Phrase(english + wrong.english, french + wrong.french),
        len(relative.english),
    )


def _reduced(draft: Draft, subject: NounPhrase) -> Phrase:
    """ "singing": in French a full relative clause."""
    clause = draw_clause(
        draft,
        relative_subject(subject, draft.links()),
        tenses=("progressive",),
        negatable=False,
        brief=True,
        frames=(("i", 3), ("t", 1)),
    )
    return Phrase(clause.english_gerund(), clause.french())


def _relative(draft: Draft, subject: NounPhrase, parts: int) -> Phrase:
    if parts == 1 and (not (subject.human or subject.animal) or draft.draw.chance(35)):
        relative = draw_relative(draft, subject, "silent object", 0)
        if relative is not None:
            return relative
    who = relative_subject(subject, draft.links())
    first = draw_clause(draft, who, tenses=SILENT_TENSES, depth=1, frames=_frames(subject))
    phrase = Phrase(first.english(), first.french())
    for index in range(parts - 1):
        clause = draw_clause(
            draft, who.without_words(), tenses=SILENT_TENSES, depth=int(index < 3), frames=_frames(subject)
        )
        link = draft.links()
        phrase = Phrase(
            [*phrase.english, Word("and", (link,)), *clause.english()],
            [*phrase.french, Word("et", (link,)), *clause.french()],
        )
    return phrase


def _frames(subject: NounPhrase) -> tuple[tuple[str, int], ...]:
    """Constructions without a predicate that would show the gender already."""
    if subject.animal:
        return (("t", 3), ("i", 3))
    return (("t", 5), ("i", 3), ("a", 1), ("d", 2), ("p", 1), ("l", 1), ("modal", 1))


def _predicate(draft: Draft, subject: NounPhrase) -> tuple[Phrase, Phrase]:
    """What is said of the subject, with the right form and with a wrong one."""
    draw = draft.draw
    link = draft.links(7)
    feminine, plural = subject.feminine, subject.plural
    other_number = draw.chance(30)
    wrong_feminine, wrong_plural = (feminine, not plural) if other_number else (not feminine, plural)
    if (subject.human or subject.animal) and draw.chance(35):
        kind = "animal" if subject.animal else "person"
        chosen = draw.choice(
            [item for item in verbs_of(("i", "l"), kind) if item.auxiliary == "être" and not item.reflexive]
        )
        clause = Clause(subject.without_words(), chosen, "perfect", link)
        if "l" in chosen.frames:
            clause.extras.append(Phrase(words("here", link + 5), words("ici", link + 5)))
        right, wrong = (
            agree(chosen.french_participle, *forms) for forms in ((feminine, plural), (wrong_feminine, wrong_plural))
        )
        note(draft, clause)
    else:
        choices = [item for item in predicates_of(subject.classes) if item.forms[0] != item.forms[1]]
        chosen_adjective = draw.choice(choices)
        clause = Clause(subject.without_words(), verb("be", "be"), "present", link)
        right = chosen_adjective.form(feminine, plural)
        wrong = chosen_adjective.form(wrong_feminine, wrong_plural)
        clause.extras.append(Phrase(words(chosen_adjective.english, link + 5), words(right, link + 5)))
        note(draft, clause, chosen_adjective.english)
    phrase = Phrase(clause.english(), clause.french())
    other = [word._replace(text=wrong) if word.text == right else word for word in phrase.french]
    return phrase, Phrase(phrase.english, other)
