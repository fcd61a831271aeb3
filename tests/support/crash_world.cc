// SPDX-License-Identifier: MIT
#include "support/crash_world.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>

#include "base/random.h"
#include "state/state_store.h"
#include "support/folder_content.h"
#include "support/message_corpus.h"
#include "support/program_home.h"

namespace popsync::test {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kBegin = 1'700'000'000;
constexpr std::int64_t kFifteenDays = 15LL * 24 * 3600;
constexpr std::size_t kRoundsToRest = 12;
constexpr const char* kRenamed = "renamed";  // what the first user is called later

const char* name_of(FaultKind fault) {
  switch (fault) {
    case FaultKind::none: return "nothing";
    case FaultKind::kill: return "kill";
    case FaultKind::power_cut: return "power cut";
    case FaultKind::io_error: return "EIO";
    case FaultKind::dead_disk: return "EIO from there on";
    case FaultKind::dead_syncs: return "EIO at every sync from there on";
    case FaultKind::disk_full: return "ENOSPC from there on";
    case FaultKind::short_write: return "short write";
  }
  return "";
}

int times_in(const Messages& messages, const std::string& message) {
  const auto found = messages.find(message);
  return found == messages.end() ? 0 : found->second;
}

bool is_crash(FaultKind fault) { return fault == FaultKind::kill || fault == FaultKind::power_cut; }

}  // namespace

std::string description(const Blow& blow) {
  return std::string(name_of(blow.fault)) + " at step " + std::to_string(blow.step) + (blow.seed == 0 ? "" : ", seed " + std::to_string(blow.seed)) +
         (blow.failed_sync_loses ? ", what failed to sync is gone" : "") + (blow.power_cut_at_end ? ", power cut at the end" : "") +
         (blow.rounds == 1 ? "" : ", " + std::to_string(blow.rounds) + " rounds");
}

CrashWorld::CrashWorld(Story story) : story_(std::move(story)), messages_(story_.accounts) {
  for (std::size_t account = 1; account < story_.accounts; ++account) server_.add_user(user(account), MaildropServer::kPassword);
  server_.add_user(kRenamed, MaildropServer::kPassword);
  for (std::size_t account = 0; account < story_.accounts; ++account) {
    for (std::size_t i = 0; i < story_.old_messages + story_.new_messages; ++i) {
      const std::string subject = user(account) + " " + std::to_string(i);
      // The line with a dot alone ends a message that is not byte-stuffed.
      const std::string dot = i == kDottedMessage ? "\r\n.\r\nthe rest\r\n" : "\r\n";
      messages_[account].push_back(small_message(subject, "Body of " + subject + dot + std::string(i * 37, 'x') + "\r\n"));
      ++all_[octets_stored(messages_[account].back())];
    }
  }
  mail_ = mailstore(kFirstMailstore);
  // The beginning: an account that has fetched its old messages, or one that was never synced.
  const auto store = state::StateStore::open(folder_.make("run") + "/state");
  for (std::size_t i = 0; i < story_.old_messages; ++i) {
    if (i == story_.old_messages / 2) fs::copy(folder_ / "run", folder_ / "backup", fs::copy_options::recursive);
    for (std::size_t account = 0; account < story_.accounts; ++account) {
      server_.add_to(user(account), messages_[account][i], "old-" + std::to_string(i));
    }
    fetch_old_messages();
  }
  if (story_.unfinished) leave_one_unfinished();
  fs::rename(folder_ / "run", folder_ / "beginning");
}

void CrashWorld::fetch_old_messages() {
  RigRun run = run_of({});
  run.leave = Leave::keep;
  run.now = kBegin;
  const RigReport report = CrashRig::instance().run(run);
  EXPECT_EQ(report.error.text(), "") << "before the story begins";
  fs::remove_all(folder_ / "run/attic");  // all of it is durable
}

// Killed one call later each time, until the rows are there and nothing is published.
void CrashWorld::leave_one_unfinished() {
  server_.add(messages_[0][story_.old_messages], "new-" + std::to_string(story_.old_messages));
  fs::copy(folder_ / "run", folder_ / "at-rest", fs::copy_options::recursive);
  RigRun run = run_of({.fault = FaultKind::kill, .step = 1});
  run.leave = Leave::keep;
  run.now = kBegin;
  for (bool staged = false; !staged; ++run.step) {
    fs::remove_all(folder_ / "run");
    fs::copy(folder_ / "at-rest", folder_ / "run", fs::copy_options::recursive);
    ASSERT_TRUE(CrashRig::instance().run(run).crashed) << "nothing was ever staged";
    fs::remove_all(folder_ / "run/attic");
    const auto store = state::StateStore::open(folder_ / "run/state");
    staged = !store->staged(store->accounts().at(0).id).empty();
  }
}

