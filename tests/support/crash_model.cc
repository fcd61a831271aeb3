// SPDX-License-Identifier: MIT
#include "support/crash_model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>

#include "state/state_store.h"
#include "support/folder_content.h"
#include "support/message_corpus.h"
#include "support/program_home.h"

namespace popsync::test {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kEpisodes = 6;
constexpr std::size_t kRoundsMax = 14;
constexpr std::array kFaults = {FaultKind::none,     FaultKind::kill,      FaultKind::kill,      FaultKind::power_cut,   FaultKind::power_cut,
                                FaultKind::io_error, FaultKind::dead_disk, FaultKind::disk_full, FaultKind::short_write, FaultKind::dead_syncs};
constexpr std::array kMboxFaults = {FaultKind::none,      FaultKind::kill,      FaultKind::kill,
                                    FaultKind::power_cut, FaultKind::power_cut, FaultKind::short_write};

// None of these goes on so long that the program gives a message up: it tries three times.
const std::array<void (*)(MaildropKnobs&), 11> kServers = {
    [](MaildropKnobs&) {},
    [](MaildropKnobs& knobs) { knobs.quit = QuitBehaviour::drop_before_commit; },
    [](MaildropKnobs& knobs) { knobs.quit = QuitBehaviour::drop_after_commit; },
    [](MaildropKnobs& knobs) { knobs.quit = QuitBehaviour::error_before_commit; },
    [](MaildropKnobs& knobs) { knobs.quit = QuitBehaviour::error_after_commit; },
    [](MaildropKnobs& knobs) { knobs.empty_listing = true; },
    [](MaildropKnobs& knobs) { knobs.pipelining = false; },
    [](MaildropKnobs& knobs) { knobs.cut = Cut{.octets = 1500}; },
    [](MaildropKnobs& knobs) { knobs.cut = Cut{.octets = 4000, .message = {}, .reset = true}; },
    [](MaildropKnobs& knobs) { knobs.dele_ignored = true; },
    [](MaildropKnobs& knobs) { knobs.retr_max = 2; },
};
const std::array kServerNames = {"well",
                                 "drops before QUIT takes effect",
                                 "drops after QUIT took effect",
                                 "refuses QUIT",
                                 "refuses QUIT and obeys",
                                 "lists nothing",
                                 "has no PIPELINING",
                                 "cuts after 1500 octets",
                                 "resets after 4000 octets",
                                 "ignores DELE",
                                 "gives two messages in a session"};

bool has_message_id(const std::string& octets) { return octets.find("Message-ID:") != std::string::npos; }

}  // namespace

CrashModel::CrashModel(std::uint64_t seed)
    : seed_(seed),
      random_(seed),
      is_mbox_(seed % 4 == 0),
      numbers_(seed % 3 == 0),
      mailstore_(is_mbox_ ? mbox_in(folder_.path(), kFirstMailstore, all_) : maildir_in(folder_.path(), kFirstMailstore)) {
  state::StateStore::open(folder_ / "state");
}

void CrashModel::live() {
  for (std::uint64_t episode = 0; episode < kEpisodes; ++episode) {
    unique_ids_change();
    numbers_begin_again();
    mail_comes();
    server_misbehaves();
    sync_struck();
    check(false);
    if (testing::Test::HasFailure()) return;
    if (chance(3)) {
      tell("it starts again at once");
      continue;  // what was not synced may still go
    }
    fs::remove_all(folder_ / "attic");
    reader_acts();
    time_passes();
  }
  server_.set_knobs({});
  RigRun last = run();
  last.rounds = kRoundsMax;
  const RigReport report = CrashRig::instance().run(last);
  if (!report.quiet) fail("does not come to rest: " + report.error.text());
  check(true);
}

// As a provider's migration does it. popsync cannot tell that they are the same of less than three messages, of one without a whole header, and of
// one without Message-ID that its own DELE may have taken (docs/durability.md).
void CrashModel::unique_ids_change() {
  constexpr std::size_t kRecognised = 5;
  if (numbers_ || !all_known_ || may_have_deleted_ || server_.count() < kRecognised || !chance(4)) return;
  const auto recognisable = [](const std::string& message) {
    const auto header_end = message.find("\r\n\r\n");
    return header_end != std::string::npos && message.find("Subject:") < header_end;
  };
  if (!std::ranges::all_of(server_.messages(), recognisable)) return;
  server_.rekey();
  tell("the server gives all its messages new unique-ids");
}

