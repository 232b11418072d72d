"""Names of tables, indexes and partitions: read from an option, quoted, and kept within what PostgreSQL takes.

An identifier has at most 63 bytes of UTF-8 (``NAMEDATALEN`` - 1) and holds anything but NUL; what is longer would be
cut silently. Source: PostgreSQL documentation, "Lexical Structure", "Identifiers and Key Words".
"""

import re
from hashlib import sha256

from fapilog.errors import ConfigError

MOST_BYTES = 63
_DIGEST = 8
_QUOTED = r'("(?:[^"]|"")+")'
_PLAIN = r"([^.]+)"
# In this order, or a dot between double quotes would part schema and table.
_FORMS = tuple(
    (re.compile(r"\.".join(parts), re.DOTALL), parts)
    for parts in (
        (_QUOTED,),
        (_QUOTED, _QUOTED),
        (_QUOTED, _PLAIN),
        (_PLAIN, _QUOTED),
        (_PLAIN, _PLAIN),
        (_PLAIN,),
    )
)
_ALLOWED = (
    'a table such as "logs" or "audit.logs", each name at most 63 bytes and without NUL; '
    "a name with a dot in it goes in double quotes"
)


def split_table(table: object, where: str) -> tuple[str | None, str]:
    """Return the schema, None if there is none, and the table of ``"schema.table"``.

    Names are taken as written, letter case too. One that is wholly in double quotes is what SQL reads there: without
    them, ``""`` for one ``"``.

    Raises:
        ConfigError: If it is no such text.
    """
    if not isinstance(table, str):
        raise ConfigError.hidden(where, table, _ALLOWED)
    names = _names(table)
    if not names or not all(map(_usable, names)):
        raise ConfigError.wrong(where, table, _ALLOWED)
    return names[0] if len(names) > 1 else None, names[-1]


def quoted(*names: str) -> str:
    """Return the names as SQL, in double quotes, joined by dots."""
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


def derived(table: str, suffix: str) -> str:
    """Return the name of something that belongs to a table: ``table_suffix``.

    Where that is too long, the table's name is cut and a digest of all of it says which one it was.
    """
    name = f"{table}_{suffix}"
    if len(name.encode()) <= MOST_BYTES:
        return name
    tail = f"_{sha256(table.encode()).hexdigest()[:_DIGEST]}_{suffix}"
    return table.encode()[: MOST_BYTES - len(tail)].decode("utf-8", "ignore") + tail


def lock_key(schema: str, table: str) -> int:
    """Return the number of the advisory lock under which the table is made and changed: 64 bits, signed."""
    return int.from_bytes(sha256(f"fapilog {quoted(schema, table)}".encode()).digest()[:8], "big", signed=True)


def _names(table: str) -> list[str]:
    for form, parts in _FORMS:
        match = form.fullmatch(table)
        if match:
            pairs = zip(match.groups(), parts, strict=True)
            return [name[1:-1].replace('""', '"') if part is _QUOTED else name for name, part in pairs]
    return []


def _usable(name: str) -> bool:
    try:
        return "\0" not in name and bool(name.strip()) and len(name.encode()) <= MOST_BYTES
    except UnicodeEncodeError:
        return False
