/* Chunks to where they are wanted: `http` (Format msgpack, as Fluent Bit's http
 * output posts them), `file` (lines as its file output writes them), `null`. A
 * chunk that is not taken waits for the next flush, without end: Retry_Limit
 * no_limits. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "host.h"

struct output *output_new(struct section *conf, int number)
{
    struct output *o = calloc(1, sizeof(*o));
    const char    *name = conf_get(conf, "name");

    o->conf = conf;
    o->match = conf_get(conf, "match");
    o->match = o->match != NULL ? o->match : "*";
    o->limit = conf_size(conf, "storage.total_limit_size", 0);
    snprintf(o->name, sizeof(o->name), "%.40s.%d", name != NULL ? name : "null", number);
    return o;
}

/* `*` stands for any characters, also none. */
bool matches(const char *pattern, const char *tag)
{
    for (; *pattern != '*'; pattern++, tag++) {
        if (*pattern != *tag) {
            return false;
        }
        if (*pattern == '\0') {
            return true;
        }
    }
    while (*pattern == '*') {
        pattern++;
    }
    for (;; tag++) {
        if (matches(pattern, tag)) {
            return true;
        }
        if (*tag == '\0') {
            return false;
        }
    }
}

static bool send_all(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t n = send(fd, bytes, size, MSG_NOSIGNAL);
        if (n <= 0) {
            return false;
        }
        bytes += n;
        size -= n;
    }
    return true;
}

static const char *setting(struct output *o, const char *key, const char *otherwise)
{
    const char *v = conf_get(o->conf, key);

    return v != NULL ? v : otherwise;
}

static bool http_send(struct output *o, struct chunk *c, const char *bytes, size_t size)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(atoi(setting(o, "port", "80"))) };
    struct timeval     patience = { .tv_sec = 60 };
    char               text[1024] = "";
    int                fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), status = 0;

    inet_pton(AF_INET, setting(o, "host", "127.0.0.1"), &to.sin_addr);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    int n = snprintf(text, sizeof(text),
                     "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/msgpack\r\n%s: %s\r\n"
                     "Content-Length: %zu\r\nConnection: close\r\n\r\n",
                     setting(o, "uri", "/"), setting(o, "host", "127.0.0.1"), setting(o, "header_tag", "X-Tag"), c->tag, size);
    if (connect(fd, (struct sockaddr *) &to, sizeof(to)) == 0 && send_all(fd, text, n) && send_all(fd, bytes, size)
        && (n = recv(fd, text, sizeof(text) - 1, 0)) > 0) {
        text[n] = '\0';
        sscanf(text, "HTTP/1.%*d %d", &status);
    }
    close(fd);
    return status >= 200 && status <= 205;
}

static bool file_send(struct output *o, struct chunk *c, const char *bytes, size_t size)
{
    char path[1024];

    snprintf(path, sizeof(path), "%s/%s", setting(o, "path", "."), setting(o, "file", c->tag));
    int  fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    bool sent = fd >= 0 && json_lines(c->tag, bytes, size, fd);
    if (fd >= 0) {
        close(fd);
    }
    return sent;
}

static bool output_send(struct output *o, struct chunk *c)
{
    const char *name = setting(o, "name", "null");
    char       *bytes = NULL;
    size_t      size = 0;
    bool        sent = !faults.output_dead && chunk_read(c, &bytes, &size);

    if (sent && strcasecmp(name, "http") == 0) {
        sent = http_send(o, c, bytes, size);
    }
    else if (sent && strcasecmp(name, "file") == 0) {
        sent = file_send(o, c, bytes, size);
    }
    free(bytes);
    if (!sent) {
        say(LOG_WARN, "[engine] failed to flush chunk of tag %s (%zu bytes), retry at the next flush: output=%s", c->tag, c->size, o->name);
    }
    return sent;
}

void output_flush(struct engine *e)
{
    int bit = 0;

    for (struct output *o = e->outputs; o != NULL; o = o->next, bit++) {
        for (struct chunk *c = e->chunks; c != NULL; c = c->next) {
            if (!(c->wanted_by & 1u << bit)) {
                continue;
            }
            c->locked = true;
            if (!output_send(o, c)) {
                break; /* dead for the others too */
            }
            c->wanted_by &= ~(1u << bit);
        }
    }
    limits_update(e);
}