// Somebody empties the maildrop elsewhere, and popsync looks at it, or our own DELEs have emptied it. What takes a unique-id again then has the size
// of the message before it.
void CrashModel::numbers_begin_again() {
  if (!numbers_ || number_ == 0) return;
  if (server_.count() > 0) {
    if (!chance(2)) return;
    const Messages found = here();
    if (!std::ranges::all_of(server_.messages(), [&](const std::string& message) { return found.contains(octets_stored(message)); })) return;
    for (const std::string& uid : server_.uids()) server_.remove(uid);
    server_.set_knobs({});
    const RigReport report = CrashRig::instance().run(run());
    tell("somebody empties the maildrop, and a sync finds it so: error: " + report.error.text());
    if (!report.error.text().empty()) return;
  }
  number_ = 0;
  tell("the server begins with 1 again");
}

void CrashModel::mail_comes() {
  for (std::uint64_t i = below(5); i > 0; --i) {
    if (numbers_) {
      const std::string octets = numbered_message();
      ++all_[octets_stored(octets)];
      tell("message " + std::to_string(messages_) + " comes as " + server_.add(octets, std::to_string(++number_)));
      continue;
    }
    const std::string octets = new_message();
    recent_.push_back(octets);
    ++all_[octets_stored(octets)];
    // Some servers give two messages one unique-id. If they have one size as well, nothing but luck tells which of them is here; with one Message-ID
    // (the awkward ones have it) they are one message that was changed.
    const std::vector<std::string> uids = server_.uids();
    const bool shared = chance(12) && !uids.empty() && !has_message_id(octets) && sizes_.insert(octets.size()).second;
    sizes_.insert(octets.size());
    const std::string uid = server_.add(octets, shared ? std::optional(uids[below(uids.size())]) : std::nullopt);
    tell("message of " + std::to_string(octets.size()) + " octets comes as " + uid);
  }
}

// Equal in every octet, Message-ID included, two messages are one to popsync where its DELE may have taken the first (docs/durability.md).
bool CrashModel::may_come(const std::string& octets) const { return !has_message_id(octets) || !all_.contains(octets_stored(octets)); }

std::string CrashModel::numbered_message() {
  constexpr std::size_t kOctets = 900;
  const std::string subject = std::to_string(++messages_);
  const std::string id = chance(3) ? "" : "Message-ID: <" + subject + "@example.org>\r\n";
  const std::string begun = id + small_message(subject, "");
  return begun + std::string(kOctets - begun.size(), 'x') + "\r\n";
}

