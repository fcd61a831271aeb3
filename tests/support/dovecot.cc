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

#include "support/dovecot_configuration.h"
#include "support/server_socket.h"
#include "support/skip.h"

namespace popsync::test {

namespace {

constexpr const char* kPop3Program = "/usr/lib/dovecot/pop3";
constexpr std::chrono::seconds kStartTimeout{30};
constexpr int kPortTries = 5;

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

PrivateDovecot::PrivateDovecot(std::string folder, DovecotOptions options)
    : folder_(std::move(folder)),
      options_(std::move(options)),
      program_(find_program("dovecot").value_or("/usr/sbin/dovecot")),
      is_2_3_(is_dovecot_2_3(program_)) {
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
  for (int tries = 1;; ++tries) {
    write_configuration();
    give_tree_to_dovecot(folder_);
    process_.start(program_, folder_ + "/dovecot.conf", folder_ + "/output");
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
  const DovecotPlace place{.folder = folder_, .identity = dovecot_identity(), .port = port_, .tls_port = tls_port_};
  write_file(folder_ + "/dovecot.conf", dovecot_configuration(is_2_3_, place, options_.settings));
}

bool PrivateDovecot::wait_for_greeting() {
  const auto deadline = std::chrono::steady_clock::now() + kStartTimeout;
  while (!greets(port_)) {
    if (process_.wait_for_end(std::chrono::milliseconds(20)) || std::chrono::steady_clock::now() > deadline) return false;
  }
  return true;
}

}  // namespace popsync::test
