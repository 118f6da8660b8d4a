import os
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from nmt_keras.data.audit import KINDS, Audit, CorpusFinding, SplitSize, audit, render
from nmt_keras.data.cleaning import Limits
from nmt_keras.data.corpora import load_corpus
from nmt_keras.data.parallel_text import Corpus, ParallelText

Pairs = list[tuple[str, str]]
CLEAN: Pairs = [("A red house.", "Une maison rouge."), ("A dog runs.", "Un chien court.")]
OTHER: Pairs = [("Two cats sleep.", "Deux chats dorment.")]


def text_of(pairs: Pairs, name: str = "") -> ParallelText:
    paths = (f"dir/{name}.en", f"dir/{name}.fr") if name else ("", "")
    return ParallelText([s for s, _ in pairs], [t for _, t in pairs], "somewhere", *paths)


def corpus_of(train: Pairs, test: Pairs | None = None, languages: tuple[str, str] = ("en", "fr")) -> Corpus:
    splits = {"train": text_of(train, "train"), "test": text_of(OTHER if test is None else test, "test")}
    return Corpus("made", *languages, splits)


def found(result: Audit) -> dict[tuple[str, str, str], tuple[int, tuple[str, ...]]]:
    keyed = {(f.split, f.kind, f.side): (f.count, f.places) for f in result.findings}
    assert len(keyed) == len(result.findings), "each finding stands once"
    return keyed


def test_a_clean_corpus_has_no_findings() -> None:
    result = audit(corpus_of(CLEAN))
    assert result.findings == []
    assert result.unchecked_languages == ()


def test_sizes_by_split() -> None:
    result = audit(corpus_of([("a b  c", "dé"), ("", "e f")], [("x", "y z")]))
    assert result.sizes == {"train": SplitSize(2, 3, 3, 6, 5), "test": SplitSize(1, 1, 2, 1, 3)}


def test_duplicate_pairs_are_the_repetitions_within_a_split() -> None:
    a, b = CLEAN
    result = audit(corpus_of([a, b, a, (f" {a[0]} ", f"{a[1]}\t"), b]))
    assert found(result) == {
        ("train", "duplicate_pairs", ""): (3, ("dir/train.en:3", "dir/train.en:4", "dir/train.en:5"))
    }


def test_ambiguous_sources_count_once_each() -> None:
    a, b = CLEAN
    train = [
        a,
        b,
        (a[0], "Une rouge maison."),
        (a[0], "Maison rouge."),
        (b[0], "Le chien court."),
        ("Hm.", a[1]),
    ]
    assert found(audit(corpus_of(train))) == {
        ("train", "ambiguous_sources", ""): (2, ("dir/train.en:3", "dir/train.en:5"))
    }


def test_overlaps_with_train_are_found_in_every_other_split() -> None:
    a, b = CLEAN
    same_target = ("A crimson house.", a[1])
    splits = {
        "test": text_of([OTHER[0], a, (b[0], "Il court."), same_target, a], "test"),
        "train": text_of(CLEAN, "train"),
        "valid": text_of([("A child.", "Un enfant."), b], "valid"),
        "news": text_of([("A child.", "Un enfant.")], "news"),
    }
    assert found(audit(Corpus("made", "en", "fr", splits))) == {
        ("test", "duplicate_pairs", ""): (1, ("dir/test.en:5",)),
        ("test", "overlap_sources", ""): (3, ("dir/test.en:2", "dir/test.en:3", "dir/test.en:5")),
        ("test", "overlap_pairs", ""): (2, ("dir/test.en:2", "dir/test.en:5")),
        ("valid", "overlap_sources", ""): (1, ("dir/valid.en:2",)),
        ("valid", "overlap_pairs", ""): (1, ("dir/valid.en:2",)),
    }


def test_the_test_source_may_be_in_train_with_several_targets() -> None:
    a = CLEAN[0]
    train = [a, (a[0], "Maison rouge.")]
    keyed = found(audit(corpus_of(train, [(a[0], "Maison rouge.")])))
    assert keyed["test", "overlap_pairs", ""] == (1, ("dir/test.en:1",))


