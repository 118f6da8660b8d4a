"""The phrase grammar: draws noun phrases and clauses."""

from nmt_keras.data.phrasebook.clauses import COMPOUND, Clause
from nmt_keras.data.phrasebook.lexicon import (
    Noun,
    Verb,
    adjectives_of,
    nouns,
    nouns_of,
    phrases,
    verb,
    verbs,
    verbs_of,
)
from nmt_keras.data.phrasebook.noun_phrases import NounPhrase, both, name_phrase, noun_phrase, pronoun_phrase
from nmt_keras.data.phrasebook.words import Draw, Phrase, Word, words

DETERMINERS = {
    "singular": ((("the", ""), 5), (("a", ""), 4), (("this", ""), 1.5), (("possessive", ""), 3)),
    "plural": (
        (("the", ""), 5),
        (("some", ""), 2),
        (("many", ""), 1),
        (("this", ""), 1),
        (("possessive", ""), 2),
        (("number", ""), 2),
    ),
    "mass": ((("the", ""), 3), (("some", ""), 4), (("possessive", ""), 1), (("this", ""), 1)),
    "definite": ((("the", ""), 5), (("this", ""), 1), (("possessive", ""), 2)),
}
EVENT_TENSES = (
    ("progressive", 5),
    ("present", 3),
    ("perfect", 4),
    ("past", 4),
    ("past_progressive", 2),
    ("used_to", 1),
    ("future", 3),
    ("going_to", 2),
)
STATE_TENSES = (("present", 5), ("used_to", 1), ("future", 1.5))
ONCE_TENSES = (("perfect", 4), ("past", 4), ("future", 2), ("going_to", 2))
FRAMES = (
    ("t", 9),
    ("i", 5),
    ("be", 4),
    ("where", 1.5),
    ("a", 1.5),
    ("d", 3),
    ("p", 1.5),
    ("l", 1.2),
    ("modal", 3),
)


