"""YAML whose scalars stay text: the type of the field decides how they are read.

YAML makes an integer of ``2024``, a date of ``2024-01-01``, a number of ``1e5`` and a truth value of ``no``, all of
which are good names of folders. pydantic reads numbers and truth values from text where a field wants them.
"""

from collections import Counter
from typing import Any

import yaml

_NULLS = ("", "~", "null", "Null", "NULL")


class _TextLoader(yaml.BaseLoader):
    """Loads lists, mappings, texts and null; tags are ignored, duplicate keys are errors."""

    def construct_scalar(self, node: yaml.ScalarNode) -> Any:
        """Return the text as written; plain ``null`` (or nothing) is None."""
        return None if node.style is None and node.value in _NULLS else super().construct_scalar(node)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Raise an error for a duplicate key, because the first value would be lost."""
        names = Counter(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
        if twice := [name for name, count in names.items() if count > 1]:
            raise yaml.constructor.ConstructorError(None, None, f"key {twice[0]!r} occurs twice", node.start_mark)
        return super().construct_mapping(node, deep)


def read_yaml(text: str | bytes) -> Any:
    """Read YAML into lists, mappings, texts and None.

    Parameters
    ----------
    text
        Bytes are UTF-8, or UTF-16 with a byte-order mark.

    Raises
    ------
    ValueError
        It is none; in one line.

    Examples
    --------
    >>> read_yaml("{path: 2024-01-01, network: no, layers: [C2_2], weights: null}")
    {'path': '2024-01-01', 'network': 'no', 'layers': ['C2_2'], 'weights': None}
    """
    try:
        return yaml.load(text, _TextLoader)  # noqa: S506 - makes plain values only
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error