bool CrashWorld::live_through(const Blow& blow, const Blow* second) {
  begin_again();
  const RigReport first = struck_run(blow);
  const bool struck = !first.struck.text().empty();
  std::string what = description(blow) + " (" + last_struck_ + ")";
  check_after_crash(what);
  // A sync that failed on the mail itself, before any of the state's: what was written is in doubt.
  const Messages in_doubt = blow.fault == FaultKind::dead_syncs && last_struck_.starts_with("sync a ") ? mail_->unrecorded() : Messages();
  visit_ = mail_->visit(story_.reader);
  for (const auto& [message, count] : foreign_) visit_.foreign[message] += count;
  if (story_.mail_comes) mail_comes();
  if (second != nullptr) {
    server_.set_knobs({});
    RigRun struck_again = run_of(*second);
    if (story_.work == Work::accept) struck_again.work = story_.work;  // else an account that is still stopped would do nothing
    const RigReport again = CrashRig::instance().run(struck_again);
    what += ", then " + description(*second) + " (" + again.struck.text() + ")";
    check_after_crash(what);
    restart(what, proves_itself(blow.fault) && proves_itself(second->fault));
    check_at_the_end(what, is_crash(blow.fault) && is_crash(second->fault));
    return !again.struck.text().empty();
  }
  restart(what, proves_itself(blow.fault));
  check_at_the_end(what, is_crash(blow.fault) || !struck);
  check_on_server(what, in_doubt);
  return struck;
}

std::unique_ptr<CrashMailstore> CrashWorld::mailstore(const std::string& name) const {
  return story_.mailstore == state::MailstoreKind::mbox ? mbox_in(folder_ / "run", name, all_) : maildir_in(folder_ / "run", name);
}

void CrashWorld::begin_again() {
  server_.set_knobs({});
  renamed_ = story_.before == Before::user_renamed;
  visit_ = {};
  foreign_ = {};
  mail_ = mailstore(kFirstMailstore);
  for (std::size_t account = 0; account < story_.accounts; ++account) {
    for (const std::string& uid : server_.uids(user(account))) server_.remove(uid, user(account));
    for (std::size_t i = 0; i < messages_[account].size(); ++i) {
      server_.add_to(user(account), messages_[account][i], (i < story_.old_messages ? "old-" : "new-") + std::to_string(i));
    }
  }
  fs::remove_all(folder_ / "run");
  fs::copy(folder_ / "beginning", folder_ / "run", fs::copy_options::recursive);
  prepare();
}

void CrashWorld::prepare() {
  switch (story_.before) {
    case Before::nothing:
    case Before::user_renamed: break;  // from the first message on (begin_again)
    case Before::database_lost:
      for (const char* file : {"state.db", "state.db-wal", "state.db-shm"}) fs::remove(folder_ / (std::string("run/state/") + file));
      break;
    case Before::state_begun_anew:
      fs::remove_all(folder_ / "run/state");
      state::StateStore::open(folder_ / "run/state");
      break;
    case Before::state_restored:
      fs::remove_all(folder_ / "run/state");
      fs::copy(folder_ / "backup/state", folder_ / "run/state", fs::copy_options::recursive);
      break;
    case Before::mailstore_restored:
      fs::rename(folder_ / "run/mail", folder_ / "run/right");
      fs::copy(folder_ / "backup/mail", folder_ / "run/mail", fs::copy_options::recursive);
      break;
    case Before::mailstore_unmounted:
      fs::rename(folder_ / "run/mail", folder_ / "run/right");
      fs::create_directory(folder_ / "run/mail");
      break;
    case Before::unique_ids_changed:
      for (std::size_t account = 0; account < story_.accounts; ++account) server_.rekey(user(account));
      break;
    case Before::mailstore_moved:
      fs::rename(folder_ / "run/mail", folder_ / "run/elsewhere");
      deliver_elsewhere();
      break;
    case Before::mailstore_copied:
      fs::copy(folder_ / "run/mail", folder_ / "run/elsewhere", fs::copy_options::recursive);
      for (const std::string& file : message_files(folder_ / "run/elsewhere")) fs::remove(file);
      deliver_elsewhere();
      break;
    case Before::mailstore_lost: keep_mail_of_lost_mailstore(); break;
    case Before::mailstore_emptied:
      keep_mail_of_lost_mailstore();
      fs::create_directory(folder_ / "run/mail");
      break;
    case Before::mailstore_left:
      keep_mail_of_lost_mailstore();
      deliver_elsewhere();
      break;
    case Before::foreign_mail:
      for (const char* part : {"tmp", "new", "cur"}) fs::create_directories(folder_ / (std::string("run/mail/") + part));
      std::ofstream(folder_ / "run/mail/cur/1.x.elsewhere:2,S", std::ios::binary) << kForeign;
      foreign_[kForeign] = 1;
      break;
  }
  visit_.foreign = foreign_;
}

