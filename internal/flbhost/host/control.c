/* Commands on standard input, one a line, run on the engine's thread. Each is
 * acknowledged with the log line "[host] COMMAND". */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host.h"

struct faults faults;

static pthread_mutex_t queue_lock = PTHREAD_MUTEX_INITIALIZER;
static char           *queue[64];
static int             queued;

void countdown_to_kill(atomic_int *counter)
{
    if (*counter > 0 && --*counter == 0) {
        kill(getpid(), SIGKILL);
    }
}

static void *read_commands(void *unused)
{
    char  *line = NULL;
    size_t size = 0;

    (void) unused;
    while (getline(&line, &size, stdin) >= 0) {
        line[strcspn(line, "\n")] = '\0';
        pthread_mutex_lock(&queue_lock);
        if (queued < 64) {
            queue[queued++] = strdup(line);
        }
        pthread_mutex_unlock(&queue_lock);
        if (current_engine() != NULL) {
            engine_wake(current_engine());
        }
    }
    free(line);
    return NULL;
}

void control_start(void)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, read_commands, NULL) == 0) {
        pthread_detach(thread);
    }
}

static void pause_or_resume(struct engine *e, bool pause)
{
    faults.held = pause;
    for (struct input *in = e->inputs; in != NULL; in = in->next) {
        if (pause) {
            input_pause(in);
            in->paused = true;
        }
        else {
            in->paused = false;
            input_resume(in);
        }
    }
}

static void call_symbol(struct engine *e, const char *name)
{
    void (*f)(void) = dlsym(e->proxy->library, name);

    if (f == NULL) {
        log_print(LOG_ERROR, NULL, 0, "[host] no symbol %s", name);
        return;
    }
    f();
}

static void run(struct engine *e, const char *command)
{
    char      argument[128];
    long long n;

    if (sscanf(command, "storage full %3s", argument) == 1) {
        faults.storage_full = strcmp(argument, "on") == 0;
    }
    else if (sscanf(command, "output dead %3s", argument) == 1) {
        faults.output_dead = strcmp(argument, "on") == 0;
    }
    else if (sscanf(command, "refuse over %lld", &n) == 1) {
        faults.refuse_over = n;
    }
    else if (sscanf(command, "kill after append %lld", &n) == 1) {
        faults.kill_after_append = n;
    }
    else if (sscanf(command, "kill after callback %lld", &n) == 1) {
        faults.kill_after_callback = n;
    }
    else if (sscanf(command, "busy %lld", &n) == 1) { /* milliseconds, as a slow filter is */
        usleep(n * 1000);
    }
    else if (strcmp(command, "pause") == 0 || strcmp(command, "resume") == 0) {
        pause_or_resume(e, *command == 'p');
    }
    else if (strcmp(command, "collect") == 0) {
        for (struct input *in = e->inputs; in != NULL; in = in->next) {
            if (!in->threaded) {
                input_collect(in);
            }
        }
    }
    else if (sscanf(command, "call %127s", argument) == 1) { /* a function of the plugin, without arguments */
        call_symbol(e, argument);
    }
    else {
        log_print(LOG_ERROR, NULL, 0, "[host] unknown command: %s", command);
        return;
    }
    log_print(LOG_INFO, NULL, 0, "[host] %s", command);
}

void control_run(struct engine *e)
{
    for (;;) {
        pthread_mutex_lock(&queue_lock);
        char *command = queued > 0 ? queue[0] : NULL;
        if (command != NULL) {
            memmove(queue, queue + 1, --queued * sizeof(*queue));
        }
        pthread_mutex_unlock(&queue_lock);
        if (command == NULL) {
            return;
        }
        run(e, command);
        free(command);
    }
}
