"""What the docstrings of ops say alike, written once: see `lucid.system.docstrings`."""

SECTIONS = {
    "of_one": """
Parameters
----------
x : Tensor or array_like

Returns
-------
Tensor""",
    "of_two": """
Parameters
----------
x, y : Tensor or array_like
    Of shapes that broadcast together.

Returns
-------
Tensor""",
}
