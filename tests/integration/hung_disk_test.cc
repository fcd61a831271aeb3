// SPDX-License-Identifier: MIT
// Real sessions in the real scheduler, on a disk that does not answer: in one process, with a clock that the test moves.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

#include "base/watched_fs.h"
#include "schedule/scheduler.h"
#include "support/forwarding_fs.h"
#include "support/maildrop_server.h"
#include "support/message_corpus.h"
#include "support/program_home.h"
#include "support/temp_folder.h"
#include "sync/account_sync.h"

namespace popsync::test {
namespace {

using namespace std::chrono_literals;

// What it may fall silent in.
enum class Silence { none, opening, syncing };

class SilentDisk : public ForwardingFs {
 public:
  std::optional<UniqueFd> open_root(const std::string& path) override {
    wait(Silence::opening);
    return ForwardingFs::open_root(path);
  }
  void sync_file(int fd) override {
    wait(Silence::syncing);
    ForwardingFs::sync_file(fd);
  }
  void fall_silent(Silence silence) {
    const std::lock_guard lock(mutex_);
    silence_ = silence;
    changed_.notify_all();
  }
  void await_callers(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return callers_ >= count; });
  }

 private:
  void wait(Silence call) {
    std::unique_lock lock(mutex_);
    if (silence_ != call) return;
    ++callers_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return silence_ != call; });
    --callers_;
  }
  std::mutex mutex_;  // guards all below
  std::condition_variable changed_;
  Silence silence_ = Silence::none;
  std::size_t callers_ = 0;
};

constexpr std::size_t kSessionsMax = 2;
constexpr int kOnDeadDisk = 40;

struct HungDisk : testing::Test {
  ~HungDisk() override {
    dead.fall_silent(Silence::none);
    thread.request_stop();
  }

  // Accounts whose names begin with 'd' lie on the dead disk.
  void add(const std::string& name) {
    server.add_user(name, MaildropServer::kPassword);
    mail_comes(name);
    sync::AccountSettings& one = settings[name];
    one.name = name;
    one.endpoint = {.host = "127.0.0.1", .port = server.port()};
    one.tls.mode = net::TlsMode::none;
    one.login = {.tls = net::TlsMode::none, .allow_insecure_auth = true, .user = name};
    one.mailstore.path = folder / ("mail/" + name);
    one.leave_text = "keep";
    one.max_message_size = 1U << 20U;
    files[name] = std::make_unique<WatchedFs>(name[0] == 'd' ? static_cast<Fs&>(dead) : real_fs(), clock, [this] { scheduler->look_again(); });
  }
  void mail_comes(const std::string& name) { server.add_to(name, small_message("for " + name + " " + std::to_string(++mails))); }
  void start() {
    std::vector<schedule::Account> accounts;
    for (const auto& [name, one] : settings) accounts.push_back({.name = name, .host = "127.0.0.1"});
    const schedule::DiskWatch disks{.waits_since = [this](const std::string& name) { return files.at(name)->waits_since(); },
                                    .waits_at = [](const std::string& name) { return place(name); },
                                    .home_of = [](const std::string& name) { return place(name); }};
    scheduler.emplace(
        clock,
        schedule::SchedulerOptions{.limits = {.sessions_max = kSessionsMax, .sessions_per_host_max = kSessionsMax},
                                   .random = [] { return 0.5; },
                                   .disks = disks,
                                   .on_unanswered = [this](const std::vector<schedule::Unanswered>& changes) { note(changes); }},
        [this](const std::string& name, const std::stop_token& stop) { return session(name, stop); },
        [this](const std::vector<schedule::Planned>& plans) { note(plans); });
    scheduler->replace_accounts(accounts);
    thread = std::jthread([this](const std::stop_token& stop) { ended = scheduler->run(stop); });
  }
  static DiskPlace place(const std::string& name) { return {.disk = name[0] == 'd' ? "dead" : "well", .path = "/" + name, .sure = true}; }

