"""A clause: what it says, and how English and French say it."""

from dataclasses import dataclass, field

from nmt_keras.data.phrasebook.english import verb_group
from nmt_keras.data.phrasebook.french import agree, conjugate
from nmt_keras.data.phrasebook.lexicon import Verb, verb
from nmt_keras.data.phrasebook.noun_phrases import PRONOUNS, NounPhrase
from nmt_keras.data.phrasebook.words import Phrase, Word, with_comma, words

FRENCH_TENSE = {
    "present": "present",
    "progressive": "present",
    "past_progressive": "imperfect",
    "used_to": "imperfect",
    "future": "future",
    "after_when": "future",
}
COMPOUND = ("perfect", "past")
NEGATIONS = {"not": "pas", "never": "jamais", "no longer": "plus"}
REFLEXIVE = ("me", "te", "se", "nous", "vous", "se")


@dataclass
class Clause:
    """A clause before it is put into words.

    Args:
        subject: its subject.
        verb: its verb.
        tense: of the finite verb: present, progressive, perfect, past, past_progressive, used_to, future, going_to,
            or after_when (English present, French future).
        link: seven free links start here: verb, auxiliary, negation, adverb, question, quality and "to".
        modal: the finite verb, if `verb` is in the infinitive (can, must, want to, have to).
        negation: "", "not", "never" or "no longer".
        adverb: the adverb beside the finite verb, often (English, French).
        quality: the adverb at the end in English, beside the finite verb in French: well.
        direct: the direct object; one without words is the gap of a relative clause or a question.
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
    quality: tuple[str, str] | None = None
    direct: NounPhrase | None = None
    indirect: NounPhrase | None = None
    extras: list[Phrase] = field(default_factory=list)
    time: Phrase | None = None
    fronted: bool = False

    # The English

    def english(self, question: bool = False) -> list[Word]:
        """The English words, in the order of a statement or of a question."""
        main, auxiliary, negation, adverb, asked = range(self.link, self.link + 5)
        finite = self.modal or self.verb
        front, rest = verb_group(
            (finite.english, finite.past, finite.participle, finite.gerund),
            "modal" if self.modal is not None and "modal" in self.modal.frames else self.tense,
            self.subject.person,
            self.subject.plural,
            question or self.negation == "not",
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
        return self._with_time(result + self._english_complements(), 0)

    def english_gerund(self) -> list[Word]:
        """The English words of a reduced relative clause: "singing here"."""
        return words(self.verb.gerund, self.link, self.link + 1) + self._english_complements()

    def english_imperative(self) -> list[Word]:
        """The English command."""
        front = words("do", self.link) + words("not", self.link + 2) if self.negation else []
        return front + words(self.verb.english, self.link, self.link + 1) + self._english_complements()

    def _english_complements(self) -> list[Word]:
        result: list[Word] = []
        if self.direct is not None:
            result += _english_object(self.direct)
        if self.indirect is not None:
            particle = [] if "a" in self.verb.frames else words("to", self.link + 6)
            result += particle + _english_object(self.indirect)
        if self.quality is not None:
            result += words(self.quality[0], self.link + 5)
        for extra in self.extras:
            result += extra.english
        return result

    def _with_time(self, sentence: list[Word], language: int) -> list[Word]:
        if self.time is None:
            return sentence
        time = self.time[language]
        return [*with_comma(time), *sentence] if self.fronted else sentence + time

    # The French

    def french(self, question: bool = False) -> list[Word]:
        """The French words, neither elided nor contracted."""
        main, auxiliary, negation, adverb, asked = range(self.link, self.link + 5)
        result = words("est-ce que", asked) if question else []
        result += self.subject.french
        if self.negation or self.subject.negative:
            result.append(Word("ne", (negation if self.negation else self.subject.link,)))
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
        if self.quality is not None:
            result += words(self.quality[1], self.link + 5)
        if infinitive:
            result += clitics
        return self._with_time(result + rest + self._french_complements(), 1)

    def french_imperative(self) -> list[Word]:
        """The French command, without its (pronoun) subject."""
        main, negation = self.link, self.link + 2
        links = (main, main + 1)
        subject = self.subject
        form = conjugate(self.verb, "imperative", 2, subject.person == 2 and subject.plural)
        if self.negation:
            result = [Word("ne", (negation,)), *self._clitics(), Word(form, links), Word("pas", (negation,))]
        else:
            stressed = ("-vous" if subject.plural else "-toi") if self.verb.reflexive else ""
            result = [Word(form + stressed, links)]
        if self.quality is not None:
            result += words(self.quality[1], self.link + 5)
        return result + self._french_complements()

    def _french_complements(self) -> list[Word]:
        result: list[Word] = []
        if self.direct is not None and not self.direct.pronoun:
            result += self.direct.french
        if self.indirect is not None and not self.indirect.pronoun:
            particle = self.link if "a" in self.verb.frames else self.link + 6
            result += [Word("à", (particle,)), *self.indirect.french]
        for extra in self.extras:
            result += extra.french
        return result

    def _clitics(self) -> list[Word]:
        """The pronouns before the verb in their order: me le, le lui."""
        found = []
        if self.verb.reflexive:
            found.append(Word(REFLEXIVE[self.subject.person - 1 + 3 * self.subject.plural], (self.link,)))
        if self.direct is not None and self.direct.pronoun:
            found.append(Word(PRONOUNS[self.direct.pronoun].direct, (self.direct.link,)))
        if self.indirect is not None and self.indirect.pronoun:
            forms = PRONOUNS[self.indirect.pronoun]
            pronoun = Word(forms.indirect, (self.indirect.link, self.link + 6))
            found = [*found, pronoun] if forms.person == 3 else [pronoun, *found]
        return found

    def _french_verb(self, main: int, auxiliary: int) -> tuple[Word, list[Word]]:
        """The finite verb, and the infinitive or participle."""
        person, plural = self.subject.person, self.subject.plural
        if self.modal is not None:
            form = conjugate(self.modal, FRENCH_TENSE[self.tense], person, plural)
            return Word(form, (auxiliary,)), [Word(self.verb.infinitive, (main,))]
        if self.tense == "going_to":
            form = conjugate(verb("go", "p"), "present", person, plural)
            return Word(form, (auxiliary,)), [Word(self.verb.infinitive, (main,))]
        if self.tense not in COMPOUND:
            return Word(conjugate(self.verb, FRENCH_TENSE[self.tense], person, plural), (main, auxiliary)), []
        form = self.verb.french_participle
        if self.verb.auxiliary == "être":
            helper = conjugate(verb("be", "be"), "present", person, plural)
            form = agree(form, self.subject.feminine, self.subject.several)
        else:
            helper = conjugate(verb("have", "t"), "present", person, plural)
            if self.direct is not None and (self.direct.pronoun or not self.direct.english):
                form = agree(form, self.direct.feminine, self.direct.plural)
        return Word(helper, (auxiliary,)), [Word(form, (main,))]


def _english_object(phrase: NounPhrase) -> list[Word]:
    if phrase.pronoun:
        return [Word(PRONOUNS[phrase.pronoun].object, (phrase.link,))]
    return phrase.english
