"""An exported model, used by a program that knows nothing of this project; and exports that must not be."""

import io
import json
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nmt_keras.config import SearchConfig
from nmt_keras.decoding.translator import Translation, Translator
from nmt_keras.errors import ConfigError, DamagedFileError, ModelError
from nmt_keras.models.directory import (
    LoadedModel,
    load_model,
    read_held_out,
    save_description,
    save_held_out,
    save_weights,
)
from nmt_keras.serving import savedmodel, standalone
from nmt_keras.serving.model_card import Provenance, ReportedScore, training_facts
from nmt_keras.serving.savedmodel import (
    ExportedModel,
    check_export,
    export_savedmodel,
    load_export,
    newest_version,
)
from nmt_keras.serving.standalone import plain_path
from nmt_keras.system.files import read_json, write_json

# The standalone program, run by its path, imports nothing of the package around it; nor does what follows.
PROGRAM = """
import io, json, runpy, sys
import tensorflow as tf
import tensorflow_text

standalone, saved_model, *sentences = sys.argv[1:]
printed, sys.argv = sys.stdout, [standalone, saved_model]
sys.stdin = io.TextIOWrapper(io.BytesIO("".join(sentence + "\\n" for sentence in sentences).encode()))
sys.stdout = io.TextIOWrapper(io.BytesIO())
runpy.run_path(standalone, run_name="__main__")
lines, sys.stdout = sys.stdout.buffer.getvalue().decode(), printed

signature = tf.saved_model.load(saved_model).signatures["serving_default"]
outputs = signature(source=tf.constant(sentences))
assert "nmt_keras" not in sys.modules
print(json.dumps({
    "inputs": [spec.name for spec in signature.structured_input_signature[1].values()],
    "translation": [text.decode() for text in outputs["translation"].numpy()],
    "score": outputs["score"].numpy().tolist(),
    "outputs": sorted(signature.structured_outputs),
    "standalone": lines.removesuffix("\\n").split("\\n"),
}))
"""


def test_elsewhere_it_translates_as_the_translator_does(
    loaded: LoadedModel, export_path: Path, sentences: list[str], search: SearchConfig
) -> None:
    expected = Translator(loaded.model, loaded.tokenizer, search).translate(sentences)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, standalone.__file__, str(export_path), *sentences],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    answer = json.loads(done.stdout)
    assert answer["translation"] == answer["standalone"] == [translation.text for translation in expected]
    assert answer["score"] == pytest.approx([translation.score for translation in expected], abs=1e-4)
    assert answer["inputs"] == ["source"]
    assert answer["outputs"] == ["score", "status", "translation"]
    assert len(set(answer["translation"])) > len(sentences) // 2
    assert answer["translation"][0] == ""


def test_the_layout_is_tensorflow_serving_s(export_path: Path) -> None:
    assert export_path.name == "1"
    assert (export_path / "saved_model.pb").is_file()
    assert [path.name for path in export_path.parent.iterdir()] == ["1"]  # nothing partial beside it


def test_an_existing_version_is_left_alone(loaded: LoadedModel, export_path: Path, held_out: list[str]) -> None:
    before = {path: path.stat().st_mtime_ns for path in export_path.rglob("*")}
    with pytest.raises(ConfigError, match=r"must not hold version 1 yet\. Received: .*1, which exists"):
        export_savedmodel(loaded, export_path.parent, held_out, version=1)
    assert {path: path.stat().st_mtime_ns for path in export_path.rglob("*")} == before


def test_a_new_version_may_search_otherwise(
    loaded: LoadedModel, exported: ExportedModel, greedy_path: Path, sentences: list[str], search: SearchConfig
) -> None:
    import tensorflow as tf

    assert greedy_path == newest_version(greedy_path.parent) == greedy_path.parent / "7"
    new, old = (
        model.signatures["serving_default"](source=tf.constant(sentences))["translation"].numpy().tolist()
        for model in (load_export(greedy_path), exported)
    )
    expected = Translator(loaded.model, loaded.tokenizer, replace(search, beam_size=1)).translate(sentences)
    assert [text.decode() for text in new] == [translation.text for translation in expected]
    assert new != old


