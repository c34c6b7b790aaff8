"""Why a file is not read as a backup. Raised by `envelope` and `archive`; each message says what to do.

BackupUnreadable
├── NoBackup      it is something else
├── NewerFormat   a later release wrote it
├── WrongKey      another key sealed it
├── CutShort      its end is missing
└── Altered       it is not what was written
"""

from __future__ import annotations


class BackupUnreadable(Exception):
    """Another try does not mend it."""


class NoBackup(BackupUnreadable):
    """Not the beginning of a backup."""


class NewerFormat(BackupUnreadable):
    """Of a format that this release does not know."""


class WrongKey(BackupUnreadable):
    """The key given is not the one that it was sealed with."""


class CutShort(BackupUnreadable):
    """It ends before its end."""


class Altered(BackupUnreadable):
    """Some of it was changed after it was written."""
