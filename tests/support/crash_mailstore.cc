// SPDX-License-Identifier: MIT
#include "support/crash_mailstore.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string_view>

#include "state/state_store.h"
#include "support/folder_content.h"
#include "support/mbox_text.h"
#include "support/program_home.h"

namespace popsync::test {

const std::string kForeign = "Subject: foreign\n\nby another program\n";

namespace {

namespace fs = std::filesystem;

class CrashMaildir : public CrashMailstore {
 public:
  CrashMaildir(const fs::path& folder, const std::string& name)
      : mail_(folder / name), others_{folder / kFirstMailstore, folder / kSecondMailstore}, moved_(folder / "moved") {
    std::erase(others_, mail_);
  }

  void point(RigAccount& account) const override {
    account.mailstore = mail_.string();
    account.kind = state::MailstoreKind::maildir;
  }

  [[nodiscard]] Messages messages() const override {
    Messages found;
    for (const std::string& path : everywhere(message_files)) {
      if (!fs::path(path).filename().string().starts_with('.')) ++found[content_of(path)];  // the probe of a new Maildir; readers do not see it
    }
    std::error_code absent;
    for (const auto& entry : fs::directory_iterator(moved_, absent)) ++found[content_of(entry.path())];
    return found;
  }

  [[nodiscard]] std::vector<std::string> left_in_staging() const override { return everywhere(staged_in); }
  [[nodiscard]] bool whole_at_any_time() const override { return true; }
  [[nodiscard]] bool deletes_unseen() const override { return false; }

  Visit visit(Reader reader) override {
    Visit visit;
    // A name that is still in staging as well (the power went between the syncs of both folders) counts as not published; a reader is kept off it.
    const std::vector<std::string> staged_names = left_in_staging();
    const std::set<std::string> staged(staged_names.begin(), staged_names.end());
    fs::create_directories(moved_);
    int number = 0;
    for (const std::string& path : message_files(mail_)) {
      const fs::path file = path;
      const std::string name = file.filename().string().substr(0, file.filename().string().find_first_of(",:;!"));
      if (staged.contains(name) || name.starts_with('.')) continue;
      ++number;
      switch (reader) {
        case Reader::another_program_delivers:
        case Reader::leaves_it: break;
        case Reader::sets_flags: fs::rename(file, mail_ / "cur" / (name + ":2,S")); break;
        case Reader::renames_as_mbsync: fs::rename(file, mail_ / "cur" / (name + ",U=" + std::to_string(number) + ":2,RS")); break;
        case Reader::moves_away: fs::rename(file, moved_ / (name + ":2,S")); break;
        case Reader::deletes:
          ++visit.deleted[content_of(file)];
          fs::remove(file);
          break;
      }
    }
    if (reader == Reader::another_program_delivers) {
      std::ofstream(mail_ / "new/1700000000.1.elsewhere", std::ios::binary) << kForeign;
      ++visit.foreign[kForeign];
    }
    return visit;
  }

 private:
  template <typename Look>
  [[nodiscard]] std::vector<std::string> everywhere(const Look& look) const {
    std::vector<std::string> names = look(mail_.string());
    for (const fs::path& other : others_) std::ranges::move(look(other.string()), std::back_inserter(names));
    return names;
  }

  fs::path mail_;
  std::vector<fs::path> others_;  // where the account delivered before
  fs::path moved_;
};

constexpr std::string_view kStatus = "Status: RO\n";
const std::string kZeros = "zeros of a torn write";

std::string without_newlines_at_end(std::string text) {
  text.erase(text.find_last_not_of('\n') + 1);
  return text;
}

// What an mbox needs before the next entry.
std::string padding_behind(std::string_view text) { return text.empty() || text.ends_with("\n\n") ? "" : text.ends_with('\n') ? "\n" : "\n\n"; }

// The text of an mbox, taken apart as readers do: at each line that begins with "From ".
std::vector<std::string> parts_of(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const auto next = text.find("\nFrom ");
    parts.emplace_back(text.substr(0, next == std::string_view::npos ? next : next + 1));
    text.remove_prefix(parts.back().size());
  }
  return parts;
}

// One of those parts. Zeros, which only a torn write leaves, end the message before them.
struct Part {
  std::string message;
  std::string marker;
  bool zeros = false;
  std::string debris;  // behind them
};

Part read(std::string text) {
  Part part;
  if (const auto zeros = text.find('\0'); zeros != std::string::npos) {
    part.zeros = true;
    const auto behind = text.find_first_not_of('\0', zeros);
    if (behind != std::string::npos) part.debris = without_newlines_at_end(text.substr(behind));
    text.resize(zeros);
  }
  if (const auto status = text.find("\n" + std::string(kStatus)); status != std::string::npos) text.erase(status + 1, kStatus.size());
  const auto entries = entries_of(text);
  if (!entries.empty()) {
    part.message = entries.front().message;
    part.marker = entries.front().marker;
  }
  return part;
}

std::string with_status(const std::string& text, bool first) {
  const auto from_line = text.find('\n');
  const auto header_end = text.find("\n\n");
  if (from_line == std::string::npos || header_end == std::string::npos) return text;
  std::string marked = text;
  return marked.insert(first ? from_line + 1 : header_end + 1, kStatus);
}

class CrashMbox : public CrashMailstore {
 public:
  CrashMbox(const fs::path& folder, const std::string& name, const Messages& known)
      : folder_(folder), mbox_(folder / (name + "/box")), moved_(folder / "moved"), known_(known) {}

