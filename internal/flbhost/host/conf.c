/* The classic format: [SECTION] lines, `Key value` lines, # comments, ${ENV}. */
#define _GNU_SOURCE
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "host.h"

static char *trim(char *s)
{
    s += strspn(s, " \t\r\n");
    for (size_t n = strlen(s); n > 0 && isspace((unsigned char) s[n - 1]); n--) {
        s[n - 1] = '\0';
    }
    return s;
}

/* value with each ${NAME} replaced by the environment's, malloc'ed. */
static char *expand(const char *value)
{
    char  *out = NULL;
    size_t size;
    FILE  *f = open_memstream(&out, &size);

    while (*value != '\0') {
        const char *end = strncmp(value, "${", 2) == 0 ? strchr(value, '}') : NULL;
        if (end == NULL) {
            fputc(*value++, f);
            continue;
        }
        char *name = strndup(value + 2, end - value - 2);
        const char *found = getenv(name);
        fputs(found != NULL ? found : "", f);
        free(name);
        value = end + 1;
    }
    fclose(f);
    return out;
}

static struct section *section_new(char *line)
{
    struct section *s = calloc(1, sizeof(*s));

    s->name = strndup(line + 1, strcspn(line + 1, "]"));
    for (char *c = s->name; *c != '\0'; c++) {
        *c = toupper((unsigned char) *c);
    }
    s->last = &s->first;
    return s;
}

struct section *conf_read(const char *path)
{
    struct section *first = NULL, *at = NULL, **last = &first;
    char           *buffer = NULL;
    size_t          size = 0;
    FILE           *f = fopen(path, "re");

    if (f == NULL) {
        perror(path);
        return NULL;
    }
    while (getline(&buffer, &size, f) >= 0) {
        char *line = trim(buffer);
        if (*line == '\0' || *line == '#') {
            continue;
        }
        if (*line == '[') {
            *last = at = section_new(line);
            last = &at->next;
            continue;
        }
        char *value = line + strcspn(line, " \t");
        if (at == NULL || *value == '\0') {
            fprintf(stderr, "%s: not a section, nor a key with a value: %s\n", path, line);
            conf_free(first);
            first = NULL;
            break;
        }
        *value++ = '\0';
        struct property *p = calloc(1, sizeof(*p));
        p->key = strdup(line);
        p->value = expand(trim(value));
        *at->last = p;
        at->last = &p->next;
    }
    free(buffer);
    fclose(f);
    return first;
}

void conf_free(struct section *s)
{
    while (s != NULL) {
        struct section *next = s->next;
        for (struct property *p = s->first; p != NULL;) {
            struct property *following = p->next;
            free(p->key);
            free(p->value);
            free(p);
            p = following;
        }
        free(s->name);
        free(s);
        s = next;
    }
}

const char *conf_get(const struct section *s, const char *key)
{
    for (const struct property *p = s != NULL ? s->first : NULL; p != NULL; p = p->next) {
        if (strcasecmp(p->key, key) == 0) {
            return p->value;
        }
    }
    return NULL;
}

bool conf_bool(const struct section *s, const char *key, bool otherwise)
{
    const char *v = conf_get(s, key);

    return v == NULL ? otherwise
        : strcasecmp(v, "on") == 0 || strcasecmp(v, "true") == 0 || strcasecmp(v, "yes") == 0;
}

long long conf_size(const struct section *s, const char *key, long long otherwise)
{
    const char *v = conf_get(s, key);
    char       *unit;

    if (v == NULL) {
        return otherwise;
    }
    long long n = strtoll(v, &unit, 10);
    switch (toupper((unsigned char) *unit)) {
    case 'G': n *= 1000; /* fall through */
    case 'M': n *= 1000; /* fall through */
    case 'K': n *= 1000;
    }
    return n;
}

double conf_seconds(const struct section *s, const char *key, double otherwise)
{
    const char *v = conf_get(s, key);

    return v == NULL ? otherwise : strtod(v, NULL);
}
