import gzip
from pathlib import Path

import pytest

from nmt_keras.data.text_files import read_line_pair, read_lines, read_tsv

# Characters at which str.splitlines would split, but a line of a corpus does not end.
INNER_SEPARATORS = "\u2028 \u2029 \x0b \x0c \x1c \x1d \x1e \x85 \r"


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


@pytest.mark.parametrize("name", ["a.en", "a.en.gz"])
@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"one\ntwo\n", ["one", "two"]),
        (b"one\ntwo", ["one", "two"]),
        (b"one\r\ntwo\r\n", ["one", "two"]),
        (b"one\r\ntwo\r", ["one", "two"]),
        (b"one\r\r\ntwo\n", ["one\r", "two"]),
        (b"\xef\xbb\xbfone\ntwo\n", ["one", "two"]),
        (b"one\n\xef\xbb\xbftwo\n", ["one", "\ufefftwo"]),
        (b"one\n\ntwo\n\n", ["one", "", "two", ""]),
        (b" one \n\ttwo\n", [" one ", "\ttwo"]),
        (f"a{INNER_SEPARATORS}b\nc".encode(), [f"a{INNER_SEPARATORS}b", "c"]),
        ("Ça coûte 5\u00a0€…\n日本\n".encode(), ["Ça coûte 5\u00a0€…", "日本"]),
    ],
)
def test_lines_end_at_line_feeds_only(tmp_path: Path, name: str, data: bytes, lines: list[str]) -> None:
    faults: list[str] = []
    assert read_lines(write(tmp_path / name, data), faults) == lines
    assert faults == []


def test_each_invalid_line_is_named_and_the_count_stays_right(tmp_path: Path) -> None:
    path = write(tmp_path / "a.fr", b"bon\n\xe9t\xe9\nfin\n\xc3\xa9t\xc3\n")
    faults: list[str] = []
    assert len(read_lines(path, faults)) == 4
    assert len(faults) == 2
    assert faults[0].startswith(f"{path}:2: ")
    assert "byte 0xe9 at byte 1 " in faults[0]
    assert faults[1].startswith(f"{path}:4: ")
    assert "byte 0xc3 at byte 4 " in faults[1]


def test_a_file_in_another_encoding_lists_ten_lines_and_the_number_of_the_rest(tmp_path: Path) -> None:
    path = write(tmp_path / "a.fr", "été\n".encode("latin-1") * 25)
    faults: list[str] = []
    read_lines(path, faults)
    assert [fault.split(": ")[0] for fault in faults[:10]] == [f"{path}:{n}" for n in range(1, 11)]
    assert len(faults) == 11
    assert "15 more" in faults[10]


@pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf"])
def test_an_empty_file_is_a_fault(tmp_path: Path, data: bytes) -> None:
    faults: list[str] = []
    assert read_lines(write(tmp_path / "a.en.gz", data), faults) == []
    assert len(faults) == 1
    assert "an empty file" in faults[0]


@pytest.mark.parametrize(("data", "count"), [(b"\n", 1), (b" \n\t\r\n\xc2\xa0", 3)])
def test_a_file_of_blank_lines_is_a_fault(tmp_path: Path, data: bytes, count: int) -> None:
    faults: list[str] = []
    assert read_lines(write(tmp_path / "a.en", data), faults) == []
    assert len(faults) == 1
    assert f"{count} blank lines" in faults[0]


