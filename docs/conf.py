"""The documentation site: `sphinx-build -W -n docs docs/_build/html`."""

import sys
from importlib.metadata import version as installed_version
from pathlib import Path

from lucid import nn

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS / "_ext"), str(DOCS)]

project = "lucid"
author = "the lucid authors"
project_copyright = author
version = release = installed_version("lucid-losses")

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.extlinks",
    "sphinx.ext.viewcode",
    "numpydoc",
    "sphinx_copybutton",
    "myst_parser",
    "api_index",
    "drawing",
    "gallery",
    "line_breaks",
    "mathml",
    "names",
    "public_names",
    "signatures",
    "terminal",
]
templates_path = ["_templates"]
exclude_patterns = ["_build"]
nitpicky = True

default_role = "own"
extlinks = {
    "arxiv": ("https://arxiv.org/abs/%s", "arXiv:%s"),
    "doi": ("https://doi.org/%s", "doi:%s"),
}

# Pages of the API reference: one for each public name.
autosummary_generate = True
autosummary_context = {
    "kernels": {
        "lucid.losses.multilabel_margin_loss": "margin",
        "lucid.nn.MultilabelMarginLoss": "margin",
        "lucid.nn.functional.linear_multilabel_margin_loss": "margin",
        "lucid.nn.functional.linear_multilabel_margin_step": "margin",
        "lucid.nn.functional.multilabel_margin_loss": "margin",
    }
}
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # _ext/signatures.py shows them
python_use_unqualified_type_names = True
python_display_short_literal_types = True
python_maximum_signature_line_length = 80

# Docstrings: numpydoc renders them and refuses those that lack a section.
numpydoc_show_class_members = False
numpydoc_xref_param_type = True
numpydoc_xref_ignore = "all"  # but these
OWN_TYPES = {name: f"lucid.{name}" for name in ("Labels", "Tensor")}
numpydoc_validation_checks = {
    "GL01",  # text starts on the line of the quotes, or on the next one
    "GL03",  # blank lines
    "GL06",  # unknown section
    "GL07",  # order of the sections
    "GL08",  # no docstring
    "PR01",  # parameters without a description
    "PR02",  # descriptions without a parameter
    "PR03",  # parameters in another order
    "PR04",  # parameter without a type
    "RT01",  # no Returns
    "SS01",  # no summary
    "SS03",  # summary without a full stop
    "SS06",  # summary of several lines
    "YD01",  # no Yields
}
numpydoc_validation_exclude = {
    r"\.__init__$",  # its class describes it
    r"\.(SGD|Adam|AdamW)\.(check|update)$",  # `Optimizer` describes them
    r"\.Pieces$",  # a protocol
    r"\.TensorLabels\.\w+$",  # the class describes its fields
}

# Types that other packages document: there is no network to look them up in.
nitpick_ignore_regex = [
    (r"py:.*", r"(np|npt|numpy|scipy|torch|collections|contextlib|os|typing|types)\..*"),
    (
        r"py:.*",
        r"(array_like|dtype_like|ndarray|iterable|IncompatibleKeys"
        r"|Any|Self|Callable|Iterable|Iterator|Mapping|Sequence|SupportsIndex|PathLike"
        r"|AbstractContextManager)",
    ),
]

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

html_theme = "furo"
html_title = "lucid"
html_static_path = ["_static"]
html_css_files = ["lucid.css"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {"navigation_with_keys": True}
pygments_style = "tango"
pygments_dark_style = "github-dark"


def setup(app):
    """Link the package's own types only: the others would need a network to look them up."""

    def link_own_types(app, config):
        config.numpydoc_xref_aliases_complete = OWN_TYPES

    def name_public_bases(app, name, obj, options, bases):
        if issubclass(obj, nn.Module):  # its base may be internal
            bases[:] = [nn.Module]

    app.connect("config-inited", link_own_types, priority=900)  # after numpydoc
    app.connect("autodoc-process-bases", name_public_bases)
