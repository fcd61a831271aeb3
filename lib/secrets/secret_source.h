// SPDX-License-Identifier: MIT
// Where an account's secret comes from. Reading may run a program and block for up to kPasswordCommandSeconds; it happens at first use, not at load.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/stop_signal.h"
#include "secrets/secret.h"

namespace popsync::secrets {

constexpr std::size_t kSecretOctetsMax = 64 * 1024;  // OAuth tokens run to some KiB; more is a wrong file
constexpr std::chrono::seconds kPasswordCommandSeconds{60};

enum class SourceKind { none, literal, file, command, environment, credential };

// As configured, with {name} {user} {host} and ~/ expanded.
struct SecretSpec {
  SourceKind kind = SourceKind::none;
  std::string value;                 // the literal, path, variable or credential name
  std::vector<std::string> command;  // argv, no shell
  bool operator==(const SecretSpec&) const = default;
};

// The file that holds a credential; none outside a unit with credentials.
std::optional<std::string> credential_path(const std::string& name);

// Reads the secret now. Throws Error secret_unavailable (what is wrong, in which file or command, and the next step), or interrupted when `stop`
// fires while a command runs. Refuses an empty secret, and one with CR, LF or NUL inside (they would end the command line) or a space in front. One
// trailing line end is dropped; of a command's output the first line counts. A file must be a regular file that exposure_of() has nothing
// against; a credential is read from $CREDENTIALS_DIRECTORY and is exempt; outside a unit the hint shows the
// systemd-run line that tests it. A command inherits the environment less `hidden_variables` (the password_env variables of all accounts) and what
// the service manager tells us, runs in its own process group, stdin from /dev/null, stderr shown (escaped, cut) in the error; on time-out or stop
// the group is killed. Without a terminal the command has 60 s; with one (pinentry, a prompt) there is no limit.
Secret read_secret(const SecretSpec& spec, const std::vector<std::string>& hidden_variables, const StopSignal& stop);

// One account's secret kept for `lifetime`: read at first use, again when it has expired, after forget(), or when the file has another
// modification time. Without a lifetime it is not kept at all. Thread-safe only in that one account is worked on by one thread at a time.
class SecretKeeper {
 public:
  SecretKeeper(SecretSpec spec, std::vector<std::string> hidden_variables, std::chrono::seconds lifetime);
  ~SecretKeeper();
  // It is wiped when neither the caller nor this object holds it.
  std::shared_ptr<const Secret> get(const StopSignal& stop);
  // After a refusal or SIGHUP: the next get() reads again.
  void forget();
  // Tells secrets apart without keeping them: an HMAC under a random key of this process, empty before the first get(). "A changed secret tries at
  // once".
  [[nodiscard]] const std::string& fingerprint() const { return fingerprint_; }

 private:
  struct Kept;
  SecretSpec spec_;
  std::vector<std::string> hidden_variables_;
  std::chrono::seconds lifetime_;
  std::unique_ptr<Kept> kept_;
  std::string fingerprint_;
};

}  // namespace popsync::secrets
