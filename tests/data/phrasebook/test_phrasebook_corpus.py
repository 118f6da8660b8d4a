"""The embedded corpus as its users see it."""

import hashlib
import os
import re
import subprocess
import sys

import pytest

from nmt_keras.data.parallel_text import Corpus
from nmt_keras.data.phrasebook import (
    LISTED_SENTENCES,
    PhrasePair,
    agreement_pairs,
    phrasebook_corpus,
    phrasebook_pairs,
    splits,
)
from nmt_keras.data.phrasebook.lexicon import adjectives, nouns, verbs
from nmt_keras.data.phrasebook.pairs import DrawnSentence
from nmt_keras.data.phrasebook.sentences import draw_sentence
from nmt_keras.data.phrasebook.words import Draw
from nmt_keras.errors import ConfigError

SPLITS = ("train", "valid", "test", "test_long", "test_longer", "test_agreement")


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return phrasebook_corpus()


@pytest.fixture(scope="module")
def pairs(corpus: Corpus) -> list[PhrasePair]:
    return [pair for split in phrasebook_pairs().values() for pair in split]


def plain(text: str) -> set[str]:
    return {word.strip(".,?").lower() for word in text.split()}


def test_splits_have_their_sizes_and_share_no_english_sentence(corpus: Corpus) -> None:
    assert tuple(corpus.splits) == SPLITS
    sizes = [len(corpus.split(name)) for name in SPLITS]
    assert sizes[:3] == [40_000, 1_000, 1_000]
    assert min(sizes[3:]) >= 300
    sources = [source for split in corpus.splits.values() for source in split.sources]
    assert len(sources) == len(set(sources)) == sum(sizes)
    assert (corpus.name, corpus.source_language, corpus.target_language) == ("phrasebook", "en", "fr")
    assert "synthetic" in corpus.notice


def test_long_splits_begin_where_training_lengths_end(corpus: Corpus) -> None:
    def lengths(name: str) -> list[int]:
        return sorted(len(source.split()) for source in corpus.split(name).sources)

    train = lengths("train")
    assert train[0] == 2
    assert 0.75 < sum(3 <= length <= 14 for length in train) / len(train) < 0.95
    assert lengths("test_long")[0] >= train[int(0.95 * len(train))]
    assert lengths("test_long")[-1] <= train[-1] < lengths("test_longer")[0]
    assert lengths("test_longer")[-1] > 60


def test_test_has_the_lengths_of_train(corpus: Corpus) -> None:
    means = [sum(len(s.split()) for s in corpus.split(n).sources) / len(corpus.split(n)) for n in ("train", "test")]
    assert means[0] == pytest.approx(means[1], abs=0.5)


def test_the_same_sentence_in_another_tense_is_not_in_train(corpus: Corpus) -> None:
    # "Paul has sung." and "Paul will sing." combine the same clauses.
    def content(split: str) -> set[tuple[str, ...]]:
        stems = {form: verb.english for verb in verbs() for form in (verb.past, verb.participle, verb.gerund)}
        found = set()
        for source in corpus.split(split).sources:
            match = re.fullmatch(r"(\w+) (?:is|has|will|is going to) (\w+)[.]", source)
            if match is not None:
                found.add((match[1], stems.get(match[2], match[2])))
        return found

    test, train = content("test"), content("train")
    assert len(test) >= 5
    assert len(train) >= 100
    assert not test & train


def test_no_combination_of_clauses_is_in_two_splits(monkeypatch: pytest.MonkeyPatch) -> None:
    found: dict[tuple[str, ...], set[str]] = {}
    taken = []
    take = splits._Chosen.take

    def recorded(chosen: splits._Chosen, drawn: DrawnSentence, split: str) -> bool:
        new = take(chosen, drawn, split)
        if new:
            taken.append(drawn.pair)
            found.setdefault(drawn.combination, set()).add(split)
        return new

    monkeypatch.setattr(splits._Chosen, "take", recorded)
    pairs = splits._pairs.__wrapped__(1_000, 2)
    assert sorted(taken, key=str) == sorted((pair for split in pairs.values() for pair in split), key=str)
    assert max(map(len, found.values())) == 1
    assert len(found) > 3_000


