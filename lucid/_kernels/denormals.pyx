# cython: language_level=3
"""Arithmetic in which numbers below the smallest normal one, the denormal ones, count as 0.

Many processors calculate with denormal numbers a hundred times slower. Each thread has a register
that says how it treats them: what NumPy computes in this thread follows it.
"""

cdef extern from *:
    """
    #if defined(__x86_64__)
    #include <xmmintrin.h>
    #define LUCID_FLUSH 0x8040UL        /* results (FTZ) and operands (DAZ) */
    static unsigned long lucid_mode(void) { return _mm_getcsr(); }
    static void lucid_set_mode(unsigned long mode) { _mm_setcsr((unsigned)mode); }
    #elif defined(__aarch64__)
    #define LUCID_FLUSH (1UL << 24)     /* FZ: both */
    static unsigned long lucid_mode(void)
    {
        unsigned long mode;
        __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
        return mode;
    }
    static void lucid_set_mode(unsigned long mode) { __asm__ volatile("msr fpcr, %0" : : "r"(mode)); }
    #else
    #define LUCID_FLUSH 0UL
    static unsigned long lucid_mode(void) { return 0; }
    static void lucid_set_mode(unsigned long mode) { (void)mode; }
    #endif
    """
    unsigned long LUCID_FLUSH
    unsigned long lucid_mode()
    void lucid_set_mode(unsigned long mode)


cdef class Flushed:
    """A context manager: within it denormal numbers count as 0, where `wanted`."""

    cdef unsigned long wanted, before

    def __init__(self, bint wanted=True):
        self.wanted = LUCID_FLUSH if wanted else 0

    def __enter__(self):
        cdef unsigned long mode = lucid_mode()
        self.before = mode & LUCID_FLUSH
        lucid_set_mode(mode | self.wanted)

    def __exit__(self, *error):
        lucid_set_mode(lucid_mode() & ~LUCID_FLUSH | self.before)