  schedule::Result session(const std::string& name, const std::stop_token& token) {
    const StopSignal stop(token);
    const sync::SyncServices services{
        .store = *store, .fs = *files.at(name), .clock = system_clock(), .pools = pools, .configured_names = {}, .command = "popsync test"};
    const sync::SyncReport report = sync::sync_account(services, {.settings = settings.at(name),
                                                                  .secret = [] { return std::string_view(MaildropServer::kPassword); },
                                                                  .stop = stop,
                                                                  .lock_wait = {},
                                                                  .trace = {},
                                                                  .progress = {}});
    const std::lock_guard lock(mutex);
    ++sessions[name];
    changed.notify_all();
    return {.error = report.error ? std::optional(report.error->code()) : std::nullopt};
  }
  void note(const std::vector<schedule::Unanswered>& changes) {
    const std::lock_guard lock(mutex);
    for (const schedule::Unanswered& change : changes) {
      if (change.since) {
        unanswered.insert(change.account);
      } else {
        unanswered.erase(change.account);
      }
    }
    changed.notify_all();
  }
  void note(const std::vector<schedule::Planned>& plans) {
    const std::lock_guard lock(mutex);
    for (const schedule::Planned& plan : plans) planned.insert(plan.account);
    changed.notify_all();
  }
  // Its session has ended, and the next one has its time.
  void await_plan(const std::string& name) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return planned.contains(name); });
  }
  void await_session(const std::string& name, int count) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return sessions[name] >= count; });
  }
  void await_unanswered(std::size_t count) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return unanswered.size() == count; });
  }
  void pass(std::chrono::seconds time) {
    clock.advance(time);
    scheduler->look_again();
  }
  std::vector<std::string> stored(const std::string& name) { return messages_in(settings.at(name).mailstore.path); }

  TempFolder folder;
  MaildropServer server;
  ManualClock clock;
  SilentDisk dead;
  delivery::SyncPools pools;
  std::unique_ptr<state::StateStore> store = state::StateStore::open(folder / "state");
  std::map<std::string, sync::AccountSettings> settings;
  std::map<std::string, std::unique_ptr<WatchedFs>> files;
  int mails = 0;

  std::mutex mutex;  // guards all below
  std::condition_variable changed;
  std::map<std::string, int> sessions;
  std::set<std::string> unanswered;
  std::set<std::string> planned;

  std::atomic<schedule::Ended> ended = schedule::Ended::not_in_time;
  std::optional<schedule::Scheduler> scheduler;  // its sessions use all above
  std::jthread thread;
};

TEST_F(HungDisk, DeadAtTheStartHoldsUpNoAccountElsewhereAndNoStop) {
  for (int i = 0; i < kOnDeadDisk; ++i) add("d" + std::to_string(i));
  add("elsewhere");
  dead.fall_silent(Silence::opening);
  start();
  dead.await_callers(kSessionsMax);
  pass(30s);
  await_plan("elsewhere");
  await_unanswered(kOnDeadDisk);
  mail_comes("elsewhere");
  pass(300s);
  await_session("elsewhere", 2);
  EXPECT_EQ(stored("elsewhere").size(), 2U);
  thread.request_stop();
  thread.join();
  EXPECT_EQ(ended, schedule::Ended::all_but_hung) << "without a second of waiting: the clock stood still";
}

TEST_F(HungDisk, DeadInTheMiddleOfABatchGoesOnWhenItAnswers) {
  for (int i = 0; i < 3; ++i) add("d" + std::to_string(i));
  add("elsewhere");
  start();
  for (const auto& [name, one] : settings) await_plan(name);
  for (const auto& [name, one] : settings) mail_comes(name);
  dead.fall_silent(Silence::syncing);
  pass(300s);
  dead.await_callers(kSessionsMax);
  pass(30s);
  await_unanswered(3);
  await_session("elsewhere", 2);
  dead.fall_silent(Silence::none);
  await_unanswered(0);
  pass(1s);
  for (const auto& [name, one] : settings) {
    await_session(name, 2);
    EXPECT_EQ(stored(name), as_stored(server.messages(name))) << name;
  }
}

}  // namespace
}  // namespace popsync::test