def test_listed_sentences_are_in_no_split_and_made_of_frequent_words(corpus: Corpus) -> None:
    assert len(LISTED_SENTENCES) == len(set(LISTED_SENTENCES)) == 21
    assert LISTED_SENTENCES[0] == ("I am eating.", "Je mange.")
    assert list(corpus.listed.items()) == list(LISTED_SENTENCES)
    lengths = [len(source.split()) for source, _ in LISTED_SENTENCES]
    assert min(lengths) == 3
    assert max(lengths) >= 12
    sources = {source for split in corpus.splits.values() for source in split.sources}
    english: dict[str, int] = {}
    french: dict[str, int] = {}
    for counts, texts in ((english, corpus.split("train").sources), (french, corpus.split("train").targets)):
        for text in texts:
            for word in plain(text):
                counts[word] = counts.get(word, 0) + 1
    for source, target in LISTED_SENTENCES:
        assert source not in sources
        assert [word for word in plain(source) if english.get(word, 0) < 40] == []
        assert [word for word in plain(target) if french.get(word, 0) < 20] == []


def test_every_word_of_the_lexicon_is_frequent_in_train(corpus: Corpus) -> None:
    text = " " + re.sub("[.,?]|'s", "", " ".join(corpus.split("train").sources)).lower() + " "
    rare = []
    for word in [*nouns(), *adjectives(), *verbs()]:
        forms = [word.english]
        forms += [
            getattr(word, name) for name in ("english_plural", "past", "participle", "gerund") if hasattr(word, name)
        ]
        if sum(text.count(f" {form.lower()} ") for form in set(forms)) < 50:
            rare.append(word.english)
    assert rare == []


@pytest.mark.parametrize(
    ("name", "value"), [("train_size", 0), ("train_size", 10**10), ("seed", -1), ("seed", 2**32), ("seed", 10**400)]
)
def test_sizes_and_seeds_are_bounded(name: str, value: int) -> None:
    for make in (phrasebook_corpus, phrasebook_pairs) + (agreement_pairs,) * (name == "seed"):
        with pytest.raises(ConfigError, match=rf"{name} must be from \d to [\d,]+\. Received: {name}={value}\."):
            make(**{name: value})


def drawn_hash(seed: int) -> str:
    draw = Draw(seed)
    return hashlib.sha256("".join(str(draw_sentence(draw)) for _ in range(2_000)).encode()).hexdigest()


def test_the_seed_alone_decides_what_is_drawn() -> None:
    code = f"import runpy; print(runpy.run_path({__file__!r})['drawn_hash'](3))"
    environment = {**os.environ, "PYTHONHASHSEED": "77", "PYTHONPATH": os.pathsep.join(sys.path)}
    other = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert drawn_hash(3) == other.stdout.strip() != drawn_hash(4)


def test_the_corpus_is_the_same_on_every_machine(corpus: Corpus) -> None:
    assert {name: corpus.split(name).sha256[:16] for name in SPLITS} == {
        "train": "fc48ad6c837c7945",
        "valid": "45e4cb2fff28c533",
        "test": "b3535a40f3eef48a",
        "test_long": "2b87bc403e356744",
        "test_longer": "a054ac72880f2ddb",
        "test_agreement": "4c6e5e0a8fbbc872",
    }


def test_one_english_sentence_has_one_translation(pairs: list[PhrasePair]) -> None:
    # Drawn anew, with repetitions: the splits hold each English sentence once.
    translations = {pair.source: pair.target for pair in pairs} | dict(LISTED_SENTENCES)
    draw = Draw(7)
    repeated = 0
    for _ in range(20_000):
        pair = draw_sentence(draw).pair
        repeated += pair.source in translations
        assert translations.setdefault(pair.source, pair.target) == pair.target
    assert repeated > 500


@pytest.mark.heavy
def test_200_000_distinct_pairs_can_be_drawn_and_each_has_one_translation() -> None:
    translations: dict[str, str] = {}
    draw = Draw(1)
    drawn = 0
    while len(translations) < 200_000:
        pair = draw_sentence(draw).pair
        assert translations.setdefault(pair.source, pair.target) == pair.target
        drawn += 1
    assert drawn < 300_000


def test_you_is_always_addressed(pairs: list[PhrasePair]) -> None:
    found = [pair for pair in pairs if "you" in plain(pair.source)]
    assert len(found) > 1_000
    for pair in found:
        head = pair.source.split(",")[0]
        assert re.fullmatch(r"[A-Z]\w+( and [A-Z]\w+)?", head), pair.source
        singular = " and " not in head and head not in ("Sir", "Madam", "Children")
        assert ("tu" in plain(pair.target)) == singular
        assert ("vous" in plain(pair.target)) != singular


