// SPDX-License-Identifier: MIT
#include "config/account_rules.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <utility>

#include "base/escape.h"
#include "base/port.h"
#include "config/config_keys.h"
#include "config/host_name.h"
#include "config/templates.h"

namespace popsync::config {
namespace {

using secrets::SourceKind;

Origin origin_of(const Account& account, const std::string& key) {
  const auto found = account.origins.find(key);
  return found == account.origins.end() ? account.origin : found->second;
}

std::string_view key_of(SourceKind kind) {
  switch (kind) {
    case SourceKind::file: return "password_file";
    case SourceKind::command: return "password_command";
    case SourceKind::environment: return "password_env";
    case SourceKind::credential: return "password_credential";
    case SourceKind::literal:
    case SourceKind::none: break;
  }
  return "password";
}

void require_keys(const Account& account, Diagnostics& diagnostics) {
  bool has_source = false;
  bool has_mailstore = false;
  for (const Key& key : all_keys()) {
    const bool written = account.origins.contains(std::string(key.name));
    has_source = has_source || (key.one_of == OneOf::secret_source && written);
    has_mailstore = has_mailstore || (key.one_of == OneOf::mailstore && written);
    if (key.required && !written)
      diagnostics.push_back({account.origin, fmt::format("account \"{}\" has no {}: {}", account.name, key.name, key.description)});
  }
  if (!has_mailstore) {
    diagnostics.push_back({account.origin, fmt::format("account \"{}\" has neither maildir nor mbox, expected one of them: where its messages are "
                                                       "delivered to",
                                                       account.name)});
  }
  if (has_source) return;
  diagnostics.push_back({account.origin, fmt::format("account \"{}\" has no source of its password, expected one of password_command, password_file, "
                                                     "password_credential, password_env or password",
                                                     account.name)});
}

void check_tls(const Account& account, Diagnostics& diagnostics) {
  if (account.tls.mode == net::TlsMode::none && !account.allow_insecure_auth) {
    diagnostics.push_back(
        {origin_of(account, "tls"), fmt::format("tls: \"none\" would send the password of account \"{}\" in clear; expected \"implicit\" or "
                                                "\"starttls\", or allow_insecure_auth = true if the way to the server is safe",
                                                account.name)});
  }
  if (account.tls.trust != net::TlsTrust::ca && !account.origins.contains("tls_pin_sha256") && account.tls.mode != net::TlsMode::none) {
    diagnostics.push_back(
        {origin_of(account, "tls_trust"),
         fmt::format("tls_trust: account \"{}\" has no pin to trust, expected tls_pin_sha256 with the server's key", account.name)});
  }
}

void check_mailstore(const Account& account, Diagnostics& diagnostics) {
  const auto report = [&](const std::string& key, const std::string& text) { diagnostics.push_back({origin_of(account, key), key + ": " + text}); };
  // Its cur/ and new/ would stand beside /etc.
  if (std::filesystem::path(account.maildir).lexically_normal() == "/")
    report("maildir", "\"/\" is the root of the file system, expected a folder for this account's mail");
  if (std::filesystem::path(account.mbox).lexically_normal() == "/") report("mbox", "\"/\" is the root of the file system, expected a file");
}

// Doubled slashes, "." in between and slashes at the end are dropped, so that one folder has one name; ".." stays, it may follow a symbolic link.
std::string tidy_path(std::string_view path) {
  std::string tidy;
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    if (!part.empty() && part != ".") tidy += "/" + std::string(part);
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
  }
  return tidy.empty() ? "/" : tidy;
}

class Expansion {
 public:
  Expansion(const Account& account, const std::string& home, Diagnostics& diagnostics)
      : account_(account), fields_{account.name, account.user, account.endpoint.host}, home_(home), diagnostics_(diagnostics) {}

  // Empty after a fault: what would have come of it is not looked at.
  std::string word(std::string_view key, const std::string& text, bool is_path) {
    const auto fault = fault_of_fields(text, fields_, is_path);
    if (!fault) return expand(text, fields_);
    report(key, *fault);
    return {};
  }

  // "~/..." as it stands in front of a path or of an argument.
  std::string below_home(std::string_view key, const std::string& text) {
    if (!text.starts_with("~/")) return text;
    if (!home_.starts_with('/')) report(key, "\"~/\" needs a home folder, and HOME names none; expected an absolute path");
    return home_ + text.substr(1);
  }

  std::string path(std::string_view key, const std::string& text) {
    const std::string expanded = below_home(key, word(key, text, true));
    return expanded.empty() ? expanded : tidy_path(expanded);
  }

