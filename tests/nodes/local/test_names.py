"""The names of protocols and tables are those that iproute2 on the same machine would print."""

from __future__ import annotations

from pathlib import Path

from calitui.nodes.local.names import read_names


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_without_files_those_compiled_into_iproute2(tmp_path: Path) -> None:
    names = read_names(tmp_path, [tmp_path])
    assert [names.protocol(number) for number in (2, 3, 4, 12, 80)] == ["kernel", "", "static", "bird", "80"]
    assert [names.table(number) for number in (0, 1, 253, 254, 255)] == ["main", "1", "default", "main", "local"]
    assert [names.scope(number) for number in (0, 200, 253, 254, 7)] == ["", "site", "link", "host", "7"]


def test_the_file_of_etc_stands_for_the_systems(tmp_path: Path) -> None:
    etc, system = tmp_path / "etc", tmp_path / "usr"
    _write(system / "rt_protos", "80 felix\n81 other\n")
    assert read_names(etc, [system]).protocol(80) == "felix"
    _write(etc / "rt_protos", "80\tcalico   # Felix\n")
    names = read_names(etc, [system])
    assert (names.protocol(80), names.protocol(81)) == ("calico", "81")


def test_files_of_directories_are_added(tmp_path: Path) -> None:
    etc, system = tmp_path / "etc", tmp_path / "usr"
    _write(etc / "rt_tables", "254 main\n")
    _write(etc / "rt_tables.d" / "mine.conf", "0x64 hundred\n")
    _write(etc / "rt_tables.d" / "README", "7 seven\n")
    _write(system / "rt_tables.d" / "theirs.conf", "8 eight\n100 overridden\n")
    names = read_names(etc, [system])
    assert [names.table(number) for number in (100, 7, 8, 254)] == ["hundred", "7", "eight", "main"]


def test_nonsense_costs_names_only(tmp_path: Path) -> None:
    _write(tmp_path / "rt_protos", "# 1 remark\nbird 12\n12\n999999999999999 x\n -1 y\n80 \x1b[31mred\n\n13 fine")
    names = read_names(tmp_path, [])
    assert (names.protocol(80), names.protocol(13), names.protocol(12)) == ("\\x1b[31mred", "fine", "bird")
    (tmp_path / "rt_tables").mkdir()
    assert read_names(tmp_path, []).table(254) == "main"
