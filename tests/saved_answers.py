"""What saved models answer on the backend of this process."""

from pathlib import Path
from typing import Any

import numpy as np
from architecture_names import MADE_OF_THE_SAME_PARTS

from nmt_keras.config import SearchConfig
from nmt_keras.decoding.compilation import compile_inference
from nmt_keras.decoding.translator import Translator
from nmt_keras.models.directory import load_model
from nmt_keras.text.special_tokens import BOS_ID, EOS_ID, PAD_ID

SENTENCES = ["one two three", "nine", "seven seven zero four", "eight five"]


def all_answers(directory: Path) -> dict[str, dict[str, Any]]:
    """The answers of the models in the directories there, by name."""
    return {path.name: saved_answers(path) for path in sorted(directory.iterdir())}


def saved_answers(directory: Path) -> dict[str, Any]:
    """The logits (B, T, V) of the model in `directory` for fixed sentence pairs, and its greedy translations.

    There are no translations of those that the contract is tested with on every backend: its tests have searched.
    """
    loaded = load_model(directory)
    model, tokenizer = loaded.model, loaded.tokenizer
    ids = np.random.default_rng(0).integers(EOS_ID + 1, tokenizer.vocabulary_size, (2, 3, 7), dtype="int32")
    ids[0, 1, 4:] = PAD_ID
    ids[1, :, 0] = BOS_ID
    logits = compile_inference(model, lambda source, target: model({"source_ids": source, "target_in_ids": target}), 2)
    translator = Translator(model, tokenizer, SearchConfig(beam_size=1, max_length_ratio=1.0))
    searched = SENTENCES if directory.name in MADE_OF_THE_SAME_PARTS else []
    return {
        "logits": logits(*ids).tolist(),
        "translations": [translation.text for translation in translator.translate(searched)],
    }
