"""The embedded corpus: English sentences and their French translations, written by a grammar."""

from nmt_keras.data.phrasebook.agreement import agreement_pairs
from nmt_keras.data.phrasebook.corpus_files import write_phrasebook
from nmt_keras.data.phrasebook.listed import LISTED_SENTENCES
from nmt_keras.data.phrasebook.pairs import PhrasePair
from nmt_keras.data.phrasebook.splits import NOTICE, phrasebook_corpus, phrasebook_pairs

__all__ = [
    "LISTED_SENTENCES",
    "NOTICE",
    "PhrasePair",
    "agreement_pairs",
    "phrasebook_corpus",
    "phrasebook_pairs",
    "write_phrasebook",
]