def test_damaged_gzip_files_are_faults(tmp_path: Path) -> None:
    whole = gzip.compress("".join(f"sentence {n * n}\n" for n in range(1000)).encode())
    inside = bytearray(whole)
    inside[len(whole) // 2] ^= 0xFF
    for data in (whole[:-200], bytes(inside), b"not compressed\n"):
        path = tmp_path / "a.en.gz"
        path.write_bytes(data)
        faults: list[str] = []
        assert read_lines(path, faults) == []
        assert len(faults) == 1
        assert faults[0].startswith(f"{path}: a file named .gz must be a whole gzip file.")


def test_a_file_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    faults: list[str] = []
    assert read_lines(tmp_path / "a.en", faults) == []
    assert faults == [f"{tmp_path / 'a.en'}: the file must be readable. Received: No such file or directory."]


def test_a_pair_of_files_keeps_blank_lines_and_names_its_files(tmp_path: Path) -> None:
    source = write(tmp_path / "a.en", b"one\n\nthree\r\n")
    target = write(tmp_path / "a.fr.gz", "un\ndeux\u2028\ntrois".encode())
    faults: list[str] = []
    text = read_line_pair(source, target, faults)
    assert text is not None
    assert list(text.sources) == ["one", "", "three"]
    assert list(text.targets) == ["un", "deux\u2028", "trois"]
    assert (text.source_path, text.target_path) == (str(source), str(target))
    assert faults == []


@pytest.mark.parametrize("longer", ["source", "target"])
def test_unequal_line_counts_name_the_first_line_without_a_translation(tmp_path: Path, longer: str) -> None:
    data = (b"1\n2\n3\n4\n5\n", b"1\n2\n3\n")
    long, short = (write(tmp_path / name, lines) for name, lines in zip(("long", "short"), data, strict=True))
    faults: list[str] = []
    pair = (long, short) if longer == "source" else (short, long)
    assert read_line_pair(*pair, faults) is None
    assert len(faults) == 1
    assert faults[0].startswith(f"{long}:4: ")
    assert "5 lines against 3" in faults[0]


def test_all_faults_of_a_pair_are_reported(tmp_path: Path) -> None:
    source = write(tmp_path / "a.en", b"1\n\xff\n3\n4\n")
    target = write(tmp_path / "a.fr", b"1\n\xfe\n")
    faults: list[str] = []
    assert read_line_pair(source, target, faults) is None
    assert [fault.split(": ")[0] for fault in faults] == [f"{source}:2", f"{target}:2", f"{source}:3"]


@pytest.mark.parametrize("name", ["a.tsv", "a.tsv.gz"])
def test_tsv_has_no_header(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, "\ufeffsource\ttarget\r\none\t\ntwo \u2028\x0b\tdeux".encode())
    faults: list[str] = []
    text = read_tsv(path, faults)
    assert text is not None
    assert list(zip(text.sources, text.targets, strict=True)) == [
        ("source", "target"),
        ("one", ""),
        ("two \u2028\x0b", "deux"),
    ]
    assert text.source_path == text.target_path == text.origin == str(path)
    assert faults == []


def test_tsv_lines_without_exactly_one_tab_are_faults(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", b"one\tun\ntwo deux\nthree\ttrois\tdrei\n\nfive\tcinq\n")
    faults: list[str] = []
    assert read_tsv(path, faults) is None
    assert [fault.split(": ")[0] for fault in faults] == [f"{path}:{n}" for n in (2, 3, 4)]
    assert ["no tabs" in faults[0], "2 tabs" in faults[1], "no tabs" in faults[2]] == [True, True, True]


def test_tsv_with_many_wrong_lines_lists_ten_and_the_number_of_the_rest(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", b"one, un\n" * 13)
    faults: list[str] = []
    assert read_tsv(path, faults) is None
    assert len(faults) == 11
    assert faults[9].startswith(f"{path}:10: ")
    assert "3 more" in faults[10]


def test_tsv_with_a_blank_column_is_a_fault(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", b"one\t \ntwo\t\n")
    faults: list[str] = []
    assert read_tsv(path, faults) is None
    assert len(faults) == 1
    assert "second column" in faults[0]


def test_an_empty_tsv_is_one_fault(tmp_path: Path) -> None:
    faults: list[str] = []
    assert read_tsv(write(tmp_path / "a.tsv", b""), faults) is None
    assert len(faults) == 1


def test_two_pasted_files_with_carriage_returns_leave_none(tmp_path: Path) -> None:
    faults: list[str] = []
    text = read_tsv(write(tmp_path / "a.tsv", b"one\r\tun\r\ntwo\tdeux\r\n"), faults)
    assert text is not None
    assert (text.sources, text.targets, faults) == (["one", "two"], ["un", "deux"], [])
