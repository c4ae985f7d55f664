"""Others on this machine cannot read the data directory, nor plant anything in it."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.embedded.client import client_of
from streams.embedded.directory import Directory
from streams.embedded.private import NotPrivate, make_private, open_private
from streams.embedded.stack import Stack
from streams.errors import UserError


def modes(folder: Path) -> dict[str, int]:
    """The permissions of all that is under a folder, but of symbolic links."""
    found = [folder, *folder.rglob("*")]
    return {str(path): stat.S_IMODE(path.lstat().st_mode) for path in found if not path.is_symlink()}


@pytest.fixture(autouse=True)
def _open_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def test_a_directory_that_others_could_read_is_closed(tmp_path: Path) -> None:
    data = tmp_path / "data"
    for name in ("clickhouse/store", "run", "log"):
        (data / name).mkdir(parents=True)
    (data / "clickhouse" / "store" / "part").write_text("rows")
    (data / "log" / "store.log").write_text("words")
    data.chmod(0o777)
    Directory(data).take()
    assert [path for path, mode in modes(data).items() if mode & 0o077] == []
    assert (data / "clickhouse" / "store" / "part").read_text() == "rows"


def test_a_password_is_made_once_and_stays(tmp_path: Path) -> None:
    first = Directory(tmp_path / "data")
    first.take()
    password = first.password()
    first.release()
    assert len(password) >= 32
    assert stat.S_IMODE(first.password_file.stat().st_mode) == 0o600
    again = Directory(tmp_path / "data")
    again.take()
    assert again.password() == password
    again.release()
    other = Directory(tmp_path / "other")
    other.take()
    assert other.password() != password
    other.release()


@pytest.mark.parametrize("text", [None, "", "\n"])
def test_a_password_that_is_missing_or_empty_is_one_sentence(tmp_path: Path, text: str | None) -> None:
    directory = Directory(tmp_path / "data")
    directory.take()
    directory.password_file.unlink() if text is None else directory.password_file.write_text(text)
    with pytest.raises(UserError, match=f"^The password file {directory.password_file} .*[.]$"):
        directory.password()
    directory.release()


def password_of(directory: Directory) -> str:
    directory.take()
    return directory.password()


@pytest.mark.parametrize("name", ["password", "run", "log", "clickhouse", "run/lock"])
def test_no_symbolic_link_is_followed(tmp_path: Path, name: str) -> None:
    data, aim = tmp_path / "data", tmp_path / "aim"
    (data / "run").mkdir(parents=True) if "/" in name else data.mkdir()
    (data / name).symlink_to(aim)
    data.chmod(0o700)
    directory = Directory(data)
    with pytest.raises(NotPrivate, match="symbolic link"):
        password_of(directory)
    directory.release()
    assert not aim.exists()


def test_a_link_in_place_of_the_addresses_is_not_followed(tmp_path: Path) -> None:
    directory = Directory(tmp_path / "data")
    directory.take()
    (directory.run / "ports.draft").symlink_to(tmp_path / "aim")
    with pytest.raises(NotPrivate, match="symbolic link"):
        directory.publish({})
    directory.release()
    assert not (tmp_path / "aim").exists()


def test_a_linked_data_directory_is_refused_with_its_real_name(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "data").symlink_to(tmp_path / "real")
    with pytest.raises(NotPrivate, match=f"name {tmp_path / 'real'} with --data"):
        Directory(tmp_path / "data").take()


def test_a_planted_link_in_an_open_directory_is_found(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "clickhouse").mkdir(parents=True)
    (data / "clickhouse" / "inside").symlink_to(data / "clickhouse")
    data.chmod(0o755)
    make_private(data)
    data.chmod(0o755)
    (data / "clickhouse" / "store").symlink_to("/etc")
    with pytest.raises(NotPrivate, match="store is a symbolic link to another place"):
        make_private(data)


def test_a_directory_of_all_users_is_refused(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    with pytest.raises(NotPrivate, match="shared by all users"):
        make_private(shared)
    assert stat.S_IMODE(shared.stat().st_mode) == 0o1777


def test_a_new_file_is_its_owner_s(tmp_path: Path) -> None:
    with open_private(tmp_path / "x", "w") as file:
        file.write("x")
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o600


@pytest.mark.embedded
def test_all_that_a_stack_writes_is_its_owner_s(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Stack(data) as stack:
        with stack.connect() as client:
            client.command("CREATE TABLE t (a Int8) ENGINE = MergeTree ORDER BY a")
            client.command("INSERT INTO t VALUES (1)")
        assert [path for path, mode in modes(data).items() if mode & 0o077] == []
        password = stack.directory.password()
        for log in (data / "log").iterdir():
            assert password not in log.read_text()
        assert password not in (data / "run" / "ports.json").read_text()
        for pid in (stack.pid("clickhouse"), stack.pid("broker")):
            assert password not in Path(f"/proc/{pid}/cmdline").read_text()
            assert password not in Path(f"/proc/{pid}/environ").read_text()
        with client_of(data, "default") as client:
            assert client.command("SELECT count() FROM t") == 1
