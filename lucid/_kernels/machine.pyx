# cython: language_level=3
"""What the running machine offers: its CPU level, and how many threads.

Where a thread cannot be created, because a limit on processes or memory is reached, OpenMP ends the
process. So before it starts another number of threads than in the call before, as many are created
here, and ended again. Where that fails, fewer will do.
"""

cdef extern from *:
    """
    #ifdef _OPENMP
    #include <omp.h>
    static int lucid_max_threads(void) { return omp_get_max_threads(); }
    #else
    static int lucid_max_threads(void) { return 1; }
    #endif

    #if defined(__x86_64__) && defined(__GNUC__)
    /* The compiler's own answer, which also asks the operating system and an emulator. An older Clang knows no
       levels, and not all of their parts; no processor has these four without the others. */
    static int lucid_has_x86_64_v3(void)
    {
    #if defined(__clang__) && __clang_major__ < 19
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2")
            && __builtin_cpu_supports("fma");
    #else
        return __builtin_cpu_supports("x86-64-v3") != 0;
    #endif
    }
    #else
    static int lucid_has_x86_64_v3(void) { return 0; }
    #endif

    #if defined(_OPENMP) && !defined(_WIN32)
    #include <pthread.h>
    #include <stdlib.h>

    static void *lucid_wait(void *gate)
    {
        pthread_mutex_lock(gate);
        pthread_mutex_unlock(gate);
        return NULL;
    }

    /* How many of these threads there can be at a time, beside the one that asks. */
    static int lucid_created_at_once(int threads)
    {
        pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
        pthread_t *thread = malloc(threads * sizeof(pthread_t));
        int created = 0;
        if (thread == NULL)
            return 0;
        pthread_mutex_lock(&gate);
        while (created < threads && pthread_create(&thread[created], NULL, lucid_wait, &gate) == 0)
            created++;
        pthread_mutex_unlock(&gate);
        for (int i = 0; i < created; i++)
            pthread_join(thread[i], NULL);
        free(thread);
        return created;
    }
    #else
    #define lucid_created_at_once(threads) (threads)
    #endif

    /* A thread that wakes up is often put on the processor of the one that woke it, though another is
       idle: a virtual machine's idle processors do not look it. There it stays, waiting for its turn. */
    #ifdef __linux__
    #include <sched.h>
    #include <time.h>
    static _Thread_local long long lucid_moved;     /* when, in ns: beside a busy processor it brings nothing */

    static int lucid_processor(void) { return sched_getcpu(); }

    static void lucid_stay_apart(int from)
    {
        cpu_set_t own, others;
        struct timespec now;
        long long ns;
        if (sched_getcpu() != from)
            return;
        clock_gettime(CLOCK_MONOTONIC, &now);
        ns = now.tv_sec * 1000000000LL + now.tv_nsec;
        if (ns - lucid_moved < 20000000 || sched_getaffinity(0, sizeof own, &own) != 0
                || CPU_COUNT(&own) < 2 || from < 0 || from >= CPU_SETSIZE)
            return;
        lucid_moved = ns;
        others = own;
        CPU_CLR(from, &others);
        if (sched_setaffinity(0, sizeof others, &others) == 0)
            sched_setaffinity(0, sizeof own, &own);
    }
    #else
    static int lucid_processor(void) { return -1; }
    static void lucid_stay_apart(int from) { (void)from; }
    #endif

    /* How many a kernel may use: what is set for the process, unless a thread has a number of its own. */
    static int lucid_threads = 1;
    static _Thread_local int lucid_threads_here;

    /* OpenMP has threads of its own for each thread that calls it. */
    static _Thread_local int lucid_wanted, lucid_had;
    """
    int lucid_max_threads() nogil
    int lucid_has_x86_64_v3() nogil
    int lucid_created_at_once(int threads) nogil
    int lucid_wanted, lucid_had, lucid_threads, lucid_threads_here
    int lucid_processor() noexcept nogil
    void lucid_stay_apart(int processor) noexcept nogil


cdef int processor() noexcept nogil:
    """Which processor runs this thread."""
    return lucid_processor()


cdef void stay_apart(int from_processor) noexcept nogil:
    """Move this thread to another processor than that, if it is there."""
    lucid_stay_apart(from_processor)


cdef int startable(int threads) noexcept:
    """How many of the wanted threads a parallel region can have, this one among them."""
    global lucid_wanted, lucid_had
    cdef int created
    if threads > 1 and threads != lucid_wanted:
        created = lucid_created_at_once(threads)
        # At a limit, half of them: the rest of the program needs memory, too.
        lucid_wanted, lucid_had = threads, threads if created == threads else max(1, created // 2)
    return lucid_had if threads > 1 else 1


def max_threads():
    """OpenMP's default number of threads (OMP_NUM_THREADS, else the cores); 1 without OpenMP."""
    return lucid_max_threads()


def has_x86_64_v3():
    """Whether the processor runs code compiled for x86-64-v3 (AVX2, FMA, BMI)."""
    return lucid_has_x86_64_v3() != 0


cdef int current_threads() noexcept nogil:
    """How many threads a kernel that is called now may use."""
    return lucid_threads_here if lucid_threads_here > 0 else lucid_threads


def threads():
    """How many threads a kernel that is called now may use."""
    return current_threads()


def set_threads(int threads, bint here=False):
    """Set the number for the process, or only for this thread, where 0 means that of the process.

    Return what it was before.
    """
    global lucid_threads, lucid_threads_here
    cdef int before = lucid_threads_here if here else lucid_threads
    if here:
        lucid_threads_here = threads
    else:
        lucid_threads = threads
    return before
