import gzip
import hashlib
import os
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from nmt_keras.data import multi30k
from nmt_keras.data.cleaning import clean_corpus
from nmt_keras.data.corpora import load_corpus
from nmt_keras.data.multi30k import load_multi30k
from nmt_keras.errors import CorpusError, UserError

STEMS = ("train", "val", "test_2016_flickr", "test_2017_flickr", "test_2017_mscoco")
REQUIRED = STEMS[:3]


def content(stem: str, language: str) -> bytes:
    return gzip.compress(f"{stem} {language} 1\n{stem} {language} 2\n".encode(), mtime=0)


def put_files(directory: Path, languages: tuple[str, ...], stems: tuple[str, ...] = STEMS) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for stem in stems:
        for language in languages:
            (directory / f"{stem}.{language}.gz").write_bytes(content(stem, language))


class Handler(SimpleHTTPRequestHandler):
    requested: list[str]

    def do_GET(self) -> None:
        self.requested.append(self.path.lstrip("/"))
        super().do_GET()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Path, list[str]]]:
    """A loopback server, its directory, and the names it was asked for; the cache lies in tmp_path too."""
    monkeypatch.delenv("NMT_KERAS_DATA", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path / "cache" / name))
    published = {
        f"{stem}.{language}.gz": hashlib.sha256(content(stem, language)).hexdigest()
        for stem in STEMS
        for language in ("en", "de")
    }
    monkeypatch.setattr(multi30k, "SHA256", published)
    directory = tmp_path / "server"
    directory.mkdir()
    handler = type("LoggingHandler", (Handler,), {"requested": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(directory)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/", directory, handler.requested
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_files_are_downloaded_once(site: tuple[str, Path, list[str]], tmp_path: Path) -> None:
    address, directory, requested = site
    put_files(directory, ("en", "de"))
    corpus = load_multi30k("de", "en", base_address=address)
    assert list(corpus.splits) == ["train", "valid", "test", "test_2017_flickr", "test_2017_mscoco"]
    assert list(corpus.split("valid").sources) == ["val de 1", "val de 2"]
    assert list(corpus.split("test").targets) == ["test_2016_flickr en 1", "test_2016_flickr en 2"]
    assert sorted(requested) == sorted(f"{stem}.{language}.gz" for stem in STEMS for language in ("en", "de"))
    cache = tmp_path / "cache" / "nmt_keras" / "multi30k"
    assert corpus.split("train").source_path == str(cache / "train.de.gz")

    requested.clear()
    again = load_multi30k("de", "en", base_address=address)
    assert requested == []
    assert again == corpus


def test_a_damaged_file_in_the_cache_is_fetched_again(site: tuple[str, Path, list[str]], tmp_path: Path) -> None:
    address, directory, requested = site
    put_files(directory, ("en", "de"))
    load_multi30k("en", "de", base_address=address)
    (tmp_path / "cache" / "nmt_keras" / "multi30k" / "val.de.gz").write_bytes(b"damaged")
    requested.clear()
    assert load_multi30k("en", "de", base_address=address).split("valid").targets[0] == "val de 1"
    assert requested == ["val.de.gz"]


def test_a_required_file_that_the_server_lacks_is_an_error(site: tuple[str, Path, list[str]]) -> None:
    address, directory, _ = site
    put_files(directory, ("en", "de"))
    (directory / "val.de.gz").unlink()
    with pytest.raises(UserError, match=r"val\.de\.gz could not be downloaded"):
        load_multi30k("en", "de", base_address=address)


def test_a_test_that_was_never_published_is_not_asked_for(
    site: tuple[str, Path, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, directory, requested = site
    czech = {f"{stem}.cs.gz": hashlib.sha256(content(stem, "cs")).hexdigest() for stem in REQUIRED}
    monkeypatch.setattr(multi30k, "SHA256", multi30k.SHA256 | czech)
    put_files(directory, ("en", "cs"), REQUIRED)
    corpus = load_multi30k("en", "cs", base_address=address)
    assert list(corpus.splits) == ["train", "valid", "test"]
    assert not [name for name in requested if "2017" in name]


@pytest.mark.parametrize("by_environment", [True, False])
def test_a_data_directory_is_read_without_a_download(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_environment: bool
) -> None:
    monkeypatch.setattr(multi30k, "fetch", None)  # calling it would fail
    put_files(tmp_path / "given" / "multi30k", ("en", "fr"), STEMS[:4])
    (tmp_path / "given" / "multi30k" / "test_2017_mscoco.fr.gz").write_bytes(b"its other side is missing")
    if by_environment:
        monkeypatch.setenv("NMT_KERAS_DATA", str(tmp_path / "given"))
        corpus = load_corpus("multi30k", "fr", "en")
    else:
        monkeypatch.setenv("NMT_KERAS_DATA", str(tmp_path / "not this one"))
        corpus = load_corpus("multi30k", "fr", "en", data_dir=str(tmp_path / "given"))
    assert (corpus.name, corpus.source_language, corpus.target_language) == ("multi30k", "fr", "en")
    assert list(corpus.splits) == ["train", "valid", "test", "test_2017_flickr"]
    assert list(corpus.split("train").sources) == ["train fr 1", "train fr 2"]
    assert corpus.split("train").target_path == str(tmp_path / "given" / "multi30k" / "train.en.gz")


def test_another_file_than_the_published_one_is_read_with_a_note(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put_files(tmp_path / "multi30k", ("en", "fr"), REQUIRED)
    load_multi30k("en", "fr", str(tmp_path))
    notes = capsys.readouterr().err.splitlines()
    assert len(notes) == 6
    assert hashlib.sha256(content("train", "en")).hexdigest() in notes[0]
    assert "is not the published file" in notes[0]


def test_all_files_missing_from_a_data_directory_are_named(tmp_path: Path) -> None:
    put_files(tmp_path / "multi30k", ("en", "fr"), ("val",))
    with pytest.raises(CorpusError) as caught:
        load_multi30k("en", "fr", str(tmp_path))
    missing = ["train.en", "train.fr", "test_2016_flickr.en", "test_2016_flickr.fr"]
    assert len(caught.value.faults) == 4
    for name, fault in zip(missing, caught.value.faults, strict=True):
        assert str(tmp_path / "multi30k" / f"{name}.gz") in fault


def test_faults_of_all_files_are_reported_together(tmp_path: Path) -> None:
    directory = tmp_path / "multi30k"
    put_files(directory, ("en", "fr"), REQUIRED)
    (directory / "train.en.gz").write_bytes(content("train", "en")[:-9])
    (directory / "val.fr.gz").write_bytes(gzip.compress(b"un\n"))
    with pytest.raises(CorpusError) as caught:
        load_multi30k("en", "fr", str(tmp_path))
    assert [fault.split(": ")[0] for fault in caught.value.faults] == [
        str(directory / "train.en.gz"),
        f"{directory / 'val.en.gz'}:2",
    ]


@pytest.mark.parametrize("pair", [("en", "es"), ("ja", "zh")])
def test_other_languages_are_refused(pair: tuple[str, str]) -> None:
    with pytest.raises(CorpusError, match=f"en, de, fr, cs. Received: {pair[0]}-{pair[1]}"):
        load_corpus("multi30k", *pair)


def test_the_hash_table_is_complete() -> None:
    assert set(multi30k.SHA256) == {
        f"{stem}.{language}.gz"
        for stem in STEMS
        for language in ("cs", "de", "en", "fr")
        if not (language == "cs" and "2017" in stem)
    }
    assert len({sha256 for sha256 in multi30k.SHA256.values() if len(sha256) == 64}) == 18


def published_data() -> str:
    """The directory that holds the real data set; skips the test where there is none."""
    beside = Path(__file__).resolve().parents[2].parent / "shared" / "data"
    for directory in (os.environ.get("NMT_KERAS_DATA"), beside):
        if directory and (Path(directory) / "multi30k" / "train.fr.gz").is_file():
            return str(directory)
    pytest.skip("needs Multi30k: NMT_KERAS_DATA names no directory that holds multi30k/train.fr.gz")


def test_the_published_captions(capsys: pytest.CaptureFixture[str]) -> None:
    corpus = load_corpus("multi30k", data_dir=published_data())
    assert capsys.readouterr().err == "", "a note: a hash differs"
    assert [len(corpus.split(name)) for name in ("train", "valid", "test")] == [29_000, 1_014, 1_000]
    train = corpus.split("train")
    assert train.sources[0] == "Two young, White males are outside near many bushes."
    assert train.targets[0] == "Deux jeunes hommes blancs sont dehors près de buissons."
    words = [sum(len(line.split()) for line in side) for side in (train.sources, train.targets)]
    assert words == [345_020, 362_021]  # as counted by wc -w


def test_cleaning_keeps_every_published_caption() -> None:
    corpus = load_corpus("multi30k", data_dir=published_data())
    _, dropped = clean_corpus(corpus)
    none = {"empty": 0, "too_long": 0, "length_ratio": 0}
    assert dropped == {"train": none, "valid": none}
