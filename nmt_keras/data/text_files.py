"""Lines and sentence pairs read from files; every fault is collected with its file and line number."""

import codecs
import gzip
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from nmt_keras.data.parallel_text import ParallelText

MAX_FAULTS_LISTED = 10  # of one kind in one file: a file in another encoding would list all of its lines


def read_lines(path: Path, faults: list[str]) -> list[str]:
    r"""The lines of a UTF-8 text file, plain or (by the ending `.gz`) gzip.

    Only `\n` ends a line; one `\r` before it, and a byte order mark at the start of the file, are removed.

    Args:
        path: the file.
        faults: gains a message for each fault: unreadable, corrupt gzip, empty, nothing but blank lines,
            lines that are not valid UTF-8.

    Returns:
        All lines without their ends, in order; none if the file cannot be read. With invalid UTF-8 the count
        is still right, so that the faults of a split can be reported together.
    """
    lines: list[str] = []
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            _add_bounded(faults, f"{path}: lines that are not valid UTF-8", _decode(file, path, lines))
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        faults.append(f"{path}: a file named .gz must be a whole gzip file. Received: {error}.")
        return []
    except OSError as error:
        faults.append(f"{path}: the file must be readable. Received: {error.strerror or error}.")
        return []
    if not lines:
        faults.append(f"{path}: a file of a split must hold sentences. Received: an empty file.")
        return []
    if not any(line.strip() for line in lines):
        faults.append(f"{path}: a file of a split must hold sentences. Received: {len(lines)} blank lines.")
        return []
    return lines


def read_line_pair(source_path: Path, target_path: Path, faults: list[str]) -> ParallelText | None:
    """The pairs of two files of which line n of the second translates line n of the first.

    Args:
        source_path: sentences of the source language, one a line (see `read_lines`).
        target_path: their translations.
        faults: gains a message for each fault of either file, and for unequal numbers of lines.

    Returns:
        The pairs, or None if there was a fault.
    """
    faults_before = len(faults)
    sources = read_lines(source_path, faults)
    targets = read_lines(target_path, faults)
    if sources and targets and len(sources) != len(targets):
        shorter, longer = sorted([(len(sources), source_path), (len(targets), target_path)])
        faults.append(
            f"{longer[1]}:{shorter[0] + 1}: each line must have its translation on the same line of "
            f"{shorter[1]}. Received: {longer[0]} lines against {shorter[0]}."
        )
    if len(faults) > faults_before:
        return None
    return ParallelText(
        sources,
        targets,
        origin=f"{source_path} + {target_path}",
        source_path=str(source_path),
        target_path=str(target_path),
    )


def read_tsv(path: Path, faults: list[str]) -> ParallelText | None:
    """The pairs of one file with two columns, source TAB target, and no header.

    Args:
        path: the file (see `read_lines`).
        faults: gains a message for each fault, among them lines without exactly one tab, and a blank column.

    Returns:
        The pairs, or None if there was a fault.
    """
    faults_before = len(faults)
    sources: list[str] = []
    targets: list[str] = []
    rule = "must be source TAB target, with exactly one tab"

    def part(lines: Iterable[str]) -> Iterator[str]:
        for number, line in enumerate(lines, start=1):
            match line.split("\t"):
                case [source, target]:
                    sources.append(source.removesuffix("\r"))  # of two pasted files with such line ends
                    targets.append(target)
                case columns:
                    yield f"{path}:{number}: a line {rule}. Received: {_count(len(columns) - 1, 'tab')}."

    _add_bounded(faults, f"{path}: lines of another form: each {rule}", part(read_lines(path, faults)))
    if len(faults) > faults_before:
        return None
    for column, sentences in (("first", sources), ("second", targets)):
        if not any(sentence.strip() for sentence in sentences):
            faults.append(f"{path}: the {column} column must hold sentences. Received: {len(sentences)} blank ones.")
    if len(faults) > faults_before:
        return None
    return ParallelText(sources, targets, origin=str(path), source_path=str(path), target_path=str(path))


def _decode(file: Iterable[bytes], path: Path, lines: list[str]) -> Iterator[str]:
    """Adds the lines of a file to `lines`, and gives a message for each that is not valid UTF-8."""
    # Bytes are parted at \n alone; str.splitlines would also part at U+2028 and others, which a sentence may hold.
    for number, ended in enumerate(file, start=1):
        if number == 1 and not (ended := ended.removeprefix(codecs.BOM_UTF8)):
            return
        line = ended.removesuffix(b"\n").removesuffix(b"\r")
        try:
            lines.append(line.decode())
        except UnicodeDecodeError as error:
            lines.append(line.decode(errors="replace"))
            yield (
                f"{path}:{number}: text must be valid UTF-8. Received: byte 0x{line[error.start]:02x} at "
                f"byte {error.start + 1} of the line. Convert the file, for example with iconv."
            )


def _add_bounded(faults: list[str], summary: str, found: Iterable[str]) -> None:
    rest = 0
    for number, fault in enumerate(found):
        if number < MAX_FAULTS_LISTED:
            faults.append(fault)
        else:
            rest += 1
    if rest:
        faults.append(f"{summary}. Received: {rest} more such lines.")


def _count(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"
