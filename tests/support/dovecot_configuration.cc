// SPDX-License-Identifier: MIT
#include "support/dovecot_configuration.h"

#include <array>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string_view>

namespace popsync::test {

namespace {

// The place is filled in at {F}, {U}, {G}, {UID}, {GID}, {PORT}, {TLS_PORT}.
constexpr std::string_view kFor23 = R"(protocols = pop3
ssl_cert = <{F}/dovecot.crt
ssl_key = <{F}/dovecot.key
disable_plaintext_auth = no
mail_location = maildir:{F}/mail/%u
passdb {
  driver = passwd-file
  args = {F}/users
}
userdb {
  driver = static
  args = uid={UID} gid={GID} home={F}/mail/%u
}
service pop3-login {
  service_count = 0
}
)";

constexpr std::string_view kFor24 = R"(dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
protocols = pop3
ssl_server_cert_file = {F}/dovecot.crt
ssl_server_key_file = {F}/dovecot.key
auth_allow_cleartext = yes
mail_driver = maildir
mail_path = {F}/mail/%{user}
passdb passwd-file {
  passwd_file_path = {F}/users
}
userdb static {
  fields {
    uid = {UID}
    gid = {GID}
    home = {F}/mail/%{user}
  }
}
service pop3-login {
  restart_request_count = unlimited
}
)";

constexpr std::string_view kForBoth = R"(listen = 127.0.0.1
base_dir = {F}/run
state_dir = {F}/state
log_path = {F}/dovecot.log
default_internal_user = {U}
default_internal_group = {G}
default_login_user = {U}
first_valid_uid = 1
first_valid_gid = 1
ssl = yes
auth_mechanisms = plain login cram-md5 scram-sha-1 scram-sha-256 apop
auth_failure_delay = 0
mail_max_userip_connections = 1000
service pop3-login {
  chroot =
  client_limit = 1000
  process_min_avail = 1
  inet_listener pop3 {
    port = {PORT}
  }
  inet_listener pop3s {
    port = {TLS_PORT}
    ssl = yes
  }
}
service anvil {
  chroot =
  # without its penalty socket the auth process does not slow down whoever was refused
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service stats {
  chroot =
}
)";

void fill_in(std::string& text, const std::string& place, const std::string& value) {
  for (std::size_t at = text.find(place); at != std::string::npos; at = text.find(place, at + value.size())) text.replace(at, place.size(), value);
}

}  // namespace

bool is_dovecot_2_3(const std::string& program) {
  const std::unique_ptr<FILE, int (*)(FILE*)> output(::popen(("'" + program + "' --version").c_str(), "re"), ::pclose);
  std::array<char, 64> line{};
  if (!output || std::fgets(line.data(), line.size(), output.get()) == nullptr) throw std::runtime_error(program + " does not tell its version");
  return std::string_view(line.data()).starts_with("2.3.");
}

std::string dovecot_configuration(bool is_2_3, const DovecotPlace& place, const std::vector<std::string>& settings) {
  std::string text(is_2_3 ? kFor23 : kFor24);
  text += kForBoth;
  for (const std::string& line : settings) text += line + "\n";
  fill_in(text, "{UID}", std::to_string(place.identity.uid));
  fill_in(text, "{GID}", std::to_string(place.identity.gid));
  fill_in(text, "{U}", place.identity.user);
  fill_in(text, "{G}", place.identity.group);
  fill_in(text, "{PORT}", std::to_string(place.port));
  fill_in(text, "{TLS_PORT}", std::to_string(place.tls_port));
  fill_in(text, "{F}", place.folder);
  return text;
}

}  // namespace popsync::test
