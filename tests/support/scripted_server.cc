// SPDX-License-Identifier: MIT
#include "support/scripted_server.h"

#include <condition_variable>
#include <fstream>
#include <iterator>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>

#include "support/dialogue.h"
#include "support/server_socket.h"

namespace popsync::test {

// One thread plays the dialogues, one after the other.
class ScriptedServer::Running {
 public:
  Running(std::vector<std::vector<Step>> dialogues, const CertificateFiles& certificate, std::uint16_t port, Segments segments)
      : dialogues_(std::move(dialogues)), segments_(segments), listener_(port), port_(listener_.port()) {
    if (!certificate.certificate_file.empty()) tls_ = make_server_context(certificate);
    thread_ = std::thread([this] { play_all(); });
  }
  ~Running() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      listener_.stop();
      if (connection_ != nullptr) connection_->abandon();
      changed_.notify_all();
    }
    thread_.join();
  }

  [[nodiscard]] std::uint16_t port() const { return port_; }
  std::string outcome(std::chrono::milliseconds timeout) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, timeout, [this] { return finished_; })) return "still at line " + std::to_string(at_line_);
    return mismatch_;
  }
  std::vector<std::string> received() {
    const std::lock_guard lock(mutex_);
    return received_;
  }

 private:
  void play_all();
  void play(Connection& connection, const std::vector<Step>& steps);
  bool play_step(Connection& connection, const Step& step);
  void send(Connection& connection, const Step& step);
  void send_dripping(Connection& connection, const std::string& octets);
  void end_drip();
  bool expect(Connection& connection, const Step& step);
  std::optional<std::string> read(Connection& connection);
  void departed(std::size_t line, const std::string& what);

  const std::vector<std::vector<Step>> dialogues_;
  const Segments segments_;
  Listener listener_;
  const std::uint16_t port_;
  TlsContext tls_;
  std::optional<std::chrono::milliseconds> drip_;  // the playing thread's

  std::mutex mutex_;  // guards all below
  std::condition_variable changed_;
  Connection* connection_ = nullptr;
  std::size_t at_line_ = 0;
  std::vector<std::string> received_;
  std::string mismatch_;
  bool finished_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

void ScriptedServer::Running::play_all() {
  block_signals_in_this_thread();
  for (const std::vector<Step>& dialogue : dialogues_) {
    UniqueFd accepted = listener_.accept();
    if (!accepted.valid()) break;
    // Refused from the last connection on, before its first octet: a client that connects once too often must not meet a listener nobody serves.
    if (&dialogue == &dialogues_.back()) listener_.stop();
    Connection connection(std::move(accepted));
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) break;
      connection_ = &connection;
    }
    end_drip();
    play(connection, dialogue);
    const std::lock_guard lock(mutex_);
    connection_ = nullptr;
    if (!mismatch_.empty()) break;
  }
  listener_.stop();
  const std::lock_guard lock(mutex_);
  finished_ = true;
  changed_.notify_all();
}

void ScriptedServer::Running::play(Connection& connection, const std::vector<Step>& steps) {
  for (const Step& step : steps) {
    {
      const std::lock_guard lock(mutex_);
      at_line_ = step.line;
    }
    if (!play_step(connection, step)) return;
  }
  connection.flush();
  if (const std::optional<std::string> extra = read(connection)) departed(0, "expected the end of the connection, got " + in_script_form(*extra));
}

// False: the connection is over.
bool ScriptedServer::Running::play_step(Connection& connection, const Step& step) {
  switch (step.kind) {
    case StepKind::send: send(connection, step); return true;
    case StepKind::expect:
    case StepKind::expect_prefix: return expect(connection, step);
    case StepKind::tls:
      if (tls_ == nullptr) {
        departed(step.line, "tls needs a certificate");
        return false;
      }
      if (connection.handshake(tls_)) return true;
      departed(step.line, "the TLS handshake failed");
      return false;
    case StepKind::drip: drip_ = std::chrono::milliseconds(step.count); return true;
    case StepKind::drip_off: end_drip(); return true;
    case StepKind::silence: connection.drain(); return false;
    case StepKind::close: connection.end(true); return false;
    case StepKind::drop: connection.end(false); return false;
    case StepKind::reset:
      connection.flush();
      connection.reset();
      return false;
  }
  return false;
}

void ScriptedServer::Running::send(Connection& connection, const Step& step) {
  for (std::size_t i = 0; i < step.count && !connection.broken(); ++i) {
    if (drip_) {
      send_dripping(connection, step.octets);
    } else {
      connection.queue(step.octets);
      if (segments_ == Segments::lines) connection.flush();
    }
  }
}

void ScriptedServer::Running::end_drip() { drip_ = segments_ == Segments::octets ? std::optional(std::chrono::milliseconds(0)) : std::nullopt; }

void ScriptedServer::Running::send_dripping(Connection& connection, const std::string& octets) {
  for (const char octet : octets) {
    connection.queue(std::string_view(&octet, 1));
    if (!connection.flush()) return;
    std::unique_lock lock(mutex_);
    if (changed_.wait_for(lock, *drip_, [this] { return stopping_; })) return;
  }
}

bool ScriptedServer::Running::expect(Connection& connection, const Step& step) {
  const std::optional<std::string> line = read(connection);
  const std::string got = line ? in_script_form(*line) : "the end of the connection";
  const bool whole = line && line->ends_with("\r\n");
  const std::string_view text = whole ? std::string_view(*line).substr(0, line->size() - 2) : std::string_view{};
  const bool same = step.kind == StepKind::expect ? text == step.octets : text.starts_with(step.octets);
  if (whole && same) return true;
  departed(step.line, "expected " + step.written + ", got " + got);
  return false;
}

std::optional<std::string> ScriptedServer::Running::read(Connection& connection) {
  std::optional<std::string> line = connection.read_line();
  if (line) {
    const std::lock_guard lock(mutex_);
    received_.push_back(line->ends_with("\r\n") ? line->substr(0, line->size() - 2) : *line);
  }
  return line;
}

void ScriptedServer::Running::departed(std::size_t line, const std::string& what) {
  const std::lock_guard lock(mutex_);
  if (stopping_) return;
  mismatch_ = (line == 0 ? "end of the dialogue" : "line " + std::to_string(line)) + ": " + what;
}

ScriptedServer::ScriptedServer(std::string_view dialogue, const CertificateFiles& certificate, std::uint16_t port, Segments segments)
    : running_(std::make_unique<Running>(parse_dialogues(dialogue), certificate, port, segments)) {}

ScriptedServer::~ScriptedServer() = default;

std::unique_ptr<ScriptedServer> ScriptedServer::from_file(const std::string& path, const CertificateFiles& certificate) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::invalid_argument("no dialogue " + path);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  return std::make_unique<ScriptedServer>(text, certificate);
}

std::uint16_t ScriptedServer::port() const { return running_->port(); }
std::string ScriptedServer::outcome(std::chrono::milliseconds timeout) const { return running_->outcome(timeout); }
std::vector<std::string> ScriptedServer::received() const { return running_->received(); }

}  // namespace popsync::test
