// How the module begins and ends: what nginx calls once for a configuration or a worker.

#include "../jose/digest.h"
#include "../oauth/dpop_header.h"
#include "access/handlers.h"
#include "cache/parsed_answers.h"
#include "cache/replays.h"
#include "cache/revocation_directive.h"
#include "configuration/checks.h"
#include "configuration/fingerprint.h"
#include "configuration/server_identity.h"
#include "configuration/variable_indices.h"
#include "gateway.h"
#include "observation/variables.h"
#include "subrequest/key_store.h"

extern "C" {

ngx_int_t phantom_token_preconfiguration(ngx_conf_t *cf) {
  return gateway::add_variables(cf);
}

ngx_int_t phantom_token_init_process(ngx_cycle_t *cycle) {
  return gateway::start_following_state_files(cycle);
}

void phantom_token_exit_process(ngx_cycle_t * /*cycle*/) {
  gateway::clear_key_store();
  gateway::forget_answers();
  oauth::forget_dpop_headers();
  jose::release_digest();
}

ngx_int_t phantom_token_postconfiguration(ngx_conf_t *cf) {
  gateway::clear_key_store();  // no entry may outlive the servers that it is found by: see key_store.cpp
  gateway::number_servers(cf);
  if (gateway::set_fingerprints(cf) != NGX_OK || gateway::index_variables(cf) != NGX_OK ||
      gateway::check_configuration(cf) != NGX_OK) {
    return NGX_ERROR;
  }
  gateway::note_longest_ages(gateway::main_of(cf));
  return gateway::install_handlers(cf);
}

}  // extern "C"
