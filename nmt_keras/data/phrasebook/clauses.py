"""A clause: what it says, and how English and French say it."""

from dataclasses import dataclass, field

from nmt_keras.data.phrasebook.english import verb_group
from nmt_keras.data.phrasebook.french import agree, conjugate
from nmt_keras.data.phrasebook.lexicon import Verb, verb
from nmt_keras.data.phrasebook.noun_phrases import PRONOUNS, NounPhrase, object_pronoun
from nmt_keras.data.phrasebook.words import Phrase, Word, with_comma, words

FRENCH_TENSE = {
    "present": "present",
    "progressive": "present",
    "past_progressive": "imperfect",
    "used_to": "imperfect",
    "future": "future",
}
COMPOUND = ("perfect", "past")
NEGATIONS = {"not": "pas", "never": "jamais", "no longer": "plus"}


@dataclass
class Clause:
    """A clause before it is put into words.

    Args:
        subject: its subject.
        verb: its verb.
        tense: of the finite verb: present, progressive, perfect, past, past_progressive, used_to, future or going_to.
        link: five free links start here: verb, auxiliary, negation, adverb and question.
        modal: the finite verb, if `verb` is in the infinitive (can, must, want to, have to).
        negation: "", "not", "never" or "no longer".
        adverb: the adverb of frequency (English, French).
        direct: the direct object; a noun phrase without words is the gap of a relative clause.
        indirect: the object with "to" and "à".
        extras: what follows: predicate, manner, places, companions.
        time: when, last in its clause, or first with a comma if `fronted`.
        fronted: whether the time comes first.
    """

    subject: NounPhrase
    verb: Verb
    tense: str
    link: int
    modal: Verb | None = None
    negation: str = ""
    adverb: tuple[str, str] | None = None
    direct: NounPhrase | None = None
    indirect: NounPhrase | None = None
    extras: list[Phrase] = field(default_factory=list)
    time: Phrase | None = None
    fronted: bool = False

    def english(self, question: bool = False) -> list[Word]:
        """The English words, in the order of a statement or of a question."""
        main, auxiliary, negation, adverb, asked = range(self.link, self.link + 5)
        finite = self.modal or self.verb
        tense = "modal" if self.modal is not None and "modal" in self.modal.frames else self.tense
        support = question or self.negation == "not"
        front, rest = verb_group(
            (finite.english, finite.past, finite.participle, finite.gerund),
            tense,
            self.subject.person,
            self.subject.plural,
            support,
            auxiliary if self.modal else main,
            auxiliary,
        )
        if self.modal is not None:
            rest += words(self.verb.english, main)
        if self.negation == "not" and front and front[0].text == "can":
            front = [Word("cannot", (*front[0].links, negation))]
        elif self.negation:
            rest = words(self.negation, negation) + rest
        if self.adverb is not None:
            rest = words(self.adverb[0], adverb) + rest
        if question:
            front = [word._replace(links=(*word.links, asked)) for word in front]
            result = front + self.subject.english + rest
        else:
            result = self.subject.english + front + rest
        if self.direct is not None:
            if self.direct.pronoun:
                result += object_pronoun(self.direct.pronoun, False, self.direct.link)[0]
            else:
                result += self.direct.english
        if self.indirect is not None:
            particle = [] if "a" in self.verb.frames else words("to", self.indirect.link)
            if self.indirect.pronoun:
                result += particle + object_pronoun(self.indirect.pronoun, True, self.indirect.link)[0]
            else:
                result += particle + self.indirect.english
        for extra in self.extras:
            result += extra.english
        if self.time is not None:
            return [*with_comma(self.time.english), *result] if self.fronted else result + self.time.english
        return result

    def french(self, question: bool = False) -> list[Word]:
        """The French words, neither elided nor contracted."""
        main, auxiliary, negation, adverb, asked = range(self.link, self.link + 5)
        result = words("est-ce que", asked) if question else []
        result += self.subject.french
        if self.negation:
            result.append(Word("ne", (negation,)))
        clitics = self._clitics()
        finite, rest = self._french_verb(main, auxiliary)
        infinitive = self.modal is not None or self.tense == "going_to"
        if not infinitive:
            result += clitics
        result.append(finite)
        if self.negation:
            result.append(Word(NEGATIONS[self.negation], (negation,)))
        if self.adverb is not None:
            result += words(self.adverb[1], adverb)
        if infinitive:
            result += clitics
        result += rest
        if self.direct is not None and not self.direct.pronoun:
            result += self.direct.french
        if self.indirect is not None and not self.indirect.pronoun:
            result += [Word("à", (self.indirect.link,)), *self.indirect.french]
        for extra in self.extras:
            result += extra.french
        if self.time is not None:
            return [*with_comma(self.time.french), *result] if self.fronted else result + self.time.french
        return result

    def _clitics(self) -> list[Word]:
        """The object pronouns in their order: me le, le lui."""
        found = []
        if self.direct is not None and self.direct.pronoun:
            found += object_pronoun(self.direct.pronoun, False, self.direct.link)[1]
        if self.indirect is not None and self.indirect.pronoun:
            pronoun = object_pronoun(self.indirect.pronoun, True, self.indirect.link)[1]
            third = PRONOUNS[self.indirect.pronoun][5] == 3
            found = found + pronoun if third else pronoun + found
        return found

    def _french_verb(self, main: int, auxiliary: int) -> tuple[Word, list[Word]]:
        person, plural = self.subject.person, self.subject.plural
        if self.modal is not None:
            form = conjugate(self.modal, FRENCH_TENSE[self.tense], person, plural)
            return Word(form, (auxiliary,)), [Word(self.verb.french, (main,))]
        if self.tense == "going_to":
            return Word(conjugate(verb("go", "p"), "present", person, plural), (auxiliary,)), [
                Word(self.verb.french, (main,))
            ]
        if self.tense not in COMPOUND:
            return Word(conjugate(self.verb, FRENCH_TENSE[self.tense], person, plural), (main, auxiliary)), []
        form = self.verb.french_participle
        if self.verb.auxiliary == "être":
            helper = conjugate(verb("be", "be"), "present", person, plural)
            form = agree(form, self.subject.feminine, plural)
        else:
            helper = conjugate(verb("have", "t"), "present", person, plural)
            if self.direct is not None and (self.direct.pronoun or not self.direct.english):
                form = agree(form, self.direct.feminine, self.direct.plural)
        return Word(helper, (auxiliary,)), [Word(form, (main,))]
