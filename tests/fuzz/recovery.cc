// SPDX-License-Identifier: MIT
// Whatever a crash, a reader and strangers left in a Maildir: recovery ends, loses no message, touches no file in new/ and cur/, leaves no row
// undecided and nothing to do for the next one. Input: lines. The first letter says what a line is:
//   S P   a message with a STAGED or a PUBLISHED row, s p the same but suspect; then pairs of where a file lies (s staging, n new, c cur) and what
//         is in it (r right, t truncated, z zeroes, e empty, o of another, l the right file, linked)
//   F     a stranger's file: where it lies, as above, and its name
//   D M   the mailstore is suspended; or marked as not synced
#include "sync/recovery.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "delivery/maildir_name.h"
#include "fuzz/harness.h"
#include "fuzz/recovery_ground.h"

namespace popsync::fuzz {
namespace {

namespace stdfs = std::filesystem;
using Files = std::map<std::string, std::string>;  // path below the Maildir, content

constexpr std::size_t kMessagesMax = 6;
constexpr std::size_t kStrangersMax = 6;

struct Message {
  state::RowId row = 0;
  std::string name;
  std::string content;
  bool published = false;
  bool suspect = false;
};

RecoveryGround& the_ground() {
  static RecoveryGround ground("fuzz-recovery");
  return ground;
}

// An account and its Maildir, gone afterwards.
class Site {
 public:
  Site() {
    mailstore_.emplace(sync::open_mailstore(store_, real_fs(), account_.row(), {.path = path_}));
    staging_ = stdfs::read_symlink("/proc/self/fd/" + std::to_string(mailstore_->staging().dir()));
  }
  Site(const Site&) = delete;
  Site& operator=(const Site&) = delete;
  ~Site() { stdfs::remove_all(path_); }

  void set_up(Input& input) {
    while (!input.empty()) {
      Input line(input.until('\n'));
      const char kind = static_cast<char>(line.octet());
      if (kind == 'S' || kind == 'P' || kind == 's' || kind == 'p') add_message(kind, line);
      if (kind == 'F') add_stranger(line);
      if (kind == 'M') mailstore_->staging().distrust_disk();
      if (kind == 'D') suspend();
    }
  }

  void check_recovery() {
    const Files mail_before = mail();
    const Files staged_before = files_in(staging_);
    const sync::Recovered found = recover();
    const Files mail_after = mail();
    for (const auto& [path, content] : mail_before) {
      claim(mail_after.contains(path) && mail_after.at(path) == content, "no file in new/ or cur/ is touched");
    }
    claim(mailstore_->staging().names().empty(), "staging is empty afterwards");
    claim(store_.staged(account_.row().id).empty(), "no row is left undecided");
    for (const Message& message : messages_) check_message(message, mail_before, staged_before, mail_after);
    claim(found.dropped <= staged_before.size() + messages_.size(), "no more is dropped than was there");
    const sync::Recovered again = recover();
    claim(again.published + again.unverified + again.dropped == 0 && mail() == mail_after, "nothing is left for the next recovery");
  }

 private:
  void add_message(char kind, Input& line) {
    if (messages_.size() >= kMessagesMax) return;
    Message message;
    message.name = "m" + std::to_string(messages_.size());
    message.content = "Subject: " + message.name + "\n\nbody\n";
    message.published = kind == 'P' || kind == 'p';
    message.suspect = kind == 's' || kind == 'p';
    message.row = record(message);
    messages_.push_back(message);
    while (!line.empty()) {
      const char place = static_cast<char>(line.octet());
      put(message, place, static_cast<char>(line.octet()));
    }
  }

  state::RowId record(const Message& message) {
    state::NewStaged staged = staged_row(account_.row().id, mailstore_->row, message.name, message.content);
    staged.suspect = message.suspect;
    staged.at = clock_.reading();
    auto transaction = store_.begin();
    const state::RowId row = transaction.insert_staged(staged);
    if (message.published) transaction.record_published(row, !message.suspect, clock_.reading());
    transaction.commit();
    return row;
  }

  void put(const Message& message, char place, char content) {
    const stdfs::path path = place == 's'   ? staging_ / message.name
                             : place == 'n' ? path_ / "new" / message.name
                                            : path_ / "cur" / (message.name + ":2,S");
    switch (content) {
      case 'r': write(path, message.content); break;
      case 't': write(path, message.content.substr(0, message.content.size() / 2)); break;
      case 'z': write(path, std::string(message.content.size(), '\0')); break;
      case 'e': write(path, ""); break;
      case 'o': write(path, "Subject: another\n\nbody\n"); break;
      case 'l': link(message, path); break;
      default: break;
    }
  }

