"""The gold word alignments against words whose translation is known."""

import re

import pytest

from nmt_keras.data.phrasebook import PhrasePair, phrasebook_pairs
from nmt_keras.data.phrasebook.lexicon import nouns


@pytest.fixture(scope="module")
def pairs() -> list[PhrasePair]:
    return [pair for split in phrasebook_pairs().values() for pair in split]


def bare(word: str) -> str:
    word = word.strip(".,?").removesuffix("'s")
    return word.split("'")[-1] if "aujourd" not in word.lower() else word


def test_alignments_are_sorted_pairs_of_words(pairs: list[PhrasePair]) -> None:
    for pair in pairs:
        source, target = pair.source.split(), pair.target.split()
        assert list(pair.alignment) == sorted(set(pair.alignment))
        assert all(0 <= i < len(source) and 0 <= j < len(target) for i, j in pair.alignment)


def test_every_word_is_aligned(pairs: list[PhrasePair]) -> None:
    # An adverb that one side lacks would be a word without a link. English has no "who" in "the man singing" and no
    # article after "whose".
    free = []
    for pair in pairs:
        source, target = pair.source.split(), pair.target.split()
        assert {i for i, _ in pair.alignment} == set(range(len(source))), pair.source
        for j in set(range(len(target))) - {j for _, j in pair.alignment}:
            assert target[j] == "qui" or (target[j] in ("le", "la", "les") and target[j - 1] == "dont"), pair.target
            free.append(target[j])
    assert {"qui", "le", "la", "les"} == set(free)


def test_nouns_and_names_are_aligned_with_their_translations_only(pairs: list[PhrasePair]) -> None:
    translations: dict[str, set[str]] = {name: {name} for name in ("Paul", "Marie", "Antoine", "Anne", "Claire")}
    for noun in nouns():
        translations.setdefault(noun.english, set()).add(noun.french)
        translations.setdefault(noun.english_plural, set()).add(noun.french_plural)
    articles = {"le", "la", "les", "l", "de", "du", "des", "au", "aux", "d"}
    checked = 0
    for pair in pairs:
        source, target = pair.source.split(), pair.target.split()
        for i, word in enumerate(source):
            if bare(word) not in translations:
                continue
            french = [target[j] for k, j in pair.alignment if k == i]
            if word.rstrip(".,?").endswith("'s"):  # "Paul's school" is "l'école de Paul": 's is the article, too
                french = [
                    item
                    for item in french
                    if not item.lower().startswith("l'") or bare(item) in translations[bare(word)]
                ]
            linked = [bare(item) for item in french]
            if word.startswith("watch") and not {"montre", "montres"} & set(linked):  # the verb
                continue
            checked += 1
            assert translations[bare(word)] & set(linked), (pair, word, linked)
            assert {item.lower() for item in set(linked) - translations[bare(word)]} <= articles, (pair, word, linked)
    assert checked > 50_000


def links(source: str) -> set[tuple[str, str]]:
    pairs = [pair for split in phrasebook_pairs().values() for pair in split if re.search(source, pair.source)]
    assert pairs
    pair = min(pairs, key=lambda pair: (len(pair.source), pair.source))
    words = pair.source.rstrip(".?").split(), pair.target.rstrip(".?").split()
    return {(words[0][i], words[1][j]) for i, j in pair.alignment}


def test_grammar_words() -> None:
    assert {("not", "n'est"), ("not", "pas"), ("is", "n'est")} <= links(
        r"^She is not (sick|sad|tired|young|rich|strong|old|lazy|kind|famous)[.]$"
    )
    assert {("used", "dormait"), ("to", "dormait"), ("sleep", "dormait")} <= links("used to sleep[.]$")
    assert {("will", "dormira"), ("sleep", "dormira")} <= links("^(He|She) will sleep[.]$|[aeiou][a-z]+ will sleep[.]$")
    assert {("has", "est"), ("left", "partie")} <= links(
        "^(She|Marie|Anne|Julie|Alice) has left[.]$|daughter has left[.]$"
    )
    assert ("to", "à") in links(r" giving .* to [A-Z]\w+[.]$")
    assert ("than", "que") in links(r"taller than (Paul|Marie|Julie|Louis)[.]$")
    assert ("taller", "plus") in links(r"taller than (Paul|Marie|Julie|Louis)[.]$")
