/* The append that inputs call, and the chunks behind it. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host.h"

enum { CHUNK_FULL = 2000000 }; /* closed to further writes beyond this */

/* ---- chunks: files whose first line is the tag, or memory ---------------- */

static struct chunk *chunk_new(struct engine *e, struct input *in, const char *tag)
{
    static atomic_uint number;
    struct chunk      *c = calloc(1, sizeof(*c)), **last = &e->chunks;

    c->input = in;
    c->fd = -1;
    snprintf(c->tag, sizeof(c->tag), "%s", tag);
    if (in->filesystem) {
        snprintf(c->path, sizeof(c->path), "%s/%d-%.0f-%u.chunk", e->storage, getpid(), now() * 1e6, number++);
        c->fd = open(c->path, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644);
        if (c->fd < 0 || dprintf(c->fd, "%s\n", tag) < 0) {
            free(c);
            return NULL;
        }
    }
    int bit = 0;
    for (struct output *o = e->outputs; o != NULL; o = o->next, bit++) {
        c->wanted_by |= matches(o->match, tag) ? 1u << bit : 0;
    }
    while (*last != NULL) {
        last = &(*last)->next;
    }
    return *last = c;
}

static bool chunk_write(struct chunk *c, const void *bytes, size_t size)
{
    if (c->path[0] == '\0') {
        if (c->size + size > c->room) {
            c->room = 2 * (c->size + size);
            c->bytes = realloc(c->bytes, c->room);
        }
        memcpy(c->bytes + c->size, bytes, size);
    }
    else {
        off_t before = lseek(c->fd, 0, SEEK_END);
        if (write(c->fd, bytes, size) != (ssize_t) size) {
            log_print(LOG_ERROR, NULL, 0, "[input chunk] error writing data: %m");
            if (ftruncate(c->fd, before) != 0) {
                c->locked = true;
            }
            return false;
        }
    }
    c->size += size;
    c->locked = c->locked || c->size > CHUNK_FULL;
    return true;
}

bool chunk_read(struct chunk *c, char **bytes, size_t *size)
{
    *bytes = malloc(c->size + 1);
    *size = c->size;
    if (c->path[0] == '\0') {
        memcpy(*bytes, c->bytes, c->size);
        return true;
    }
    return pread(c->fd, *bytes, c->size, strlen(c->tag) + 1) == (ssize_t) c->size;
}

static void chunk_forget(struct chunk *c)
{
    if (c->fd >= 0) {
        close(c->fd);
    }
    free(c->bytes);
    free(c);
}

void chunks_free(struct engine *e)
{
    while (e->chunks != NULL) {
        struct chunk *next = e->chunks->next;
        chunk_forget(e->chunks);
        e->chunks = next;
    }
}

/* Chunks of an earlier run wait for their outputs again. */
void chunks_load(struct engine *e)
{
    DIR *folder = e->storage != NULL ? opendir(e->storage) : NULL;

    for (struct dirent *d; folder != NULL && (d = readdir(folder)) != NULL;) {
        char  path[512], head[256];
        size_t n = strlen(d->d_name);
        if (n < 6 || strcmp(d->d_name + n - 6, ".chunk") != 0) {
            continue;
        }
        snprintf(path, sizeof(path), "%s/%s", e->storage, d->d_name);
        int     fd = open(path, O_RDWR | O_CLOEXEC);
        ssize_t got = pread(fd, head, sizeof(head) - 1, 0);
        char   *end = got > 0 ? memchr(head, '\n', got) : NULL;
        if (end == NULL) { /* killed before the tag was written */
            close(fd);
            unlink(path);
            continue;
        }
        *end = '\0';
        struct input from = { 0 };
        struct chunk *c = chunk_new(e, &from, head);
        snprintf(c->path, sizeof(c->path), "%s", path);
        c->input = NULL;
        c->fd = fd;
        c->size = lseek(fd, 0, SEEK_END) - (end + 1 - head);
        c->locked = true;
    }
    if (folder != NULL) {
        closedir(folder);
    }
}

int chunks_count(struct engine *e)
{
    int n = 0;

    for (struct chunk *c = e->chunks; c != NULL; c = c->next) {
        n++;
    }
    return n;
}

/* ---- limits and pauses --------------------------------------------------- */

static bool over_chunks(struct input *in)
{
    return in->pause_on_chunks && chunks_count(in->engine) >= in->engine->max_chunks;
}

static bool over_memory(struct input *in)
{
    size_t bytes = 0;

    if (in->memory_limit == 0 || in->filesystem) {
        return false;
    }
    for (struct chunk *c = in->engine->chunks; c != NULL; c = c->next) {
        bytes += c->input == in ? c->size : 0;
    }
    return bytes >= in->memory_limit;
}

/* After each write: may pause the instance from inside its own append. */
static void protect(struct input *in)
{
    if (over_chunks(in)) {
        say(LOG_WARN, "[input] %s paused (storage buf overlimit %d/%d)", in->name, chunks_count(in->engine), in->engine->max_chunks);
    }
    else if (over_memory(in)) {
        say(LOG_WARN, "[input] %s paused (mem buf overlimit %zu)", in->name, in->memory_limit);
    }
    else {
        return;
    }
    input_pause(in);
    in->paused = true;
}

