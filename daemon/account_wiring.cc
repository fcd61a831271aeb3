// SPDX-License-Identifier: MIT
#include "account_wiring.h"

#include <map>
#include <optional>
#include <utility>

#include "base/fs.h"
#include "config/config_loader.h"

namespace popsync {
namespace {

auth::Method method_of(config::AuthMethod method) {
  switch (method) {
    case config::AuthMethod::automatic: return auth::Method::automatic;
    case config::AuthMethod::user: return auth::Method::user;
    case config::AuthMethod::plain: return auth::Method::plain;
    case config::AuthMethod::apop: return auth::Method::apop;
  }
  return auth::Method::automatic;
}

net::Pipelining pipelining_of(config::Pipelining pipelining) {
  switch (pipelining) {
    case config::Pipelining::automatic: return net::Pipelining::automatic;
    case config::Pipelining::on: return net::Pipelining::on;
    case config::Pipelining::off: return net::Pipelining::off;
  }
  return net::Pipelining::automatic;
}

sync::LeavePolicy policy_of(const config::LeaveOnServer& leave) {
  switch (leave.kind) {
    case config::LeaveOnServer::Kind::keep: return {.kind = sync::LeavePolicy::Kind::keep, .age = {}};
    case config::LeaveOnServer::Kind::remove: return {.kind = sync::LeavePolicy::Kind::remove, .age = {}};
    case config::LeaveOnServer::Kind::remove_after: return {.kind = sync::LeavePolicy::Kind::remove_after, .age = leave.age};
  }
  return {};
}

net::LentSecret lent_by(secrets::SecretKeeper& keeper, const StopSignal& stop) {
  auto secret = keeper.get(stop);
  const std::string_view octets = secret->reveal();
  return {octets, std::move(secret)};
}

}  // namespace

const Clock& clock_of(const config::Daemon& daemon) { return daemon.clock == config::ClockKey::trusted ? trusted_system_clock() : system_clock(); }

sync::MailstoreTarget mailstore_target(const config::Account& account) {
  if (account.mbox.empty()) return {.path = account.maildir};
  return {.path = account.mbox,
          .kind = state::MailstoreKind::mbox,
          .mbox_locks = {.dot_lock = account.mbox_locks != config::MboxLocks::fcntl, .flock = account.mbox_locks == config::MboxLocks::all}};
}

sync::AccountSettings sync_settings(const config::Account& account) {
  const sync::LeavePolicy leave = policy_of(account.leave_on_server);
  sync::AccountSettings settings{.name = account.name,
                                 .endpoint = account.endpoint,
                                 .tls = account.tls,
                                 .login = {.tls = account.tls.mode,
                                           .method = method_of(account.auth),
                                           .allow_insecure_auth = account.allow_insecure_auth,
                                           .user = account.user,
                                           .pipelining = pipelining_of(account.pipelining)},
                                 .mailstore = mailstore_target(account),
                                 .leave = leave,
                                 .leave_text = std::to_string(static_cast<int>(leave.kind)) + "/" + std::to_string(leave.age.count()),
                                 .max_message_size = account.max_message_size,
                                 .min_free_space = account.min_free_space,
                                 .rset_before_quit = account.rset_before_quit,
                                 .skip_first_message = account.skip_first_message,
                                 .port_counts = account.port_counts};
  // Below that no message is held for its size: nothing can be written at all, as on a full disk.
  const auto limit = file_size_limit();
  if (limit && *limit >= sync::kSmallFileOctets && *limit < settings.max_message_size) {
    settings.max_message_size = *limit;
    settings.size_limit = "the files that this process may write";
  }
  return settings;
}

std::unique_ptr<secrets::SecretKeeper> secret_keeper(const config::Account& account, const config::Config& config) {
  return std::make_unique<secrets::SecretKeeper>(account.secret, config.password_variables(), account.secret_lifetime);
}

net::SecretProvider provide_from(secrets::SecretKeeper& keeper, const StopSignal& stop) {
  return [&keeper, &stop] { return lent_by(keeper, stop); };
}

net::SecretProvider provide_from(secrets::SecretKeeper& keeper, const StopSignal& stop, WatchedFs& fs, const config::Account& account) {
  const std::string file = secret_file(account);
  if (file.empty()) return provide_from(keeper, stop);  // a command may take its time
  return [&keeper, &stop, &fs, file] {
    std::optional<net::LentSecret> secret;
    fs.touch(file, [&] { secret = lent_by(keeper, stop); });
    return *secret;
  };
}

std::string secret_file(const config::Account& account) {
  return account.secret.kind == secrets::SourceKind::file ? account.secret.value : std::string();
}

schedule::Account scheduled(const config::Account& account) {
  config::Config one;
  one.accounts.push_back(account);
  return {.name = account.name, .host = account.endpoint.host, .interval = account.interval, .revision = config::to_toml(one, {})};
}

}  // namespace popsync
