/* uml_registers.c
 * ptrace() for a User-mode Linux before 6.13 on a newer processor. Its room for a process's extended registers is of
 * a fixed size, and what it gives back is less than the kernel takes: all or nothing. Here the rest is kept as it is.
 * Preloaded into the User-mode Linux by uml.py.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#define _GNU_SOURCE /* syscall() */
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define MOST_OCTETS 65536 /* of the extended registers: AMX has 11008 */

long ptrace(enum __ptrace_request request, ...)
{
    va_list arguments;
    va_start(arguments, request);
    const pid_t pid = va_arg(arguments, pid_t);
    void *const address = va_arg(arguments, void *);
    void *const data = va_arg(arguments, void *);
    va_end(arguments);

    if (request == PTRACE_PEEKTEXT || request == PTRACE_PEEKDATA || request == PTRACE_PEEKUSER) {
        long word; /* as the C library has it, the word is what it returns */
        if (syscall(SYS_ptrace, request, pid, address, &word) < 0)
            return -1;
        errno = 0;
        return word;
    }
    if (request == PTRACE_SETREGSET && address == (void *)NT_X86_XSTATE) {
        static char registers[MOST_OCTETS];
        const struct iovec *given = data;
        struct iovec all = {registers, sizeof registers};
        if (syscall(SYS_ptrace, PTRACE_GETREGSET, pid, address, &all) < 0)
            return -1;
        memcpy(registers, given->iov_base, given->iov_len < all.iov_len ? given->iov_len : all.iov_len);
        return syscall(SYS_ptrace, request, pid, address, &all);
    }
    return syscall(SYS_ptrace, request, pid, address, data);
}
