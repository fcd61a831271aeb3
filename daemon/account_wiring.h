// SPDX-License-Identifier: MIT
// From the configuration's account to what the modules take: settings for sync, a secret provider, a place in the schedule.
#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "base/stop_signal.h"
#include "base/watched_fs.h"
#include "config/config.h"
#include "net/pop3_client.h"
#include "schedule/account_plan.h"
#include "secrets/secret_source.h"
#include "sync/account_settings.h"

namespace popsync {

// The machine's clock, with the operator's word for it.
const Clock& clock_of(const config::Daemon& daemon);
sync::MailstoreTarget mailstore_target(const config::Account& account);
sync::AccountSettings sync_settings(const config::Account& account);
std::unique_ptr<secrets::SecretKeeper> secret_keeper(const config::Account& account, const config::Config& config);
// `keeper` and `stop` must outlive the provider.
net::SecretProvider provide_from(secrets::SecretKeeper& keeper, const StopSignal& stop);
// The same, with a note of who waits for the file that holds it.
net::SecretProvider provide_from(secrets::SecretKeeper& keeper, const StopSignal& stop, WatchedFs& fs, const config::Account& account);
// The file of its own that an account's secret comes from; empty if there is none.
std::string secret_file(const config::Account& account);
schedule::Account scheduled(const config::Account& account);

}  // namespace popsync