std::string CrashModel::new_message() {
  if (chance(10) && !recent_.empty()) {
    const std::string& octets = recent_[below(recent_.size())];
    if (may_come(octets)) return octets;
  }
  const std::string subject = std::to_string(++messages_);
  if (chance(15)) {
    const std::vector<NamedMessage> awkward = awkward_messages();
    const std::string& octets = awkward[below(awkward.size())].octets;
    const bool readable = !is_mbox_ || octets.find('\0') == std::string::npos;  // zeros are what a torn write is known by
    if (octets.size() < 20'000 && readable && may_come(octets)) return octets;
  }
  return small_message(subject, "Message " + subject + "\r\n" + (chance(4) ? ".\r\n" : "") + std::string(below(3000) + messages_, 'x') + "\r\n");
}

void CrashModel::server_misbehaves() {
  const std::size_t which = chance(2) ? 0 : below(kServers.size());
  well_behaved_ = which == 0;
  server_.set_knobs({});
  server_.change(kServers.at(which));
  tell(std::string("the server ") + kServerNames.at(which));
}

FaultKind CrashModel::fault() { return is_mbox_ ? kMboxFaults.at(below(kMboxFaults.size())) : kFaults.at(below(kFaults.size())); }

void CrashModel::sync_struck() {
  RigRun struck = run();
  struck.fault = fault();
  struck.step = 1 + below(120);
  struck.seed = chance(3) ? 0 : 1 + below(1'000'000);
  struck.failed_sync_loses = chance(2);
  struck.power_cut_at_end = chance(4);
  struck.publisher_thread = chance(3);
  struck.batch_messages = 1 + below(4);
  const RigReport report = CrashRig::instance().run(struck);
  tell("sync with fault " + std::to_string(static_cast<int>(struck.fault)) + " at step " + std::to_string(struck.step) + " of " +
       std::to_string(report.steps) + " (" + report.struck.text() + "), seed " + std::to_string(struck.seed) +
       (struck.power_cut_at_end ? ", power cut at the end" : "") + (struck.publisher_thread ? ", threads" : "") + ", policy " +
       std::to_string(static_cast<int>(struck.leave)) + ": fetched " + std::to_string(report.fetched) + ", deleted " +
       std::to_string(report.deleted) + ", error: " + report.error.text());
  may_have_deleted_ = may_have_deleted_ || struck.leave != Leave::keep;
  all_known_ = well_behaved_ && report.struck.text().empty() && report.error.text().empty();
  const bool ended_well = report.crashed ? report.exit_status == Machine::kCrashed : report.exit_status == 0 || report.exit_status == 74;
  if (!ended_well) fail("exit status " + std::to_string(report.exit_status));
}

void CrashModel::reader_acts() {
  if (is_mbox_) return;
  const fs::path mail = folder_ / "mail";
  const std::vector<std::string> staged_names = staged_in(mail);
  const std::set<std::string> staged(staged_names.begin(), staged_names.end());
  fs::create_directories(folder_ / "moved");
  for (const std::string& path : message_files(mail)) {
    const fs::path file = path;
    const std::string full = file.filename().string();
    const std::string name = full.substr(0, full.find_first_of(",:;!"));
    if (staged.contains(name) || name.starts_with('.')) continue;
    switch (below(12)) {
      case 0: fs::rename(file, mail / "cur" / (name + ":2,S")); break;
      case 1: fs::rename(file, mail / "cur" / (name + ",U=7:2,RS")); break;
      case 2: fs::rename(file, folder_ / ("moved/" + name)); break;
      case 3:
        ++deleted_[content_of(file)];
        fs::remove(file);
        tell("the reader deletes " + name);
        break;
      default: break;
    }
  }
}

void CrashModel::time_passes() {
  now_ += static_cast<std::int64_t>(below(20)) * 24 * 3600;
  if (chance(3)) leave_ = static_cast<Leave>(below(3));
}

RigRun CrashModel::run() const {
  RigRun run;
  run.without_journal = seed_ % 3 == 1;
  run.state = folder_ / "state";
  run.attic = folder_ / "attic";
  run.log = folder_ / "log";
  run.accounts.front() = {.name = "home", .user = MaildropServer::kUser, .mailstore = {}, .port = server_.port()};
  mailstore_->point(run.accounts.front());
  run.leave = leave_;
  run.now = now_;
  return run;
}

void CrashModel::check(bool at_rest) {
  const Messages found = here();
  Messages on_server;
  for (const std::string& message : server_.messages()) ++on_server[octets_stored(message)];
  for (const auto& [message, count] : found) {
    if (!all_.contains(message) && (at_rest || mailstore_->whole_at_any_time())) fail("partial or foreign: " + message.substr(0, 200));
  }
  for (const auto& [message, due] : all_) {
    const auto held = found.find(message);
    const int count = held == found.end() ? 0 : held->second;
    if (count > due) fail("there " + std::to_string(count) + " times instead of " + std::to_string(due) + ": " + message.substr(0, 200));
    if (count + on_server[message] < due) fail("neither here nor on the server: " + message.substr(0, 200));
    if (at_rest && count < due) fail("never came, " + std::to_string(count) + " of " + std::to_string(due) + ": " + message.substr(0, 200));
  }
  if (at_rest && !mailstore_->left_in_staging().empty()) fail("something is left in staging");
}

Messages CrashModel::here() const {
  Messages found = mailstore_->messages();
  for (const auto& [message, count] : deleted_) found[message] += count;
  return found;
}

void CrashModel::fail(const std::string& what) const {
  ADD_FAILURE() << "seed " << seed_ << ": " << what << "\nwhat happened:\n" << story_ << "the last run logged:\n" << content_of(folder_ / "log");
}

}  // namespace popsync::test
