/* An input plugin that writes down every call it gets, for recording how an
 * engine behaves. TRACER_FILE names the file; each line is
 *
 *   THREAD CALL RESULT
 *
 * Properties: `bytes` (one record of that many bytes is appended at each
 * collect; 0 or absent: none), `fail on` (Init refuses). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

struct registration {
    int   type, proxy, flags;
    char *name, *description;
};

struct api {
    void *unused;
    const char *(*input_get_property)(const char *, void *);
};

struct context {
    int   collector;
    void *remote;
    void *proxy;
};

struct definition {
    void           *unused;
    struct api     *api;
    void           *instance;
    struct context *context;
};

struct tracer {
    void *instance;
    char  name[64];
    long  bytes;
};

static void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void note(const char *format, ...)
{
    char    line[256], thread[16] = "";
    va_list args;
    int     fd = open(getenv("TRACER_FILE"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

    prctl(PR_GET_NAME, thread);
    int n = snprintf(line, sizeof(line), "%s ", getpid() == (pid_t) syscall(SYS_gettid) ? "main" : thread);
    va_start(args, format);
    n += vsnprintf(line + n, sizeof(line) - n - 1, format, args);
    va_end(args);
    line[n++] = '\n';
    if (fd < 0 || write(fd, line, n) < 0) {
        abort();
    }
    close(fd);
}

int FLBPluginPreRegister(int reloading)
{
    note("PreRegister(%d)", reloading);
    return 0;
}

int FLBPluginRegister(struct registration *r)
{
    r->type = 1;   /* an input */
    r->proxy = 11; /* as Go plugins are */
    r->flags = 0;
    r->name = strdup("tracer");
    r->description = strdup("writes down every call");
    note("Register = 0");
    return 0;
}

int FLBPluginInit(struct definition *d)
{
    const char *(*name)(void *) = dlsym(RTLD_DEFAULT, "flb_input_name");
    const char *bytes = d->api->input_get_property("bytes", d->instance);

    struct tracer *t = calloc(1, sizeof(*t));
    t->instance = d->instance;
    t->bytes = bytes != NULL ? atol(bytes) : 0;
    snprintf(t->name, sizeof(t->name), "%s", name(d->instance));
    int result = d->api->input_get_property("fail", d->instance) == NULL;
    note("Init(%s) context %s = %d", t->name, d->context->remote == NULL ? "empty" : "set", result);
    if (result == 1) {
        d->context->remote = t;
    }
    return result;
}

int FLBPluginInputPreRun(int hot_reload)
{
    note("InputPreRun(%d) = 0", hot_reload);
    return 0;
}

/* One record [time, {"n": TEXT}] of t->bytes bytes of text. */
static int append(struct tracer *t)
{
    int (*log_append)(void *, const char *, size_t, const void *, size_t) = dlsym(RTLD_DEFAULT, "flb_input_log_append");
    unsigned char *event = calloc(1, t->bytes + 32), *at = event;

    *at++ = 0x92;
    *at++ = 0xce; /* whole seconds */
    at += 4;
    memcpy(at, "\x81\xa1n\xdb", 4);
    at += 4;
    for (int shift = 24; shift >= 0; shift -= 8) {
        *at++ = t->bytes >> shift;
    }
    memset(at, 'x', t->bytes);
    int result = log_append(t->instance, NULL, 0, event, at - event + t->bytes);
    free(event);
    return result;
}

int FLBPluginInputCallbackCtx(struct tracer *t, void **data, size_t *size)
{
    *data = NULL;
    *size = 0;
    if (t->bytes > 0) {
        note("InputCallbackCtx(%s) append = %d", t->name, append(t));
    }
    else {
        note("InputCallbackCtx(%s)", t->name);
    }
    return 1;
}

int FLBPluginInputCallback(void **data, size_t *size)
{
    *data = NULL;
    *size = 0;
    note("InputCallback");
    return 1;
}

int FLBPluginInputCleanupCallbackCtx(void *t, void *data)
{
    (void) t;
    (void) data;
    note("InputCleanupCallbackCtx");
    return 1;
}

void FLBPluginInputPause(void)
{
    note("InputPause");
}

void FLBPluginInputResume(void)
{
    note("InputResume");
}

void FLBPluginInputPreExit(int reloading)
{
    note("InputPreExit(%d)", reloading);
}

int FLBPluginExit(void)
{
    note("Exit");
    return 1;
}

void FLBPluginUnregister(struct registration *r)
{
    free(r->name);
    free(r->description);
    note("Unregister");
}
