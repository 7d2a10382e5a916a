"""What keeps a server's files from being copied, by what the server says of its places."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbvigil.backups.nearby import _spread

PLAIN = {
    "innodb_data_home_dir": "",
    "innodb_data_file_path": "ibdata1:12M:autoextend",
    "innodb_undo_directory": "./",
    "innodb_encrypt_tables": "OFF",
    "innodb_encrypt_log": "OFF",
    "aria_encrypt_tables": "OFF",
}


def test_files_that_are_all_in_one_folder_can_be_copied(tmp_path: Path) -> None:
    assert _spread(tmp_path, PLAIN) == ""
    assert _spread(tmp_path, PLAIN | {"innodb_undo_directory": f"{tmp_path}/"}) == ""


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("innodb_undo_directory", "/undo", "innodb_undo_directory /undo is outside of {}"),
        ("innodb_data_home_dir", "/home", "innodb_data_home_dir /home is outside of {}"),
        ("innodb_data_file_path", "/disk/ibdata1:12M", "innodb_data_file_path /disk/ibdata1:12M leads outside of {}"),
        ("innodb_encrypt_tables", "FORCE", "they are encrypted at rest (innodb_encrypt_tables), and opened by keys that are not known"),
        ("aria_encrypt_tables", "ON", "they are encrypted at rest (aria_encrypt_tables), and opened by keys that are not known"),
    ],
)  # fmt: skip
def test_files_that_lie_elsewhere_or_are_ciphered_cannot(
    tmp_path: Path, name: str, value: str, told: str
) -> None:
    assert _spread(tmp_path, PLAIN | {name: value}) == told.format(tmp_path)


def test_a_link_leads_elsewhere(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    (folder / "shop").mkdir(parents=True)
    (folder / "other").symlink_to(tmp_path)
    assert _spread(folder, PLAIN) == f"{folder / 'other'} leads outside of {folder} (DATA DIRECTORY)"
    (folder / "other").unlink()
    (folder / "shop" / "t.MYD").symlink_to(tmp_path / "t.MYD")
    assert _spread(folder, PLAIN) == f"{folder / 'shop' / 't.MYD'} leads outside of {folder} (DATA DIRECTORY)"
