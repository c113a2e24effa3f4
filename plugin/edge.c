/* The functions that Fluent Bit calls, by the names it looks up. Each sees to
 * what must be right before Go may be entered, and then calls its Go half in
 * main.go. Why this cannot be Go:
 *
 *  - After a fork (Daemon On) the Go runtime has lost its threads, and the first
 *    call into it hangs for ever. Nothing here enters it in a forked process.
 *  - On SIGHUP and SIGCONT Fluent Bit installs its signal handlers again, over
 *    Go's and without SA_ONSTACK; the next nil dereference would then abort the
 *    process instead of becoming a panic that is recovered.
 *
 * function                  thread                     returns
 * FLBPluginRegister         main                       0, or -1: not loaded
 * FLBPluginInit             the instance's (*)         1, or 0: Fluent Bit stops
 * FLBPluginInputCallback…   the instance's             1; *data is malloc'ed here
 * …CleanupCallback…         the instance's             1; frees what Callback gave
 * FLBPluginInputPause       the instance's, also from  -
 *  and …Resume              inside an append
 * FLBPluginExit             the instance's, once for   1
 *                           each, none is named
 * FLBPluginUnregister       main                       -
 *
 * (*) with `threaded off` flb-pipeline, the engine's; else flb-in-…, its own. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "edge.h"

/* The Go halves, exported by main.go. */
extern int  defenderRegister(void *def);
extern int  defenderInit(struct edge_definition *d);
extern int  defenderCollect(uintptr_t handle, void **data, size_t *size);
extern void defenderPause(void);
extern void defenderResume(void);
extern void defenderExit(void);
extern void defenderUnregister(void *def);

static pid_t loaded_by;

__attribute__((constructor)) static void remember_process(void)
{
    loaded_by = getpid();
}

static int forked(void)
{
    return getpid() != loaded_by;
}

/* ---- what the engine exports -------------------------------------------- */

static int (*log_append)(void *, const char *, size_t, const void *, size_t);
static const char *(*input_name)(void *);

static void find_engine(void)
{
    *(void **) &log_append = dlsym(RTLD_DEFAULT, "flb_input_log_append");
    *(void **) &input_name = dlsym(RTLD_DEFAULT, "flb_input_name");
}

int edge_has_contexts(struct edge_definition *d)
{
    return d->context != NULL && d->context->remote == NULL;
}

void edge_attach(struct edge_definition *d, uintptr_t handle)
{
    d->context->remote = (void *) handle;
}

const char *edge_instance_name(struct edge_definition *d)
{
    return input_name != NULL ? input_name(d->instance) : NULL;
}

int edge_can_append(void)
{
    return log_append != NULL;
}

int edge_append(void *instance, const char *tag, size_t tag_size, const void *batch, size_t size)
{
    return log_append(instance, tag_size > 0 ? tag : NULL, tag_size, batch, size);
}

int edge_on_engine_thread(void)
{
    char name[16] = "";

    pthread_getname_np(pthread_self(), name, sizeof(name));
    return strcmp(name, "flb-pipeline") == 0;
}

void edge_log(struct edge_api *api, int level, const char *text)
{
    api->log_print(level, NULL, 0, "%s", text);
}

int edge_log_wanted(struct edge_api *api, void *instance, int level)
{
    return api->input_log_check(instance, level);
}

/* ---- signals ------------------------------------------------------------- */

static const int faults[]   = { SIGSEGV, SIGFPE, SIGBUS };
static const int ordinary[] = { SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGCONT };
enum { FAULTS = sizeof(faults) / sizeof(faults[0]), ORDINARY = sizeof(ordinary) / sizeof(ordinary[0]) };

static struct sigaction of_go[FAULTS];
static int              known[FAULTS];

/* Is the handler code of this very object, that is, of its Go runtime? */
static int is_ours(const struct sigaction *action)
{
    Dl_info handler, self;

    return (action->sa_flags & SA_SIGINFO)
        && dladdr((void *) action->sa_sigaction, &handler) != 0
        && dladdr((void *) &loaded_by, &self) != 0
        && handler.dli_fbase == self.dli_fbase;
}

static void save_signals(void)
{
    for (int i = 0; i < FAULTS; i++) {
        struct sigaction now;

        if (!known[i] && sigaction(faults[i], NULL, &now) == 0 && is_ours(&now)) {
            of_go[i] = now;
            known[i] = 1;
        }
    }
}

static void mend_signals(void)
{
    struct sigaction now;

    for (int i = 0; i < FAULTS; i++) {
        if (known[i] && sigaction(faults[i], NULL, &now) == 0
            && now.sa_sigaction != of_go[i].sa_sigaction) {
            sigaction(faults[i], &of_go[i], NULL);
        }
    }
    for (int i = 0; i < ORDINARY; i++) {
        if (sigaction(ordinary[i], NULL, &now) == 0 && !(now.sa_flags & SA_ONSTACK)
            && now.sa_handler != SIG_DFL && now.sa_handler != SIG_IGN) {
            now.sa_flags |= SA_ONSTACK;
            sigaction(ordinary[i], &now, NULL);
        }
    }
}

/* ---- what Fluent Bit calls ----------------------------------------------- */

#define AFTER_FORK "defender: cannot run after a fork: the Go runtime does not survive it. " \
                   "Set `Daemon Off` in [SERVICE] and let systemd or a container keep Fluent Bit in the background"

int FLBPluginRegister(void *def)
{
    if (forked()) {
        fputs(AFTER_FORK "\n", stderr); /* no log function has been handed over yet */
        return -1;
    }
    find_engine();
    save_signals();
    return defenderRegister(def);
}

int FLBPluginInit(struct edge_definition *d)
{
    if (forked()) {
        edge_log(d->api, EDGE_ERROR, AFTER_FORK);
        return 0;
    }
    mend_signals();
    return defenderInit(d);
}

int FLBPluginInputCallbackCtx(void *remote, void **data, size_t *size)
{
    *data = NULL;
    *size = 0;
    if (forked()) {
        return 0;
    }
    mend_signals();
    return defenderCollect((uintptr_t) remote, data, size);
}

/* Fluent Bit before 4.1: no context, hence one instance. */
int FLBPluginInputCallback(void **data, size_t *size)
{
    return FLBPluginInputCallbackCtx(NULL, data, size);
}

int FLBPluginInputCleanupCallbackCtx(void *remote, void *data)
{
    (void) remote;
    free(data);
    return 1;
}

int FLBPluginInputCleanupCallback(void *data)
{
    free(data);
    return 1;
}

void FLBPluginInputPause(void)
{
    if (!forked()) {
        defenderPause();
    }
}

void FLBPluginInputResume(void)
{
    if (!forked()) {
        defenderResume();
    }
}

int FLBPluginExit(void)
{
    if (!forked()) {
        defenderExit();
    }
    return 1;
}

void FLBPluginUnregister(void *def)
{
    if (!forked()) {
        defenderUnregister(def);
    }
}
