// SPDX-License-Identifier: MIT
#include "secrets/secret_source.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/escape.h"
#include "base/unique_fd.h"
#include "secrets/file_access.h"
#include "secrets/locked_memory.h"
#include "secrets/password_command.h"
#include "secrets/secret_rules.h"
#include "secrets/terminal.h"

namespace popsync::secrets {
namespace {

constexpr std::size_t kBufferOctets = kSecretOctetsMax + 4096;  // room to see that there is more than allowed, and its line end

[[noreturn]] void fail(std::string message, std::string hint) { throw Error(ErrorCode::secret_unavailable, std::move(message), std::move(hint)); }

std::string_view without_line_end(std::string_view text) {
  if (text.ends_with('\n')) text.remove_suffix(1);
  if (text.ends_with('\r')) text.remove_suffix(1);
  return text;
}

// `where` names the source at the start of a sentence.
Secret checked(std::string_view text, const std::string& where) {
  const std::string_view password = without_line_end(text);
  if (password.size() > kSecretOctetsMax) fail(where + " is too large for a secret", "give the password alone");
  if (const auto fault = fault_of_login_word(password))
    fail(where + " " + *fault, "a password is one line without a line end, a NUL or a space in front");
  return Secret(password);
}

// The whole of a small regular file. `exempt`: its access rights were set by the service manager.
Secret read_file(const std::string& path, const std::string& where, const std::string& missing_hint, bool exempt) {
  // O_NONBLOCK: a FIFO in its place must not hold up the account for ever.
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!file.valid()) {
    const int reason = errno;
    const bool rights = reason == EACCES && !exempt && this_reader().surroundings == Surroundings::container;
    fail(where + " cannot be opened: " + errno_text(reason), rights ? std::string(kSetElsewhere) : missing_hint);
  }
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) fail(where + " cannot be read: " + errno_text(errno), missing_hint);
  if (!S_ISREG(status.st_mode)) fail(where + " is not a regular file", "name a file that holds the password alone");
  if (!exempt) {
    if (const auto exposure = exposure_of(access_of(file.get(), status), this_reader())) {
      const std::string step = exposure->set_elsewhere ? std::string(kSetElsewhere) : "chmod 600 it, and chown it to the user popsync runs as";
      fail(where + " is refused: " + exposure->what, step + "; then change the password, others may have seen it");
    }
  }
  SecretBuffer buffer(kBufferOctets);
  while (buffer.free_size() > 0) {
    const ssize_t got = ::read(file.get(), buffer.free_space(), buffer.free_size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail(where + " cannot be read: " + errno_text(errno), missing_hint);
    if (got == 0) break;
    buffer.keep(static_cast<std::size_t>(got));
  }
  return checked(buffer.content(), where);
}

Secret read_credential(const std::string& name) {
  const std::string where = "credential \"" + escaped(name) + "\"";
  const auto path = credential_path(name);
  if (!path) {
    const std::string manager = ::geteuid() == 0 ? "systemd-run -p User=popsync" : "systemd-run --user";
    fail(where + " cannot be read: CREDENTIALS_DIRECTORY is not set, so this is not the unit",
         "test it with: " + manager + " --pipe --wait -p LoadCredential=" + escaped(name) + ":/PATH/OF/THE/FILE popsync check");
  }
  return read_file(*path, where, "give the unit LoadCredential=" + escaped(name) + ":/PATH/OF/THE/FILE (systemctl edit) and restart it", true);
}

Secret read_variable(const std::string& name) {
  const std::string where = "environment variable " + escaped(name);
  const char* const value = std::getenv(name.c_str());
  if (value == nullptr) fail(where + " is not set", "set it where popsync is started; a unit does not see the shell's variables");
  return checked(value, where);
}

std::string first_line(std::string_view text) {
  const auto begin = text.find_first_not_of("\r\n");
  if (begin == std::string_view::npos) return {};
  text.remove_prefix(begin);
  return escaped(text.substr(0, text.find_first_of("\r\n")));
}

Secret read_command(const SecretSpec& spec, const std::vector<std::string>& hidden_variables, const StopSignal& stop) {
  if (spec.command.empty()) fail("password_command is empty", "give the program and its arguments");
  const std::string where = "password_command \"" + escaped(spec.command.front()) + "\"";
  SecretBuffer output(kBufferOctets);
  const std::optional<Terminal> terminal = Terminal::acquire(stop);
  const std::optional<std::chrono::milliseconds> limit = terminal ? std::nullopt : std::optional<std::chrono::milliseconds>(kPasswordCommandSeconds);
  const CommandRun run = run_password_command(spec.command, hidden_variables, limit, terminal ? terminal->fd() : -1, stop, output);
  if (terminal && WIFSIGNALED(run.status) && WTERMSIG(run.status) == SIGINT) throw Error(ErrorCode::interrupted, where + " was interrupted");
  if (run.status != 0) {
    std::string outcome = WIFSIGNALED(run.status) ? " was ended by signal " + std::to_string(WTERMSIG(run.status))
                                                  : " failed with status " + std::to_string(WEXITSTATUS(run.status));
    if (const std::string complaint = first_line(run.stderr_text); !complaint.empty()) outcome += ": " + complaint;
    fail(where + outcome, "run it by hand as the user popsync runs as; it must print the password as its first line");
  }
  if (output.content().empty()) fail(where + " printed nothing", "it must print the password as its first line");
  return checked(output.content(), "the first line of " + where);
}

}  // namespace

std::optional<std::string> credential_path(const std::string& name) {
  const char* const directory = std::getenv("CREDENTIALS_DIRECTORY");
  if (directory == nullptr || *directory == '\0') return std::nullopt;
  return std::string(directory) + "/" + name;
}

Secret read_secret(const SecretSpec& spec, const std::vector<std::string>& hidden_variables, const StopSignal& stop) {
  switch (spec.kind) {
    case SourceKind::none: break;
    case SourceKind::literal: return checked(spec.value, "password");
    case SourceKind::file:
      return read_file(spec.value, "password_file \"" + escaped(spec.value) + "\"", "the file must hold the password and be readable by popsync",
                       false);
    case SourceKind::command: return read_command(spec, hidden_variables, stop);
    case SourceKind::environment: return read_variable(spec.value);
    case SourceKind::credential: return read_credential(spec.value);
  }
  fail("no secret is configured", "give the account a password_command, password_file, password_credential, password_env or password");
}

}  // namespace popsync::secrets
