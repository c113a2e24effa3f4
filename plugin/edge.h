/* What Fluent Bit hands to an input plugin, declared anew and only as far as it
 * is used here, and what the Go side asks of edge.c.
 *
 * fluent-bit-go serves registration and configuration keys. It declares the
 * output's context, which is one word shorter than the input's, and only the
 * first two members of the API: hence these. */
#ifndef DEFENDER_EDGE_H
#define DEFENDER_EDGE_H

#include <stddef.h>
#include <stdint.h>

/* From 4.1.0 on. Before, `remote` did not exist and `proxy` stood in its place:
 * an engine that hands over a context whose second word is set has no contexts. */
struct edge_context {
    int   collector;
    void *remote; /* ours: a cgo.Handle, an integer, never a Go pointer */
    void *proxy;
};

struct edge_api {
    void *output_get_property;
    void *input_get_property;
    void *output_get_cmt_instance;
    void *input_get_cmt_instance;
    void (*log_print)(int type, const char *file, int line, const char *format, ...);
    int (*input_log_check)(void *instance, int level);
};

/* Argument of FLBPluginInit. Shared by all instances of the plugin: valid while
 * Init runs. The instance it names lives until that instance's Exit. */
struct edge_definition {
    char                *name;
    struct edge_api     *api;
    void                *instance;
    struct edge_context *context;
};

enum { EDGE_ERROR = 1, EDGE_WARN = 2, EDGE_INFO = 3, EDGE_DEBUG = 4 };

/* Has this engine contexts (Fluent Bit 4.1.0 and later)? Ask before edge_attach. */
int edge_has_contexts(struct edge_definition *d);
/* Makes the collect callback of this instance carry handle. */
void edge_attach(struct edge_definition *d, uintptr_t handle);
/* The instance's alias, or name and number; NULL when the engine does not tell. */
const char *edge_instance_name(struct edge_definition *d);

/* Does the engine let us append ourselves (flb_input_log_append)? */
int edge_can_append(void);
/* Appends MessagePack to the instance; it is copied. No tag (length 0) means the
 * instance's own. 0: the engine took it. Only from the thread of its callback. */
int edge_append(void *instance, const char *tag, size_t tag_size, const void *batch, size_t size);
/* Is this the engine's own thread, where an append is synchronous? */
int edge_on_engine_thread(void);

/* One message in Fluent Bit's log. Only from Fluent Bit's own threads. */
void edge_log(struct edge_api *api, int level, const char *text);
int  edge_log_wanted(struct edge_api *api, void *instance, int level);

#endif
