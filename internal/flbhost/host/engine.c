/* The engine's thread, flb-pipeline, and what it starts, runs and ends. */
#define _GNU_SOURCE
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host.h"

/* ---- instances and outputs from the configuration ------------------------ */

static struct input *input_new(struct engine *e, struct section *conf, int number)
{
    struct input *in = calloc(1, sizeof(*in));
    const char   *alias = conf_get(conf, "alias"), *tag = conf_get(conf, "tag"), *storage = conf_get(conf, "storage.type");

    in->engine = e;
    in->conf = conf;
    in->proxy = e->proxy;
    in->number = number;
    snprintf(in->name, sizeof(in->name), "%s", alias != NULL ? alias : "");
    if (alias == NULL) {
        snprintf(in->name, sizeof(in->name), "%.40s.%d", in->proxy->def.name, number);
    }
    snprintf(in->tag, sizeof(in->tag), "%s", tag != NULL ? tag : in->name);
    in->level = level_of(conf_get(conf, "log_level"), log_level);
    in->threaded = conf_bool(conf, "threaded", true);
    in->filesystem = storage != NULL && strcasecmp(storage, "filesystem") == 0 && e->storage != NULL;
    in->pause_on_chunks = conf_bool(conf, "storage.pause_on_chunks_overlimit", false);
    in->memory_limit = conf_size(conf, "mem_buf_limit", 0);
    pthread_mutex_init(&in->ring_lock, NULL);
    if (options.no_contexts) {
        struct old_context *c = in->context = calloc(1, sizeof(*c));
        c->proxy = in->proxy;
    }
    else {
        struct context *c = in->context = calloc(1, sizeof(*c));
        c->proxy = in->proxy;
    }
    return in;
}

static void input_free(struct input *in)
{
    ring_discard(in);
    for (int i = 0; in->say[1] != 0 && i < 2; i++) {
        close(in->say[i]);
        close(in->answer[i]);
    }
    free(in->context);
    free(in);
}

static struct engine *engine_new(struct section *conf, struct proxy *p)
{
    struct engine  *e = calloc(1, sizeof(*e));
    struct output **last = &e->outputs;
    int             inputs = 0, outputs = 0;

    e->conf = conf;
    e->proxy = p;
    for (struct section *s = conf; s != NULL; s = s->next) {
        e->service = strcmp(s->name, "SERVICE") == 0 ? s : e->service;
    }
    log_level = level_of(conf_get(e->service, "log_level"), LOG_INFO);
    e->storage = conf_get(e->service, "storage.path");
    e->max_chunks = conf_size(e->service, "storage.max_chunks_up", 128);
    e->grace = conf_seconds(e->service, "grace", 5);
    if (e->storage != NULL) {
        mkdir(e->storage, 0755);
    }
    for (struct section *s = conf; s != NULL; s = s->next) {
        if (strcmp(s->name, "INPUT") == 0) {
            struct input *in = input_new(e, s, inputs++);
            in->previous = e->last_input;
            *(e->last_input != NULL ? &e->last_input->next : &e->inputs) = in;
            e->last_input = in;
        }
        else if (strcmp(s->name, "OUTPUT") == 0) {
            *last = output_new(s, outputs++);
            last = &(*last)->next;
        }
    }
    return e;
}

/* ---- the engine's thread ------------------------------------------------- */

static void inputs_leave(struct engine *e)
{
    for (struct input *in = e->last_input; in != NULL; in = in->previous) {
        if (!in->ready) {
            continue;
        }
        if (in->threaded) {
            input_tell(in, SAY_EXIT);
            pthread_join(in->thread, NULL);
        }
        else {
            input_exit(in);
        }
        in->ready = false;
    }
}

static void pause_all(struct engine *e)
{
    for (struct input *in = e->inputs; in != NULL; in = in->next) {
        if (in->ready) {
            input_pause(in);
        }
    }
}

static bool inputs_start(struct engine *e)
{
    for (struct input *in = e->inputs; in != NULL; in = in->next) {
        say(LOG_INFO, "[input:%s:%s] initializing", in->proxy->def.name, in->name);
        if (!(in->threaded ? input_thread_start(in) : input_init(in))) {
            log_print(LOG_ERROR, NULL, 0, "[engine] input initialization failed");
            return false;
        }
    }
    for (struct input *in = e->inputs; in != NULL; in = in->next) {
        if (!in->threaded) {
            input_prerun(in);
        }
    }
    for (struct input *in = e->inputs; in != NULL; in = in->next) {
        if (in->threaded) {
            input_tell(in, SAY_START);
        }
        else {
            in->collecting = true;
            in->collect_at = now() + options.interval;
        }
    }
    return true;
}

