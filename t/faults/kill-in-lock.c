/* kill-in-lock PID SIZE SKIP STEPS: kills a process in the middle of what it does under the lock of a zone of shared memory.
 *
 * The zone is known by its size, and its lock by nginx's ngx_slab_pool_t, which begins with the id of the process that
 * has it. From there the process is followed instruction by instruction. SKIP times it may take the lock and give it
 * back; the next time it is killed after so many STEPS. With -1 nobody is killed, and the length of the way is told.
 *
 * Says "ready" before the process goes on, then "killed", or "length N" where the lock was given back before that.
 */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t pid;
static int memory;
static uintptr_t lock;

static void fail(const char *what) {
    printf("failed: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* The address of the shared mapping of that size. */
static uintptr_t find_zone(size_t size) {
    char name[64], line[512];
    snprintf(name, sizeof(name), "/proc/%d/maps", (int) pid);
    FILE *maps = fopen(name, "r");
    if (maps == NULL) fail(name);
    while (fgets(line, sizeof(line), maps) != NULL) {
        unsigned long begin, end;
        char mode[8];
        if (sscanf(line, "%lx-%lx %7s", &begin, &end, mode) == 3 && end - begin == size && mode[3] == 's') return begin;
    }
    errno = ENOENT;
    fail("a zone of that size");
    return 0;
}

static int has_lock(void) {
    uintptr_t holder = 0;
    if (pread(memory, &holder, sizeof(holder), (off_t) lock) != sizeof(holder)) fail("read the lock");
    return holder == (uintptr_t) pid;
}

/* Lets it go on, for one instruction or until it traps. */
static void go_on(int how) {
    int status, signal = 0;
    for (;;) {
        if (ptrace(how, pid, 0, signal) != 0) fail("go on");
        if (waitpid(pid, &status, 0) != pid) fail("wait");
        if (!WIFSTOPPED(status)) { errno = ESRCH; fail("the process has ended"); }
        if (WSTOPSIG(status) == SIGTRAP) return;
        signal = WSTOPSIG(status) == SIGSTOP ? 0 : WSTOPSIG(status);
    }
}

/* With on, the processor stops the process behind each write to the lock; false where it cannot. */
static int watch_lock(int on) {
#ifdef __x86_64__
    unsigned long control = on ? 1UL | 1UL << 16 | 2UL << 18 : 0; /* the first address, writes, of eight bytes */
    return ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg[0]), lock) == 0
           && ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg[7]), control) == 0;
#else
    (void) on;
    return 0;
#endif
}

/* To follow a whole request is slow, so up to the lock the processor does it, where it can. */
static void go_to_lock(void) {
    int how = watch_lock(1) ? PTRACE_CONT : PTRACE_SINGLESTEP;
    while (!has_lock()) go_on(how);
    watch_lock(0);
}

int main(int count, char **arguments) {
    char name[64];
    int status;
    if (count != 5) return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    pid = atoi(arguments[1]);
    lock = find_zone(strtoul(arguments[2], NULL, 10));
    int skip = atoi(arguments[3]);
    long steps = atol(arguments[4]);
    snprintf(name, sizeof(name), "/proc/%d/mem", (int) pid);
    if ((memory = open(name, O_RDONLY)) < 0) fail(name);
    if (ptrace(PTRACE_ATTACH, pid, 0, 0) != 0) fail("attach");
    if (waitpid(pid, &status, 0) != pid) fail("wait");
    puts("ready");
    for (;; skip--) {
        go_to_lock();
        long length = 0;
        while (has_lock()) {
            if (skip == 0 && length == steps) {
                if (kill(pid, SIGKILL) != 0) fail("kill");
                waitpid(pid, &status, 0);
                puts("killed");
                return 0;
            }
            go_on(PTRACE_SINGLESTEP);
            length++;
        }
        if (skip == 0) {
            ptrace(PTRACE_DETACH, pid, 0, 0);
            printf("length %ld\n", length);
            return 0;
        }
    }
}