  void point(RigAccount& account) const override {
    account.mailstore = mbox_.string();
    account.kind = state::MailstoreKind::mbox;
  }

  [[nodiscard]] Messages messages() const override {
    Messages found;
    for (const fs::path& file : {mbox_, moved_}) count(content_of(file), found);
    return found;
  }

  [[nodiscard]] std::vector<std::string> left_in_staging() const override {
    std::vector<std::string> names;
    std::error_code absent;
    for (const auto& entry : fs::recursive_directory_iterator(folder_ / "state/staging", absent)) {
      if (!entry.is_directory() && entry.path().filename() != "trusted") names.push_back(entry.path().filename());
    }
    return names;
  }

  [[nodiscard]] bool whole_at_any_time() const override { return false; }
  [[nodiscard]] bool deletes_unseen() const override { return true; }

  Visit visit(Reader reader) override {
    Visit visit;
    visited_ = reader != Reader::leaves_it;
    if (reader == Reader::leaves_it || reader == Reader::renames_as_mbsync || (!fs::exists(mbox_) && reader != Reader::another_program_delivers)) {
      return visit;
    }
    const std::string text = content_of(mbox_);
    if (reader == Reader::another_program_delivers) {
      std::ofstream(mbox_, std::ios::binary | std::ios::app) << padding_behind(text) << "From you Tue Nov 14 22:13:20 2023\n" << kForeign << '\n';
      ++visit.foreign[kForeign];
    } else {
      rewrite(reader, text, visit);
    }
    for (const auto& [message, times] : messages()) {
      if (!known_.contains(message) && message != kForeign) visit.for_good[message] = times;
    }
    return visit;
  }

  [[nodiscard]] Messages unrecorded() const override {
    Messages found;
    const std::set<std::string> rows = staged_rows();
    for (const std::string& each : parts_of(content_of(mbox_))) {
      const Part part = read(each);
      if (rows.contains(part.marker) && known_.contains(part.message)) ++found[part.message];
    }
    return found;
  }

 private:
  void count(const std::string& text, Messages& found) const {
    for (const std::string& each : parts_of(text)) {
      const Part part = read(each);
      if (!part.message.empty() || !part.marker.empty()) ++found[as_known(part.message)];
      if (part.zeros) ++found[kZeros];
      if (!part.debris.empty()) ++found[part.debris];
    }
  }

  // Readers add and drop empty lines at the end of a message; popsync never does.
  [[nodiscard]] std::string as_known(const std::string& message) const {
    if (!visited_ || known_.contains(message) || message == kForeign) return message;
    const auto same =
        std::ranges::find_if(known_, [&](const auto& known) { return without_newlines_at_end(known.first) == without_newlines_at_end(message); });
    return same == known_.end() ? without_newlines_at_end(message) : same->first;
  }

  // As a reader saves: into a new file, which then takes the place of the old one; without any message the file goes.
  void rewrite(Reader reader, const std::string& text, Visit& visit) {
    const std::set<std::string> unrecorded = staged_rows();
    std::string kept;
    std::string moved;
    bool odd = false;
    for (const std::string& each : parts_of(text)) {
      odd = !odd;
      const std::string whole = each + padding_behind(each);
      if (reader == Reader::sets_flags) {
        kept += with_status(whole, odd);
      } else if (reader == Reader::deletes && !odd) {
        kept += whole;
      } else {
        take_out(reader, whole, unrecorded, visit, moved);
      }
    }
    if (!moved.empty()) std::ofstream(moved_, std::ios::binary | std::ios::app) << moved;
    std::ofstream(mbox_.string() + ".new", std::ios::binary) << kept;
    fs::rename(mbox_.string() + ".new", mbox_);
    if (kept.empty()) fs::remove(mbox_);
  }

  void take_out(Reader reader, const std::string& text, const std::set<std::string>& unrecorded, Visit& visit, std::string& moved) const {
    const Part part = read(text);
    const std::string message = as_known(part.message);
    if (known_.contains(message) && unrecorded.contains(part.marker)) ++visit.again[message];
    if (reader == Reader::moves_away) {
      moved += text;
    } else if (known_.contains(message)) {
      ++visit.deleted[message];
    }
  }

  // Looked up in a copy: opening the database changes it.
  [[nodiscard]] std::set<std::string> staged_rows() const {
    const fs::path copy = folder_ / "copy-of-state";
    fs::remove_all(copy);
    fs::copy(folder_ / "state", copy, fs::copy_options::recursive);
    std::set<std::string> names;
    const auto store = state::StateStore::open(copy);
    for (const state::AccountRow& account : store->accounts()) {
      for (const state::StagedRow& row : store->staged(account.id)) names.insert(row.name);
    }
    return names;
  }

  fs::path folder_;
  fs::path mbox_;
  fs::path moved_;
  const Messages& known_;
  bool visited_ = false;
};

}  // namespace

std::unique_ptr<CrashMailstore> maildir_in(const std::string& folder, const std::string& name) {
  return std::make_unique<CrashMaildir>(folder, name);
}

std::unique_ptr<CrashMailstore> mbox_in(const std::string& folder, const std::string& name, const Messages& known) {
  return std::make_unique<CrashMbox>(folder, name, known);
}

}  // namespace popsync::test
