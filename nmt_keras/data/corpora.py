"""The corpora a user can name: the built-in phrasebook, Multi30k, and directories of their own."""

import os
import re
import sys
from collections import defaultdict
from pathlib import Path

from nmt_keras.data.multi30k import load_multi30k
from nmt_keras.data.parallel_text import Corpus, ParallelText
from nmt_keras.data.text_files import read_line_pair, read_tsv
from nmt_keras.errors import CorpusError

REQUIRED_SPLITS = ("train", "valid", "test")
MAX_FILES_LISTED = 12


def load_corpus(
    name: str,
    source_language: str = "en",
    target_language: str = "fr",
    data_dir: str | None = None,
    seed: int = 1,
    only: str | None = None,
) -> Corpus:
    """The corpus of that name.

    Args:
        name: one of

            - "phrasebook": generated sentences, English and French; needs no file and no network.
            - "multi30k": image captions between English, German, French and Czech; downloaded once.
            - a directory that holds, for each of the splits train, valid and test, either two files of which
              line n of one translates line n of the other, `train.SOURCE` and `train.TARGET` (by the
              languages' codes), or one file `train.tsv` with source TAB target and no header; each of them
              plain or `.gz`. Other names (`NAME.SOURCE` and `NAME.TARGET`, or `NAME.tsv`) become splits of
              those names.
        source_language: code of the source language, as in the names of the files.
        target_language: code of the target language.
        data_dir: directory that holds `multi30k/`, in place of a download (default: the environment variable
            NMT_KERAS_DATA).
        seed: of the phrasebook; of no effect elsewhere.
        only: of a directory, the one split that is read, if it is there; by default all are.

    Raises:
        CorpusError: there is no such corpus, it lacks the languages, or its files have faults: all of them,
            each with file and line number.
        UserError: a file cannot be downloaded.

    Example:
        >>> phrasebook = nmt_keras.load_corpus("phrasebook")
        >>> len(phrasebook.split("train"))
        40000
    """
    _check_languages(source_language, target_language)
    if name == "phrasebook":
        if (source_language, target_language) != ("en", "fr"):
            raise CorpusError(
                [f"Corpus phrasebook translates en-fr only. Received: {source_language}-{target_language}."]
            )
        from nmt_keras.data.phrasebook import phrasebook_corpus

        return phrasebook_corpus(seed=seed)
    if name == "multi30k":
        return load_multi30k(source_language, target_language, data_dir)
    directory = Path(os.path.expanduser(name))
    if name and os.path.isdir(directory):  # unlike Path.is_dir, it stands a name that is too long
        return _load_directory(name, directory, source_language, target_language, only)
    raise CorpusError(
        [
            f"A corpus must be phrasebook, multi30k, or a directory that holds "
            f"{{train,valid,test}}.{source_language} and .{target_language}, or {{train,valid,test}}.tsv "
            f"(plain or .gz). Received: {name!r}, which is "
            f"{'a file' if os.path.isfile(directory) else 'none of them'}."
        ]
    )


def _check_languages(source_language: str, target_language: str) -> None:
    faults = [
        f"A language must be a code as in file names, such as en or pt-BR. Received: {option}={language!r}."
        for option, language in (("source_language", source_language), ("target_language", target_language))
        if not re.fullmatch(r"\w[\w-]*", language) or language in ("tsv", "gz")
    ]
    if source_language == target_language:
        faults.append(f"Source and target language must differ. Received: {source_language!r} for both.")
    if faults:
        raise CorpusError(faults)


def _load_directory(name: str, directory: Path, source_language: str, target_language: str, only: str | None) -> Corpus:
    faults: list[str] = []
    splits: dict[str, ParallelText] = {}
    files = _split_files(directory, source_language, target_language, faults)
    if only in files:
        files = {only: files[only]}
    for split, paths in files.items():
        text = read_tsv(paths[0], faults) if len(paths) == 1 else read_line_pair(*paths, faults)
        if text:
            splits[split] = text
    if faults:
        raise CorpusError(faults)
    return Corpus(name, source_language, target_language, splits)


def _split_files(
    directory: Path, source_language: str, target_language: str, faults: list[str]
) -> dict[str, tuple[Path] | tuple[Path, Path]]:
    """The files of each split: a pair, or a single TSV file."""
    try:
        paths = sorted(path for path in directory.iterdir() if path.name[0] != ".")
    except OSError as error:
        raise CorpusError([f"{directory}: must be readable. Received: {error.strerror}."]) from error
    # split -> ending ("en", "fr" or "tsv") -> files, of which there should be one: plain or .gz
    candidates: dict[str, dict[str, list[Path]]] = defaultdict(dict)
    for path in filter(os.path.isfile, paths):
        split, _, ending = path.name.removesuffix(".gz").rpartition(".")
        if split and ending in (source_language, target_language, "tsv"):
            candidates[split].setdefault(ending, []).append(path)

    others = [split for split in candidates if split not in REQUIRED_SPLITS]
    found: dict[str, tuple[Path] | tuple[Path, Path]] = {}
    for split in (*REQUIRED_SPLITS, *others):
        by_ending = candidates.get(split, {})
        missing = [language for language in (source_language, target_language) if language not in by_ending]
        if missing and "tsv" not in by_ending:
            if split in REQUIRED_SPLITS:
                wanted = " and ".join(f"{split}.{language}" for language in missing)
                alternative = f", or {split}.tsv alone" if len(missing) == 2 else ""
                near = sorted(paths, key=lambda path: not path.name.startswith(split))
                listing = ", ".join(map(_name, near[:MAX_FILES_LISTED]))
                more = ", ..." if len(paths) > MAX_FILES_LISTED else ""
                faults.append(
                    f"{directory}: the split {split} must be there as {wanted}{alternative} (plain or .gz). "
                    f"Received: {listing or 'no files'}{more}."
                )
            elif by_ending:
                (there,) = by_ending
                print(f"{directory}: {split} is left out: there is {split}.{there} alone.", file=sys.stderr)
            continue
        files = [path for ending in by_ending for path in by_ending[ending]]
        if len(files) != (1 if "tsv" in by_ending else 2):
            faults.append(
                f"{directory}: the split {split} must be there once, as two files or as one TSV file. "
                f"Received: {', '.join(path.name for path in files)}."
            )
            continue
        if "tsv" in by_ending:
            found[split] = (by_ending["tsv"][0],)
        else:
            found[split] = (by_ending[source_language][0], by_ending[target_language][0])
    return found


def _name(path: Path) -> str:
    return path.name if os.path.isfile(path) else f"{path.name} (not a file)"
