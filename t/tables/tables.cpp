// What the module is made of, as JSON on standard output: its directives, variables, outcomes and version, for tests
// that hold the documents against them. The module's own objects are linked with this file, and nginx loads the result
// in the module's place. The linker puts print_tables() before the module's postconfiguration: by then nginx has read a
// configuration, so that a default is what nginx finds where no directive stands.

#include <jansson.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "../../src/gateway/configuration/policy.h"
#include "../../src/gateway/version.h"
#include "../../src/nginx/nginx.h"
#include "../../src/nginx/strings.h"
#include "../../src/oauth/outcome.h"

using nginx::to_view;

namespace {

json_t *string(std::string_view text) {
  return text.empty() ? json_string("") : json_stringn(text.data(), text.size());
}

void append(json_t *array, json_t *value) {
  if (json_array_append_new(array, value) != 0) {
    std::fputs("t/tables/tables.cpp: a row cannot be written\n", stderr);
    std::abort();
  }
}

// --- outcomes ---

json_t *outcomes() {
  json_t *array = json_array();
  for (unsigned i = 0; i <= static_cast<unsigned>(oauth::Outcome::internal_error); i++) {
    const oauth::OutcomeMeaning &meaning = oauth::meaning(static_cast<oauth::Outcome>(i));
    append(array, json_pack("{so, si, so}", "word", string(meaning.word), "status", static_cast<int>(meaning.status),
                            "error", string(meaning.error)));
  }
  return array;
}

// --- variables ---

/// Those of which only the beginning of the name is ours end with it.
json_t *variables(ngx_conf_t *cf) {
  const auto *main =
      static_cast<ngx_http_core_main_conf_t *>(ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module));
  json_t *array = json_array();
  const auto append_ours = [array](ngx_str_t name) {
    if (to_view(name).rfind("phantom_token_", 0) == 0) {
      append(array, string(to_view(name)));
    }
  };
  const ngx_array_t &names = main->variables_keys->keys;
  for (ngx_uint_t i = 0; i < names.nelts; i++) {
    append_ours(static_cast<const ngx_hash_key_t *>(names.elts)[i].key);
  }
  const ngx_array_t &prefixes = main->prefix_variables;
  for (ngx_uint_t i = 0; i < prefixes.nelts; i++) {
    append_ours(static_cast<const ngx_http_variable_t *>(prefixes.elts)[i].name);
  }
  return array;
}

// --- directives ---

using Setter = char *(*)(ngx_conf_t *, ngx_command_t *, void *);

template <typename T>
const T &field(const phantom_token_location_t &location, const ngx_command_t &command) {
  return *reinterpret_cast<const T *>(reinterpret_cast<const char *>(&location) + command.offset);
}

const ngx_conf_enum_t *words_of(const ngx_command_t &command) {
  const bool has_words = command.set == phantom_token_set_word || command.set == phantom_token_set_enabled;
  return has_words ? static_cast<const ngx_conf_enum_t *>(command.post) : nullptr;
}

json_t *word(const phantom_token_location_t &location, const ngx_command_t &command) {
  for (const ngx_conf_enum_t *word = words_of(command); word->name.len != 0; word++) {
    if (word->value == field<ngx_uint_t>(location, command)) {
      return string(to_view(word->name));
    }
  }
  return nullptr;
}

json_t *flag(const phantom_token_location_t &location, const ngx_command_t &command) {
  return string(field<ngx_flag_t>(location, command) != 0 ? "on" : "off");
}

json_t *seconds(const phantom_token_location_t &location, const ngx_command_t &command) {
  const auto value = field<time_t>(location, command);
  return string(value > 60 && value % 60 == 0 ? std::to_string(value / 60) + "m" : std::to_string(value) + "s");
}

/// Of phantom_token_max_auth_age: -1 is none.
json_t *age(const phantom_token_location_t &location, const ngx_command_t &command) {
  return field<time_t>(location, command) < 0 ? json_null() : seconds(location, command);
}

json_t *milliseconds(const phantom_token_location_t &location, const ngx_command_t &command) {
  const ngx_msec_t value = field<ngx_msec_t>(location, command);
  return string(value % 1000 == 0 ? std::to_string(value / 1000) + "s" : std::to_string(value) + "ms");
}

