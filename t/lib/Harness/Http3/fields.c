/*
 * For ngtcp2's example client, which cannot send header fields of one's own: put before nghttp3 by LD_PRELOAD, this adds
 * those of HTTP3_FIELDS to each request. There each field is a line, "name:value\n".
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <nghttp3/nghttp3.h>
#include <stdlib.h>
#include <string.h>

#define MOST_FIELDS 32

typedef int submit(nghttp3_conn *, int64_t, const nghttp3_nv *, size_t, const nghttp3_data_reader *, void *);

int nghttp3_conn_submit_request(nghttp3_conn *connection, int64_t stream, const nghttp3_nv *fields, size_t count,
                                const nghttp3_data_reader *body, void *data) {
  submit *real = (submit *)dlsym(RTLD_NEXT, "nghttp3_conn_submit_request");
  char *line = getenv("HTTP3_FIELDS");
  nghttp3_nv all[MOST_FIELDS];

  if (!real || !line || count >= MOST_FIELDS) {
    abort();
  }
  memcpy(all, fields, count * sizeof(*fields));
  while (*line) {
    char *value = strchr(line, ':');
    char *end = strchr(line, '\n');
    if (!value || !end || value > end || count == MOST_FIELDS) {
      abort();
    }
    all[count++] = (nghttp3_nv){(uint8_t *)line, (uint8_t *)value + 1, (size_t)(value - line),
                                (size_t)(end - value - 1), NGHTTP3_NV_FLAG_NONE};
    line = end + 1;
  }
  return real(connection, stream, all, count, body, data);
}
