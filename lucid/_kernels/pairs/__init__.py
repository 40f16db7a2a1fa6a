"""Losses over pairs of a label and another class, from ranks instead of pairs.

Cython's files alone: `row.pxd` reads a row's labels, `scan.pxd` finds the scores that are in any
pair, `ranks.pxd` ranks them, and a file for each loss says what a rank is worth.
"""