ODD_NAMES = ["[v1] fr", "back\\slash", "a*?b", "été", os.fsdecode(b"latin-1 \xe9t\xe9"), "a:b#c%20d"]


@pytest.mark.parametrize("name", ODD_NAMES, ids=ascii)
def test_the_name_of_a_directory_is_only_a_name(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tensorflow as tf

    class Greeting(tf.Module):
        def __init__(self, greeting: str) -> None:
            self.greeting = tf.Variable(greeting)

        @tf.function(input_signature=[])
        def greet(self) -> dict[str, Any]:
            return {"greeting": self.greeting.read_value()}

    monkeypatch.chdir(tmp_path)
    directories = [tmp_path / name / "1", Path(name) / "2"]
    for number, directory in enumerate(directories):
        directory.mkdir(parents=True)
        model = Greeting(f"model {number}")
        with plain_path(str(directory)) as path:
            tf.saved_model.save(model, path, signatures={"greet": model.greet})
        assert (directory / "saved_model.pb").is_file()
    for number, directory in enumerate(directories):
        with plain_path(str(directory)) as path:
            loaded = tf.saved_model.load(path)
        assert loaded.signatures["greet"]()["greeting"].numpy() == f"model {number}".encode()
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_an_export_is_used_wherever_it_lies(
    export_path: Path, held_out: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(shutil.copytree(export_path, tmp_path / "[v1] été" / "1"))
    assert check_export(load_export(path)) == len(held_out)
    stdin, stdout = io.TextIOWrapper(io.BytesIO(b"one two\n")), io.TextIOWrapper(io.BytesIO())
    monkeypatch.setattr(sys, "argv", ["standalone.py", str(path)])
    monkeypatch.setattr(sys, "stdin", stdin)
    monkeypatch.setattr(sys, "stdout", stdout)
    standalone.main()
    assert len(stdout.buffer.getvalue().splitlines()) == 1  # type: ignore[attr-defined]


def test_links_to_odd_names_need_a_plain_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "[tmp]").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "[tmp]"))
    with plain_path(str(tmp_path)) as path:
        assert path == str(tmp_path)
    with pytest.raises(OSError, match="TMPDIR must name a directory whose path"), plain_path(str(tmp_path / "[v1]")):
        pass
    assert not list((tmp_path / "[tmp]").iterdir())


