# cython: language_level=3
"""What the running machine offers: its CPU level and OpenMP's default number of threads."""

cdef extern from *:
    """
    #ifdef _OPENMP
    #include <omp.h>
    static int lucid_max_threads(void) { return omp_get_max_threads(); }
    #else
    static int lucid_max_threads(void) { return 1; }
    #endif

    #if defined(__x86_64__) && defined(__GNUC__)
    /* The compiler's own answer, which also asks the operating system and an emulator. */
    static int lucid_has_x86_64_v3(void) { return __builtin_cpu_supports("x86-64-v3") != 0; }
    #else
    static int lucid_has_x86_64_v3(void) { return 0; }
    #endif
    """
    int lucid_max_threads() nogil
    int lucid_has_x86_64_v3() nogil


def max_threads():
    """OpenMP's default number of threads (OMP_NUM_THREADS, else the cores); 1 without OpenMP."""
    return lucid_max_threads()


def has_x86_64_v3():
    """Whether the processor runs code compiled for x86-64-v3 (AVX2, FMA, BMI)."""
    return lucid_has_x86_64_v3() != 0
