"""Files and folders that only their owner may read: the data directory of an embedded stack, and what is in it.

Others on this machine could plant a symbolic link where a stack is about to write, so none is followed: every file is
opened with O_NOFOLLOW, in a folder that is the user's own and closed to others.
"""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from typing import IO

from streams.errors import UserError

FOLDER_MODE, FILE_MODE = 0o700, 0o600


class NotPrivate(UserError):
    """A data directory that others could have tampered with."""


def new_password() -> str:
    """A random password of 192 bits."""
    return secrets.token_urlsafe(24)


def read_password(path: Path) -> str:
    """The password in a file. Raises UserError if there is none, NotPrivate."""
    try:
        with open_private(path, "r") as file:
            password = file.read().strip()
    except OSError as error:
        raise UserError(
            f"The password file {path} cannot be read ({error.strerror}): the next start of the stack makes one if "
            "there is none."
        ) from error
    if not password:
        raise UserError(f"The password file {path} is empty: remove it, and the next start of the stack makes one.")
    return password


def open_private(path: Path, mode: str) -> IO[str]:
    """Opens a text file; `mode` is that of `open`. A new one is 0600. Raises OSError, NotPrivate."""
    try:
        return open(path, mode, opener=_open)
    except OSError as error:
        if path.is_symlink():
            raise NotPrivate(f"{path} is a symbolic link, which is not followed here: remove it.") from error
        raise


def _open(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, FILE_MODE)


def make_private(folder: Path) -> None:
    """Makes the folder, and closes it, and all that is in it, to others. Raises NotPrivate.

    A folder that was closed already is left as it is: nobody else can have changed what is in it.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        os.mkdir(folder, FOLDER_MODE)
    descriptor = _open_folder(folder)
    try:
        found = os.fstat(descriptor)
        if found.st_uid != os.getuid():
            raise NotPrivate(f"{folder} belongs to another user: name a directory of your own with --data.")
        if found.st_mode & stat.S_ISVTX:
            raise NotPrivate(f"{folder} is shared by all users: name a directory of your own in it with --data.")
        if stat.S_IMODE(found.st_mode) & 0o077:
            os.fchmod(descriptor, FOLDER_MODE)
            _close_to_others(folder)
    finally:
        os.close(descriptor)


def _open_folder(folder: Path) -> int:
    try:
        return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as error:
        if folder.is_symlink():
            raise NotPrivate(
                f"{folder} is a symbolic link, which is not followed here: name {folder.resolve()} with --data."
            ) from error
        raise


def _close_to_others(folder: Path) -> None:
    """Tightens what is in the folder; a link that leaves it was planted, or is not meant to be served."""
    root = folder.resolve()
    for place, folders, files, descriptor in os.fwalk(folder, follow_symlinks=False):
        for name in (*folders, *files):
            mode = os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_mode
            if stat.S_ISLNK(mode):
                if not Path(place, name).resolve().is_relative_to(root):
                    raise NotPrivate(f"{Path(place, name)} is a symbolic link to another place: remove it.")
            elif stat.S_ISDIR(mode) or stat.S_ISREG(mode):
                os.chmod(name, stat.S_IMODE(mode) & FOLDER_MODE, dir_fd=descriptor)
