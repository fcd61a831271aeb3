// SPDX-License-Identifier: MIT
// sync_account() in the test's own process, with a date that the test moves. For tests that link popsync_sync.
#pragma once

#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/fs.h"
#include "base/stop_signal.h"
#include "state/state_store.h"
#include "support/maildrop_server.h"
#include "support/temp_folder.h"
#include "sync/acceptance.h"
#include "sync/account_sync.h"
#include "sync/dry_run.h"
#include "sync/lost_state.h"
#include "sync/maildrop_comparison.h"

namespace popsync::test {

// The test moves the date; time to wait is real, because deadlines are handed to the kernel.
class MovedClock : public Clock {
 public:
  [[nodiscard]] WallTime wall() const override { return manual_.wall(); }
  [[nodiscard]] SteadyTime steady() const override { return system_clock().steady(); }
  [[nodiscard]] ClockReading reading() const override { return manual_.reading(); }
  void advance(std::chrono::nanoseconds by) { manual_.advance(by); }
  void set_wall(WallTime wall) { manual_.set_wall(wall); }
  void set_synchronised(bool synchronised) { manual_.set_synchronised(synchronised); }
  void restart_machine() { manual_.restart_machine(); }

 private:
  ManualClock manual_;
};

class SyncInProcess {
 public:
  explicit SyncInProcess(const MaildropServer& server) : SyncInProcess(server.port()) {}
  explicit SyncInProcess(std::uint16_t port) : store_(state::StateStore::open(folder_ / "state")) {
    settings.name = "home";
    settings.endpoint = {.host = "127.0.0.1", .port = port};
    settings.tls.mode = net::TlsMode::none;
    settings.login = {.tls = net::TlsMode::none, .allow_insecure_auth = true, .user = MaildropServer::kUser};
    settings.mailstore.path = folder_ / "mail";
    settings.leave_text = "keep";
    settings.max_message_size = 512U << 20U;
  }

  sync::SyncReport sync() { return sync::sync_account(services(), request()); }
  // With the user of the settings, whoever the account's is.
  sync::MaildropComparison compare_maildrop() {
    auto account = store_->account_named(settings.name).value();
    return sync::compare_maildrop(services(), request(), account);
  }
  sync::DryRun plan() { return sync::plan_account(store_.get(), clock, request(), {settings.name}, "popsync test"); }
  // What is at the account's path now is meant, as `popsync accept` takes it: mail of another program too.
  void accept_what_is_there() {
    const auto account = sync::resolve_remembered(*store_, *fs, sync::configured_mailstore(settings), std::vector{settings.name});
    const auto question = sync::find_question(*store_, *fs, account, settings.mailstore);
    if (question) sync::accept(*store_, *fs, account, settings.mailstore, *question, question->stop.answers().front());
  }
  void leave(sync::LeavePolicy policy, const std::string& text) {
    settings.leave = policy;
    settings.leave_text = text;
  }
  [[nodiscard]] state::StateStore& store() { return *store_; }
  [[nodiscard]] const std::string& maildir() const { return settings.mailstore.path; }

  sync::AccountSettings settings;
  Fs* fs = &real_fs();
  net::TlsMemory* tls = nullptr;
  MovedClock clock;
  sync::ConfirmLimits confirm;

 private:
  [[nodiscard]] sync::SyncServices services() {
    return {.store = *store_,
            .fs = *fs,
            .clock = clock,
            .pools = pools_,
            .configured_names = {settings.name},
            .command = "popsync test",
            .confirm = confirm};
  }
  [[nodiscard]] sync::SyncRequest request() const {
    return {.settings = settings,
            .secret = [] { return std::string_view(MaildropServer::kPassword); },
            .stop = stop_,
            .lock_wait = {},
            .trace = {},
            .progress = {},
            .tls = tls};
  }

  TempFolder folder_{"sync"};
  std::unique_ptr<state::StateStore> store_;
  delivery::SyncPools pools_;
  StopSignal stop_{std::stop_token()};
};

}  // namespace popsync::test
