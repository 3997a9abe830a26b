/*
 * For ngtcp2's example client, which cannot send header fields of one's own: put before nghttp3 by LD_PRELOAD, this
 * adds an Authorization field to each request.
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <nghttp3/nghttp3.h>
#include <stdlib.h>
#include <string.h>

#define MOST_FIELDS 32

static const char name[] = "authorization";

typedef int submit(nghttp3_conn *, int64_t, const nghttp3_nv *, size_t, const nghttp3_data_reader *, void *);

int nghttp3_conn_submit_request(nghttp3_conn *connection, int64_t stream, const nghttp3_nv *fields, size_t count,
                                const nghttp3_data_reader *body, void *data) {
  submit *real = (submit *)dlsym(RTLD_NEXT, "nghttp3_conn_submit_request");
  char *value = getenv("HTTP3_AUTHORIZATION");
  nghttp3_nv all[MOST_FIELDS];

  if (!real || !value || count >= MOST_FIELDS) {
    abort();
  }
  memcpy(all, fields, count * sizeof(*fields));
  all[count] = (nghttp3_nv){(uint8_t *)name, (uint8_t *)value, sizeof(name) - 1, strlen(value), NGHTTP3_NV_FLAG_NONE};
  return real(connection, stream, all, count + 1, body, data);
}
