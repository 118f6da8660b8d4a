"""English morphology: the verb group and the articles."""

from nmt_keras.data.phrasebook.words import Word, words

BE_PRESENT = {(1, False): "am", (3, False): "is"}


def third_person(base: str) -> str:
    """The third person singular of a verb ("goes", "looks for")."""
    first, *particle = base.split()
    if first == "have":
        first = "has"
    elif first.endswith(("s", "sh", "ch", "x", "z", "o")):
        first += "es"
    elif first.endswith("y") and first[-2] not in "aeiou":
        first = first[:-1] + "ies"
    else:
        first += "s"
    return " ".join([first, *particle])


def be(tense: str, person: int, plural: bool) -> str:
    """A form of "be": am, is, are, was or were."""
    if tense == "past":
        return "was" if person != 2 and not plural else "were"
    return BE_PRESENT.get((person, plural), "are")


def superlative(comparative: str) -> str:
    """The superlative, from the comparative ("tallest", "most famous")."""
    first, *rest = comparative.split()
    return " ".join(["most", *rest]) if rest else first.removesuffix("er") + "est"


def with_article(following: list[Word], *links: int) -> list[Word]:
    """The indefinite article ("a" or "an") and what follows it."""
    text = following[0].text.lower()
    vowel = text.startswith(("a", "e", "i", "o", "u", "hon")) and not text.startswith(("uni", "use", "one"))
    # "honey" has its h, "honest" has not
    return [Word("an" if vowel and text != "honey" else "a", links), *following]


def verb_group(
    forms: tuple[str, str, str, str],
    tense: str,
    person: int,
    plural: bool,
    support: bool,
    main: int,
    auxiliary: int,
) -> tuple[list[Word], list[Word]]:
    """The auxiliary, which a question puts before its subject, and the rest of the verb group.

    Args:
        forms: base, past, participle and gerund.
        tense: present, progressive, perfect, past, past_progressive, used_to, future, going_to, after_when (present,
            French future) or modal.
        person: of the subject: 1, 2 or 3.
        plural: whether the subject is plural.
        support: whether "do" is needed (question or "not") where there is no other auxiliary.
        main: the link of the verb.
        auxiliary: the link of its auxiliary, which is also the link of the finite verb.

    Returns:
        Auxiliary (none or one word) and rest.
    """
    base, past, participle, gerund = forms
    third = person == 3 and not plural
    both = (main, auxiliary)
    now, then = be("present", person, plural), be("past", person, plural)
    if base == "be" and tense in ("present", "past_progressive"):
        return words(now if tense == "present" else then, *both), []
    match tense:
        case "progressive":
            return words(now, auxiliary), words(gerund, main)
        case "past_progressive":
            return words(then, auxiliary), words(gerund, main)
        case "going_to":
            return words(now, auxiliary), words("going to", auxiliary) + words(base, main)
        case "perfect":
            return words("has" if third else "have", auxiliary), words(participle, main)
        case "future":
            return words("will", *both), words(base, *both)
        case "modal":
            return words(base, *both), []
        case "used_to" if support:
            return words("did", auxiliary), words("use to", *both) + words(base, *both)
        case "used_to":
            return [], words("used to", *both) + words(base, *both)
        case "past" if support:
            return words("did", auxiliary), words(base, main)
        case "past":
            return [], words(past, *both)
        case _ if support:
            return words("does" if third else "do", auxiliary), words(base, *both)
        case _:
            return [], words(third_person(base) if third else base, *both)
