"""What to know of a corpus before training on it: sizes, repetitions, leaks into the tests, odd pairs."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from nmt_keras.data.cleaning import DEFAULT_LIMITS, Limits
from nmt_keras.data.parallel_text import Corpus, ParallelText
from nmt_keras.data.scripts import ScriptCheck, scripts_of

KINDS = {
    "empty_side": "sentences that are blank",
    "too_long": "sentences that are over-long",
    "wrong_script": "sentences mostly in another script than the language's",
    "length_ratio": "pairs of which one side is far longer than the other",
    "identical_sides": "pairs with the same text on both sides",
    "duplicate_pairs": "pairs that repeat an earlier pair of the split",
    "ambiguous_sources": "source sentences with different translations in the split",
    "overlap_sources": "pairs whose source sentence is also in train",
    "overlap_pairs": "pairs that are also in train",
}


@dataclass(frozen=True)
class SplitSize:
    """How much text a split holds.

    Args:
        pairs: sentence pairs.
        source_words: words of the source side, separated by white space.
        target_words: of the target side.
        source_characters: characters of the source side.
        target_characters: of the target side.
    """

    pairs: int
    source_words: int
    target_words: int
    source_characters: int
    target_characters: int


@dataclass(frozen=True)
class CorpusFinding:
    """One kind of oddity in one split.

    Args:
        kind: a key of `KINDS`.
        split: name of the split.
        side: "source" or "target"; empty when the pair is concerned.
        count: how many there are.
        places: the first of them as "file:line"; "split:number" for text that comes from no file. For pairs,
            the line in the source file.
    """

    kind: str
    split: str
    side: str
    count: int
    places: tuple[str, ...]


@dataclass(frozen=True)
class Audit:
    """The result of `audit`.

    Args:
        corpus: name of the corpus.
        source_language: its code.
        target_language: its code.
        notice: the corpus's own notice.
        sizes: by split.
        findings: in the order of the splits, and of `KINDS` within a split.
        unchecked_languages: languages whose script is not known, so that no "wrong_script" can be found.
    """

    corpus: str
    source_language: str
    target_language: str
    notice: str
    sizes: dict[str, SplitSize]
    findings: list[CorpusFinding]
    unchecked_languages: tuple[str, ...]


def audit(corpus: Corpus, limits: Limits = DEFAULT_LIMITS, max_places: int = 5) -> Audit:
    """Examine all splits of a corpus; the time grows linearly with its size.

    White space around a sentence is ignored. A pair with a blank side is reported as such ("empty_side") and
    takes part in no other check.

    Args:
        corpus: the corpus.
        limits: what a pair may measure.
        max_places: how many places a finding names.
    """
    languages = {"source": corpus.source_language, "target": corpus.target_language}
    scripts = {side: ScriptCheck(language) for side, language in languages.items() if scripts_of(language)}
    train = _Seen()
    findings: list[CorpusFinding] = []
    # train comes first, since the others are compared with it.
    for split in sorted(corpus.splits, key=lambda split: split != "train"):
        text = corpus.splits[split]
        places = _Places(split, text, max_places)
        _check_pairs(text, limits, scripts, places)
        seen = _check_repetitions(text, train, places)
        if split == "train":
            train = seen
        findings += places.findings()
    return Audit(
        corpus=corpus.name,
        source_language=corpus.source_language,
        target_language=corpus.target_language,
        notice=corpus.notice,
        sizes={split: _size(text) for split, text in corpus.splits.items()},
        findings=findings,
        unchecked_languages=tuple(languages[side] for side in languages if side not in scripts),
    )


def render(result: Audit) -> str:
    """The audit as plain text: a table of the splits, then the findings with their first places."""
    lines = [f"Corpus {result.corpus}, {result.source_language}-{result.target_language}"]
    if result.notice:
        lines.append(result.notice)
    source, target = result.source_language, result.target_language
    header = ["split", "pairs"]
    header += [
        f"{language} {what}" for what in ("words", "words/line", "characters/line") for language in (source, target)
    ]
    rows = [header]
    for split, size in result.sizes.items():
        means = (size.source_words, size.target_words, size.source_characters, size.target_characters)
        rows.append(
            [split, f"{size.pairs:,}", f"{size.source_words:,}", f"{size.target_words:,}"]
            + [f"{total / max(size.pairs, 1):.1f}" for total in means]
        )
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines.append("")
    for row in rows:
        cells = [row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join(cells))
    lines += ["", "Findings" if result.findings else "No findings."]
    for finding in result.findings:
        where = f"{finding.split}, {finding.side}" if finding.side else finding.split
        lines.append(f"  {where}: {KINDS[finding.kind]}: {finding.count:,}")
        lines += [f"    {place}" for place in finding.places]
        if finding.count > len(finding.places):
            lines.append("    ...")
    if result.unchecked_languages:
        lines.append(f"Script not checked, because it is not known for: {', '.join(result.unchecked_languages)}")
    return "\n".join(lines) + "\n"


class _Seen:
    """The sentences and pairs of a split."""

    def __init__(self) -> None:
        self.first_target: dict[str, str] = {}
        self.pairs: set[tuple[str, str]] = set()


class _Places:
    """The findings of one split while they are counted."""

    def __init__(self, split: str, text: ParallelText, max_places: int) -> None:
        self._split = split
        self._paths = {"source": text.source_path or split, "target": text.target_path or split}
        self._max_places = max_places
        self._counts: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._places: defaultdict[tuple[str, str], list[str]] = defaultdict(list)

    def add(self, kind: str, index: int, side: str = "") -> None:
        self._counts[kind, side] += 1
        places = self._places[kind, side]
        if len(places) < self._max_places:
            places.append(f"{self._paths[side or 'source']}:{index + 1}")

    def findings(self) -> list[CorpusFinding]:
        return [
            CorpusFinding(kind, self._split, side, self._counts[kind, side], tuple(self._places[kind, side]))
            for kind in KINDS
            for side in ("source", "target", "")
            if (kind, side) in self._counts
        ]


def _check_pairs(text: ParallelText, limits: Limits, scripts: dict[str, ScriptCheck], places: _Places) -> None:
    """What can be seen in one pair alone."""
    for index, (source, target) in enumerate(_stripped(text)):
        sides = (("source", source), ("target", target))
        if not source or not target:
            for side, sentence in sides:
                if not sentence:
                    places.add("empty_side", index, side)
            continue
        for side, sentence in sides:
            if limits.too_long(sentence):
                places.add("too_long", index, side)
            if side in scripts and scripts[side].wrong(sentence):
                places.add("wrong_script", index, side)
        if limits.wild_ratio(source, target):
            places.add("length_ratio", index)
        if source == target:
            places.add("identical_sides", index)


def _check_repetitions(text: ParallelText, train: _Seen, places: _Places) -> _Seen:
    """What repeats within the split, or from another split `train`; returns what the split holds."""
    own = _Seen()
    ambiguous: set[str] = set()
    for index, (source, target) in enumerate(_stripped(text)):
        if not source or not target:
            continue
        if (source, target) in own.pairs:
            places.add("duplicate_pairs", index)
        own.pairs.add((source, target))
        if own.first_target.setdefault(source, target) != target and source not in ambiguous:
            ambiguous.add(source)
            places.add("ambiguous_sources", index)
        if source in train.first_target:
            places.add("overlap_sources", index)
            if (source, target) in train.pairs:
                places.add("overlap_pairs", index)
    return own


def _stripped(text: ParallelText) -> Iterator[tuple[str, str]]:
    return zip(map(str.strip, text.sources), map(str.strip, text.targets), strict=True)


def _size(text: ParallelText) -> SplitSize:
    return SplitSize(
        pairs=len(text),
        source_words=sum(len(sentence.split()) for sentence in text.sources),
        target_words=sum(len(sentence.split()) for sentence in text.targets),
        source_characters=sum(map(len, text.sources)),
        target_characters=sum(map(len, text.targets)),
    )