  void link(const Message& message, const stdfs::path& path) {
    const stdfs::path staged = staging_ / message.name;
    if (path == staged) return;
    write(staged, message.content);
    stdfs::remove(path);
    stdfs::create_hard_link(staged, path);
  }

  void add_stranger(Input& line) {
    if (strangers_++ >= kStrangersMax) return;
    const char place = static_cast<char>(line.octet());
    const std::string name(line.rest().substr(0, delivery::kNameOctetsMax));
    const bool usable = !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos && name.find('\0') == std::string::npos;
    // Names that the staging folder gives a meaning are not strangers'.
    if (!usable || (place == 's' && (name.starts_with("gen.") || name.starts_with(".")))) return;
    write((place == 's' ? staging_ : path_ / (place == 'n' ? "new" : "cur")) / name, "a stranger's\n");
  }

  static void write(const stdfs::path& path, const std::string& content) {
    stdfs::remove(path);  // it may be a link to another
    std::ofstream(path, std::ios::binary) << content;
  }

  void suspend() {
    auto transaction = store_.begin();
    transaction.suspend(mailstore_->row.id, "the disk failed");
    transaction.commit();
    mailstore_->row.suspended = "the disk failed";
  }

  // Opens the mailstore anew, as the next process does. On a disk that works nothing may be thrown: the account would be stuck for ever.
  sync::Recovered recover() {
    try {
      mailstore_.emplace(sync::open_mailstore(store_, real_fs(), account_.row(), {.path = path_}));
      return sync::recover(store_, real_fs(), clock_, account_.row(), &*mailstore_, never_);
    } catch (const std::exception& error) {
      claim(false, std::string("recovery does its work: ") + error.what());
      throw;
    }
  }

  static Files files_in(const stdfs::path& folder) {
    Files files;
    for (const auto& entry : stdfs::directory_iterator(folder)) files.emplace(entry.path().filename(), content_of(entry.path()));
    return files;
  }
  [[nodiscard]] Files mail() const {
    Files files;
    for (const char* folder : {"new", "cur"}) {
      for (const auto& [name, content] : files_in(path_ / folder)) files.emplace(std::string(folder) + "/" + name, content);
    }
    return files;
  }
  // Whether a file in new/ or cur/ carries this name; with `content`, only one that holds it.
  static bool holds(const Files& mail, const std::string& name, const std::string* content = nullptr) {
    return std::ranges::any_of(mail, [&](const auto& file) {
      return delivery::name_without_flags(std::string_view(file.first).substr(4)) == name && (content == nullptr || file.second == *content);
    });
  }

  void check_message(const Message& message, const Files& mail_before, const Files& staged_before, const Files& mail_after) {
    const auto staged = staged_before.find(message.name);
    const bool right_staged = staged != staged_before.end() && staged->second == message.content;
    const bool was_found = holds(mail_before, message.name);
    const auto published = store_.published(account_.row().id);
    const auto row = std::ranges::find(published, message.row, &state::PublishedRow::id);
    if (row == published.end()) {
      claim(!message.published, "a published row stays");
      claim(!right_staged, "a whole staged message is not thrown away");
      return;
    }
    if (right_staged) claim(holds(mail_after, row->name, &message.content) || (message.published && was_found), "a whole staged message is stored");
    const auto rows = store_.messages(account_.row().id);
    const bool removable = std::ranges::find(rows, message.row, &state::MessageRow::id)->removable;
    claim(!message.suspect || !removable, "a suspect message stays on the server");
    if (message.published && staged == staged_before.end()) return;  // none of recovery's business
    claim(!removable || holds(mail_after, row->name), "what may be deleted on the server is here");
  }

  state::StateStore& store_ = *the_ground().store;
  AccountForAWhile account_{store_};
  stdfs::path path_ = the_ground().folder / "mail";
  stdfs::path staging_;
  ManualClock clock_;
  const StopSignal never_{std::stop_token()};
  std::optional<sync::OpenMailstore> mailstore_;
  std::vector<Message> messages_;
  std::size_t strangers_ = 0;
};

}  // namespace

void recovery(std::string_view octets) {
  Input input(octets);
  Site site;
  site.set_up(input);
  site.check_recovery();
}

}  // namespace popsync::fuzz
