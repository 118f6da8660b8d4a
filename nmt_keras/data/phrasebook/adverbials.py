"""Adds what stands beside the verb: manner, place, companions, adverbs and times."""

from nmt_keras.data.phrasebook.clauses import Clause
from nmt_keras.data.phrasebook.lexicon import phrases
from nmt_keras.data.phrasebook.nominals import PLACES, draw_companion, draw_fixed, draw_place
from nmt_keras.data.phrasebook.words import Draft, Phrase, Word

NO_PLACE = ("leave", "come back", "go out", "visit", "get up", "get dressed", "wake up", "travel", "swim", "take")
SUDDEN = ("leave", "come back", "go out", "get up", "wake up", "arrive", "jump", "open", "close", "take")


def add_adverbials(draft: Draft, clause: Clause, frame: str, brief: bool, timeless: bool = False) -> None:
    """Add manner, place, companions, adverbs and time, as the verb and the tense allow.

    Args:
        draft: the sentence.
        clause: the clause to add to.
        frame: the construction its verb is used in.
        brief: whether it gets neither adverb nor time.
        timeless: whether it gets neither place nor time.
    """
    draw, chosen, tense = draft.draw, clause.verb, clause.tense
    simple = clause.modal is None and tense != "going_to"
    if frame == "i" and "m" in chosen.frames and draw.chance(18):
        clause.extras.append(draw_fixed(draft, "manner"))
    elif frame == "i" and "q" in chosen.frames and simple and draw.chance(18):
        clause.quality = draw.choice(phrases("quality"))
    elif (
        not timeless
        and chosen.aspect == "event"
        and chosen.english not in NO_PLACE
        and draw.chance({"i": 28, "t": 8}.get(frame, 0))
    ):
        outdoors = clause.subject.animal or "o" in chosen.frames
        # not "here" after an object: "this car here" is another car
        others = ("here", "position") if frame == "i" else ("position",)
        clause.extras.append(draw_place(draft, ("outdoor",) if outdoors else PLACES, others))
    if frame == "i" and "w" in chosen.frames and not clause.subject.animal and draw.chance(16):
        clause.extras.append(draw_companion(draft, clause.subject))
    positive = not clause.negation and not clause.subject.negative and clause.modal is None
    habit = tense == "present" and chosen.aspect == "event" and clause.modal is None
    if brief:
        return
    if habit and positive and (timeless or draw.chance(50)):
        clause.adverb = draw.choice(phrases("frequency"))
    elif habit and not timeless and clause.negation in ("", "not"):
        clause.time = draw_fixed(draft, "habit")
    elif tense == "perfect" and positive and draw.chance(20):
        clause.adverb = ("already", "déjà")
    elif tense == "progressive" and positive and chosen.english not in SUDDEN and draw.chance(10):
        clause.adverb = ("still", "encore")
    elif tense == "past" or (
        not timeless and chosen.aspect != "state" and tense in ("future", "progressive") and draw.chance(22)
    ):
        clause.time = draw_time(draft, tense)


def draw_time(draft: Draft, tense: str) -> Phrase:
    """When: yesterday, on Monday at three o'clock.

    Args:
        draft: the sentence.
        tense: "past", "future" or "progressive".
    """
    if tense == "progressive":
        return draw_fixed(draft, "present time")
    draw = draft.draw
    time = draw_fixed(draft, "day" if draw.chance(30) else "past time" if tense == "past" else "future time")
    if (time.english[0].text == "on" or time.english[-1].text in ("yesterday", "tomorrow")) and draw.chance(40):
        hour = draw_fixed(draft, "hour")
        link = draft.links()
        time = Phrase(
            [*time.english, Word("at", (link,)), *hour.english], [*time.french, Word("à", (link,)), *hour.french]
        )
    return time
