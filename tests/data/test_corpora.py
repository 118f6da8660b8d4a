import gzip
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from nmt_keras.data.corpora import load_corpus
from nmt_keras.errors import CorpusError


def make_directory(root: Path, files: dict[str, bytes]) -> Path:
    directory = root / "corpus"
    directory.mkdir()
    for name, data in files.items():
        (directory / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return directory


def good_files() -> dict[str, bytes]:
    return {
        "train.en": b"a\nb\nc\n",
        "train.de": b"A\nB\nC\n",
        "valid.en": b"d\n",
        "valid.de": b"D\n",
        "test.en": b"e\nf\n",
        "test.de": b"E\nF\n",
    }


def faults_of(name: str, source_language: str = "en", target_language: str = "de") -> list[str]:
    with pytest.raises(CorpusError) as caught:
        load_corpus(name, source_language, target_language)
    return list(caught.value.faults)


def test_a_directory_of_line_files(tmp_path: Path) -> None:
    directory = make_directory(tmp_path, good_files())
    corpus = load_corpus(str(directory), "en", "de")
    assert (corpus.name, corpus.source_language, corpus.target_language) == (str(directory), "en", "de")
    pairs = {name: list(zip(text.sources, text.targets, strict=True)) for name, text in corpus.splits.items()}
    assert pairs == {
        "train": [("a", "A"), ("b", "B"), ("c", "C")],
        "valid": [("d", "D")],
        "test": [("e", "E"), ("f", "F")],
    }
    assert corpus.split("train").source_path == str(directory / "train.en")
    assert corpus.split("train").target_path == str(directory / "train.de")


def test_the_languages_decide_the_direction(tmp_path: Path) -> None:
    directory = make_directory(tmp_path, good_files())
    assert list(load_corpus(str(directory), "de", "en").split("test").sources) == ["E", "F"]


def test_gzip_tsv_and_plain_files_may_be_mixed(tmp_path: Path) -> None:
    files = {
        "train.en.gz": b"a\nb\n",
        "train.de": b"A\nB\n",
        "valid.tsv": b"d\tD\n",
        "test.tsv.gz": b"e\tE\nf\tF\n",
    }
    corpus = load_corpus(str(make_directory(tmp_path, files)), "en", "de")
    assert {name: list(text.targets) for name, text in corpus.splits.items()} == {
        "train": ["A", "B"],
        "valid": ["D"],
        "test": ["E", "F"],
    }


def test_other_complete_splits_come_too_and_anything_else_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = good_files() | {
        "news.2020.en": b"n\n",
        "news.2020.de.gz": b"N\n",
        "challenge.tsv": b"x\tX\n",
        "monolingual.en": b"a\nb\n",
        "third.en": b"a\n",
        "third.fr": b"a\n",
        ".hidden.en": b"a\n",
        ".hidden.de": b"a\nb\n",
        "README.md": b"\xff",
    }
    directory = make_directory(tmp_path, files)
    (directory / "folder.en").mkdir()
    (directory / "folder.de").mkdir()
    corpus = load_corpus(str(directory), "en", "de")
    assert list(corpus.splits) == ["train", "valid", "test", "challenge", "news.2020"]
    assert list(corpus.split("news.2020").targets) == ["N"]
    assert list(corpus.split("challenge").sources) == ["x"]
    assert capsys.readouterr().err.splitlines() == [
        f"{directory}: {split} is left out: there is {split}.en alone." for split in ("monolingual", "third")
    ]


@pytest.mark.parametrize("code", ["pt-BR", "zho_Hans", "simple"])
def test_language_codes_are_the_endings_of_the_files(tmp_path: Path, code: str) -> None:
    files = {name.replace(".de", f".{code}"): data for name, data in good_files().items()}
    corpus = load_corpus(str(make_directory(tmp_path, files)), "en", code)
    assert list(corpus.split("valid").targets) == ["D"]


def test_faults_of_all_files_are_reported_together(tmp_path: Path) -> None:
    files = {
        "train.en": b"a\nb\nc\n",
        "train.de": b"A\nB\n",  # unequal
        "valid.en": b"d\n\xe9\n",  # not UTF-8
        "valid.de.gz": b"",  # empty
        "extra.tsv": b"no tab\n",
    }
    directory = make_directory(tmp_path, files)  # and no test split
    (directory / "more.en.gz").write_bytes(b"no gzip")
    (directory / "more.de").write_bytes(b" \n")
    faults = faults_of(str(directory))
    wanted = [
        (f"{directory}: ", "the split test must be there as test.en and test.de, or test.tsv alone"),
        (f"{directory / 'train.en'}:3: ", "3 lines against 2"),
        (f"{directory / 'valid.en'}:2: ", "UTF-8"),
        (f"{directory / 'valid.de.gz'}: ", "empty file"),
        (f"{directory / 'extra.tsv'}:1: ", "exactly one tab"),
        (f"{directory / 'more.de'}: ", "1 blank lines"),
        (f"{directory / 'more.en.gz'}: ", "gzip"),
    ]
    assert len(faults) == len(wanted)
    for start, part in wanted:
        assert [fault for fault in faults if fault.startswith(start) and part in fault], (start, faults)


def test_the_message_of_the_error_holds_all_faults(tmp_path: Path) -> None:
    directory = make_directory(tmp_path, {"train.en": b"a\n", "train.de": b"A\n"})
    with pytest.raises(CorpusError) as caught:
        load_corpus(str(directory), "en", "de")
    assert str(caught.value).count("\n") == 1
    assert "the split valid" in str(caught.value)
    assert "the split test" in str(caught.value)
    assert "Received: train.de, train.en." in str(caught.value)


@pytest.mark.parametrize("kind", ["directory", "pipe", "link to nothing", "link to itself"])
def test_what_is_no_file_is_told_before_all_else(tmp_path: Path, kind: str) -> None:
    others = {f"a{number}.{side}": b"one\n" for number in range(30) for side in ("en", "de")}
    directory = make_directory(tmp_path, good_files() | others)
    path = directory / "train.de"
    path.unlink()
    match kind:
        case "directory":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case _:
            path.symlink_to("nowhere" if kind == "link to nothing" else path.name)
    (fault,) = faults_of(str(directory))
    assert "the split train must be there as train.de (plain" in fault
    assert "Received: train.de (not a file), train.en, a0.de, " in fault


def test_a_name_that_no_file_can_have_is_no_corpus() -> None:
    for name in ("a" * 300, "~no-such-user/corpus"):
        with pytest.raises(CorpusError, match=rf"Received: '{name}', which is none of them"):
            load_corpus(name)


def test_a_missing_side_of_a_required_split_is_named(tmp_path: Path) -> None:
    files = good_files()
    del files["valid.de"]
    (fault,) = faults_of(str(make_directory(tmp_path, files)))
    assert "the split valid must be there as valid.de (plain or .gz)" in fault


@pytest.mark.parametrize("second", ["train.en.gz", "train.de.gz", "train.tsv"])
def test_a_split_given_twice_is_a_fault(tmp_path: Path, second: str) -> None:
    (fault,) = faults_of(str(make_directory(tmp_path, good_files() | {second: b"a\tA\n"})))
    assert "the split train must be there once" in fault
    assert all(name in fault for name in ("train.en", "train.de", second))


def test_an_empty_directory_lacks_three_splits(tmp_path: Path) -> None:
    faults = faults_of(str(make_directory(tmp_path, {})))
    assert len(faults) == 3
    assert all("Received: no files." in fault for fault in faults)


@pytest.mark.parametrize("name", ["wmt14", "", "no/such/directory"])
def test_an_unknown_name_lists_what_is_accepted(name: str) -> None:
    (fault,) = faults_of(name)
    assert all(word in fault for word in ("phrasebook", "multi30k", "directory", ".en", ".de", ".tsv"))
    assert f"Received: {name!r}" in fault


def test_a_file_is_no_corpus(tmp_path: Path) -> None:
    path = tmp_path / "train.tsv"
    path.write_bytes(b"a\tA\n")
    (fault,) = faults_of(str(path))
    assert "which is a file" in fault


@pytest.mark.parametrize("code", ["", "../en", "e n", "tsv", "gz", "e.n"])
def test_a_language_must_be_a_code(tmp_path: Path, code: str) -> None:
    (fault,) = faults_of(str(make_directory(tmp_path, good_files())), "en", code)
    assert f"target_language={code!r}" in fault


def test_the_languages_must_differ(tmp_path: Path) -> None:
    (fault,) = faults_of(str(make_directory(tmp_path, good_files())), "en", "en")
    assert "must differ" in fault


def test_the_home_directory_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_directory(tmp_path, good_files())
    monkeypatch.setenv("HOME", str(tmp_path))
    assert len(load_corpus("~/corpus", "en", "de").split("train")) == 3


def test_phrasebook_gets_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    package = SimpleNamespace(phrasebook_corpus=lambda *, seed: f"corpus of seed {seed}")
    monkeypatch.setitem(sys.modules, "nmt_keras.data.phrasebook", package)
    assert str(load_corpus("phrasebook", "en", "fr", seed=7)) == "corpus of seed 7"


@pytest.mark.parametrize("pair", [("fr", "en"), ("en", "de")])
def test_phrasebook_is_english_to_french(pair: tuple[str, str]) -> None:
    (fault,) = faults_of("phrasebook", *pair)
    assert f"Received: {pair[0]}-{pair[1]}" in fault


def test_one_split_can_be_read_alone(tmp_path: Path) -> None:
    for split in ("train", "valid", "test"):
        (tmp_path / f"{split}.tsv").write_bytes(b"\xff\xfe" if split == "train" else f"{split}\tun\n".encode())
    assert load_corpus(str(tmp_path), only="test").split("test").sources == ["test"]
    for only in (None, "another"):
        with pytest.raises(CorpusError, match=r"train\.tsv:1"):
            load_corpus(str(tmp_path), only=only)