def test_empty_sides_take_part_in_no_other_check() -> None:
    train = [CLEAN[0], ("", "x"), ("", "x"), ("", "y"), ("z", " "), ("\u2028", "\t"), ("z", "")]
    result = audit(corpus_of(train, [("", "x"), OTHER[0]]))
    assert found(result) == {
        ("train", "empty_side", "source"): (4, tuple(f"dir/train.en:{n}" for n in (2, 3, 4, 6))),
        ("train", "empty_side", "target"): (3, tuple(f"dir/train.fr:{n}" for n in (5, 6, 7))),
        ("test", "empty_side", "source"): (1, ("dir/test.en:1",)),
    }


def test_over_long_sides() -> None:
    eleven, ten = (" ".join("abcdefghijk"[:n]) for n in (11, 10))
    result = audit(
        corpus_of([(ten, eleven), (eleven, ten), (ten, f"{ten}."), (eleven, eleven[::-1])]), Limits(max_words=10)
    )
    keyed = found(result)
    assert keyed.pop(("train", "too_long", "source")) == (2, ("dir/train.en:2", "dir/train.en:4"))
    assert keyed.pop(("train", "too_long", "target")) == (2, ("dir/train.fr:1", "dir/train.fr:4"))
    assert [kind for _, kind, _ in keyed] == ["ambiguous_sources"]


def test_wild_length_ratios_have_a_slack() -> None:
    train = [
        ("a" * 50, "é"),
        ("b" * 57, "è"),
        ("Oui", "c" * 69),
        ("Non", "d" * 68),
    ]  # 60/11, 67/11, 79/13, 78/13
    assert found(audit(corpus_of(train))) == {("train", "length_ratio", ""): (2, ("dir/train.en:2", "dir/train.en:3"))}
    assert ("train", "length_ratio", "") not in found(audit(corpus_of(train), Limits(max_ratio=7)))


def test_identical_sides() -> None:
    train = [*CLEAN, ("Paris", "Paris "), ("Rome", "rome"), ("42", "42")]
    assert found(audit(corpus_of(train))) == {
        ("train", "identical_sides", ""): (2, ("dir/train.en:3", "dir/train.en:5"))
    }


def test_wrong_scripts_by_side() -> None:
    train = [
        *CLEAN,
        ("Кошка спит.", "Le chat dort."),
        ("A cat called Мурка sleeps.", "Un chat nommé Мурка dort."),
        ("The cat drinks.", "猫喝牛奶。"),
        ("The cat eats.", "猫吃鱼，很高兴, oui"),
        ("1 + 1 = 2", "1 + 1 = 2."),
    ]
    assert found(audit(corpus_of(train))) == {
        ("train", "wrong_script", "source"): (1, ("dir/train.en:3",)),
        ("train", "wrong_script", "target"): (2, ("dir/train.fr:5", "dir/train.fr:6")),
    }


def test_the_script_of_an_unknown_language_is_not_checked() -> None:
    result = audit(corpus_of([("Кошка спит.", "猫")], languages=("xx", "ru")))
    assert found(result) == {
        ("train", "wrong_script", "target"): (1, ("dir/train.fr:1",)),
        ("test", "wrong_script", "target"): (1, ("dir/test.fr:1",)),
    }
    assert result.unchecked_languages == ("xx",)
    assert "not known for: xx" in render(result)


def test_the_first_places_are_named_and_all_are_counted() -> None:
    train = [(f"A house {n}.", "") for n in range(12)]
    keyed = found(audit(corpus_of(train), max_places=3))
    assert keyed["train", "empty_side", "target"] == (12, tuple(f"dir/train.fr:{n}" for n in (1, 2, 3)))


def test_text_from_no_file_is_named_by_split_and_number() -> None:
    corpus = Corpus("made", "en", "fr", {"train": text_of([*CLEAN, CLEAN[1], ("a", "")])})
    assert found(audit(corpus)) == {
        ("train", "duplicate_pairs", ""): (1, ("train:3",)),
        ("train", "empty_side", "target"): (1, ("train:4",)),
    }


def test_places_are_lines_of_the_files(tmp_path: Path) -> None:
    """Line numbers as an editor shows them, whatever else separates lines in other programs."""
    lines = ["one\u2028two\x0bthree", "A dog.", "", "A cat.", "A dog."]
    for name in ("train", "valid", "test"):
        sources = lines if name == "train" else [f"In {name}."]
        (tmp_path / f"{name}.en").write_bytes("\r\n".join(sources).encode())
        (tmp_path / f"{name}.fr").write_bytes("\n".join(f"fr {line}" for line in sources).encode())
    keyed = found(audit(load_corpus(str(tmp_path))))
    assert keyed == {
        ("train", "empty_side", "source"): (1, (f"{tmp_path / 'train.en'}:3",)),
        ("train", "duplicate_pairs", ""): (1, (f"{tmp_path / 'train.en'}:5",)),
    }