def test_they_and_it_have_something_to_stand_for(pairs: list[PhrasePair]) -> None:
    plurals = {noun.english_plural for noun in nouns()} - {"-"}
    singulars = {noun.english for noun in nouns()}
    found = 0
    for pair in pairs:
        words = [word.strip(".,?") for word in pair.source.split()]
        for pronoun, antecedents in (("they", plurals), ("it", singulars)):
            if pronoun in words:
                found += 1
                assert antecedents & set(words[: words.index(pronoun)]), pair.source
    assert found > 500


def test_a_simple_past_is_dated(pairs: list[PhrasePair]) -> None:
    # "went" may be "est allé" or "allait"; "yesterday" and "when" decide.
    pasts = {verb.past.split()[0] for verb in verbs()} - {verb.participle.split()[0] for verb in verbs()}
    pasts -= {"was", "had", "could", "-"}
    dates = ("yesterday", "last ", " ago", "on ", "when ")
    found = [
        pair
        for pair in pairs
        if pasts & plain(pair.source) or (" did " in pair.source and " use to " not in pair.source)
    ]
    assert len(found) > 500
    undated = [pair.source for pair in found if not any(date in pair.source.lower() for date in dates)]
    assert undated == []


@pytest.mark.parametrize(
    ("pattern", "example"),
    [
        (r"\b[Ee]veryone (?:\w+ ){0,2}(?:not|never|no longer|cannot)\b", "Everyone was not hungry."),
        (r"^(?:Everyone|Someone|Who|Every \w+) (?:[\w']+ )*their\b", "Everyone stayed in their apartment."),
        (r"\b[Nn]obody has to\b", "Nobody has to sing."),
        (r"^(?!Who)(?!.*\b(?:who|that|where|whose)\b).*\bused to\b.*[?]$", "Why he used to sing?"),
        (r"\b(?:week|month|year|ago|night|morning) at \w+ (?:o'clock|past)\b", "Paul sang last year at one o'clock."),
        (r"\b(?:is|are) new[.]", "The box is new."),
        (r"\b(?i:a|the|his|my) tall\b", "The tall man is singing."),
        (r"\b([A-Z]\w+)'s (?:\w+ )?\w+ to \1\b", "We are giving Anne's letter to Anne."),
    ],
)
def test_what_an_editor_would_mark_is_not_said(pairs: list[PhrasePair], pattern: str, example: str) -> None:
    assert re.search(pattern, example)
    assert [pair.source for pair in pairs if re.search(pattern, pair.source)] == []


def test_english_articles(pairs: list[PhrasePair]) -> None:
    followers = {(match[0], match[1]) for pair in pairs for match in re.findall(r"\b([Aa]n?) (\w+)", pair.source)}
    vowels = {word for article, word in followers if article.lower() == "an"}
    consonants = {word for article, word in followers if article.lower() == "a"}
    assert {"apple", "old", "honest", "intelligent"} <= vowels
    assert {"university", "useful", "hat", "young"} <= consonants
    assert {word for word in vowels if word[0] not in "aeiouAEIOU"} == {"honest"}
    assert {word for word in consonants if word[0] in "aeiouAEIOU"} <= {"university", "useful"}
    assert "lot" in consonants


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        (r"(?:[Jj]e (?:ne )?|[Jj]'|nous (?:n'|ne )?)(?:suis|étais|serai|sommes|étions|serons)", 200),
        (r"(?:Qui|[Qq]uelqu'un|[Pp]ersonne n[e']) ?(?:est|était|sera)", 60),
        (r"Les enfants, (?:est-ce que )?vous (?:n'|ne )?(?:êtes|étiez|serez)", 8),
    ],
)
def test_whoever_may_be_a_man_or_a_woman_hides_the_gender(pairs: list[PhrasePair], subject: str, expected: int) -> None:
    gendered = {form for item in adjectives() if item.forms[0] != item.forms[1] for form in item.forms}
    participles = {verb.french_participle for verb in verbs() if verb.auxiliary == "être"}
    gendered |= {form + ending for form in participles for ending in ("", "e", "s", "es")}
    adverbs = "(?: (?:pas|jamais|plus|encore|déjà|très|trop|si))*"
    found = [match for pair in pairs for match in re.findall(rf"{subject}{adverbs} (\w+)", pair.target)]
    assert len(found) > expected
    assert set(found) & gendered == set()
