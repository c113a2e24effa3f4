/* Log lines in Fluent Bit's format, and the trace of calls. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "host.h"

int log_level = LOG_INFO;
static int log_fd = STDERR_FILENO, trace_fd = -1;

static const char *const level_names[] = { "", "error", " warn", " info", "debug", "trace" };

void log_open(const char *path)
{
    if (path != NULL && (log_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)) < 0) {
        log_fd = STDERR_FILENO;
    }
    if (options.trace != NULL && trace_fd < 0) {
        trace_fd = open(options.trace, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    }
}

int level_of(const char *name, int otherwise)
{
    for (int i = LOG_ERROR; name != NULL && i <= LOG_TRACE; i++) {
        if (strcasecmp(level_names[i] + strspn(level_names[i], " "), name) == 0) {
            return i;
        }
    }
    return otherwise;
}

/* One write per message, cut where Fluent Bit cuts. */
void log_print(int type, const char *file, int line, const char *format, ...)
{
    char            text[4096 - sizeof(size_t)];
    struct timespec t;
    struct tm       local;
    va_list         args;

    (void) file;
    (void) line;
    clock_gettime(CLOCK_REALTIME, &t);
    localtime_r(&t.tv_sec, &local);
    size_t n = strftime(text, sizeof(text), "[%Y/%m/%d %H:%M:%S", &local);
    n += snprintf(text + n, sizeof(text) - n, ".%03ld] [%s] ", t.tv_nsec / 1000000,
                  type >= LOG_ERROR && type <= LOG_TRACE ? level_names[type] : "?");
    va_start(args, format);
    int added = vsnprintf(text + n, sizeof(text) - n - 1, format, args);
    va_end(args);
    n = added < 0 || n + added > sizeof(text) - 2 ? strlen(text) : n + added;
    text[n++] = '\n';
    if (write(log_fd, text, n) < 0) {
        return; /* nobody to tell */
    }
}

double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

/* thread, call, instance, result, microseconds, detail; tabs between. */
void trace(const char *what, struct input *in, int result, double began, const char *detail)
{
    char line[512], thread[16] = "";

    if (trace_fd < 0) {
        return;
    }
    prctl(PR_GET_NAME, thread);
    int n = snprintf(line, sizeof(line), "%s\t%s\t%s\t%d\t%.0f\t%s\n",
                     getpid() == (pid_t) syscall(SYS_gettid) ? "main" : thread, what,
                     in != NULL ? in->name : "-", result, (now() - began) * 1e6, detail);
    if (write(trace_fd, line, n) < 0) {
        return;
    }
}
