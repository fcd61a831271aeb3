// SPDX-License-Identifier: MIT
// A session that ends between staging and publishing, as a kill or a full disk ends it: the rows are STAGED, the mailstore does not have the
// messages. For tests that link popsync_sync.
#pragma once

#include <filesystem>
#include <stdexcept>
#include <string>

#include "base/clock.h"
#include "base/error.h"
#include "state/state_store.h"
#include "support/forwarding_fs.h"
#include "support/maildrop_server.h"
#include "support/program_home.h"
#include "sync/account_sync.h"

namespace popsync::test {

enum class Unfinished {
  staged,   // the mailstore takes nothing: not published
  written,  // the mailstore has it, but does not sync: not recorded
};

class StubbornFs : public ForwardingFs {
 public:
  StubbornFs(std::string mailstore, Unfinished how) : mailstore_(std::move(mailstore)), how_(how) {}

  bool rename(int from_dir, const std::string& from, int to_dir, const std::string& to) override {
    if (how_ == Unfinished::staged && path_of(to_dir).starts_with(mailstore_ + "/new")) refuse();
    return real_fs().rename(from_dir, from, to_dir, to);
  }
  void write(int fd, std::string_view octets) override {
    if (how_ == Unfinished::staged && path_of(fd) == mailstore_) refuse();
    real_fs().write(fd, octets);
  }
  void sync_file(int fd) override {
    if (how_ == Unfinished::written && path_of(fd) == mailstore_) refuse();
    real_fs().sync_file(fd);
  }
  bool sync_names(int dir) override {
    if (how_ == Unfinished::written && path_of(dir) == mailstore_ + "/new") refuse();
    return real_fs().sync_names(dir);
  }

 private:
  static std::string path_of(int fd) { return std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(fd)); }
  [[noreturn]] void refuse() const { throw Error(how_ == Unfinished::staged ? ErrorCode::disk_full : ErrorCode::io_error, "the test's disk"); }

  std::string mailstore_;
  Unfinished how_;
};

// Of the account "home" of the program's state, in this process.
inline void leave_unfinished(const MaildropServer& server, const ProgramHome& home, const sync::MailstoreTarget& target,
                             Unfinished how = Unfinished::staged) {
  sync::AccountSettings settings;
  settings.name = "home";
  settings.endpoint = {.host = "127.0.0.1", .port = server.port()};
  settings.tls.mode = net::TlsMode::none;
  settings.login = {.tls = net::TlsMode::none, .allow_insecure_auth = true, .user = MaildropServer::kUser};
  settings.mailstore = target;
  settings.leave_text = "keep";
  settings.max_message_size = 1U << 30U;
  StubbornFs fs(std::filesystem::weakly_canonical(target.path), how);
  delivery::SyncPools pools;
  const StopSignal never{std::stop_token()};
  const auto store = state::StateStore::open(home.state_dir());
  const sync::SyncServices services{
      .store = *store, .fs = fs, .clock = system_clock(), .pools = pools, .configured_names = {"home"}, .command = "popsync test"};
  const sync::SyncReport report = sync::sync_account(services, {.settings = settings,
                                                                .secret = [] { return std::string_view(MaildropServer::kPassword); },
                                                                .stop = never,
                                                                .lock_wait = {},
                                                                .trace = {},
                                                                .progress = {}});
  const auto account = store->account_named("home");
  if (!account || store->staged(account->id).empty()) {
    throw std::runtime_error("nothing was left unfinished: " + (report.error ? report.error->message() : std::string("no error")));
  }
}

}  // namespace popsync::test