 private:
  void report(std::string_view key, std::string_view text) {
    diagnostics_.push_back({origin_of(account_, std::string(key)), fmt::format("{}: account \"{}\": {}", key, account_.name, text)});
  }

  const Account& account_;
  TemplateFields fields_;
  const std::string& home_;
  Diagnostics& diagnostics_;
};

void expand_templates(Account& account, const std::string& home, Diagnostics& diagnostics) {
  Expansion expansion(account, home, diagnostics);
  if (account.origins.contains("maildir")) account.maildir = expansion.path("maildir", account.maildir);
  if (account.origins.contains("mbox")) account.mbox = expansion.path("mbox", account.mbox);
  if (!account.tls.ca_file.empty()) account.tls.ca_file = expansion.below_home("tls_ca_file", account.tls.ca_file);
  secrets::SecretSpec& secret = account.secret;
  const std::string_view key = key_of(secret.kind);
  if (secret.kind == SourceKind::file) secret.value = expansion.path(key, secret.value);
  if (secret.kind == SourceKind::credential) secret.value = expansion.word(key, secret.value, true);
  for (std::string& word : secret.command) word = expansion.below_home(key, expansion.word(key, word, false));
}

// Of enabled accounts with one user at one host, each behind the first.
void compare_ports(const std::vector<Account*>& sharing, Diagnostics& diagnostics, Diagnostics& warnings) {
  bool warned = false;
  for (auto account = sharing.begin(); account != sharing.end(); ++account) {
    if (!(*account)->enabled) continue;
    const auto enabled = std::find_if(sharing.begin(), account, [](const Account* other) { return other->enabled; });
    if (enabled == account) continue;
    const auto same = std::find_if(
        sharing.begin(), account, [&](const Account* other) { return other->enabled && same_port(other->endpoint.port, (*account)->endpoint.port); });
    const Account& other = same == account ? **enabled : **same;
    const std::string both = fmt::format("accounts \"{}\" ({}) and \"{}\" both read user \"{}\" at {}", other.name, place_text(other.origin),
                                         (*account)->name, escaped((*account)->user), escaped((*account)->endpoint.host));
    if (same != account) {
      diagnostics.push_back({(*account)->origin, both + ", expected one of them, or enabled = false"});
    } else if (!std::exchange(warned, true)) {
      warnings.push_back({(*account)->origin, both + ", on different ports; right for tunnels to different servers, else each message comes twice"});
    }
  }
}

}  // namespace

void complete_account(Account& account, const std::string& home, Diagnostics& diagnostics) {
  require_keys(account, diagnostics);
  check_tls(account, diagnostics);
  if (!account.origins.contains("port")) account.endpoint.port = account.tls.mode == net::TlsMode::implicit ? kPortImplicitTls : kPortPlain;
  expand_templates(account, home, diagnostics);
  check_mailstore(account, diagnostics);
}

void warn_about(const Account& account, Diagnostics& warnings) {
  const auto warn = [&](const std::string& key, std::string text) { warnings.push_back({origin_of(account, key), key + ": " + std::move(text)}); };
  const net::TlsMode mode = account.tls.mode;
  if (mode == net::TlsMode::implicit && account.endpoint.port == kPortPlain) {
    warn("port", "110 is the port without implicit TLS; meant tls = \"starttls\", or port = 995?");
  }
  if (mode != net::TlsMode::implicit && account.endpoint.port == kPortImplicitTls) {
    warn("port", "995 is the port of implicit TLS; meant tls = \"implicit\", or port = 110?");
  }
  if (account.tls.trust == net::TlsTrust::ca && !account.tls.pins_sha256.empty()) {
    warn("tls_pin_sha256", "nothing looks at pins with tls_trust = \"ca\"; meant tls_trust = \"ca+pin\"?");
  }
}

void compare_maildrops(std::vector<Account>& accounts, Diagnostics& diagnostics, Diagnostics& warnings) {
  std::map<std::pair<std::string, std::string>, std::vector<Account*>> namesakes;
  for (Account& account : accounts) {
    if (!account.user.empty() && !account.endpoint.host.empty()) namesakes[{lower_case(account.endpoint.host), account.user}].push_back(&account);
  }
  for (const auto& [maildrop, sharing] : namesakes) {
    for (Account* account : sharing) account->port_counts = sharing.size() > 1;
    compare_ports(sharing, diagnostics, warnings);
  }
}

}  // namespace popsync::config
