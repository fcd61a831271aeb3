// SPDX-License-Identifier: MIT
#include "support/crash_rig.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <stdexcept>
#include <type_traits>

#include "base/log.h"
#include "support/faulty_database.h"
#include "support/faulty_fs.h"
#include "support/last_words.h"
#include "support/maildrop_server.h"
#include "support/sync_in_process.h"
#include "sync/acceptance.h"
#include "sync/account_sync.h"
#include "sync/adoption_session.h"
#include "sync/lost_state.h"
#include "sync/maildrop_comparison.h"
#include "sync/relearning_session.h"
#include "sync/user_change.h"

namespace popsync::test {
namespace {

constexpr int kLogPagesMax = 12;             // so that the log is moved in the midst of a run, more than once
constexpr unsigned kHungAfterSeconds = 120;  // a run takes milliseconds; one that hangs is ended by SIGALRM

// Before any test, and with it any thread, is there.
class RigBeforeTests : public testing::Environment {
 public:
  void SetUp() override { CrashRig::instance(); }
};
[[maybe_unused]] const testing::Environment* const kRigBeforeTests = testing::AddGlobalTestEnvironment(new RigBeforeTests);

sync::AccountSettings settings_of(const RigAccount& account, Leave leave) {
  sync::AccountSettings settings;
  settings.name = account.name.text();
  settings.endpoint = {.host = "127.0.0.1", .port = account.port};
  settings.tls.mode = net::TlsMode::none;
  settings.login = {.tls = net::TlsMode::none, .allow_insecure_auth = true, .user = account.user.text()};
  settings.mailstore.path = account.mailstore.text();
  settings.mailstore.kind = account.kind;
  settings.max_message_size = 512U << 20U;
  using Kind = sync::LeavePolicy::Kind;
  switch (leave) {
    case Leave::keep: settings.leave = {.kind = Kind::keep, .age = {}}; break;
    case Leave::remove: settings.leave = {.kind = Kind::remove, .age = {}}; break;
    case Leave::remove_after_14_days: settings.leave = {.kind = Kind::remove_after, .age = std::chrono::days(14)}; break;
  }
  settings.leave_text = std::to_string(static_cast<int>(leave));
  return settings;
}

// False where there is nothing to accept.
bool accept_user(const sync::SyncServices& services, const sync::SyncRequest& request) {
  auto account = sync::account_of_other_user(services.store, request.settings, services.configured_names);
  if (!account) return false;
  const sync::MaildropComparison found = sync::compare_maildrop(services, request, *account);
  if (found.verdict() != sync::MaildropComparison::Verdict::same) throw std::runtime_error("the renamed user's maildrop was not recognised");
  sync::take_user(services, request.settings, *account);
  return true;
}

void accept_what_stops(const sync::SyncServices& services, const sync::SyncRequest& request) {
  const sync::AccountSettings& settings = request.settings;
  if (accept_user(services, request)) return;
  const auto account = sync::resolve_remembered(services.store, services.fs, sync::configured_mailstore(settings), services.configured_names);
  const auto question = sync::find_question(services.store, services.fs, account, settings.mailstore);
  if (question) sync::accept(services.store, services.fs, account, settings.mailstore, *question, question->stop.answers().front());
}

// True if the round had no error and found nothing to do.
bool do_all(const RigRun& run, const sync::SyncServices& services, RigReport& report) {
  bool quiet = true;
  const StopSignal never{std::stop_token()};
  for (std::size_t i = 0; i < run.account_count; ++i) {
    const sync::AccountSettings settings = settings_of(run.accounts.at(i), run.leave);
    const sync::SyncRequest request{.settings = settings,
                                    .secret = [] { return std::string_view(MaildropServer::kPassword); },
                                    .stop = never,
                                    .lock_wait = {},
                                    .trace = {},
                                    .progress = {}};
    if (run.work == Work::adopt) sync::adopt_account(services, request);
    if (run.work == Work::rebuild) sync::rebuild_account(services, request);
    if (run.work == Work::accept) accept_what_stops(services, request);
    if (run.work == Work::adopt || run.work == Work::rebuild) continue;
    const sync::SyncReport done = sync::sync_account(services, request);
    report.fetched += done.fetched;
    report.deleted += done.deleted;
    report.recovered += done.recovered;
    if (done.error) report.error = done.error->what();
    quiet = quiet && done.result == sync::SyncResult::ok && done.fetched == 0 && done.deleted == 0 && done.recovered == 0;
  }
  return quiet;
}

void carry_out(const RigRun& run, Machine& machine, RigReport& report) {
  FaultyFs fs(machine);
  MovedClock clock;
  clock.advance(from_unix_seconds(run.now) - clock.wall());
  delivery::SyncPools pools(0);
  const auto store = state::StateStore::open(run.state.text(), {.log_pages_max = kLogPagesMax, .fs = fs});
  if (!run.publisher_thread) fs.refuse_calls_under(run.state.text() + "/lock");
  sync::SyncServices services{.store = *store, .fs = fs, .clock = clock, .pools = pools, .configured_names = {}, .command = "popsync test"};
  for (std::size_t i = 0; i < run.account_count; ++i) services.configured_names.push_back(run.accounts.at(i).name.text());
  services.batch = {.messages = run.batch_messages, .octets = 1U << 20U, .age = std::chrono::hours(1)};
  services.publish_on = run.publisher_thread ? sync::PublishOn::own_thread : sync::PublishOn::caller;
  for (std::size_t round = 0; round < run.rounds && !report.quiet; ++round) report.quiet = do_all(run, services, report);
}

[[noreturn]] void be_the_child(const RigRun& run, RigReport& report) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::alarm(kHungAfterSeconds);
  const int log = ::open(run.log.text().c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  ::dup2(log, STDERR_FILENO);
  log_to_stderr(LogFormat::bare);
  Machine machine(
      {.kind = run.fault, .step = run.step, .seed = run.seed, .failed_sync_loses = run.failed_sync_loses, .without_journal = run.without_journal},
      run.attic.text());
  machine.on_strike([&](std::uint64_t step, const std::string& what) {
    report.steps = step;
    report.struck = what;
    report.crashed = run.fault == FaultKind::kill || run.fault == FaultKind::power_cut;
  });
  put_databases_on(machine);
  set_last_words([&] {
    const auto lock = machine.lock();
    report.steps = machine.steps();
    // A disk on which every call fails is mounted anew before it works again, and the kernel's memory of it is gone.
    if (run.power_cut_at_end || run.fault == FaultKind::dead_disk) machine.cut_power();
    machine.disk()->save();
  });
  try {
    carry_out(run, machine, report);
  } catch (const std::exception& exception) {
    report.error = exception.what();
  }
  ::_exit(0);
}

}  // namespace

struct CrashRig::Shared {
  RigRun run;
  RigReport report;
};

CrashRig& CrashRig::instance() {
  static CrashRig rig;
  return rig;
}

CrashRig::CrashRig() {
  static_assert(std::is_trivially_copyable_v<Shared>);
  void* memory = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  std::array<int, 2> channel{};
  if (memory == MAP_FAILED || ::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel.data()) != 0) {
    throw std::runtime_error("no memory or socket for the crash rig");
  }
  shared_ = new (memory) Shared;
  const pid_t helper = ::fork();
  if (helper < 0) throw std::runtime_error("cannot fork the crash rig");
  if (helper == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::close(channel[0]);
    serve(channel[1]);
  }
  ::close(channel[1]);
  channel_ = channel[0];
  helper_ = helper;
}

CrashRig::~CrashRig() {
  ::close(channel_);
  ::waitpid(helper_, nullptr, 0);
}

RigReport CrashRig::run(const RigRun& run) {
  shared_->run = run;
  shared_->report = {};
  int status = 0;
  if (::write(channel_, &status, sizeof status) != sizeof status || ::read(channel_, &status, sizeof status) != sizeof status) {
    throw std::runtime_error("the crash rig has ended");
  }
  RigReport report = shared_->report;
  report.exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  return report;
}

// The helper: one child for each word on the channel, until the test ends.
void CrashRig::serve(int channel) {
  int word = 0;
  while (::read(channel, &word, sizeof word) == sizeof word) {
    const pid_t child = ::fork();
    if (child == 0) be_the_child(shared_->run, shared_->report);
    if (child < 0 || ::waitpid(child, &word, 0) != child || ::write(channel, &word, sizeof word) != sizeof word) break;
  }
  ::_exit(0);
}

}  // namespace popsync::test
