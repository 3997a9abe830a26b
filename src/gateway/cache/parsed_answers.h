#pragma once

#include "../configuration/module_configuration.h"
#include "../subrequest/as_request.h"
#include "answer_copy.h"

namespace gateway {

/// What this worker has read in answers of proxy_cache. A cached answer comes again with each request, and to read its
/// JWT costs more than to pass the request on: what the same bytes say need not be found out twice. They are compared
/// in full, and what they say is remembered, never what a location made of it.
struct ParsedAnswer;

/// @param copy set where the result is true.
/// @return whether the request's response has been read before, and was accepted.
bool recall_answer(const AsRequest &request, ngx_pool_t *pool, AnswerCopy &copy) noexcept;

/// Takes the bytes of a response that is about to be read: reading rewrites them.
/// @return nullptr where it is not to be remembered, or there is no memory.
ParsedAnswer *reserve_answer(const AsRequest &request, ngx_log_t *log) noexcept;

/// @param answer what reserve_answer() has returned right before the request's response was read, and accepted.
void remember_answer(ParsedAnswer &answer, const AsRequest &request, ngx_pool_t *pool) noexcept;

/// Frees all; a worker's end.
void forget_answers() noexcept;

}  // namespace gateway
