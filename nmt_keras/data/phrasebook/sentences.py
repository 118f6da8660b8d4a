"""Draws whole sentences of any kind."""

from collections.abc import Callable

from nmt_keras.data.phrasebook import addresses, agreement, comparisons, compounds, questions
from nmt_keras.data.phrasebook.clause_grammar import draw_clause
from nmt_keras.data.phrasebook.compounds import statement
from nmt_keras.data.phrasebook.pairs import DrawnSentence, finished
from nmt_keras.data.phrasebook.words import Draft, Draw, Phrase


def _simple(draft: Draft) -> Phrase:
    return statement(draw_clause(draft, depth=2))


def _fronted(draft: Draft) -> Phrase:
    clause = draw_clause(draft, depth=1)
    clause.fronted = True
    return statement(clause)


STATEMENTS: tuple[tuple[Callable[[Draft], Phrase], int], ...] = (
    (_simple, 34),
    (_fronted, 6),
    (addresses.draw_address, 3),
    (addresses.draw_command, 4),
    (compounds.draw_coordination, 7),
    (compounds.draw_two_verbs, 4),
    (compounds.draw_reason, 5),
    (compounds.draw_occasion, 4),
    (compounds.draw_condition, 3),
    (compounds.draw_report, 6),
    (compounds.draw_reference, 4),
    (compounds.draw_purpose, 2),
    (comparisons.draw_comparison, 5),
    (comparisons.draw_superlative, 2),
    (comparisons.draw_existence, 3),
    (agreement.draw_interrupted, 4),
)
QUESTIONS: tuple[tuple[Callable[[Draft], Phrase], int], ...] = (
    (questions.draw_yes_no, 7),
    (questions.draw_who, 3),
    (questions.draw_what, 3),
    (questions.draw_circumstance, 4),
    (questions.draw_where_is, 1),
    (addresses.draw_question, 4),
)
PLANS = tuple(((plan, mark), weight) for plans, mark in ((STATEMENTS, "."), (QUESTIONS, "?")) for plan, weight in plans)


def draw_sentence(draw: Draw) -> DrawnSentence:
    """One sentence of the grammar, as in training."""
    draft = Draft(draw)
    plan, mark = draw.weighted(PLANS)
    pair = finished(plan(draft), mark)
    return DrawnSentence(pair, draft.combination)


def draw_long_sentence(draw: Draw) -> DrawnSentence:
    """A sentence of two to six parts, each of a kind that the shorter sentences have."""
    draft = Draft(draw)
    pair = finished(compounds.draw_chain(draft, 2 + draw.index(5)), ".")
    return DrawnSentence(pair, draft.combination)