static void collect_due(struct engine *e)
{
    for (struct input *in = e->inputs; in != NULL; in = in->next) {
        if (!in->threaded && in->collecting && now() >= in->collect_at) {
            in->collect_at += options.interval;
            input_collect(in);
        }
    }
}

/* Sleeps until the nearest of the given times, or an earlier collect, or a wake-up. */
static void engine_sleep(struct engine *e, double until)
{
    struct pollfd p = { .fd = e->wake[0], .events = POLLIN };
    char          bytes[64];

    for (struct input *in = e->inputs; in != NULL; in = in->next) {
        if (!in->threaded && in->collecting && in->collect_at < until) {
            until = in->collect_at;
        }
    }
    double left = until - now();
    if (poll(&p, 1, left > 0 ? (int) (left * 1000) + 1 : 0) > 0 && read(e->wake[0], bytes, sizeof(bytes)) < 0) {
        abort();
    }
}

static double least(double a, double b)
{
    return a < b ? a : b;
}

/* Runs until the grace after a stop is over, or nothing is pending any more. */
static void engine_loop(struct engine *e)
{
    double flush_every = conf_seconds(e->service, "flush", 1);
    double flush_at = now() + flush_every, drain_at = now() + options.drain, check_at = 1e300;
    int    checks = 0;

    for (;;) {
        engine_sleep(e, least(least(flush_at, drain_at), check_at));
        control_run(e);
        collect_due(e);
        if (now() >= drain_at) {
            drain_at = now() + options.drain;
            for (struct input *in = e->inputs; in != NULL; in = in->next) {
                ring_drain(in);
            }
        }
        if (now() >= flush_at) {
            flush_at = now() + flush_every;
            output_flush(e);
            limits_update(e);
        }
        if (e->stop && check_at == 1e300) {
            output_flush(e);
            say(LOG_WARN, "[engine] service will shutdown in max %.0f seconds", e->grace);
            say(LOG_INFO, "[engine] pausing all inputs..");
            pause_all(e);
            check_at = now() + 1;
        }
        if (now() >= check_at) {
            check_at += 1;
            output_flush(e);
            int pending = chunks_count(e);
            if (pending == 0 || (!e->reloading && ++checks >= e->grace)) {
                say(LOG_INFO, "[engine] service has stopped (%d pending tasks)", pending);
                return;
            }
            say(LOG_INFO, "[engine] pending chunk count: %d; grace_timer=%d", pending, checks);
        }
    }
}

static pthread_mutex_t state_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t  state_changed = PTHREAD_COND_INITIALIZER;

static void announce(struct engine *e)
{
    pthread_mutex_lock(&state_lock);
    e->running = true;
    pthread_cond_broadcast(&state_changed);
    pthread_mutex_unlock(&state_lock);
}

static void *engine_thread(void *argument)
{
    struct engine *e = argument;
    bool           began;

    prctl(PR_SET_NAME, "flb-pipeline");
    began = inputs_start(e);
    e->failed = !began;
    announce(e);
    if (began) {
        engine_loop(e);
        if (e->inputs != NULL && !e->inputs->threaded) {
            input_collect(e->inputs); /* one that was already under way */
        }
    }
    pause_all(e);
    inputs_leave(e);
    return NULL;
}

/* ---- started and stopped from main --------------------------------------- */

struct engine *engine_start(struct section *conf, struct proxy *p)
{
    struct engine *e = engine_new(conf, p);

    chunks_load(e);
    if (pipe(e->wake) != 0 || pthread_create(&e->thread, NULL, engine_thread, e) != 0) {
        abort();
    }
    pthread_mutex_lock(&state_lock);
    while (!e->running) {
        pthread_cond_wait(&state_changed, &state_lock);
    }
    pthread_mutex_unlock(&state_lock);
    if (!e->failed) {
        return e;
    }
    pthread_join(e->thread, NULL);
    engine_destroy(e);
    return NULL;
}

void engine_wake(struct engine *e)
{
    if (write(e->wake[1], "w", 1) < 0) {
        abort();
    }
}

void engine_stop(struct engine *e, bool reloading)
{
    e->reloading = reloading;
    e->stop = true;
    engine_wake(e);
    pthread_join(e->thread, NULL);
}

void engine_destroy(struct engine *e)
{
    while (e->inputs != NULL) {
        struct input *next = e->inputs->next;
        input_free(e->inputs);
        e->inputs = next;
    }
    while (e->outputs != NULL) {
        struct output *next = e->outputs->next;
        free(e->outputs);
        e->outputs = next;
    }
    chunks_free(e);
    close(e->wake[0]);
    close(e->wake[1]);
    free(e);
}