void CrashWorld::keep_mail_of_lost_mailstore() {
  fs::create_directories(folder_ / "run/moved");
  for (const std::string& file : message_files(folder_ / "run/mail")) fs::rename(file, folder_ / ("run/moved/" + fs::path(file).filename().string()));
  fs::remove_all(folder_ / "run/mail");
}

void CrashWorld::deliver_elsewhere() { mail_ = mailstore(kSecondMailstore); }

void CrashWorld::put_back_mailstore() {
  if (!fs::exists(folder_ / "run/right")) return;
  fs::remove_all(folder_ / "run/mail");
  fs::rename(folder_ / "run/right", folder_ / "run/mail");
}

RigRun CrashWorld::run_of(const Blow& blow) const {
  RigRun run;
  run.fault = blow.fault;
  run.step = blow.step;
  run.seed = blow.seed;
  run.failed_sync_loses = blow.failed_sync_loses;
  run.power_cut_at_end = blow.power_cut_at_end;
  run.rounds = blow.rounds;
  run.state = folder_ / "run/state";
  run.attic = folder_ / "run/attic";
  run.log = folder_ / "run/log";
  run.account_count = story_.accounts;
  for (std::size_t account = 0; account < story_.accounts; ++account) {
    run.accounts.at(account) = {.name = "account-" + std::to_string(account), .user = user(account), .mailstore = {}, .port = server_.port()};
    mail_->point(run.accounts.at(account));
  }
  run.leave = story_.leave;
  run.now = kBegin + kFifteenDays;
  run.publisher_thread = story_.publisher_thread;
  run.without_journal = story_.without_journal;
  return run;
}

RigReport CrashWorld::struck_run(const Blow& blow) {
  if (story_.server) server_.change(story_.server);
  RigRun struck = run_of(blow);
  struck.work = story_.work;
  const RigReport report = CrashRig::instance().run(struck);
  last_struck_ = report.struck.text();
  last_steps_ = report.steps;
  put_back_mailstore();
  const bool ended_well = report.crashed ? report.exit_status == Machine::kCrashed : report.exit_status == 0 || report.exit_status == 74;
  EXPECT_TRUE(ended_well) << story_.name << ": " << description(blow) << " (" << last_struck_ << "): exit status " << report.exit_status << told();
  return report;
}

void CrashWorld::check_after_crash(const std::string& what, bool at_the_end) {
  const Messages found = here();
  for (const auto& [message, count] : found) {
    int most = times_in(all_, message) + times_in(visit_.again, message) + times_in(visit_.foreign, message) + times_in(visit_.for_good, message);
    if (!at_the_end && !mail_->whole_at_any_time() && !all_.contains(message)) most = count;
    EXPECT_LE(count, most) << story_.name << ": " << what << ": doubled, partial or foreign: " << message.substr(0, 80) << told();
  }
  Messages on_server;
  for (std::size_t account = 0; account < story_.accounts; ++account) {
    for (const std::string& message : server_.messages(user(account))) ++on_server[octets_stored(message)];
  }
  for (const auto& [message, count] : all_) {
    EXPECT_GE(times_in(found, message) + times_in(on_server, message), count)
        << story_.name << ": " << what << ": gone from the server and not here: " << message.substr(0, 80) << told();
  }
}

void CrashWorld::mail_comes() {
  for (std::size_t account = 0; account < story_.accounts; ++account) {
    const std::string message = small_message(user(account) + " late", std::string(400, 'y') + "\r\n");
    server_.add_to(user(account), message, "late");
    ++visit_.foreign[octets_stored(message)];
  }
}

