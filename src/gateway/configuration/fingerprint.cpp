#include "fingerprint.h"

#include <string_view>

#include "../../jose/digest.h"
#include "../../nginx/strings.h"
#include "blocks.h"
#include "policy.h"
#include "pool_memory.h"
#include "server_identity.h"

namespace gateway {
namespace {

void put_number(jose::Writer &writer, std::size_t number) noexcept {
  u_char decimal[NGX_SIZE_T_LEN];
  const u_char *end = ngx_sprintf(decimal, "%uz", number);
  jose::put_part(writer, to_view({static_cast<size_t>(end - decimal), decimal}));
}

void put_parts(jose::Writer &writer, const jose::Strings &parts) noexcept {
  put_number(writer, parts.count);
  for (const std::string_view part : parts) {
    jose::put_part(writer, part);
  }
}

void put_statuses(jose::Writer &writer, const oauth::InactiveStatuses &statuses) noexcept {
  for (unsigned status = oauth::InactiveStatuses::lowest; status <= oauth::InactiveStatuses::highest; status++) {
    if (statuses.has(status)) {
      put_number(writer, status);
    }
  }
}

/// @return false where there is no memory.
bool set_fingerprint(ngx_pool_t *pool, phantom_token_block_t &block) noexcept {
  phantom_token_policy_t &policy = *block.location->policy;
  const ServerIdentity server = server_identity(*block.server);
  PoolMemory memory(pool);
  const auto describe = [&](jose::Writer &writer) {
    jose::put_part(writer, policy.token_request.cache_key_begin);
    jose::put_part(writer, server.name);
    jose::put_part(writer, server.ordinal);
    put_parts(writer, policy.jwt_members);
    put_number(writer, block.location->max_response_size);
    jose::put_part(writer, to_view(block.location->type_hint));
    put_statuses(writer, policy.inactive_statuses);
  };
  if (!jose::write_text(memory, describe, policy.token_request.fingerprint)) {
    return false;
  }
  const ngx_str_t fingerprint = to_ngx_str(policy.token_request.fingerprint);
  policy.token_request.fingerprint_hash = ngx_murmur_hash2(fingerprint.data, fingerprint.len);
  return true;
}

}  // namespace

ngx_int_t set_fingerprints(ngx_conf_t *cf) noexcept {
  for (phantom_token_block_t &block : blocks_of(main_of(cf))) {
    if (!set_fingerprint(cf->pool, block)) {
      return NGX_ERROR;
    }
  }
  return NGX_OK;
}

}  // namespace gateway
