"""The colours of the drawings, and the style sheet's names for them.

The numbers only tell the colours apart: on the page each becomes a variable, which
``_static/lucid.css`` sets for light and for dark pages.
"""

INK = "#102030"  # text and axes
FAINT = "#405060"  # what stands in the background
LABEL = "#708090"  # classes that are labels
OTHER = "#a0b0c0"  # classes that are not
ACTIVE = "#d0e0f0"  # pairs that count

CSS = {
    INK: "var(--lucid-ink)",
    FAINT: "var(--lucid-faint)",
    LABEL: "var(--lucid-label)",
    OTHER: "var(--lucid-other)",
    ACTIVE: "var(--lucid-active)",
}
