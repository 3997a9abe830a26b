#include "fake_connection.h"

namespace nginx {
namespace {

struct FakeConnection {
  ngx_connection_t connection;
  ngx_event_t read;
  ngx_event_t write;
};

/// What ngx_http_request_handler() does.
void run_request(ngx_event_t *event) noexcept {
  auto *connection = static_cast<ngx_connection_t *>(event->data);
  auto *r = static_cast<ngx_http_request_t *>(connection->data);
  if (event->delayed != 0 && event->timedout != 0) {
    event->delayed = 0;
    event->timedout = 0;
  }
  if (event->write != 0) {
    r->write_event_handler(r);
  } else {
    r->read_event_handler(r);
  }
  ngx_http_run_posted_requests(connection);
}

void stop_event(ngx_event_t *event) noexcept {
  if (event->timer_set != 0) {
    ngx_del_timer(event);
  }
  if (event->posted != 0) {
    ngx_delete_posted_event(event);
  }
  event->delayed = 0;
}

void free_connection(ngx_event_t *event) noexcept {
  ngx_free(event->data);
}

/// The request has ended. ngx_http_run_posted_requests() may be on the stack and still ask whether this connection is
/// destroyed, so its memory goes when nginx comes to the posted events.
void release(void *data) noexcept {
  auto *fake = static_cast<FakeConnection *>(data);
  stop_events(fake->connection);
  fake->connection.destroyed = 1;
  fake->read.handler = free_connection;
  fake->read.log = ngx_cycle->log;  // the client's may be gone by then, with the client's connection
  fake->read.data = fake;
  ngx_post_event(&fake->read, &ngx_posted_events);
}

/// The socket is the client's and stays with the client's connection: nginx must see nothing here that it would add to
/// or take from its event mechanism.
ngx_event_t make_event(FakeConnection *fake, ngx_log_t *log) noexcept {
  ngx_event_t event = {};
  const bool edge_triggered = (ngx_event_flags & NGX_USE_CLEAR_EVENT) != 0;
  event.data = &fake->connection;
  event.handler = run_request;
  event.log = log;
  event.index = NGX_INVALID_INDEX;
  event.active = edge_triggered ? 1 : 0;
  event.ready = edge_triggered ? 0 : 1;
  return event;
}

}  // namespace

ngx_connection_t *make_fake_connection(ngx_http_request_t *r) noexcept {
  const ngx_connection_t &client = *r->connection;
  ngx_pool_cleanup_t *cleanup = ngx_pool_cleanup_add(r->pool, 0);
  if (cleanup == nullptr) {
    return nullptr;
  }
  auto *fake = static_cast<FakeConnection *>(ngx_alloc(sizeof(FakeConnection), client.log));
  if (fake == nullptr) {
    return nullptr;
  }
  fake->read = make_event(fake, client.log);
  fake->write = make_event(fake, client.log);
  fake->write.write = 1;
  fake->write.ready = 1;

  ngx_connection_t &connection = fake->connection;
  connection = client;
  connection.read = &fake->read;
  connection.write = &fake->write;
  connection.sent = 0;
  connection.buffered = 0;
  connection.sndlowat = 1;
  connection.tcp_nodelay = NGX_TCP_NODELAY_DISABLED;
  connection.reusable = 0;
  connection.error = 0;
  connection.timedout = 0;
  connection.close = 0;
  cleanup->handler = release;
  cleanup->data = fake;
  return &connection;
}

void attach(ngx_http_request_t *subrequest, ngx_connection_t *connection) noexcept {
  connection->data = subrequest;
  subrequest->connection = connection;
}

void stop_events(ngx_connection_t &connection) noexcept {
  stop_event(connection.read);
  stop_event(connection.write);
}

}  // namespace nginx
