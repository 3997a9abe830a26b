/*
 * Preloaded into nginx: makes one allocation fail, the one that the test has chosen.
 *
 * The test and the worker share a file, named by PHANTOM_TOKEN_ALLOCATIONS. The test writes which process is meant and
 * the number of the allocation; the process counts, and where the number is reached, malloc and its kin say that there
 * is no memory, once. Behind the numbers stands where that was: the stack, as text.
 *
 * It works with a glibc, whose own allocator has a second set of names.
 */

#define _GNU_SOURCE

#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

/* As t/faults/Allocations.pm packs it. */
struct control {
    uint64_t process;  /* whose allocations count; 0: nobody's */
    uint64_t fail_at;  /* the allocation that fails */
    uint64_t count;    /* of allocations so far */
    uint64_t failed;   /* 1: that one has */
};

enum { stack_at = 4096, control_size = 16384, frames = 24 };

static struct control *control;
static int control_file = -1;

static void
write_stack(void)
{
    void *stack[frames];
    int depth;

    depth = backtrace(stack, frames);
    if (lseek(control_file, stack_at, SEEK_SET) == stack_at) {
        backtrace_symbols_fd(stack, depth, control_file);
        (void) !write(control_file, "\n", 1);
    }
}

static int
fails(void)
{
    if (control == NULL || control->process == 0 || control->process != (uint64_t) getpid()) {
        return 0;
    }
    control->count++;
    if (control->failed || control->count != control->fail_at) {
        return 0;
    }
    control->failed = 1;
    write_stack();
    errno = ENOMEM;
    return 1;
}

__attribute__((constructor)) static void
open_control(void)
{
    void *first[1];
    void *memory;
    const char *path;

    (void) backtrace(first, 1); /* which allocates when it is called for the first time */
    path = getenv("PHANTOM_TOKEN_ALLOCATIONS");
    if (path == NULL) {
        return;
    }
    control_file = open(path, O_RDWR | O_CLOEXEC);
    memory = mmap(NULL, control_size, PROT_READ | PROT_WRITE, MAP_SHARED, control_file, 0);
    if (memory == MAP_FAILED) {
        abort(); /* a test that fails nothing would find nothing */
    }
    control = memory;
}

void *
malloc(size_t size)
{
    return fails() ? NULL : __libc_malloc(size);
}

void *
calloc(size_t count, size_t size)
{
    return fails() ? NULL : __libc_calloc(count, size);
}

void *
realloc(void *memory, size_t size)
{
    return fails() ? NULL : __libc_realloc(memory, size);
}

void *
memalign(size_t alignment, size_t size)
{
    return fails() ? NULL : __libc_memalign(alignment, size);
}

void *
aligned_alloc(size_t alignment, size_t size)
{
    return memalign(alignment, size);
}

int
posix_memalign(void **memory, size_t alignment, size_t size)
{
    *memory = memalign(alignment, size);
    return *memory == NULL ? ENOMEM : 0;
}
