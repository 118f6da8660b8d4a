from nmt_keras.data.phrasebook import LISTED_SENTENCES, phrasebook_corpus


def test_listed_sentences_come_with_the_corpus_and_are_in_no_split() -> None:
    corpus = phrasebook_corpus(train_size=2_000)
    assert list(corpus.listed.items()) == list(LISTED_SENTENCES)
    assert len(corpus.listed) == 21
    assert corpus.listed["I am eating."] == "Je mange."
    for text in corpus.splits.values():
        assert not set(corpus.listed) & set(text.sources)