/* After chunks have left: forgets those that nobody wants, resumes who may go on. */
void limits_update(struct engine *e)
{
    for (struct chunk **at = &e->chunks; *at != NULL;) {
        struct chunk *c = *at;
        if (c->wanted_by != 0) {
            at = &c->next;
            continue;
        }
        *at = c->next;
        if (c->path[0] != '\0') {
            unlink(c->path);
        }
        chunk_forget(c);
    }
    for (struct input *in = e->inputs; in != NULL; in = in->next) {
        if (in->paused && !faults.held && !e->stop && !over_chunks(in) && !over_memory(in)) {
            in->paused = false;
            input_resume(in);
            say(LOG_INFO, "[input] %s resume", in->name);
        }
    }
}

/* Room under storage.total_limit_size of every output that wants the tag: the
 * oldest chunks give way; false when the batch alone is larger. */
static bool make_room(struct engine *e, const char *tag, size_t size)
{
    int bit = 0;

    for (struct output *o = e->outputs; o != NULL; o = o->next, bit++) {
        size_t held = 0;
        if (o->limit == 0 || !matches(o->match, tag)) {
            continue;
        }
        if (size > o->limit) {
            return false;
        }
        for (struct chunk *c = e->chunks; c != NULL; c = c->next) {
            held += c->wanted_by & 1u << bit ? c->size : 0;
        }
        for (struct chunk *c = e->chunks; c != NULL && held + size > o->limit; c = c->next) {
            if (c->wanted_by & 1u << bit) {
                say(LOG_WARN, "[input chunk] remove chunk %s with size %zu bytes from output %s", c->path, c->size, o->name);
                c->wanted_by &= ~(1u << bit);
                held -= c->size;
            }
        }
    }
    return true;
}

/* ---- the append ---------------------------------------------------------- */

/* On the engine's thread only. */
static int append_now(struct input *in, const char *tag, const void *bytes, size_t size)
{
    struct engine *e = in->engine;
    struct chunk  *c = e->chunks;
    size_t         most = faults.refuse_over;

    if (in->paused || size == 0) {
        return -1;
    }
    if (faults.storage_full || (most > 0 && size > most) || !make_room(e, tag, size)) {
        say(LOG_ERROR, "[input chunk] no available chunk");
        return -1;
    }
    while (c != NULL && (c->locked || c->input != in || strcmp(c->tag, tag) != 0)) {
        c = c->next;
    }
    if (c == NULL && (c = chunk_new(e, in, tag)) == NULL) {
        say(LOG_ERROR, "[input chunk] no available chunk");
        return -1;
    }
    if (!chunk_write(c, bytes, size)) {
        return -1;
    }
    if (c->wanted_by == 0) {
        limits_update(e); /* no output matches the tag: taken, and gone */
        return 0;
    }
    protect(in);
    return 0;
}

static bool ring_put(struct input *in, struct entry *entry)
{
    pthread_mutex_lock(&in->ring_lock);
    bool fits = in->ring_used < RING;
    if (fits) {
        in->ring[(in->ring_first + in->ring_used++) % RING] = entry;
    }
    pthread_mutex_unlock(&in->ring_lock);
    return fits;
}

static struct entry *ring_take(struct input *in)
{
    struct entry *entry = NULL;

    pthread_mutex_lock(&in->ring_lock);
    if (in->ring_used > 0) {
        entry = in->ring[in->ring_first];
        in->ring_first = (in->ring_first + 1) % RING;
        in->ring_used--;
    }
    pthread_mutex_unlock(&in->ring_lock);
    return entry;
}

static void entry_free(struct entry *entry)
{
    free(entry->tag);
    free(entry);
}

void ring_drain(struct input *in)
{
    struct entry *entry;

    while (!in->paused && (entry = ring_take(in)) != NULL) {
        append_now(in, entry->tag, entry->bytes, entry->size);
        entry_free(entry);
    }
}

void ring_discard(struct input *in)
{
    struct entry *entry;

    while ((entry = ring_take(in)) != NULL) {
        entry_free(entry);
    }
}

/* Threaded: a copy waits in the ring buffer. A full one is tried again ten
 * times, a tenth of a second apart; then the batch is refused. */
static int append_later(struct input *in, const char *tag, const void *bytes, size_t size)
{
    struct entry *entry = malloc(sizeof(*entry) + size);

    entry->tag = strdup(tag);
    entry->size = size;
    memcpy(entry->bytes, bytes, size);
    for (int tries = 0; tries < 10; tries++) {
        if (ring_put(in, entry)) {
            return 0;
        }
        usleep(100000);
    }
    log_print(LOG_ERROR, NULL, 0, "[input:%s:%s] could not enqueue records into the ring buffer", in->proxy->def.name, in->name);
    entry_free(entry);
    return -1;
}

int host_append(struct input *in, const char *tag, size_t tag_size, const void *bytes, size_t size)
{
    char   own[256], detail[320];
    double began = now();

    snprintf(own, sizeof(own), "%.*s", tag != NULL ? (int) tag_size : (int) sizeof(own) - 1, tag != NULL ? tag : in->tag);
    int result = in->threaded ? append_later(in, own, bytes, size) : append_now(in, own, bytes, size);
    snprintf(detail, sizeof(detail), "%s %zu", own, size);
    trace("flb_input_log_append", in, result, began, detail);
    countdown_to_kill(&faults.kill_after_append);
    return result;
}

#ifndef FLBHOST_NO_APPEND
/* What the plugin finds with dlsym. */
int flb_input_log_append(void *in, const char *tag, size_t tag_size, const void *bytes, size_t size)
{
    return host_append(in, tag, tag_size, bytes, size);
}

const char *flb_input_name(void *in)
{
    return ((struct input *) in)->name;
}
#endif
