"""Classes by name: files of names, and labels that are names in the text forms.

The scanner of the text forms reads numbers. Where a file has names, its labels are replaced by
numbers first; all else on a line stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from lucid.data.dataset import DataFileError
from lucid.data.files import FilePath, read_text

#: The labels at the beginning of a line: anything up to a blank that is no feature. In svmlight's
#: form a comment ends them, too.
_LABELS = {
    False: re.compile(rb"^(?![0-9]+:)[^\s]+", re.MULTILINE),
    True: re.compile(rb"^(?![0-9]+:)[^\s#]+", re.MULTILINE),
}

#: What begins like a feature, but has no number.
_NEITHER = re.compile(rb"^[0-9]+:(?![-+]?\.?[0-9])[^\s]*", re.MULTILINE)

#: What the readers take: whether labels are names, or the names of the classes.
ClassNames = bool | Sequence[str]


def read_names(path: FilePath) -> list[str]:
    r"""Read names of classes from a file that has one on each line.

    The Extreme Classification Repository keeps the names of its classes so, in ``Y.txt``.

    Parameters
    ----------
    path : str or path
        UTF-8 text, plain or compressed with gzip, bzip2 or xz.

    Returns
    -------
    list of str
        The names by the numbers of the classes, without blanks at the ends.

    Raises
    ------
    DataFileError
        If the file is not UTF-8 text.
    OSError
        If it cannot be read, or is no regular file.

    Examples
    --------
    >>> with open("Y.txt", "w") as file:
    ...     _ = file.write("art\nblack birds\n")
    >>> read_names("Y.txt")
    ['art', 'black birds']
    """
    text = read_text(path)
    return [name.strip() for name in _decoded(path, text, 1).removesuffix("\n").split("\n")]


def check_names(names: Any, num_classes: int | None = None) -> dict[str, int]:
    """Return the number of each name; refuse what are no names of classes."""
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"class_names must be a sequence of str, got {names!r:.60}")
    numbers = {name: number for number, name in enumerate(names)}
    if len(numbers) < len(names):
        twice = next(name for number, name in enumerate(names) if numbers[name] != number)
        raise ValueError(f"class_names must be different, got {twice!r} twice")
    if not numbers:
        raise ValueError("class_names must hold at least one name, got none")
    if num_classes is not None and len(numbers) != num_classes:
        raise ValueError(
            f"class_names must be {num_classes}, one for each class, got {len(numbers)}"
        )
    return numbers


def check_word(name: str) -> None:
    """Refuse a name that, in a line of text, would not be one word."""
    if not name or re.search(r"\s", name, re.ASCII):
        raise ValueError(f"class_names must be words, without a blank, to be text, got {name!r}")


def check_label(name: str) -> None:
    """Refuse a name that could not be told from others, or from a feature or a comment."""
    check_word(name)
    if "," in name or "#" in name or re.match("[0-9]+:", name):
        raise ValueError(
            "class_names must hold no comma or number sign, nor begin like a feature, to be "
            f"written as labels, got {name!r}"
        )


def names_in(path: FilePath, text: bytes, *, comments: bool, first_line: int = 1) -> list[str]:
    """Return the names that labels of a text have, in order."""
    if wrong := _NEITHER.search(text):
        line = text.count(b"\n", 0, wrong.start()) + first_line
        raise DataFileError(
            f"{path}:{line}: neither a feature nor a name of a class, which must not begin with "
            f"digits and a colon: {wrong[0][:40].decode(errors='replace')!r}"
        )
    fields = set(_LABELS[comments].findall(text))
    words = {word for field in fields for word in field.split(b",")} - {b""}
    return _decoded(path, b"\n".join(sorted(words)), None).split("\n") if words else []


def with_numbers(
    path: FilePath, text: bytes, numbers: Mapping[str, int], *, comments: bool, first_line: int = 1
) -> bytes:
    """Return a text with the numbers of its labels in place of their names."""
    of_word = {name.encode(errors="surrogatepass"): str(n).encode() for name, n in numbers.items()}

    def replace(match: re.Match[bytes]) -> bytes:
        words = match[0].split(b",")
        try:
            return b",".join([of_word[word] for word in words])
        except KeyError as error:
            line = text.count(b"\n", 0, match.start()) + first_line
            (word,) = error.args
            name = repr(word[:40].decode(errors="replace")) if word else "an empty name"
            raise DataFileError(
                f"{path}:{line}: not one of the {len(numbers)} names of classes: {name}"
            ) from None

    return _LABELS[comments].sub(replace, text)


def without_labels(text: bytes) -> bytes:
    """Return a text without its labels, whatever they are."""
    return _LABELS[False].sub(b"", text)


def _decoded(path: FilePath, text: bytes, first_line: int | None) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        line = "" if first_line is None else f":{text.count(10, 0, error.start) + first_line}"
        raise DataFileError(f"{path}{line}: names must be UTF-8: {error.reason}") from None
