"""Which tenses a verb is drawn in, and which negation goes with them."""

import functools

from nmt_keras.data.phrasebook.clauses import COMPOUND
from nmt_keras.data.phrasebook.lexicon import Verb

TENSES = {
    "event": (
        ("progressive", 7),
        ("present", 5),
        ("perfect", 6),
        ("past", 4),
        ("past_progressive", 2),
        ("used_to", 1),
        ("future", 4),
        ("going_to", 2),
        ("after_when", 0),
    ),
    "once": (("perfect", 4), ("past", 4), ("future", 2), ("going_to", 2), ("after_when", 0)),
    "state": (("present", 7), ("used_to", 1), ("future", 1)),
    "feeling": (("present", 9), ("used_to", 1)),
    "be": (("present", 7), ("past_progressive", 3), ("future", 1)),
}
# The tenses that a plan asks for; None is any.
PAST = ("perfect", "past", "past_progressive")
BACKGROUND = ("past_progressive", "used_to")
PRESENT = ("present", "progressive")
FUTURE = ("future", "going_to")
# Those whose French form tells nothing about the gender of the subject or of the object.
SILENT_TENSES = ("present", "progressive", "past_progressive", "used_to", "future", "going_to")
# Those that need neither a time nor an adverb to be clear.
UNDATED = ("progressive", "perfect", "past_progressive", "future", "going_to")
WHEN_PAST = ("past",)
WHEN_FUTURE = ("after_when",)


@functools.cache
def tenses_of(aspect: str, allowed: tuple[str, ...] | None, compound: bool) -> tuple[tuple[str, int], ...]:
    """The tenses, with their weights, that a verb of this aspect has among those allowed."""
    if allowed is None:
        return tuple(item for item in TENSES[aspect] if compound or item[0] not in COMPOUND)
    found = [item for item in TENSES[aspect] if item[0] in allowed and (compound or item[0] not in COMPOUND)]
    return tuple((name, max(weight, 1)) for name, weight in found)


def reconciled(negation: str, tense: str, chosen: Verb, modal: Verb | None) -> tuple[str, str]:
    """The negation and the tense, made to suit each other."""
    if not negation or tense == "used_to":
        return "", tense
    if modal is not None:
        # "does not have to" is not "ne doit pas"
        return ("" if modal.english == "have to" else "not"), tense
    if tense in ("past", "future", "going_to", "past_progressive", "after_when"):
        return "not", tense
    if tense == "perfect":
        return ("not" if negation == "no longer" else negation), tense
    return negation, ("present" if negation != "not" and chosen.aspect == "event" else tense)