def test_the_card_tells_what_is_known(loaded: LoadedModel, export_path: Path, search: SearchConfig) -> None:
    card = read_json(export_path / "model_card.json")
    assert (card["source_language"], card["target_language"]) == ("en", "fr")
    assert card["vocabulary"] == {"size": loaded.tokenizer.vocabulary_size, "sha256": loaded.tokenizer.sha256}
    assert card["limits"] == {"max_source_tokens": 24, "max_beam_size": 4, "max_target_tokens": 27}
    assert card["search"]["beam_size"] == search.beam_size
    assert card["license"] is None
    assert {"nmt-keras", "keras", "tensorflow", "tensorflow-text", "python"} == set(card["versions"])
    readable = (export_path / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert readable.startswith("# transformer, en-fr\n")
    assert "Licence: not stated" in readable
    assert loaded.tokenizer.sha256 in readable


def test_scores_and_licence_are_on_the_card(loaded: LoadedModel, tmp_path: Path) -> None:
    from nmt_keras.serving.model_card import as_markdown, model_card
    from nmt_keras.serving.signatures import ServingLimits, ServingSignatures

    write_json(tmp_path / "settings.json", {"corpus": "mine", "train_sha256": "ab12", "seed": 3})
    write_json(tmp_path / "training.json", {"valid_bleu": 12.5, "history": []})
    facts = training_facts(tmp_path)
    assert facts == {"corpus": "mine", "train_sha256": "ab12", "valid_bleu": 12.5}
    provenance = Provenance(facts, [ReportedScore("mine test", "BLEU", 31.256, "nrefs:1|case:mixed")], "CC-BY-4.0")
    server = ServingSignatures(loaded, loaded.description.search, ServingLimits())
    readable = as_markdown(json.loads(json.dumps(model_card(loaded, server, provenance))))
    for part in ("| mine test | BLEU | 31.26 | nrefs:1|case:mixed |", "Licence: CC-BY-4.0", "train_sha256: ab12"):
        assert part in readable


@pytest.mark.parametrize("name", ["settings.json", "training.json"])
@pytest.mark.parametrize("content", ["", '{"corpus": ', "3", '["a"]', "[" * 100_000])
def test_damaged_facts_of_a_training_are_told(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(DamagedFileError, match=rf"{name} must hold .* Received"):
        training_facts(tmp_path)


def test_a_model_that_decodes_otherwise_is_not_written(
    loaded: LoadedModel, export_path: Path, held_out: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Otherwise(Translator):
        def translate(self, sentences: Sequence[str], progress: Any = None) -> list[Translation]:
            first, *others = super().translate(sentences)
            return [first._replace(text=first.text + "!"), *others]

    monkeypatch.setattr(savedmodel, "Translator", Otherwise)
    monkeypatch.setattr(
        savedmodel, "_save", lambda server, path: shutil.copytree(export_path, path, dirs_exist_ok=True)
    )  # soon done
    with pytest.raises(ModelError, match=rf"1 of {len(held_out)} sentences differ, such as '{held_out[0]}'"):
        export_savedmodel(loaded, tmp_path / "model", held_out)
    assert not list(tmp_path.iterdir())


def test_an_export_needs_sentences_to_be_checked_with(loaded: LoadedModel, tmp_path: Path) -> None:
    for held_out in ([], ["one " * 500]):
        with pytest.raises(ConfigError, match="--source-file FILE"):
            export_savedmodel(loaded, tmp_path / "model", held_out)
    assert not list(tmp_path.iterdir())


@pytest.fixture
def copy(export_path: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(export_path, tmp_path / "copy"))


def _change_card(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    card = read_json(path / "model_card.json")
    change(card)
    write_json(path / "model_card.json", card)


def _own_up(path: Path) -> None:
    """Makes the card's hashes those of the files, as whoever changes a file on purpose can."""
    _change_card(path, lambda card: card.update(files=savedmodel._hashes(path)))


def test_the_check_can_be_run_again(exported: ExportedModel, copy: Path, held_out: list[str]) -> None:
    assert check_export(exported) == len(held_out)
    values = read_json(copy / "assets.extra" / "held_out.json")
    values["scores"][2] += 0.01
    write_json(copy / "assets.extra" / "held_out.json", values)
    with pytest.raises(ModelError, match=r"Received: .*copy with assets\.extra/held_out\.json missing or changed"):
        load_export(copy)
    _own_up(copy)
    with pytest.raises(ModelError, match=rf"1 of {len(held_out)} sentences differ, such as"):
        check_export(load_export(copy))


@pytest.mark.parametrize(
    "name", ["saved_model.pb", "variables/variables.data-00000-of-00001", "variables/variables.index"]
)
@pytest.mark.parametrize("fault", ["missing", "cut", "one bit"])
def test_files_that_are_not_as_written_are_refused(copy: Path, name: str, fault: str) -> None:
    file = copy / name
    content = bytearray(file.read_bytes())
    if fault == "missing":
        file.unlink()
    elif fault == "cut":
        file.write_bytes(content[: len(content) // 2])
    else:
        content[len(content) // 2] ^= 4
        file.write_bytes(content)
    with pytest.raises(ModelError, match=rf"with {name} missing or changed"):
        load_export(copy)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda card: card.update(format=3), "must be of format 2. Received: format 3"),
        (lambda card: card.pop("files"), "is not the card of an exported model: KeyError"),
        (lambda card: card.update(files=3), "is not the card of an exported model: TypeError"),
        (lambda card: card.pop("limits"), "is not the card of an exported model: KeyError"),
        (lambda card: card.update(files=[["a", "b", "c"]]), "is not the card of an exported model: ValueError"),
        (lambda card: card["limits"].update(max_beam_size=1e999), "is not the card of an exported model: Overflow"),
        (lambda card: card["signatures"].append("summarize"), "cannot be loaded with tensorflow"),
        (lambda card: card["files"].clear(), "missing or changed"),
    ],
)
def test_cards_that_do_not_fit_are_refused(copy: Path, change: Callable[[Any], Any], message: str) -> None:
    _change_card(copy, change)
    with pytest.raises(ModelError, match=message):
        load_export(copy)


def test_a_card_without_end_is_refused(copy: Path) -> None:
    (copy / "model_card.json").write_text("[" * 100_000)
    with pytest.raises(ModelError, match="is not the card of an exported model: DamagedFileError"):
        load_export(copy)


def test_a_directory_without_a_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    with pytest.raises(ModelError, match=r"holds saved_model\.pb"):
        newest_version(tmp_path)
    with pytest.raises(ModelError, match="is not the card of an exported model: FileNotFoundError"):
        load_export(tmp_path)


class Payload:
    """Whoever unpickles it leaves a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """What a payload leaves if it is run."""
    return tmp_path / "mark"


def test_payloads_work(mark: Path) -> None:
    pickle.loads(pickle.dumps(Payload(mark)))
    assert mark.exists()


@pytest.mark.parametrize("name", ["model.json", "vocabulary.model", "model.weights.h5", "held_out.json"])
@pytest.mark.parametrize("form", ["pickle", "keras"])
def test_no_file_of_a_model_directory_runs_code(
    loaded: LoadedModel, tmp_path: Path, mark: Path, name: str, form: str
) -> None:
    directory = tmp_path / "model"
    save_description(directory, loaded.tokenizer, loaded.description)
    save_weights(directory, loaded.model)
    save_held_out(directory, ["one"])
    load_model(directory)
    if form == "pickle":
        (directory / name).write_bytes(pickle.dumps(Payload(mark)))
    else:
        code = f"import pathlib; pathlib.Path({str(mark)!r}).touch()"
        with zipfile.ZipFile(directory / name, "w") as archive:
            config = {
                "class_name": "Lambda",
                "config": {"function": {"class_name": "__lambda__", "config": {"code": code}}},
            }
            archive.writestr("config.json", json.dumps(config))
            archive.writestr("metadata.json", json.dumps({"keras_version": "3.0.0"}))
    if name == "vocabulary.model":
        values = read_json(directory / "model.json")
        values["vocabulary_sha256"] = savedmodel._hashes(directory)[name]
        write_json(directory / "model.json", values)
    read = read_held_out if name == "held_out.json" else load_model
    with pytest.raises(ModelError, match=name.replace(".", r"\.")):
        read(directory)
    assert not mark.exists()


def test_no_file_of_an_exported_model_runs_code(copy: Path, mark: Path) -> None:
    for name in ("MLmodel", "python_model.pkl", "keras_metadata.pb", "assets/code.pkl", "__init__.py", "conda.yaml"):
        (copy / name).write_bytes(pickle.dumps(Payload(mark)))
    _own_up(copy)
    check_export(load_export(copy))
    for name in ("saved_model.pb", "variables/variables.index", "model_card.json"):
        (copy / name).write_bytes(pickle.dumps(Payload(mark)))
        if name != "model_card.json":
            _own_up(copy)
        with pytest.raises(ModelError):
            load_export(copy)
    assert not mark.exists()