class Grammar:
    """Draws the parts of one sentence; `clauses` collects which clauses it combines.

    Args:
        draw: the source of all choices.
    """

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self.clauses: list[str] = []
        self._links = 0

    def links(self, count: int = 1) -> int:
        """The first of `count` new links."""
        self._links += count
        return self._links - count

    # Noun phrases

    def determiner(self, noun: Noun, plural: bool, definite: bool, negated: bool) -> tuple[str, str]:
        """A determiner that suits the noun."""
        table = "definite" if definite else "mass" if noun.mass else "plural" if plural else "singular"
        kind, which = self.draw.weighted(DETERMINERS[table])
        if negated:
            if kind == "a":
                kind = "not a"
            elif kind in ("some", "number", "many"):
                kind = "any"
        if kind == "possessive":
            which = self.draw.choice(("my", "his", "her", "our", "their"))
        if kind == "number":
            numbers = phrases("number")
            which = "=".join(self.draw.choice(numbers[:11] if self.draw.chance(0.7) else numbers))
        return kind, which

    def noun(
        self,
        noun: Noun,
        definite: bool = False,
        negated: bool = False,
        depth: int = 0,
        plural: bool | None = None,
        generic: bool = False,
    ) -> NounPhrase:
        """A noun with a determiner, sometimes an adjective, sometimes a relative clause (while depth allows)."""
        if plural is None:
            plural = not noun.mass and self.draw.chance(0.9 if generic else 0.3)
        adjectives = adjectives_of(noun.classes)
        adjective = self.draw.choice(adjectives) if adjectives and self.draw.chance(0.25) else None
        determiner = ("generic", "") if generic else self.determiner(noun, plural, definite, negated)
        if determiner[0] == "generic":
            adjective = None
        phrase = noun_phrase(noun, plural, determiner, adjective, self.links(3))
        if depth > 0 and determiner[0] in ("the", "a", "number", "this") and self.draw.chance(0.3):
            self.add_relative(phrase, depth - 1)
        return phrase

    def name(self) -> NounPhrase:
        """A first name."""
        feminine = self.draw.chance(0.5)
        english, french = self.draw.choice(phrases("female name" if feminine else "male name"))
        return name_phrase(english, french, feminine, self.links())

    def subject(self, depth: int) -> NounPhrase:
        """The subject of a clause: a person or, sometimes, an animal."""
        kind = self.draw.weighted((("pronoun", 5), ("name", 4), ("noun", 7), ("animal", 1.5), ("both", 1.2)))
        if kind == "pronoun":
            return pronoun_phrase(self.draw.choice(("I", "we", "he", "she")), self.links())
        if kind == "name":
            return self.name()
        if kind == "both":
            first, second = self.name(), self.name()
            return first if first.head == second.head else both(first, second, self.links())
        choices = nouns_of(("person",) if kind == "noun" else ("animal",))
        return self.noun(self.draw.choice(choices), definite=True, depth=depth)

    def person(self, subject: NounPhrase, pronouns: bool, compound: bool, depth: int) -> NounPhrase:
        """A person other than the subject."""
        kind = self.draw.weighted((("pronoun", 3 if pronouns else 0), ("name", 3), ("noun", 5)))
        if kind == "pronoun":
            keys = ["he", "she"]
            if not compound:  # the participle would show the gender of these
                keys.append("they m")
                if subject.person == 3:
                    keys += ["I", "we"]
            return pronoun_phrase(self.draw.choice(keys), self.links())
        if kind == "name":
            found = self.name()
            if found.head not in subject.head:
                return found
        people = nouns_of(("person",))
        noun = self.draw.choice(people)
        if noun.english == subject.head:
            noun = people[(people.index(noun) + 1) % len(people)]
        return self.noun(noun, definite=True, depth=depth)

    # Relative clauses

    def add_relative(self, phrase: NounPhrase, depth: int) -> None:
        """Put a relative clause behind the noun phrase."""
        link = self.links()
        who = "who" if phrase.human else "that"
        living = phrase.human or "animal" in phrase.classes
        if living and self.draw.chance(0.6):
            subject = NounPhrase(
                [Word(who, (link,))],
                [Word("qui", (link,))],
                phrase.head,
                plural=phrase.plural,
                feminine=phrase.feminine,
                classes=phrase.classes,
                human=phrase.human,
                link=link,
            )
            clause = self.clause(subject, depth)
            phrase.english += clause.english()
            phrase.french += clause.french()
            return
        subject = self.subject(0)
        candidates = [
            item
            for item in verbs_of(("t",), subject.classes[0])
            if any(name in phrase.classes for name in item.objects) and item.english not in ("love", "hate")
        ]
        if not candidates or subject.head == phrase.head:
            return
        gap = NounPhrase([], [], phrase.head, plural=phrase.plural, feminine=phrase.feminine)
        chosen = self.draw.choice(candidates)
        clause = self.finish(Clause(subject, chosen, self.tense(chosen), self.links(5), direct=gap), 0)
        phrase.english += [Word("that", (link,)), *clause.english()]
        phrase.french += [Word("que", (link,)), *clause.french()]

    # Clauses

    def tense(self, chosen: Verb, compound: bool = True, allowed: tuple[str, ...] | None = None) -> str:
        """A tense that suits the aspect of the verb."""
        table = {"event": EVENT_TENSES, "state": STATE_TENSES, "once": ONCE_TENSES}[chosen.aspect]
        suited = [
            (item, weight)
            for item, weight in table
            if (allowed is None or item in allowed) and (compound or item not in COMPOUND)
        ]
        return self.draw.weighted(suited) if suited else "present"

    def clause(
        self,
        subject: NounPhrase | None = None,
        depth: int = 0,
        negatable: bool = True,
        tenses: tuple[str, ...] | None = None,
    ) -> Clause:
        """A clause with this subject, or any, in one of these tenses."""
        if subject is None:
            subject = self.subject(depth)
        animal = "animal" in subject.classes
        frame = self.draw.weighted(FRAMES)
        if animal and frame in ("a", "d", "p", "l", "modal"):
            frame = "i"
        negation = ""
        if negatable and self.draw.chance(0.17):
            negation = self.draw.weighted((("not", 4), ("never", 2), ("no longer", 1.5)))
        if frame == "be":
            return self._be(subject, negation, tenses)
        if frame == "where":
            clause = Clause(subject, verb("be", "be"), self._be_tense(tenses), self.links(5), negation=negation)
            clause.extras.append(self.place())
            return self.finish(clause, depth, place=False)
        modal = None
        if frame == "modal":
            modal = self.draw.choice([item for item in verbs() if "modal" in item.frames or "to" in item.frames])
            frame = self.draw.choice(("t", "i", "p", "a"))
        choices = verbs_of((frame,), subject.classes[0])
        if tenses is not None and ("present" in tenses or "used_to" in tenses):
            choices = tuple(item for item in choices if item.aspect != "once")
        elif tenses is not None and "perfect" in tenses:
            choices = tuple(item for item in choices if item.aspect != "state") or choices
        if modal is not None:
            choices = tuple(item for item in choices if item.aspect == "event")
        chosen = self.draw.choice(choices)
        if tenses is not None and "present" not in tenses:
            modal = None
        tense = self.tense(chosen, chosen.auxiliary != "être" or subject.gender_shown, tenses)
        if modal is not None:
            tense = "present"
        clause = Clause(subject, chosen, tense, self.links(5), modal=modal, negation=negation)
        compound = tense in COMPOUND
        if tense == "used_to" or (tense in ("past", "going_to", "future") and negation != "not"):
            clause.negation = negation = "" if tense == "used_to" else "not" if negation else ""
        if negation == "no longer" and tense not in ("present", "progressive", "past_progressive"):
            clause.negation = negation = "not"
        if negation in ("never", "no longer") and tense in ("progressive", "past_progressive"):
            clause.tense = "present"
        if modal is not None and negation:
            clause.negation = negation = "not"
        if frame in ("t", "d"):
            self._objects(clause, frame, compound, depth)
        elif frame == "a":
            clause.indirect = self.person(subject, True, False, depth)
        elif frame == "p":
            clause.extras.append(self.destination())
        elif frame == "l":
            clause.extras.append(self.place("in"))
        return self.finish(clause, depth, place=frame in ("t", "i"))

    def _objects(self, clause: Clause, frame: str, compound: bool, depth: int) -> None:
        chosen, subject = clause.verb, clause.subject
        noun = self.draw.choice(nouns_of(chosen.objects))
        if "person" in noun.classes:
            clause.direct = self.person(subject, True, compound, depth)
        else:
            feeling = chosen.english in ("love", "hate")
            clause.direct = self.noun(
                noun,
                definite=feeling,
                generic=feeling and "text" not in noun.classes and "animal" not in noun.classes,
                negated=bool(clause.negation),
                depth=depth,
            )
        if frame == "d":
            clause.indirect = self.person(subject, True, False, 0)

    def _be_tense(self, allowed: tuple[str, ...] | None) -> str:
        table = (("present", 5), ("past_progressive", 2), ("future", 1))
        suited = [(item, weight) for item, weight in table if allowed is None or item in allowed]
        return self.draw.weighted(suited) if suited else "past_progressive"

    def _be(self, subject: NounPhrase, negation: str, tenses: tuple[str, ...] | None) -> Clause:
        choices = adjectives_of(subject.classes[:1])
        if not subject.gender_shown:
            choices = tuple(item for item in choices if item.forms[0] == item.forms[1])
        adjective = self.draw.choice(choices)
        link = self.links()
        clause = Clause(subject, verb("be", "be"), self._be_tense(tenses), self.links(5), negation=negation)
        if clause.tense == "future" and negation:
            clause.negation = "not"
        form = adjective.form(subject.feminine, subject.plural)
        very = self.draw.choice((("very", "très"), ("too", "trop"), None, None))
        english, french = words(adjective.english, link), words(form, link)
        if very is not None and adjective.comparative:
            other = self.links()
            english, french = words(very[0], other) + english, words(very[1], other) + french
        clause.extras.append(Phrase(english, french))
        return self.finish(clause, 0, place=False, adverb=False)

    def finish(self, clause: Clause, depth: int, place: bool = True, adverb: bool = True) -> Clause:
        """Add adverbs, place and time, and note the clause."""
        draw, chosen = self.draw, clause.verb
        habit = False
        if clause.tense == "present" and chosen.aspect == "event" and not clause.negation and clause.modal is None:
            if adverb and draw.chance(0.5):
                clause.adverb = draw.choice(phrases("frequency"))
                self.links()
            else:
                habit = True
        if place and "m" in chosen.frames and draw.chance(0.3):
            clause.extras.append(self.fixed("manner"))
        elif place and chosen.aspect == "event" and chosen.english not in ("leave", "come back", "go out", "visit"):
            if draw.chance(0.3 if "i" in chosen.frames else 0.12):
                clause.extras.append(self.place())
        if place and "i" in chosen.frames and clause.direct is None and draw.chance(0.15):
            other = self.person(clause.subject, False, False, 0)
            link = self.links()
            clause.extras.append(
                Phrase([Word("with", (link,)), *other.english], [Word("avec", (link,)), *other.french])
            )
        kind = {"past": "past time", "future": "future time", "progressive": "present time"}.get(clause.tense)
        if habit:
            clause.time = self.fixed("habit")
        elif kind is not None and (kind == "past time" or draw.chance(0.25)):
            day = kind != "present time" and draw.chance(0.25)
            clause.time = self.fixed("day" if day else kind)
            if kind != "present time" and draw.chance(0.15):
                hour = self.fixed("hour")
                clause.time = Phrase(clause.time.english + hour.english, clause.time.french + hour.french)
        heads = [clause.subject.head, chosen.english]
        heads += [part.head for part in (clause.direct, clause.indirect) if part is not None]
        self.clauses.append(" ".join(heads))
        return clause

    # Adverbial phrases

    def fixed(self, kind: str) -> Phrase:
        """A fixed phrase of a kind."""
        english, french = self.draw.choice(phrases(kind))
        link = self.links()
        return Phrase(words(english, link), words(french, link))

    def place(self, kind: str = "") -> Phrase:
        """Where something is or happens."""
        link = self.links()
        kind = kind or self.draw.weighted((("at", 5), ("in", 5), ("relation", 2)))
        if kind == "relation":
            noun = self.draw.choice(nouns_of(("furniture", "nature", "vehicle")))
            choices = phrases("position")
            if "furniture" not in noun.classes:
                choices = choices[2:]
            english, french = self.draw.choice(choices)
        else:
            noun = self.draw.choice([item for item in nouns() if kind in item.classes])
            english, french = (("at", "à"), ("in", "dans"))[kind == "in"]
        phrase = self.noun(noun, definite=True, plural=False)
        return Phrase(words(english, link) + phrase.english, words(french, link) + phrase.french)

    def destination(self) -> Phrase:
        """Where somebody goes."""
        link = self.links()
        phrase = self.noun(self.draw.choice(nouns_of(("at",))), definite=True, plural=False)
        return Phrase([Word("to", (link,)), *phrase.english], [Word("à", (link,)), *phrase.french])
