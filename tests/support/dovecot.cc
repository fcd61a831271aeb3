// SPDX-License-Identifier: MIT
#include "support/dovecot.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <utility>

#include "support/server_socket.h"
#include "support/skip.h"

namespace popsync::test {

namespace {

constexpr const char* kPop3Program = "/usr/lib/dovecot/pop3";
constexpr std::chrono::seconds kStartTimeout{30};
constexpr int kPortTries = 5;

// Behind the folder, the identity and the ports, which are filled in at {F}, {U}, {G}, {UID}, {GID}, {PORT}, {TLS_PORT}.
constexpr std::string_view kConfiguration = R"(protocols = pop3
listen = 127.0.0.1
base_dir = {F}/run
state_dir = {F}/state
log_path = {F}/dovecot.log
default_internal_user = {U}
default_internal_group = {G}
default_login_user = {U}
first_valid_uid = 1
first_valid_gid = 1
ssl = yes
ssl_cert = <{F}/dovecot.crt
ssl_key = <{F}/dovecot.key
disable_plaintext_auth = no
auth_mechanisms = plain login cram-md5 scram-sha-1 scram-sha-256 apop
auth_failure_delay = 0
mail_max_userip_connections = 1000
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
  chroot =
  service_count = 0
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

void give_to_dovecot(const std::string& path) {
  if (::geteuid() != 0) return;
  const DovecotIdentity identity = dovecot_identity();
  if (::lchown(path.c_str(), identity.uid, identity.gid) != 0) throw std::runtime_error("cannot give " + path + " to " + identity.user);
}

void give_tree_to_dovecot(const std::string& folder) {
  if (::geteuid() != 0) return;
  give_to_dovecot(folder);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) give_to_dovecot(entry.path());
}

std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void write_file(const std::string& path, const std::string& octets) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << octets;
  file.close();
  if (!file) throw std::runtime_error("cannot write " + path);
}

bool greets(std::uint16_t port) {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval patience{.tv_sec = 10, .tv_usec = 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return false;
  char octet = 0;
  return ::recv(fd.get(), &octet, 1, 0) == 1 && octet == '+';
}

}  // namespace

bool PrivateDovecot::available() { return program_available("dovecot") && program_available(kPop3Program); }

PrivateDovecot::PrivateDovecot(std::string folder, DovecotOptions options) : folder_(std::move(folder)), options_(std::move(options)) {
  certificate_ = CertificateAuthority(folder_).issue("dovecot");
  for (const char* part : {"run", "state"}) std::filesystem::create_directories(folder_ + "/" + part);
  std::string users;
  for (const std::string& user : options_.users) {
    for (const char* part : {"tmp", "new", "cur"}) std::filesystem::create_directories(maildir(user) + "/" + part);
    users += user + ":{PLAIN}" + options_.password + "\n";
  }
  write_file(folder_ + "/users", users);
  choose_ports();
}

PrivateDovecot::~PrivateDovecot() = default;

void PrivateDovecot::start() {
  const std::string program = find_program("dovecot").value_or("/usr/sbin/dovecot");
  for (int tries = 1;; ++tries) {
    write_configuration();
    give_tree_to_dovecot(folder_);
    process_.start(program, folder_ + "/dovecot.conf", folder_ + "/output");
    if (wait_for_greeting()) break;
    process_.stop();
    const std::string words = content_of(folder_ + "/output") + log();
    // Somebody may have taken the port since we chose it.
    if (has_run_ || tries == kPortTries || words.find("Address already in use") == std::string::npos) {
      throw std::runtime_error("dovecot did not start: " + words);
    }
    choose_ports();
  }
  has_run_ = true;
}

void PrivateDovecot::set_settings(std::vector<std::string> settings) {
  options_.settings = std::move(settings);
  write_configuration();
}

void PrivateDovecot::stop() { process_.stop(); }

std::string PrivateDovecot::maildir(const std::string& user) const { return folder_ + "/mail/" + user; }

std::string PrivateDovecot::add_message(const std::string& user, const std::string& octets) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const std::string name = std::to_string(std::chrono::duration_cast<std::chrono::seconds>(now).count()) + ".P" + std::to_string(::getpid()) + "Q" +
                           std::to_string(1'000'000 + ++added_) + ".test";
  const std::string temporary = maildir(user) + "/tmp/" + name;
  write_file(temporary, octets);
  give_to_dovecot(temporary);
  std::filesystem::rename(temporary, maildir(user) + "/new/" + name);
  return name;
}

std::size_t PrivateDovecot::count(const std::string& user) const {
  std::size_t found = 0;
  for (const char* part : {"/new", "/cur"}) {
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(maildir(user) + part)) ++found;
  }
  return found;
}

std::string PrivateDovecot::log() const { return content_of(folder_ + "/dovecot.log"); }

void PrivateDovecot::choose_ports() {
  const Listener first(0);
  const Listener second(0);
  port_ = first.port();
  tls_port_ = second.port();
}

void PrivateDovecot::write_configuration() const {
  const DovecotIdentity identity = dovecot_identity();
  std::string text(kConfiguration);
  for (const std::string& line : options_.settings) text += line + "\n";
  fill_in(text, "{UID}", std::to_string(identity.uid));
  fill_in(text, "{GID}", std::to_string(identity.gid));
  fill_in(text, "{U}", identity.user);
  fill_in(text, "{G}", identity.group);
  fill_in(text, "{PORT}", std::to_string(port_));
  fill_in(text, "{TLS_PORT}", std::to_string(tls_port_));
  fill_in(text, "{F}", folder_);
  write_file(folder_ + "/dovecot.conf", text);
}

bool PrivateDovecot::wait_for_greeting() {
  const auto deadline = std::chrono::steady_clock::now() + kStartTimeout;
  while (!greets(port_)) {
    if (process_.wait_for_end(std::chrono::milliseconds(20)) || std::chrono::steady_clock::now() > deadline) return false;
  }
  return true;
}

}  // namespace popsync::test
