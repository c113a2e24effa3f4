/* One instance: the calls into the plugin, and the thread of a threaded one. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "host.h"

static void *symbol(struct input *in, const char *name)
{
    return dlsym(in->proxy->library, name);
}

/* ---- calls into the plugin ----------------------------------------------- */

static int call_int(struct input *in, const char *name, int argument)
{
    int (*f)(int) = symbol(in, name);
    if (f == NULL) {
        return 0;
    }
    double began = now();
    int    result = f(argument);
    trace(name, in, result, began, "");
    return result;
}

static void call_void(struct input *in, const char *name)
{
    void (*f)(void) = symbol(in, name);
    if (f != NULL) {
        double began = now();
        f();
        trace(name, in, 0, began, "");
    }
}

bool input_init(struct input *in)
{
    struct definition d = { in->proxy->def.name, in->proxy->api, in, in->context };
    int (*init)(struct definition *) = symbol(in, "FLBPluginInit");

    in->proxy->instance = in;
    double began = now();
    int    result = init(&d);
    trace("FLBPluginInit", in, result, began, "");
    if (options.no_contexts && ((struct old_context *) in->context)->proxy != in->proxy) {
        log_print(LOG_ERROR, NULL, 0, "[host] the plugin overwrote the proxy in a context without `remote`");
        abort(); /* Fluent Bit would follow the pointer */
    }
    if (result <= 0) {
        log_print(LOG_ERROR, NULL, 0, "[go proxy]: plugin '%s' failed to initialize", in->proxy->def.name);
        return false;
    }
    in->ready = true;
    return true;
}

void input_collect(struct input *in)
{
    int (*with)(void *, void **, size_t *) = options.no_contexts ? NULL : symbol(in, "FLBPluginInputCallbackCtx");
    int (*without)(void **, size_t *) = symbol(in, "FLBPluginInputCallback");
    void  *remote = options.no_contexts ? NULL : ((struct context *) in->context)->remote;
    void  *data = NULL;
    size_t size = 0;
    char   detail[32];

    double began = now();
    int    result = with != NULL ? with(remote, &data, &size) : without(&data, &size);
    snprintf(detail, sizeof(detail), "%zu", size);
    trace(with != NULL ? "FLBPluginInputCallbackCtx" : "FLBPluginInputCallback", in, result, began, detail);
    countdown_to_kill(&faults.kill_after_callback);
    if (size == 0 || result == -1) {
        return;
    }
    host_append(in, NULL, 0, data, size);

    int (*clean_with)(void *, void *) = options.no_contexts ? NULL : symbol(in, "FLBPluginInputCleanupCallbackCtx");
    int (*clean)(void *) = symbol(in, "FLBPluginInputCleanupCallback");
    began = now();
    if (clean_with != NULL) {
        result = clean_with(remote, data);
    }
    else if (clean != NULL) {
        result = clean(data);
    }
    else {
        free(data);
        return;
    }
    trace(clean_with != NULL ? "FLBPluginInputCleanupCallbackCtx" : "FLBPluginInputCleanupCallback", in, result, began, "");
}

void input_tell(struct input *in, char what)
{
    if (write(in->say[1], &what, 1) < 0) {
        abort();
    }
}

/* The collector that stops is that of the instance initialised last, whichever
 * is paused: so it is with several instances of one plugin in Fluent Bit too. */
static void plugin_pause(struct input *in)
{
    call_void(in, "FLBPluginInputPause");
    in->proxy->instance->collecting = false;
}

static void plugin_resume(struct input *in)
{
    struct input *last = in->proxy->instance;

    call_void(in, "FLBPluginInputResume");
    if (last->collecting) {
        log_print(LOG_ERROR, NULL, 0, "[input] cannot resume collector %s:0, already running", last->name);
    }
    else if (!in->engine->stop) {
        last->collect_at = now() + options.interval;
        last->collecting = true;
        if (last->threaded && last != in) {
            input_tell(last, SAY_LOOK);
        }
    }
}

void input_exit(struct input *in)
{
    int (*leave)(void) = symbol(in, "FLBPluginExit");

    call_int(in, "FLBPluginInputPreExit", in->engine->reloading);
    if (leave != NULL) {
        double began = now();
        int    result = leave();
        trace("FLBPluginExit", in, result, began, "");
    }
}

/* ---- an instance with a thread of its own -------------------------------- */

static void *input_thread(void *argument)
{
    struct input *in = argument;
    char          name[NAME + 16], what, done;

    snprintf(name, sizeof(name), "flb-in-%.40s.%d-w0", in->proxy->def.name, in->number);
    prctl(PR_SET_NAME, name);
    done = input_init(in);
    if (write(in->answer[1], &done, 1) < 0 || !done || read(in->say[0], &what, 1) <= 0) {
        return NULL;
    }
    in->collecting = true;
    in->collect_at = now() + options.interval;
    call_int(in, "FLBPluginInputPreRun", 1);
    for (;;) {
        struct pollfd p = { .fd = in->say[0], .events = POLLIN };
        double        left = in->collect_at - now();
        if (poll(&p, 1, !in->collecting ? -1 : left > 0 ? (int) (left * 1000) + 1 : 0) > 0
            && read(in->say[0], &what, 1) == 1) {
            switch (what) {
            case SAY_PAUSE:  plugin_pause(in); break;
            case SAY_RESUME: plugin_resume(in); break;
            case SAY_EXIT:   input_exit(in); return NULL;
            }
        }
        else if (in->collecting && now() >= in->collect_at) {
            in->collect_at += options.interval;
            input_collect(in);
        }
    }
}

void input_prerun(struct input *in)
{
    call_int(in, "FLBPluginInputPreRun", 1);
}

bool input_thread_start(struct input *in)
{
    char done = 0;

    if (pipe(in->say) != 0 || pipe(in->answer) != 0
        || pthread_create(&in->thread, NULL, input_thread, in) != 0
        || read(in->answer[0], &done, 1) != 1) {
        return false;
    }
    if (!done) {
        pthread_join(in->thread, NULL);
        return false;
    }
    say(LOG_INFO, "[input:%s:%s] thread instance initialized", in->proxy->def.name, in->name);
    return true;
}

void input_pause(struct input *in)
{
    if (in->paused) {
        return;
    }
    if (in->threaded) {
        input_tell(in, SAY_PAUSE);
        return;
    }
    say(LOG_INFO, "[input] pausing %s", in->name);
    plugin_pause(in);
}

void input_resume(struct input *in)
{
    if (in->threaded) {
        input_tell(in, SAY_RESUME);
        return;
    }
    say(LOG_INFO, "[input] resume %s", in->name);
    plugin_resume(in);
}
