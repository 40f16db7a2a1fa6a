# cython: language_level=3

# How many of the wanted threads a parallel region can have, the calling one among them.
cdef int startable(int threads) noexcept
