"""The contract is enforced where a model is defined."""

from typing import Any

import pytest

from nmt_keras.models.base import TranslationModel
from nmt_keras.models.rnn import RecurrentModel, RecurrentSeq2Seq


def test_a_class_that_lacks_a_member_fails_when_it_is_defined() -> None:
    with pytest.raises(TypeError, match=r"A model must define decode, decode_step, initial_state\. Received: .*Half"):

        class Half(RecurrentModel):
            def encode(self, *_: Any, **__: Any) -> None:
                pass

    with pytest.raises(TypeError, match=r"decode, decode_step, encode, initial_state, vocabulary_layers\."):
        type("Empty", (TranslationModel,), {})


def test_a_whole_class_and_an_abstract_one_are_defined() -> None:
    assert type("Other", (RecurrentSeq2Seq,), {}).__name__ == "Other"

    class Base(TranslationModel, abstract=True):
        pass

    assert issubclass(Base, TranslationModel)
