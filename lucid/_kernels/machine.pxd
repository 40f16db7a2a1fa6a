# cython: language_level=3

# How many of the wanted threads a parallel region can have, the calling one among them.
cdef int startable(int threads) noexcept

# Where a thread runs, and having another one run elsewhere.
cdef int processor() noexcept nogil
cdef void stay_apart(int from_processor) noexcept nogil

# How many threads a kernel that is called now may use.
cdef int current_threads() noexcept nogil
