# The row functions, for kernels of your own: `from lucid.kernels cimport multilabel_margin_row`.
#
# They are inline: your extension compiles them with its own flags and needs nothing of lucid when
# it runs. For lucid's bits, leave -ffast-math and -march=native out, or add -ffp-contract=off.

from lucid._kernels.pairs.hinge cimport multilabel_margin_row