json_t *size(const phantom_token_location_t &location, const ngx_command_t &command) {
  const auto value = field<std::size_t>(location, command);
  return string(value % 1024 == 0 ? std::to_string(value / 1024) + "k" : std::to_string(value));
}

json_t *text(const phantom_token_location_t &location, const ngx_command_t &command) {
  const std::string_view text = to_view(field<ngx_str_t>(location, command));
  return text.empty() ? json_null() : string(text);
}

/// A list, or a value that may have variables in it: there is none by default.
json_t *none(const phantom_token_location_t &location, const ngx_command_t &command) {
  const auto *value = field<const void *>(location, command);
  return value == nullptr ? json_null() : nullptr;
}

json_t *names(const jose::Strings &list) {
  std::string text;
  for (const std::string_view name : list) {
    text.append(text.empty() ? "" : " ").append(name);
  }
  return string(text);
}

json_t *jwt_members(const phantom_token_location_t &location, const ngx_command_t & /*command*/) {
  return names(location.policy->jwt_members);
}

json_t *dpop_algorithms(const phantom_token_location_t &location, const ngx_command_t & /*command*/) {
  return names(location.policy->dpop.algorithms);
}

/// Without a value, what src/nginx/request_target.cpp makes.
json_t *dpop_uri(const phantom_token_location_t &location, const ngx_command_t & /*command*/) {
  return location.dpop_uri == nullptr ? string("$scheme://$http_host$request_uri") : nullptr;
}

json_t *dpop_replay(const phantom_token_location_t &location, const ngx_command_t & /*command*/) {
  return location.dpop_replay == nullptr ? string("off") : nullptr;
}

json_t *dpop_nonce(const phantom_token_location_t &location, const ngx_command_t & /*command*/) {
  return location.dpop_nonce == nullptr ? string("off") : nullptr;
}

/// Without a value, what src/nginx/client_certificates.cpp reads.
json_t *client_certificate(const phantom_token_location_t &location, const ngx_command_t & /*command*/) {
  return location.client_certificate == nullptr ? string("$ssl_client_raw_cert") : nullptr;
}

json_t *hot_cache(const phantom_token_location_t &location, const ngx_command_t & /*command*/) {
  return location.hot_cache == nullptr ? string("off") : nullptr;
}

json_t *revocation(const phantom_token_location_t &location, const ngx_command_t & /*command*/) {
  return location.revocation == nullptr ? string("off") : nullptr;
}

json_t *sources(const phantom_token_location_t &location, const ngx_command_t & /*command*/) {
  return location.sources == nullptr ? string("authorization") : nullptr;
}

json_t *no_value(const phantom_token_location_t & /*location*/, const ngx_command_t & /*command*/) {
  return json_null();
}

/// How the field that a directive sets is written in a configuration.
constexpr struct {
  Setter setter;
  json_t *(*show)(const phantom_token_location_t &, const ngx_command_t &);
} kinds[] = {
    {phantom_token_set_enabled, word},
    {phantom_token_set_word, word},
    {ngx_conf_set_flag_slot, flag},
    {phantom_token_set_seconds, seconds},
    {phantom_token_set_milliseconds, milliseconds},
    {phantom_token_set_size, size},
    {phantom_token_set_text, text},
    {phantom_token_set_type_hint, text},
    {phantom_token_set_exchange_scope, text},
    {phantom_token_set_secret_file, text},
    {phantom_token_set_client_key, none},
    {phantom_token_add_signing_key, none},
    {phantom_token_set_lifetime, seconds},
    {phantom_token_set_signed_claims, none},
    {phantom_token_set_words, none},
    {phantom_token_set_sources, sources},
    {phantom_token_set_pattern, none},
    {phantom_token_set_max_auth_age, age},
    {phantom_token_add_required_values, none},
    {phantom_token_add_claim_variable, no_value},
    {phantom_token_set_introspection_endpoint, none},
    {phantom_token_set_exchange_endpoint, none},
    {phantom_token_set_jwks_endpoint, none},
    {ngx_http_set_complex_value_slot, none},
    {phantom_token_set_scopes, none},
    {phantom_token_add_scope, none},
    {phantom_token_set_strings, none},
    {phantom_token_add_strings, none},
    {phantom_token_set_inactive_statuses, none},
    {phantom_token_set_names, jwt_members},
    {phantom_token_set_hot_cache, hot_cache},
    {phantom_token_set_revocation, revocation},
    {phantom_token_set_revoke, no_value},
    {phantom_token_set_dpop_uri, dpop_uri},
    {phantom_token_set_dpop_algorithms, dpop_algorithms},
    {phantom_token_set_dpop_replay, dpop_replay},
    {phantom_token_set_dpop_nonce, dpop_nonce},
    {phantom_token_set_client_certificate, client_certificate},
    {phantom_token_set_metrics, no_value},
    {phantom_token_set_jwks, no_value},
    {phantom_token_set_resource, none},
    {phantom_token_set_resource_document, no_value},
};

