// SPDX-License-Identifier: MIT
#include "support/maildrop_server.h"

#include <algorithm>
#include <atomic>
#include <list>
#include <stdexcept>
#include <thread>
#include <utility>

#include "support/maildrop_session.h"

namespace popsync::test {

// The threads: one that accepts, one for each connection.
class MaildropServer::Running {
 public:
  explicit Running(const MaildropServerOptions& options) : listener_(options.port), old_tls_only_(options.old_tls_only) {}
  ~Running() {
    listener_.stop();
    if (accepting_.joinable()) accepting_.join();
    {
      const std::lock_guard lock(state.mutex);
      state.stopping = true;
    }
    abandon_all();
    // The workers' own destructors join them.
  }

  void start() {
    accepting_ = std::thread([this] { accept(); });
  }
  void abandon_all() {
    const std::lock_guard lock(state.mutex);
    for (Connection* connection : state.connections) connection->abandon();
    state.changed.notify_all();
  }
  void use_certificate(const CertificateFiles& certificate) {
    TlsContext context = make_server_context(certificate, old_tls_only_);
    const std::lock_guard lock(state.mutex);
    state.tls = std::move(context);
  }
  [[nodiscard]] std::uint16_t port() const { return listener_.port(); }
  Maildrop& maildrop(const std::string& user) {
    const auto found = state.maildrops.find(user);
    if (found == state.maildrops.end()) throw std::invalid_argument("the test server has no user " + user);
    return found->second;
  }
  std::string next_uid() { return "uid" + std::to_string(++uids_given_); }

  MaildropState state;

 private:
  struct Worker {
    std::atomic<bool> done{false};
    std::jthread thread;
  };

  void accept() {
    block_signals_in_this_thread();
    while (true) {
      UniqueFd accepted = listener_.accept();
      if (!accepted.valid()) return;
      workers_.remove_if([](const Worker& worker) { return worker.done.load(); });
      Worker& worker = workers_.emplace_back();
      worker.thread = std::jthread([this, &worker, fd = accepted.release()] {
        serve(UniqueFd(fd));
        worker.done = true;
      });
    }
  }

  void serve(UniqueFd fd) {
    block_signals_in_this_thread();
    Connection connection(std::move(fd));
    std::size_t number = 0;
    {
      const std::lock_guard lock(state.mutex);
      if (state.stopping) return;
      state.connections.insert(&connection);
      number = ++state.sessions_begun;
      ++state.record.sessions;
      ++state.record.open_sessions;
      state.changed.notify_all();
    }
    MaildropSession(state, connection, number).run();
    const std::lock_guard lock(state.mutex);
    state.connections.erase(&connection);
    --state.record.open_sessions;
    state.changed.notify_all();
  }

  Listener listener_;
  bool old_tls_only_;
  std::uint64_t uids_given_ = 0;  // guarded by state.mutex
  std::list<Worker> workers_;     // touched by the accepting thread alone, and by the destructor after it
  std::thread accepting_;
};

MaildropServer::MaildropServer(MaildropServerOptions options, MaildropKnobs knobs) : running_(std::make_unique<Running>(options)) {
  running_->state.tls_mode = options.tls;
  if (options.tls != ServerTls::none) running_->use_certificate(options.certificate);
  set_knobs(std::move(knobs));
  add_user(kUser, kPassword);
  running_->start();
}

MaildropServer::~MaildropServer() = default;

std::uint16_t MaildropServer::port() const { return running_->port(); }

void MaildropServer::add_user(const std::string& user, const std::string& password) {
  const std::lock_guard lock(running_->state.mutex);
  running_->state.maildrops[user].set_password(password);
}

std::string MaildropServer::add(std::string octets, std::optional<std::string> uid) { return add_to(kUser, std::move(octets), std::move(uid)); }

std::string MaildropServer::add_to(const std::string& user, std::string octets, std::optional<std::string> uid) {
  const std::lock_guard lock(running_->state.mutex);
  const std::string given = uid ? *uid : running_->next_uid();
  running_->maildrop(user).add(std::move(octets), given);
  return given;
}

bool MaildropServer::remove(const std::string& uid, const std::string& user) {
  const std::lock_guard lock(running_->state.mutex);
  return running_->maildrop(user).remove(uid);
}

std::vector<std::string> MaildropServer::rekey(const std::string& user) {
  const std::lock_guard lock(running_->state.mutex);
  std::vector<std::string> fresh;
  for (const auto& message : running_->maildrop(user).messages()) fresh.push_back(message->uid = running_->next_uid());
  return fresh;
}

std::vector<std::string> MaildropServer::uids(const std::string& user) const {
  const std::lock_guard lock(running_->state.mutex);
  std::vector<std::string> found;
  for (const auto& message : running_->maildrop(user).messages()) found.push_back(message->uid);
  return found;
}

std::vector<std::string> MaildropServer::messages(const std::string& user) const {
  const std::lock_guard lock(running_->state.mutex);
  std::vector<std::string> found;
  for (const auto& message : running_->maildrop(user).messages()) found.push_back(message->octets);
  return found;
}

std::size_t MaildropServer::count(const std::string& user) const {
  const std::lock_guard lock(running_->state.mutex);
  return running_->maildrop(user).messages().size();
}

void MaildropServer::unhide(const std::string& user) {
  const std::lock_guard lock(running_->state.mutex);
  running_->maildrop(user).unhide();
}

MaildropKnobs MaildropServer::knobs() const {
  const std::lock_guard lock(running_->state.mutex);
  return *running_->state.knobs;
}

void MaildropServer::set_knobs(MaildropKnobs knobs) {
  auto fresh = std::make_shared<const MaildropKnobs>(std::move(knobs));
  const std::lock_guard lock(running_->state.mutex);
  running_->state.knobs = std::move(fresh);
}

void MaildropServer::change(const std::function<void(MaildropKnobs&)>& edit) {
  const std::lock_guard lock(running_->state.mutex);
  MaildropKnobs knobs = *running_->state.knobs;
  edit(knobs);
  running_->state.knobs = std::make_shared<const MaildropKnobs>(std::move(knobs));
}

void MaildropServer::use_certificate(const CertificateFiles& certificate) { running_->use_certificate(certificate); }

void MaildropServer::release_stalled() {
  change([](MaildropKnobs& knobs) { knobs.stall.reset(); });
  const std::lock_guard lock(running_->state.mutex);
  ++running_->state.stall_releases;
  running_->state.changed.notify_all();
}

void MaildropServer::disconnect_all() { running_->abandon_all(); }

MaildropRecord MaildropServer::record() const {
  const std::lock_guard lock(running_->state.mutex);
  return running_->state.record;
}

void MaildropServer::clear_record() {
  const std::lock_guard lock(running_->state.mutex);
  MaildropRecord fresh;
  fresh.open_sessions = running_->state.record.open_sessions;
  fresh.stalled = running_->state.record.stalled;
  running_->state.record = std::move(fresh);
}

bool MaildropServer::wait_for(const std::function<bool(const MaildropRecord&)>& predicate, std::chrono::milliseconds timeout) const {
  std::unique_lock lock(running_->state.mutex);
  return running_->state.changed.wait_for(lock, timeout, [&] { return predicate(running_->state.record); });
}

}  // namespace popsync::test
