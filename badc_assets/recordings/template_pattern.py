"""One template: its text with placeholders as a regular expression, and what a path says that it matches."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from string import Formatter
from typing import Any

from badc_assets.recordings.clock import existing_moment, offset_text, read_offset
from badc_assets.recordings.statements import (
    FILE_NAME,
    FOLDER,
    TEMPLATE,
    TEXT_FIELDS,
    Statement,
    coordinates,
    number,
)

_WORD = r"[^\W_](?:[\w-]*[^\W_])?"
_WHOLE_FOLDER = r"[^/]+"
PLACEHOLDERS = {
    **dict.fromkeys(("study_area", "site", "deployment", "recorder", "serial"), _WORD),
    "side": r"[A-Za-z0-9+]+",
    "gain": r"[\w.]+",
    "date": r"[0-9]{8}|[0-9]{4}-[0-9]{2}-[0-9]{2}",
    "time": r"[0-9]{6}|[0-9]{2}-[0-9]{2}-[0-9]{2}|[0-9]{2}:[0-9]{2}:[0-9]{2}",
    "fraction": r"[0-9]{1,9}",
    "offset": r"Z|[+-][0-9]{2}(?::?[0-9]{2})?",
    "unix_hex": r"[0-9A-Fa-f]{8}",
    "latitude": r"[+-]?[0-9]{1,2}(?:\.[0-9]+)?",
    "longitude": r"[+-]?[0-9]{1,3}(?:\.[0-9]+)?",
    "any": r"[^/]*?",
    "folders": r".*?",
}
"""Placeholder -> the text that it stands for. `any` and `folders` may occur more than once; what they match is not kept."""

_UNKEPT = ("any", "folders")
_SETTABLE = (*TEXT_FIELDS, "zone")
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_MADE_OF = {
    "start": ["date", "time", "unix_hex"],
    "utc_offset": ["offset", "unix_hex"],
}


@dataclass(frozen=True)
class CompiledTemplate:
    """A template ready to match. `parts` is the number of folders and names that it covers, `folder_fields` what lies left of
    its last slash."""

    name: str
    regex: re.Pattern[str]
    parts: int
    folder_fields: frozenset[str]
    constants: Mapping[str, str]

    def match(self, path: str) -> tuple[Statement, ...] | None:
        """What the end of a path (without suffix, with /) says: file name, folders, constants, in this order.

        None when it does not match, or when it names a date, time or place that does not exist.
        """
        found = self.regex.fullmatch("/".join(path.split("/")[-self.parts :]))
        if found is None:
            return None
        texts = {name: text for name, text in found.groupdict().items() if text is not None}
        read = _values(texts)
        if read is None:
            return None
        made = {field: value.format_map(texts) for field, value in self.constants.items()}
        by_source: dict[str, dict[str, Any]] = {FILE_NAME: {}, FOLDER: {}, TEMPLATE: {}}
        for field, value in (read | made).items():
            by_source[self._source(field)][field] = value
        return tuple(Statement(source, values) for source, values in by_source.items() if values)

    def _source(self, field: str) -> str:
        """Where a field comes from: the folders when all of it does."""
        constant = self.constants.get(field)
        names = placeholders(constant) if constant is not None else _MADE_OF.get(field, [field])
        if not names:
            return TEMPLATE
        return (
            FOLDER if all(name in self.folder_fields for name in names if name in self.regex.groupindex) else FILE_NAME
        )


def placeholders(text: str) -> list[str]:
    """The names in braces, in order. Raises ValueError for braces that do not match."""
    return [name for _, name, _, _ in Formatter().parse(text) if name is not None]


def compile_template(
    name: str, path: str, patterns: Mapping[str, str], constants: Mapping[str, str]
) -> CompiledTemplate:
    """Raises ValueError that says what is wrong."""
    names = placeholders(path)
    if any(spec or conversion for _, _, spec, conversion in Formatter().parse(path)):
        raise ValueError("a placeholder is a name in braces; what it matches stands in `patterns`")
    _require_known(names, patterns)
    for placeholder, pattern in patterns.items():
        _require_pattern(placeholder, pattern, names)
    for field, value in constants.items():
        _require_constant(field, value, names)
    if "date" in names and "time" not in names:
        raise ValueError("{date} without {time}: the start of a recording needs both")
    if ("latitude" in names) != ("longitude" in names):
        raise ValueError("{latitude} and {longitude} go together")
    regex, kept = "", set(names) - set(_UNKEPT)
    segments = path.strip("/").split("/")
    for number_of, segment in enumerate(segments):
        regex += "/" if number_of else ""
        for literal, placeholder, _, _ in Formatter().parse(segment):
            regex += re.escape(literal)
            if placeholder is not None:
                is_alone = segment == f"{{{placeholder}}}" and number_of < len(segments) - 1
                pattern = patterns.get(placeholder) or _pattern(placeholder, is_alone)
                regex += f"(?P<{placeholder}>{pattern})" if placeholder in kept else f"(?:{pattern})"
    folders = frozenset(placeholders(path.rpartition("/")[0]))
    parts = 10_000 if "folders" in names else len(segments)
    try:
        return CompiledTemplate(name, re.compile(regex), parts, folders, dict(constants))
    except re.error as error:
        raise ValueError(f"the patterns do not go together ({error})") from error


def _pattern(placeholder: str, is_whole_folder: bool) -> str:
    # Between slashes there is no doubt where a name ends, so it may hold anything.
    return _WHOLE_FOLDER if is_whole_folder and placeholder in TEXT_FIELDS else PLACEHOLDERS[placeholder]


def _require_known(names: Iterable[str], patterns: Mapping[str, str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name not in PLACEHOLDERS and name not in patterns:
            close = difflib.get_close_matches(name, PLACEHOLDERS, n=1)
            hint = f"did you mean {{{close[0]}}}?" if close else "give it a line in `patterns`"
            raise ValueError(f"unknown placeholder {{{name}}}; {hint}")
        if name in seen and name not in _UNKEPT:
            raise ValueError(f"{{{name}}} stands twice")
        seen.add(name)


def _require_pattern(placeholder: str, pattern: str, names: list[str]) -> None:
    if placeholder not in names:
        raise ValueError(f"`patterns` has {placeholder!r}, which is not in `path`")
    if _NAME.fullmatch(placeholder) is None:
        raise ValueError(f"{placeholder!r} is no name for a placeholder: use a-z, 0-9 and _")
    try:
        groups = re.compile(pattern).groups
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"the pattern of {{{placeholder}}} is no regular expression ({error})") from error
    if groups:
        raise ValueError(f"the pattern of {{{placeholder}}} may not have groups; write (?:...) for (...)")


def _require_constant(field: str, value: str, names: list[str]) -> None:
    if field not in _SETTABLE:
        raise ValueError(f"`set` has {field!r}; it can set {', '.join(_SETTABLE)}")
    if field in names:
        raise ValueError(f"{field!r} is in `path` and in `set`")
    for _, name, spec, conversion in Formatter().parse(value):
        if name is not None and (name not in names or name in _UNKEPT or spec or conversion):
            raise ValueError(f"`set` uses {{{name}}} in {field!r}, which is not a placeholder of `path`")


def _values(texts: Mapping[str, str]) -> dict[str, Any] | None:
    """Fields from the texts of placeholders; None when a date, time, offset or place does not exist."""
    values: dict[str, Any] = {name: text for name, text in texts.items() if name in TEXT_FIELDS and text}
    start = _start(texts)
    if start is None:
        return None
    values |= start
    if "latitude" in texts:
        latitude, longitude = number(texts["latitude"]), number(texts["longitude"])
        if latitude is None or longitude is None or abs(latitude) > 90 or abs(longitude) > 180:
            return None
        values |= coordinates(latitude, longitude)
    return values


def _start(texts: Mapping[str, str]) -> dict[str, str] | None:
    if "unix_hex" in texts:
        try:
            clock = datetime.fromtimestamp(int(texts["unix_hex"], 16), UTC).replace(tzinfo=None)
        except (ValueError, OverflowError, OSError):  # a pattern of the project let something else through
            return None
        return {"start": clock.isoformat(), "utc_offset": "UTC"}
    if "date" not in texts:
        return {}
    # A space for a leading zero is what some firmwares write; only patterns that allow it let it through.
    date, time = texts["date"].replace("-", "").replace(" ", "0"), re.sub("[-:]", "", texts["time"])
    clock = existing_moment(date, time, texts.get("fraction", ""))
    offset = read_offset(texts["offset"]) if "offset" in texts else None
    if clock is None or ("offset" in texts and offset is None):
        return None
    return {"start": clock.isoformat()} | ({"utc_offset": offset_text(offset)} if offset is not None else {})