def test_several_kinds_at_once_come_in_a_fixed_order() -> None:
    train = [("x", "x"), ("x", "x"), ("x", "y"), ("", "y"), ("ж", "e" * 100)]
    kinds = [finding.kind for finding in audit(corpus_of(train)).findings]
    assert kinds == [
        "empty_side",
        "wrong_script",
        "length_ratio",
        "identical_sides",
        "duplicate_pairs",
        "ambiguous_sources",
    ]
    assert [kind for kind in KINDS if kind in kinds] == kinds


def test_the_report_is_a_table_and_the_findings() -> None:
    result = Audit(
        corpus="made",
        source_language="en",
        target_language="fr",
        notice="Sentences written by a grammar.",
        sizes={"train": SplitSize(1200, 12000, 13200, 60000, 66000), "test": SplitSize(4, 10, 11, 50, 53)},
        findings=[
            CorpusFinding("duplicate_pairs", "train", "", 1001, ("a.en:3", "a.en:7")),
            CorpusFinding("empty_side", "test", "target", 1, ("b.fr:2",)),
        ],
        unchecked_languages=(),
    )
    assert render(result) == (
        "Corpus made, en-fr\n"
        "Sentences written by a grammar.\n"
        "\n"
        "split  pairs  en words  fr words  en words/line  fr words/line  "
        "en characters/line  fr characters/line\n"
        "train  1,200    12,000    13,200           10.0           11.0  "
        "              50.0                55.0\n"
        "test       4        10        11            2.5            2.8  "
        "              12.5                13.2\n"
        "\n"
        "Findings\n"
        "  train: pairs that repeat an earlier pair of the split: 1,001\n"
        "    a.en:3\n"
        "    a.en:7\n"
        "    ...\n"
        "  test, target: sentences that are blank: 1\n"
        "    b.fr:2\n"
    )


def test_the_report_of_a_clean_corpus_says_so() -> None:
    assert render(audit(corpus_of(CLEAN))).endswith("\n\nNo findings.\n")


def test_every_kind_has_a_description_in_the_report() -> None:
    findings = [CorpusFinding(kind, "train", "", 1, ()) for kind in KINDS]
    report = render(Audit("made", "en", "fr", "", {"train": SplitSize(0, 0, 0, 0, 0)}, findings, ()))
    assert all(description in report for description in KINDS.values())


def test_repetitions_of_the_published_captions() -> None:
    """Multi30k's own repetitions, counted in another way than `audit` does."""
    beside = Path(__file__).resolve().parents[2].parent / "shared" / "data"
    directories = [Path(name) for name in (os.environ.get("NMT_KERAS_DATA"), beside) if name]
    data_dir = next((d for d in directories if (d / "multi30k" / "train.fr.gz").is_file()), None)
    if data_dir is None:
        pytest.skip("needs Multi30k: NMT_KERAS_DATA names no directory that holds multi30k/train.fr.gz")
    corpus = load_corpus("multi30k", data_dir=str(data_dir))
    stripped = {
        name: [(s.strip(), t.strip()) for s, t in zip(text.sources, text.targets, strict=True)]
        for name, text in corpus.splits.items()
    }
    expected = {}
    train_pairs = set(stripped["train"])
    train_sources = {source for source, _ in stripped["train"]}
    for name, pairs in stripped.items():
        targets = defaultdict(set)
        for source, target in pairs:
            targets[source].add(target)
        expected[name, "duplicate_pairs"] = sum(count - 1 for count in Counter(pairs).values())
        expected[name, "ambiguous_sources"] = sum(len(given) > 1 for given in targets.values())
        if name != "train":
            expected[name, "overlap_sources"] = sum(source in train_sources for source, _ in pairs)
            expected[name, "overlap_pairs"] = len([pair for pair in pairs if pair in train_pairs])
    counts = {(finding.split, finding.kind): finding.count for finding in audit(corpus).findings}
    assert counts == {key: count for key, count in expected.items() if count}
    assert counts["train", "duplicate_pairs"] == 5
