/* flbhost -c fluent-bit.conf -e plugin.so [-t TRACE] [-i SECONDS] [-d SECONDS] [-o] [-f]
 *
 *   -t  file for the trace of calls   -i  interval of the collectors (1)
 *   -d  interval of the drain (0.25)  -o  an old engine: no contexts
 *   -f  forks once the plugin is loaded, as `Daemon On` does, and waits for the child
 *
 * SIGTERM and SIGINT end it, SIGHUP loads the configuration again. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host.h"

struct options options = { .interval = 1, .drain = 0.25 };

static _Atomic(struct engine *) running;
static volatile sig_atomic_t    ending, reload;
static int                      wake[2];

struct engine *current_engine(void)
{
    return running;
}

/* ---- signals, installed as Fluent Bit does: with signal(), again and again - */

static void signals_install(void);

static void on_end(int number)
{
    ending = number;
    if (write(wake[1], "e", 1) < 0) {
        _exit(2);
    }
}

static void on_other(int number)
{
    signals_install();
    if (number == SIGSEGV || number == SIGFPE) {
        static const char text[] = "[engine] caught a fault\n";
        if (write(STDERR_FILENO, text, sizeof(text) - 1) >= 0) {
            abort();
        }
        abort();
    }
    const char *text = number == SIGHUP ? "[engine] caught SIGHUP\n" : "[engine] caught SIGCONT\n";
    if (write(STDERR_FILENO, text, strlen(text)) < 0) {
        _exit(2);
    }
    reload = reload || number == SIGHUP;
    if (write(wake[1], "h", 1) < 0) {
        _exit(2);
    }
}

static void signals_install(void)
{
    signal(SIGINT, on_end);
    signal(SIGQUIT, on_end);
    signal(SIGTERM, on_end);
    signal(SIGHUP, on_other);
    signal(SIGCONT, on_other);
    signal(SIGSEGV, on_other);
    signal(SIGFPE, on_other);
}

/* ---- the plugin ---------------------------------------------------------- */

static const char *input_property(const char *key, void *instance)
{
    static const char *const of_the_core[] = {
        "tag", "alias", "log_level", "log_suppress_interval", "routable", "mem_buf_limit", "listen", "host", "port",
        "ipv6", "storage.type", "storage.pause_on_chunks_overlimit", "threaded", "processors", NULL,
    };
    for (int i = 0; of_the_core[i] != NULL; i++) {
        if (strcasecmp(key, of_the_core[i]) == 0) {
            return NULL;
        }
    }
    return conf_get(((struct input *) instance)->conf, key);
}

static int input_log_check(void *instance, int level)
{
    return ((struct input *) instance)->level >= level;
}

struct proxy *proxy_load(bool reloading)
{
    struct proxy *p = calloc(1, sizeof(*p));

    p->api = calloc(1, sizeof(*p->api));
    p->api->input_get_property = input_property;
    p->api->log_print = log_print;
    p->api->input_log_check = input_log_check;
    p->def.type = 1;
    if ((p->library = dlopen(options.plugin, RTLD_LAZY)) == NULL) {
        log_print(LOG_ERROR, NULL, 0, "[proxy] error opening plugin %s: '%s'", options.plugin, dlerror());
        return NULL;
    }
    int (*before)(int) = dlsym(p->library, "FLBPluginPreRegister");
    int (*do_register)(struct registration *) = dlsym(p->library, "FLBPluginRegister");
    double began = now();
    if (before != NULL) {
        trace("FLBPluginPreRegister", NULL, before(reloading), began, "");
        began = now();
    }
    int result = do_register != NULL ? do_register(&p->def) : -1;
    trace("FLBPluginRegister", NULL, result, began, "");
    return result != -1 ? p : NULL;
}

void proxy_unload(struct proxy *p)
{
    void (*unregister)(struct registration *) = dlsym(p->library, "FLBPluginUnregister");

    if (unregister != NULL) {
        double began = now();
        unregister(&p->def);
        trace("FLBPluginUnregister", NULL, 0, began, "");
    }
    dlclose(p->library);
    free(p->api);
    free(p);
}

/* ---- life cycle ---------------------------------------------------------- */

struct life {
    struct section *conf;
    struct proxy   *proxy;
};

static bool begin(struct life *l)
{
    running = engine_start(l->conf, l->proxy);
    return running != NULL;
}

static void end(struct life *l, bool reloading)
{
    struct engine *e = running;

    if (e != NULL) {
        engine_stop(e, reloading);
        running = NULL;
        engine_destroy(e);
    }
    proxy_unload(l->proxy);
    conf_free(l->conf);
}

/* Loads the new before it stops the old, as Fluent Bit does. */
static bool reload_all(struct life *old)
{
    struct life new = { conf_read(options.config), NULL };

    log_print(LOG_INFO, NULL, 0, "reloading instance pid=%d", getpid());
    if (new.conf == NULL || (new.proxy = proxy_load(true)) == NULL) {
        log_print(LOG_ERROR, NULL, 0, "[reload] reloaded config is invalid. Reloading is halted");
        return true;
    }
    log_print(LOG_INFO, NULL, 0, "[reload] stop everything of the old context");
    end(old, true);
    *old = new;
    log_print(LOG_INFO, NULL, 0, "[reload] start everything");
    if (!begin(old)) {
        log_print(LOG_ERROR, NULL, 0, "[reload] loaded configuration contains error(s). Reloading is aborted");
        return false;
    }
    log_print(LOG_INFO, NULL, 0, "[reload] successful reload done.");
    return true;
}

static bool wait_for_end(struct life *l)
{
    char bytes[16];

    while (!ending) {
        if (read(wake[0], bytes, sizeof(bytes)) > 0 && reload) {
            reload = 0;
            if (!reload_all(l)) {
                return false;
            }
        }
    }
    log_print(LOG_INFO, NULL, 0, "[engine] caught signal (%s)", strsignal(ending));
    return true;
}

/* The child goes on; the parent ends as it does. */
static void fork_and_wait(void)
{
    int   status = 0;
    pid_t child = fork();

    if (child > 0) {
        waitpid(child, &status, 0);
        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128);
    }
}

int main(int argc, char **argv)
{
    bool forking = false;

    for (int c; (c = getopt(argc, argv, "c:e:t:i:d:of")) != -1;) {
        switch (c) {
        case 'c': options.config = optarg; break;
        case 'e': options.plugin = optarg; break;
        case 't': options.trace = optarg; break;
        case 'i': options.interval = strtod(optarg, NULL); break;
        case 'd': options.drain = strtod(optarg, NULL); break;
        case 'o': options.no_contexts = true; break;
        case 'f': forking = true; break;
        default: return 2;
        }
    }
    if (options.config == NULL || options.plugin == NULL || pipe(wake) != 0) {
        fprintf(stderr, "usage: flbhost -c fluent-bit.conf -e plugin.so [-t trace] [-i seconds] [-d seconds] [-o] [-f]\n");
        return 2;
    }
    signals_install();
    struct life life = { conf_read(options.config), NULL };
    const struct section *service = life.conf;
    while (service != NULL && strcmp(service->name, "SERVICE") != 0) {
        service = service->next;
    }
    log_open(conf_get(service, "log_file"));
    if (life.conf == NULL || (life.proxy = proxy_load(false)) == NULL) {
        return 1;
    }
    if (forking) {
        fork_and_wait();
    }
    control_start();
    bool whole = begin(&life) && wait_for_end(&life);
    end(&life, false);
    return whole ? 0 : 255;
}
