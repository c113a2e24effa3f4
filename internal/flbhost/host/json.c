/* Events in MessagePack as lines of JSON, the way Fluent Bit's file output
 * writes them: TAG: [SECONDS.NANOSECONDS, {RECORD}] */
#define _GNU_SOURCE
#include <endian.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host.h"

struct reader {
    const unsigned char *at, *end;
    bool                 bad;
};

static uint64_t number(struct reader *r, int bytes)
{
    uint64_t n = 0;

    if (r->end - r->at < bytes) {
        r->bad = true;
        return 0;
    }
    while (bytes-- > 0) {
        n = n << 8 | *r->at++;
    }
    return n;
}

static const unsigned char *skip(struct reader *r, uint64_t bytes)
{
    const unsigned char *was = r->at;

    if ((uint64_t) (r->end - r->at) < bytes) {
        r->bad = true;
        return NULL;
    }
    r->at += bytes;
    return was;
}

static void text(struct reader *r, uint64_t size, FILE *out)
{
    const unsigned char *s = skip(r, size);

    fputc('"', out);
    for (uint64_t i = 0; s != NULL && i < size; i++) {
        if (s[i] == '"' || s[i] == '\\') {
            fprintf(out, "\\%c", s[i]);
        }
        else if (s[i] < 0x20) {
            fprintf(out, "\\u%04x", s[i]);
        }
        else {
            fputc(s[i], out);
        }
    }
    fputc('"', out);
}

static void real(double d, FILE *out)
{
    if (isfinite(d)) {
        fprintf(out, "%.17g", d);
    }
    else {
        fputs("null", out);
    }
}

static void value(struct reader *r, FILE *out, int depth);

static void list(struct reader *r, uint64_t size, FILE *out, int depth)
{
    fputc('[', out);
    for (uint64_t i = 0; i < size && !r->bad; i++) {
        fputs(i > 0 ? "," : "", out);
        value(r, out, depth + 1);
    }
    fputc(']', out);
}

static void map(struct reader *r, uint64_t size, FILE *out, int depth)
{
    fputc('{', out);
    for (uint64_t i = 0; i < size && !r->bad; i++) {
        fputs(i > 0 ? "," : "", out);
        value(r, out, depth + 1);
        fputc(':', out);
        value(r, out, depth + 1);
    }
    fputc('}', out);
}

static void value(struct reader *r, FILE *out, int depth)
{
    unsigned kind = number(r, 1);

    if (r->bad || depth > 100) {
        r->bad = true;
        return;
    }
    if (kind < 0x80) {
        fprintf(out, "%u", kind);
    }
    else if (kind < 0x90) {
        map(r, kind & 15, out, depth);
    }
    else if (kind < 0xa0) {
        list(r, kind & 15, out, depth);
    }
    else if (kind < 0xc0) {
        text(r, kind & 31, out);
    }
    else if (kind >= 0xe0) {
        fprintf(out, "%d", (int) (int8_t) kind);
    }
    else {
        union { uint32_t i; float f; } f32;
        union { uint64_t i; double f; } f64;
        switch (kind) {
        case 0xc0: fputs("null", out); break;
        case 0xc2: fputs("false", out); break;
        case 0xc3: fputs("true", out); break;
        case 0xc4: case 0xd9: text(r, number(r, 1), out); break;
        case 0xc5: case 0xda: text(r, number(r, 2), out); break;
        case 0xc6: case 0xdb: text(r, number(r, 4), out); break;
        case 0xca: f32.i = number(r, 4); real(f32.f, out); break;
        case 0xcb: f64.i = number(r, 8); real(f64.f, out); break;
        case 0xcc: case 0xcd: case 0xce: case 0xcf:
            fprintf(out, "%llu", (unsigned long long) number(r, 1 << (kind - 0xcc)));
            break;
        case 0xd0: fprintf(out, "%d", (int8_t) number(r, 1)); break;
        case 0xd1: fprintf(out, "%d", (int16_t) number(r, 2)); break;
        case 0xd2: fprintf(out, "%d", (int32_t) number(r, 4)); break;
        case 0xd3: fprintf(out, "%lld", (long long) number(r, 8)); break;
        case 0xdc: list(r, number(r, 2), out, depth); break;
        case 0xdd: list(r, number(r, 4), out, depth); break;
        case 0xde: map(r, number(r, 2), out, depth); break;
        case 0xdf: map(r, number(r, 4), out, depth); break;
        default: r->bad = true; /* an ext has no place in a record */
        }
    }
}

/* Event time (ext type 0: two 32-bit numbers) or whole seconds. */
static void event_time(struct reader *r, FILE *out)
{
    unsigned kind = number(r, 1);

    if (kind == 0xd7 && number(r, 1) == 0) {
        unsigned seconds = number(r, 4), nanoseconds = number(r, 4);
        fprintf(out, "%u.%09u", seconds, nanoseconds);
        return;
    }
    r->at -= kind == 0xd7 ? 2 : 1;
    value(r, out, 0);
    fputs(".000000000", out);
}

/* [time, {map}], or [[time, {metadata}], {map}]. */
static void event(struct reader *r, const char *tag, FILE *out)
{
    fprintf(out, "%s: [", tag);
    r->bad = r->bad || number(r, 1) != 0x92;
    if (r->at < r->end && *r->at == 0x92) {
        char  *unused = NULL;
        size_t size;
        FILE  *nowhere = open_memstream(&unused, &size);
        r->at++;
        event_time(r, out);
        value(r, nowhere, 0);
        fclose(nowhere);
        free(unused);
    }
    else {
        event_time(r, out);
    }
    fputs(", ", out);
    r->bad = r->bad || r->at >= r->end || ((*r->at & 0xf0) != 0x80 && (*r->at & 0xfe) != 0xde);
    value(r, out, 0);
    fputs("]\n", out);
}

bool json_lines(const char *tag, const char *bytes, size_t size, int fd)
{
    struct reader r = { (const unsigned char *) bytes, (const unsigned char *) bytes + size, false };
    char         *lines = NULL;
    size_t        used;
    FILE         *out = open_memstream(&lines, &used);

    while (r.at < r.end && !r.bad) {
        event(&r, tag, out);
    }
    fclose(out);
    bool whole = !r.bad && write(fd, lines, used) == (ssize_t) used;
    free(lines);
    return whole;
}
