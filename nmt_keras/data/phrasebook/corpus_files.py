"""The phrasebook as plain files."""

from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

from nmt_keras.data.phrasebook.agreement import agreement_pairs
from nmt_keras.data.phrasebook.splits import phrasebook_pairs
from nmt_keras.errors import ConfigError
from nmt_keras.system.files import atomic_write


def write_phrasebook(directory: Path, train_size: int = 40_000, seed: int = 1) -> dict[str, int]:
    """Writes the phrasebook as a directory that `--corpus` takes.

    Line n of each file belongs to pair n of its split:

        SPLIT.en, SPLIT.fr          the sentences
        SPLIT.align                 links of source and target words, from 0: "0-0 1-2" (Pharaoh format)
        test_agreement.wrong.fr     the translations with one word in the wrong gender or number
        test_agreement.distance     words between the subject and its verb

    Args:
        directory: made if it is not there; must hold nothing but hidden files.
        train_size: pairs of the training split.
        seed: what all draws come from.

    Returns:
        The number of pairs in each split.

    Raises:
        ConfigError: `train_size` or `seed` is out of range, or the directory holds files or cannot be written.
    """
    try:
        _check_empty(directory)
        splits = phrasebook_pairs(train_size, seed)
        files: dict[str, Iterable[str]] = {}
        for name, pairs in splits.items():
            files[f"{name}.en"] = (pair.source for pair in pairs)
            files[f"{name}.fr"] = (pair.target for pair in pairs)
            files[f"{name}.align"] = (" ".join(f"{i}-{j}" for i, j in pair.alignment) for pair in pairs)
        by_source = {pair.source: pair for pair in agreement_pairs(seed)}
        contrasts = [by_source[pair.source] for pair in splits["test_agreement"]]
        files["test_agreement.wrong.fr"] = (pair.wrong_target for pair in contrasts)
        # Not .tsv: a corpus's directory takes those for splits.
        files["test_agreement.distance"] = (str(pair.distance) for pair in contrasts)
        with ExitStack() as all_or_none:
            for name, lines in files.items():
                temporary = all_or_none.enter_context(atomic_write(directory / name))
                temporary.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"--output must be a directory that can be written. Received: {directory}: {error.strerror}."
        ) from None
    return {name: len(pairs) for name, pairs in splits.items()}


def _check_empty(directory: Path) -> None:
    if not directory.exists():
        return
    if names := sorted(path.name for path in directory.iterdir() if not path.name.startswith(".")):
        raise ConfigError(
            f"--output must be a new or an empty directory, so that no file is lost. "
            f"Received: {directory}, which holds {names[0]}{f' and {len(names) - 1} more' if names[1:] else ''}."
        )