void CrashWorld::check_on_server(const std::string& what, const Messages& in_doubt) {
  Messages on_server;
  for (std::size_t account = 0; account < story_.accounts; ++account) {
    for (const std::string& message : server_.messages(user(account))) ++on_server[octets_stored(message)];
  }
  for (const auto& [message, count] : in_doubt) {
    EXPECT_EQ(times_in(on_server, message), count) << story_.name << ": " << what << ": in doubt, and gone from the server: " << message.substr(0, 80)
                                                   << told();
  }
}

bool CrashWorld::proves_itself(FaultKind fault) const { return story_.mailstore == state::MailstoreKind::maildir || is_crash(fault); }

void CrashWorld::restart(const std::string& what, bool then_cut_power) {
  server_.set_knobs({});
  if (story_.server_after) {
    server_.change(story_.server_after);
    CrashRig::instance().run(run_of({}));
    server_.set_knobs({});
  }
  RigRun run = run_of({});
  if (story_.work != Work::sync) {
    run.work = story_.work;
    const RigReport done = CrashRig::instance().run(run);
    EXPECT_EQ(done.error.text(), "") << story_.name << ": " << what << told();
    run.work = Work::sync;
  }
  run.rounds = kRoundsToRest;
  run.power_cut_at_end = then_cut_power;
  come_to_rest(run, what);
  if (!then_cut_power) return;
  run.power_cut_at_end = false;
  come_to_rest(run, what + ", then a power cut at rest");
}

void CrashWorld::come_to_rest(const RigRun& run, const std::string& what) {
  const RigReport report = CrashRig::instance().run(run);
  EXPECT_EQ(report.exit_status, 0) << story_.name << ": " << what << told();
  EXPECT_TRUE(report.quiet) << story_.name << ": " << what << ": does not come to rest: " << report.error.text() << told();
}

void CrashWorld::check_at_the_end(const std::string& what, bool crash_only) {
  check_after_crash(what, true);
  const Messages found = here();
  for (const auto* due : {&all_, &visit_.foreign}) {
    for (const auto& [message, count] : *due) {
      EXPECT_EQ(times_in(found, message), count + times_in(visit_.again, message))
          << story_.name << ": " << what << ": " << message.substr(0, 80) << told();
    }
  }
  // An original that could not be looked at counts as gone: what was staged there stays, and its copy has been published from the other folder.
  constexpr std::array kLooks = {"open", "stat", "list a directory", "read"};
  const bool a_look_failed = std::ranges::any_of(kLooks, [&](const char* look) { return last_struck_.starts_with(look); });
  const bool original_given_up = story_.before == Before::mailstore_copied && !crash_only && a_look_failed;
  const std::vector<std::string> staged = original_given_up ? std::vector<std::string>() : mail_->left_in_staging();
  EXPECT_TRUE(staged.empty()) << story_.name << ": " << what << ": left in staging: " << staged.size() << told();
  if (renamed_ && story_.mailstore == state::MailstoreKind::maildir) {
    EXPECT_NE(content_of(folder_ / "run/mail/tmp/.popsync/id").find(to_hex(kRenamed)), std::string::npos) << story_.name << ": " << what << told();
  }
  // What may go from the server has gone; what nobody saw published, or what a failed sync left in doubt, stays there for good.
  const bool all_seen = mail_->deletes_unseen() || (story_.reader != Reader::moves_away && story_.reader != Reader::deletes);
  if (!all_seen || !crash_only) return;
  for (std::size_t account = 0; account < story_.accounts; ++account) {
    const std::size_t left = server_.count(user(account));
    const std::size_t due = story_.leave == Leave::remove ? 0 : story_.leave == Leave::keep ? messages_[account].size() : story_.new_messages;
    EXPECT_EQ(left, due) << story_.name << ": " << what << ": left on the server" << told();
  }
}

Messages CrashWorld::here() const {
  Messages found = mail_->messages();
  for (const auto& [message, count] : visit_.deleted) found[message] += count;
  return found;
}

std::string CrashWorld::told() const { return "\nthe last run logged:\n" + content_of(folder_ / "run/log"); }

std::string CrashWorld::user(std::size_t account) const {
  return account > 0 ? "user" + std::to_string(account) : renamed_ ? kRenamed : MaildropServer::kUser;
}

}  // namespace popsync::test
