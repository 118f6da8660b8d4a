"""The embedded corpus: English sentences and their French translations, written by a grammar."""

from nmt_keras.data.phrasebook.listed import LISTED_SENTENCES
from nmt_keras.data.phrasebook.sentences import PhrasePair
from nmt_keras.data.phrasebook.splits import phrasebook_corpus, phrasebook_pairs

__all__ = ["LISTED_SENTENCES", "PhrasePair", "phrasebook_corpus", "phrasebook_pairs"]