json_t *default_of(const phantom_token_location_t &location, const ngx_command_t &command) {
  for (const auto &kind : kinds) {
    if (kind.setter == command.set) {
      return kind.show(location, command);
    }
  }
  return nullptr;
}

json_t *words(const ngx_command_t &command) {
  if ((command.type & NGX_CONF_FLAG) != 0) {
    return json_pack("[s, s]", "on", "off");
  }
  json_t *array = json_array();
  for (const ngx_conf_enum_t *word = words_of(command); word != nullptr && word->name.len != 0; word++) {
    append(array, string(to_view(word->name)));
  }
  return array;
}

json_t *contexts(const ngx_command_t &command) {
  static constexpr struct {
    ngx_uint_t bit;
    const char *name;
  } all[] = {{NGX_HTTP_MAIN_CONF, "http"},        {NGX_HTTP_SRV_CONF, "server"},
             {NGX_HTTP_LOC_CONF, "location"},     {NGX_HTTP_UPS_CONF, "upstream"},
             {NGX_HTTP_SIF_CONF, "if in server"}, {NGX_HTTP_LIF_CONF, "if in location"},
             {NGX_HTTP_LMT_CONF, "limit_except"}};
  json_t *array = json_array();
  for (const auto &context : all) {
    if ((command.type & context.bit) != 0) {
      append(array, json_string(context.name));
    }
  }
  return array;
}

/// @return nullptr where there is a directive whose default nobody can tell.
json_t *directives(const phantom_token_location_t &location) {
  json_t *array = json_array();
  for (const ngx_command_t *command = ngx_http_phantom_token_module.commands; command->name.len != 0; command++) {
    if (command->set == phantom_token_refuse_client_credential) {
      continue;  // it is there to be refused
    }
    json_t *value = default_of(location, *command);
    if (value == nullptr) {
      std::fprintf(stderr, "t/tables/tables.cpp cannot tell the default of %s\n", command->name.data);
      return nullptr;
    }
    json_array_append_new(array, json_pack("{so, so, sb, so, so}", "name", string(to_view(command->name)), "contexts",
                                           contexts(*command), "has_arguments", (command->type & NGX_CONF_NOARGS) == 0,
                                           "words", words(*command), "default", value));
  }
  return array;
}

/// The one location of the one server: of what the configuration leaves out, it has the default.
const phantom_token_location_t &location_of(ngx_conf_t *cf) {
  const auto *main =
      static_cast<ngx_http_core_main_conf_t *>(ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module));
  const ngx_http_core_srv_conf_t *server = static_cast<ngx_http_core_srv_conf_t **>(main->servers.elts)[0];
  return *static_cast<phantom_token_location_t *>(server->ctx->loc_conf[ngx_http_phantom_token_module.ctx_index]);
}

bool print_tables(ngx_conf_t *cf) {
  json_t *tables = json_pack("{ss, so, so, so}", "version", gateway::version, "outcomes", outcomes(), "variables",
                             variables(cf), "directives", directives(location_of(cf)));
  const bool is_printed = tables != nullptr && json_dumpf(tables, stdout, JSON_INDENT(2)) == 0;
  json_decref(tables);
  return is_printed && std::fflush(stdout) == 0;
}

}  // namespace

extern "C" {

ngx_int_t __real_phantom_token_postconfiguration(ngx_conf_t *cf);  // NOLINT: the linker's names

ngx_int_t __wrap_phantom_token_postconfiguration(ngx_conf_t *cf) {
  return print_tables(cf) ? __real_phantom_token_postconfiguration(cf) : NGX_ERROR;
}
}
