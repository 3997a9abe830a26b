#include "parsed_answers.h"

#include "../../nginx/strings.h"
#include "../../oauth/token_information_codec.h"
#include "../configuration/pool_memory.h"

namespace gateway {

/// Its bytes: the key's fingerprint, which says how the response was read; the Content-Type; the body; then, where
/// is_known, a copy as AnswerCopy has it.
struct ParsedAnswer {
  char *bytes = nullptr;
  std::size_t capacity = 0;
  std::size_t fingerprint_size = 0;
  std::size_t content_type_size = 0;
  std::size_t body_size = 0;
  std::size_t jwt_size = 0;
  std::size_t packed_size = 0;
  bool is_known = false;
};

namespace {

/// One place for each hash: a newer answer takes an older one's.
constexpr std::size_t most_answers = 1024;

/// Of everything that is kept of one answer.
constexpr std::size_t largest_answer = 8192;

/// Of this worker.
ParsedAnswer *answers = nullptr;

bool may_be_remembered(const AsRequest &request) noexcept {
#if (NGX_HTTP_CACHE)
  return request.captured.cache.status == NGX_HTTP_CACHE_HIT && request.captured.response.status == NGX_HTTP_OK &&
         oauth::explain_unreadable(request.captured.response) == nullptr &&
         request.captured.response.content_encoding.empty();
#else
  return false;
#endif
}

std::string_view body_of(const AsRequest &request) noexcept {
  return {request.captured.response.body, request.captured.response.body_size};
}

std::size_t place_of(const AsRequest &request) noexcept {
  const ngx_str_t body = to_ngx_str(body_of(request));
  return ngx_murmur_hash2(body.data, body.len) % most_answers;
}

CopySizes sizes_of(const ParsedAnswer &answer) noexcept {
  return {0, answer.jwt_size, answer.packed_size};
}

std::size_t size_of_response(const ParsedAnswer &answer) noexcept {
  return answer.fingerprint_size + answer.content_type_size + answer.body_size;
}

bool is_of(const ParsedAnswer &answer, const AsRequest &request) noexcept {
  if (!answer.is_known) {
    return false;
  }
  const std::string_view fingerprint(answer.bytes, answer.fingerprint_size);
  const std::string_view content_type(fingerprint.data() + fingerprint.size(), answer.content_type_size);
  const std::string_view body(content_type.data() + content_type.size(), answer.body_size);
  return body == body_of(request) && content_type == request.captured.response.content_type &&
         fingerprint == request.asked.key.fingerprint;
}

/// @return whether there is room for so many bytes; what was there may be lost.
bool reserve(ParsedAnswer &answer, std::size_t size, ngx_log_t *log) noexcept {
  if (size <= answer.capacity) {
    return true;
  }
  ngx_free(answer.bytes);
  answer.bytes = size > largest_answer ? nullptr : static_cast<char *>(ngx_alloc(size, log));
  answer.capacity = answer.bytes == nullptr ? 0 : size;
  return answer.bytes != nullptr;
}

bool make_places(ngx_log_t *log) noexcept {
  if (answers == nullptr) {
    answers = static_cast<ParsedAnswer *>(ngx_calloc(most_answers * sizeof(ParsedAnswer), log));
  }
  return answers != nullptr;
}

void put_response(const AsRequest &request, char *out) noexcept {
  for (const std::string_view part :
       {request.asked.key.fingerprint, request.captured.response.content_type, body_of(request)}) {
    out += part.copy(out, part.size());
  }
}

}  // namespace

bool recall_answer(const AsRequest &request, ngx_pool_t *pool, AnswerCopy &copy) noexcept {
  if (answers == nullptr || !may_be_remembered(request)) {
    return false;
  }
  const ParsedAnswer &answer = answers[place_of(request)];
  char *place = is_of(answer, request) ? allocate_copy(pool, sizes_of(answer), copy) : nullptr;
  if (place == nullptr) {
    return false;
  }
  ngx_memcpy(place, answer.bytes + size_of_response(answer), sizes_of(answer).total());
  return true;
}

ParsedAnswer *reserve_answer(const AsRequest &request, ngx_log_t *log) noexcept {
  if (!may_be_remembered(request) || !make_places(log)) {
    return nullptr;
  }
  ParsedAnswer &answer = answers[place_of(request)];
  answer.is_known = false;
  answer.fingerprint_size = request.asked.key.fingerprint.size();
  answer.content_type_size = request.captured.response.content_type.size();
  answer.body_size = request.captured.response.body_size;
  // A JWT that is not the body itself takes as much again, and what is packed is less.
  if (!reserve(answer, size_of_response(answer) + 2 * request.captured.response.body_size, log)) {
    return nullptr;
  }
  put_response(request, answer.bytes);
  return &answer;
}

void remember_answer(ParsedAnswer &answer, const AsRequest &request, ngx_pool_t *pool) noexcept {
  const std::string_view jwt = request.interpreted.information.jwt.compact;
  PoolMemory memory(pool);
  std::string_view packed;
  if (!jose::write_text(
          memory, [&](jose::Writer &writer) { oauth::pack(writer, request.interpreted.information); }, packed) ||
      size_of_response(answer) + CopySizes{0, jwt.size(), packed.size()}.total() > answer.capacity) {
    return;
  }
  char *out = answer.bytes + size_of_response(answer);
  out += jwt.copy(out, jwt.size());
  *out++ = '\0';
  packed.copy(out, packed.size());
  answer.jwt_size = jwt.size();
  answer.packed_size = packed.size();
  answer.is_known = true;
}

void forget_answers() noexcept {
  for (std::size_t i = 0; answers != nullptr && i < most_answers; i++) {
    ngx_free(answers[i].bytes);
  }
  ngx_free(answers);
  answers = nullptr;
}

}  // namespace gateway
