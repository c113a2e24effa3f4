/* A stand-in for Fluent Bit: loads one Go input plugin and drives it as Fluent
 * Bit 5.1 does, order of calls, threads, answers and signals included.
 *
 *   main.c     life cycle of the process: signals, loading, hot reload
 *   engine.c   the flb-pipeline thread
 *   input.c    an instance: calls into the plugin, a thread of its own
 *   append.c   flb_input_log_append: ring buffer, chunks, pausing
 *   output.c   chunks to an HTTP endpoint or to a file
 *   json.c     MessagePack as JSON text
 *   conf.c     the classic configuration format, as far as it is needed
 *   control.c  commands on standard input: faults, pauses, kills
 *   report.c   log lines and the trace of calls
 */
#ifndef FLBHOST_H
#define FLBHOST_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- configuration (conf.c) ---------------------------------------------- */

struct property {
    char            *key, *value;
    struct property *next;
};

struct section {
    char            *name; /* upper case: SERVICE, INPUT, OUTPUT */
    struct property *first, **last;
    struct section  *next;
};

struct section *conf_read(const char *path); /* NULL: told on stderr */
void            conf_free(struct section *s);
const char     *conf_get(const struct section *s, const char *key); /* first value, NULL when absent */
bool            conf_bool(const struct section *s, const char *key, bool otherwise);
long long       conf_size(const struct section *s, const char *key, long long otherwise); /* 2M, 512k, 100 */
double          conf_seconds(const struct section *s, const char *key, double otherwise);

/* ---- what the plugin sees ------------------------------------------------ */

struct api {
    void *output_get_property;
    const char *(*input_get_property)(const char *key, void *instance);
    void *output_get_cmt_instance, *input_get_cmt_instance;
    void (*log_print)(int type, const char *file, int line, const char *format, ...);
    int (*input_log_check)(void *instance, int level);
    void *output_log_check, *custom_get_property, *custom_log_check;
};

struct registration {
    int   type, proxy, flags;
    char *name, *description;
    int   event_type;
    void *config_map;
};

/* One loaded .so, shared by its instances. */
struct proxy {
    struct registration def;
    struct api         *api;
    struct input       *instance; /* the last one initialised: pause and resume go by it */
    void               *library;
};

struct definition {
    char       *name;
    struct api *api;
    void       *instance;
    void       *context;
};

/* Since 4.1; before, there was no `remote`. */
struct context {
    int           collector;
    void         *remote;
    struct proxy *proxy;
};

struct old_context {
    int           collector;
    struct proxy *proxy;
};

/* ---- the engine ---------------------------------------------------------- */

struct entry { /* of the ring buffer */
    char  *tag;
    size_t size;
    char   bytes[];
};

enum { RING = 1024, NAME = 64 };
enum { SAY_PAUSE = 'p', SAY_RESUME = 'r', SAY_EXIT = 'x', SAY_START = 's', SAY_LOOK = 'l' };

struct input {
    struct engine  *engine;
    struct section *conf;
    struct proxy   *proxy;
    void           *context;
    char            name[NAME]; /* alias, or plugin and number */
    int             number;
    char            tag[256];
    int             level;
    bool            threaded, filesystem, pause_on_chunks;
    size_t          memory_limit;

    bool        ready;
    atomic_bool collecting;
    double      collect_at;
    atomic_bool paused; /* over a limit: appends are refused */

    pthread_t       thread;
    int             say[2]; /* engine to the instance's thread */
    int             answer[2];
    pthread_mutex_t ring_lock;
    struct entry   *ring[RING];
    int             ring_first, ring_used;

    struct input *next, *previous;
};

struct output {
    struct section *conf;
    char            name[NAME];
    const char     *match;
    size_t          limit; /* storage.total_limit_size, 0 = none */
    struct output  *next;
};

struct chunk {
    struct input *input; /* NULL: found on disk at start */
    char          path[512]; /* "" = in memory */
    char          tag[256];
    char         *bytes;
    size_t        size, room;
    int           fd;
    bool          locked;
    unsigned      wanted_by; /* outputs that do not have it yet, a bit each */
    struct chunk *next;
};

struct engine {
    struct section *conf, *service;
    struct proxy   *proxy;
    struct input   *inputs, *last_input;
    struct output  *outputs;
    struct chunk   *chunks;
    const char     *storage;
    int             max_chunks;
    double          grace;
    bool            reloading; /* stopped for a hot reload: no end to the grace */

    pthread_t   thread;
    int         wake[2];
    atomic_bool stop, failed;
    bool        running;
};

extern struct options {
    const char *config, *plugin, *trace;
    double      interval; /* of the collectors, seconds */
    double      drain;    /* of the ring buffers, seconds */
    bool        no_contexts;
} options;

struct proxy  *proxy_load(bool reloading); /* dlopen and Register; NULL: refused */
void           proxy_unload(struct proxy *p);
struct engine *engine_start(struct section *conf, struct proxy *p); /* NULL: an input refused to start */
void           engine_stop(struct engine *e, bool reloading);
void           engine_destroy(struct engine *e);
void           engine_wake(struct engine *e);

int    host_append(struct input *in, const char *tag, size_t tag_size, const void *bytes, size_t size);
struct engine *current_engine(void); /* NULL between two */
/* input.c; what calls the plugin runs on the instance's own thread */
bool input_init(struct input *in);
bool input_thread_start(struct input *in); /* and input_init there */
void input_prerun(struct input *in);
void input_collect(struct input *in);
void input_exit(struct input *in);
void input_tell(struct input *in, char what); /* SAY_…, to its thread */
void input_pause(struct input *in);
void input_resume(struct input *in);

/* ---- append.c, output.c, json.c ------------------------------------------ */

void   chunks_load(struct engine *e);
void   chunks_free(struct engine *e);
int    chunks_count(struct engine *e);
bool   chunk_read(struct chunk *c, char **bytes, size_t *size); /* malloc'ed */
void   limits_update(struct engine *e);
void   ring_drain(struct input *in);
void   ring_discard(struct input *in);
struct output *output_new(struct section *conf, int number);
void   output_flush(struct engine *e);
bool   matches(const char *pattern, const char *tag);
bool   json_lines(const char *tag, const char *bytes, size_t size, int fd);

/* ---- faults on demand (control.c) ---------------------------------------- */

extern struct faults {
    atomic_bool   storage_full, output_dead, held; /* held: paused by command */
    atomic_size_t refuse_over; /* bytes; 0 = nothing is too large */
    atomic_int    kill_after_append, kill_after_callback; /* counts down to SIGKILL; 0 = off */
} faults;

void control_start(void);               /* reads standard input in a thread of its own */
void control_run(struct engine *e);     /* what has come in, on the engine's thread */
void countdown_to_kill(atomic_int *counter);

/* ---- report.c ------------------------------------------------------------ */

enum { LOG_ERROR = 1, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG_TRACE };
extern int log_level;
void   log_open(const char *path); /* NULL: stderr */
int    level_of(const char *name, int otherwise);
void   log_print(int type, const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
#define say(level, ...) \
    do { if ((level) <= log_level) log_print(level, NULL, 0, __VA_ARGS__); } while (0)

double now(void); /* seconds, monotonic */
void   trace(const char *what, struct input *in, int result, double began, const char *detail);

#endif
