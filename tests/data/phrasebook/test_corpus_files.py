"""The phrasebook as plain files: read back, and never in place of other files."""

import errno
from pathlib import Path

import pytest

from nmt_keras.cli.main import main
from nmt_keras.data.corpora import load_corpus
from nmt_keras.data.phrasebook import agreement_pairs, phrasebook_corpus, phrasebook_pairs, write_phrasebook

SIZE, SEED = 60, 5
SPLITS = ("train", "valid", "test", "test_long", "test_longer", "test_agreement")


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that the command wrote."""
    path = tmp_path_factory.mktemp("written") / "new" / "corpus"
    assert main(["phrasebook", "--size", str(SIZE), "--seed", str(SEED), "--output", str(path)]) == 0
    return path


def lines(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8")
    assert text.endswith("\n")
    return text.removesuffix("\n").split("\n")


def test_it_holds_these_files(directory: Path) -> None:
    assert {path.name for path in directory.iterdir()} == {
        *(f"{split}.{ending}" for split in SPLITS for ending in ("en", "fr", "align")),
        "test_agreement.wrong.fr",
        "test_agreement.distance",
    }


def test_it_is_a_corpus_with_the_same_splits(directory: Path) -> None:
    embedded = phrasebook_corpus(SIZE, SEED)
    read = load_corpus(str(directory), "en", "fr")
    assert {name: text.sha256 for name, text in read.splits.items()} == {
        name: text.sha256 for name, text in embedded.splits.items()
    }
    assert set(read.splits) == set(SPLITS)
    assert len(read.split("train")) == SIZE
    assert embedded.split("train").sha256 != phrasebook_corpus(SIZE, 1).split("train").sha256  # the seed matters
    backwards = load_corpus(str(directory), "fr", "en")
    assert {name: len(text) for name, text in backwards.splits.items()} == {
        name: len(text) for name, text in embedded.splits.items()
    }


def test_links_stand_beside_their_sentences(directory: Path) -> None:
    for split, pairs in phrasebook_pairs(SIZE, SEED).items():
        read = [
            tuple((int(i), int(j)) for i, j in (link.split("-") for link in line.split()))
            for line in lines(directory / f"{split}.align")
        ]
        assert read == [pair.alignment for pair in pairs]
    assert any(i != j for i, j in read[-1])


def test_wrong_translations_and_distances_belong_to_the_split(directory: Path) -> None:
    columns = [lines(directory / f"test_agreement.{ending}") for ending in ("en", "fr", "wrong.fr", "distance")]
    expected = {(pair.source, pair.target, pair.wrong_target, str(pair.distance)) for pair in agreement_pairs(SEED)}
    rows = list(zip(*columns, strict=True))
    assert len(rows) == len(set(rows)) > 300
    assert set(rows) <= expected


def test_the_command_says_what_it_wrote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["phrasebook", "--size", str(SIZE), "--seed", str(SEED), "--output", "."]) == 0
    out, err = capsys.readouterr()
    assert out == ".: pairs in train 60, valid 1,000, test 1,000, test_long 400, test_longer 400, test_agreement 400\n"
    assert "synthetic" in err
    assert (tmp_path / "train.en").is_file()


def test_an_empty_directory_with_hidden_files_will_do(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".train.en").write_text("mine", encoding="utf-8")
    assert write_phrasebook(tmp_path, SIZE, SEED)["train"] == SIZE
    assert (tmp_path / ".train.en").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("name", ["train.en", "notes.txt", "folder/file"])
def test_other_files_are_kept(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine" / name
    file.parent.mkdir(parents=True)
    file.write_text("mine", encoding="utf-8")
    assert main(["phrasebook", "--size", str(SIZE), "--seed", str(SEED), "--output", "mine"]) == 2
    assert f"Received: mine, which holds {name.split('/')[0]}." in capsys.readouterr().err
    assert [path for path in (tmp_path / "mine").rglob("*") if path.is_file()] == [file]
    assert file.read_text(encoding="utf-8") == "mine"


def test_a_disk_that_fills_up_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written = 0
    write_text = Path.write_text

    def fails_later(path: Path, *arguments: str, **options: str) -> int:
        nonlocal written
        written += 1
        if written == 7:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return write_text(path, *arguments, **options)

    monkeypatch.setattr(Path, "write_text", fails_later)
    arguments = ["phrasebook", "--size", str(SIZE), "--seed", str(SEED), "--output", "full"]
    assert main(arguments) == 2
    assert "Received: full: No space left on device." in capsys.readouterr().err
    assert not list((tmp_path / "full").iterdir())
    assert main(arguments) == 0  # once there is space


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--size", "0", "--output", "new"], "--size must be from 1 to 1,000,000. Received: --size=0."),
        (["--output", "file"], "Received: file: Not a directory."),
        (["--output", "file/below"], "Received: file/below: Not a directory."),
        ([], "output"),
    ],
)
def test_mistakes(tmp_path: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    try:
        code = main(["phrasebook", "--seed", str(SEED), "--size", str(SIZE), *arguments])
    except SystemExit as exit_:  # the argument parser's own errors
        code = int(exit_.code or 0)
    assert code == 2
    assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
