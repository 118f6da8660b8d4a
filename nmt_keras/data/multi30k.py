"""Multi30k: about 31,000 image captions in English, German, French and Czech (Elliott et al. 2016, 2017)."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path

import pooch

from nmt_keras.data.download import fetch
from nmt_keras.data.parallel_text import Corpus, ParallelText
from nmt_keras.data.text_files import read_line_pair
from nmt_keras.errors import CorpusError

BASE_ADDRESS = "https://raw.githubusercontent.com/multi30k/dataset/master/data/task1/raw/"
LANGUAGES = ("en", "de", "fr", "cs")
# Name of the split in the corpus -> name in the data set's files. The tests of 2017 have no Czech side.
REQUIRED_SPLITS = {"train": "train", "valid": "val", "test": "test_2016_flickr"}
OPTIONAL_SPLITS = {"test_2017_flickr": "test_2017_flickr", "test_2017_mscoco": "test_2017_mscoco"}

SHA256 = {
    "test_2016_flickr.cs.gz": "200a4a74cc9560f051924abb9803be008d1908d77f747e9141aeb86dfd2797f1",
    "test_2016_flickr.de.gz": "9204244e408ccb38d2a55cfcd344df15005fc42a07a6e55ca6c52b6ababb8cc8",
    "test_2016_flickr.en.gz": "611d361c6334bc7246101d48097c13cf5c4413c5befc793cc629934359d532d9",
    "test_2016_flickr.fr.gz": "6d326e188d259fb1d04ac19eae3af956559b3a0b93d7635e56c90987c40c8b90",
    "test_2017_flickr.de.gz": "a2c89666db00c495cd8513b9d708d5a3acc205d7de312ef2bf5fb7ebc1540aee",
    "test_2017_flickr.en.gz": "76a444ee25172e72695cddb13ae4a3bda59430617be88e0bb46b60504f054074",
    "test_2017_flickr.fr.gz": "3ba671ceb2299f3304ffafefea7a833d08632fbaf0ba18546f8a2ec2391af496",
    "test_2017_mscoco.de.gz": "799e4854c25d601cb6cb6be29eabe5667734c61ace2f495e03e429031a0bc338",
    "test_2017_mscoco.en.gz": "aab300bfb4427697987e02cd0aacd44bfe8aa50456231b6474c08038bbed2b58",
    "test_2017_mscoco.fr.gz": "754f3072ba9f124569ba5258b32730fc1d214bbf8e0c6dfb2b74401676220db0",
    "train.cs.gz": "a65adb8b32e3bc664f21ecba7a6e7f6950fd1f405e135f7c312faabdb6255077",
    "train.de.gz": "726e39b2fa9eb9ffb6dc763fb35a179f80fae06ffc5d28b6ace5faa883de28a6",
    "train.en.gz": "d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f",
    "train.fr.gz": "622e75069e9f4c577425c4f277116ce66e63a2401c0a2312d90073cb12379a3c",
    "val.cs.gz": "b63226e05c4bd5dd6a42897d74b86a1b9d2c31498252c572b1ea7f7996927fcc",
    "val.de.gz": "f0cba2f995189cf5770f29a8a9a537a3ad3f51657ad873405082ff6863a5e75a",
    "val.en.gz": "14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28",
    "val.fr.gz": "ca3106f1a72390591d25f6c45cb4cd39dec4cd3f123e099748a3ce5256c160e9",
}


def load_multi30k(
    source_language: str,
    target_language: str,
    data_dir: str | None = None,
    base_address: str = BASE_ADDRESS,
) -> Corpus:
    """The captions in two of the four languages.

    Args:
        source_language: "en", "de", "fr" or "cs".
        target_language: another one of them.
        data_dir: directory that holds `multi30k/train.en.gz` and so on; nothing is downloaded then. Without
            it the environment variable NMT_KERAS_DATA names the directory; without that, the files are
            downloaded once into the user's cache directory.
        base_address: address of the directory with the files, ending in "/".

    Returns:
        The splits train (29,000 pairs), valid (1,014) and test (test_2016_flickr, 1,000); test_2017_flickr
        and test_2017_mscoco if both languages have them.

    Raises:
        CorpusError: the data set lacks a language, or a file is missing or damaged.
        UserError: a file cannot be downloaded.
    """
    if not {source_language, target_language} <= set(LANGUAGES) or source_language == target_language:
        raise CorpusError(
            [
                f"Corpus multi30k translates between two of the languages {', '.join(LANGUAGES)}. "
                f"Received: {source_language}-{target_language}."
            ]
        )
    languages = (source_language, target_language)
    data_dir = data_dir or os.environ.get("NMT_KERAS_DATA")
    if data_dir:
        directory = Path(os.path.expanduser(data_dir)) / "multi30k"
        found = _given_files(directory, languages)
    else:
        from platformdirs import user_cache_dir

        directory = Path(user_cache_dir("nmt_keras")) / "multi30k"
        found = _downloaded_files(directory, languages, base_address)

    faults: list[str] = []
    splits: dict[str, ParallelText] = {}
    for split, (source_path, target_path) in found.items():
        if text := read_line_pair(source_path, target_path, faults):
            splits[split] = text
    if faults:
        raise CorpusError(faults)
    if data_dir:
        _note_other_files(path for paths in found.values() for path in paths)
    return Corpus("multi30k", source_language, target_language, splits)


def _given_files(directory: Path, languages: tuple[str, str]) -> dict[str, list[Path]]:
    faults = []
    found = {}
    for split, stem in (REQUIRED_SPLITS | OPTIONAL_SPLITS).items():
        paths = [directory / f"{stem}.{language}.gz" for language in languages]
        missing = [path for path in paths if not os.path.isfile(path)]
        if not missing:
            found[split] = paths
        elif split in REQUIRED_SPLITS:
            faults += [
                f"{path}: the {split} split of multi30k must be there. Received: no such file. Put it there, "
                f"or leave out --data-dir and NMT_KERAS_DATA to have it downloaded."
                for path in missing
            ]
    if faults:
        raise CorpusError(faults)
    return found


def _note_other_files(paths: Iterable[Path]) -> None:
    for path in paths:
        expected, received = SHA256.get(path.name), pooch.file_hash(str(path))
        if received != expected:
            published = f"is not the published file (SHA-256 {expected})" if expected else "has no known hash"
            print(f"Note: {path} {published}. SHA-256: {received}", file=sys.stderr)


def _downloaded_files(directory: Path, languages: tuple[str, str], base_address: str) -> dict[str, list[Path]]:
    published = {
        split: names
        for split, stem in (REQUIRED_SPLITS | OPTIONAL_SPLITS).items()
        if set(names := [f"{stem}.{language}.gz" for language in languages]) <= SHA256.keys()
    }
    fetch(base_address, directory, {name: SHA256[name] for names in published.values() for name in names})
    return {split: [directory / name for name in names] for split, names in published.items()}
