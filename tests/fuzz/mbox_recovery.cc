// SPDX-License-Identifier: MIT
// Whatever a crash, a reader and other programs left in an mbox behind a COMMIT of places: recovery ends, loses no message and writes none twice,
// cuts off nothing but our own octets and zeros, leaves no row undecided and nothing to do for the next one. Input: lines. The first letter says what
// a line is:
//   E     an entry with a STAGED row; then what its staged file is (r right, t truncated, z zeroes, o of another, else: gone), and s: suspect
//   B     what the mbox was before: w ends with an empty line, l with a line, c within a line (else: empty)
//   W     that many octets of the entries were written (two octets, the lower first); all if there are not so many
//   Z     zeroes in what was written: from where, how many (an octet each)
//   A     another program appends a message; T it appends some octets that are no message
//   F     a reader writes an entry, whole, before all others: which (an octet); H: a half of it
//   C     a reader removes the first message
//   D M   the mailstore is suspended; or marked as not synced
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/digest.h"
#include "base/error.h"
#include "delivery/mbox_format.h"
#include "fuzz/harness.h"
#include "fuzz/recovery_ground.h"
#include "support/mbox_text.h"
#include "sync/recovery.h"

namespace popsync::fuzz {
namespace {

namespace stdfs = std::filesystem;

constexpr std::size_t kEntriesMax = 5;
constexpr std::size_t kStepsMax = 12;
const std::string kAnother = "From you Tue Nov 14 22:13:20 2023\nSubject: another\n\nbody\n\n";

RecoveryGround& the_ground() {
  static RecoveryGround ground("fuzz-mbox-recovery");
  return ground;
}

struct Entry {
  state::RowId row = 0;
  std::string marker;
  std::string message;
  std::string octets;  // as it is written, without padding
  char staged = 0;
  bool suspect = false;
};

// An account and its mbox, gone afterwards.
class Site {
 public:
  Site() {
    open();
    staging_ = stdfs::read_symlink("/proc/self/fd/" + std::to_string(mailstore_->staging().dir()));
  }
  Site(const Site&) = delete;
  Site& operator=(const Site&) = delete;
  ~Site() {
    stdfs::remove_all(staging_);
    stdfs::remove_all(stdfs::path(path_).parent_path());
  }

  void set_up(Input& input) {
    std::vector<std::pair<char, std::string_view>> steps;
    while (!input.empty()) {
      Input line(input.until('\n'));
      const char kind = static_cast<char>(line.octet());
      if (kind == 'E' && entries_.size() < kEntriesMax) {
        add_entry(line);
      } else if (kind == 'B') {
        begin(static_cast<char>(line.octet()));
      } else if (kind != 'E' && steps.size() < kStepsMax) {
        steps.emplace_back(kind, line.rest());
      }
    }
    write(path_, text_);
    commit_places();
    for (const auto& [kind, rest] : steps) step(kind, Input(rest));
    write(path_, text_);
    for (const Entry& entry : entries_) stage(entry);
  }

  void check_recovery() {
    const std::string before = text_;
    const std::optional<sync::Recovered> found = recover();
    const std::string after = content_of(path_);
    if (!found) {
      claim(!is_mbox(before) && after == before, "only what is no mbox is refused, and left alone");
      return;
    }
    claim(mailstore_->staging().names().empty(), "staging is empty afterwards");
    claim(store_.staged(account_.row().id).empty(), "no row is left undecided");
    check_cut(before, after);
    for (const Entry& entry : entries_) check_entry(entry, before, after);
    claim(found->published + found->dropped == entries_.size(), "each entry is published or dropped");
    const std::optional<sync::Recovered> again = recover();
    claim(again && again->published + again->dropped == 0 && content_of(path_) == after, "nothing is left for the next recovery");
  }

 private:
  void open() { mailstore_.emplace(sync::open_mailstore(store_, real_fs(), account_.row(), {.path = path_, .kind = state::MailstoreKind::mbox})); }

  void begin(char how) {
    text_ = how == 'w' ? kAnother : how == 'l' ? kAnother.substr(0, kAnother.size() - 1) : how == 'c' ? kAnother.substr(0, kAnother.size() - 2) : "";
  }

  void add_entry(Input& line) {
    Entry entry;
    entry.marker = "marker-" + std::to_string(entries_.size());
    entry.message = "Subject: " + entry.marker + "\n\nbody\nFrom here on it is quoted\n";
    entry.staged = static_cast<char>(line.octet());
    entry.suspect = line.octet() == 's';
    delivery::MboxEntryFormatter formatter(entry.marker, clock_.wall());
    formatter.convert(entry.message, entry.octets);
    formatter.finish(entry.octets);
    entries_.push_back(entry);
  }

  void commit_places() {
    auto mbox = mailstore_->mbox->lock(never_);
    ours_ = mbox.padding();
    ours_offset_ = mbox.size();
    auto transaction = store_.begin();
    std::size_t begin = 0;
    for (Entry& entry : entries_) {
      ours_ += entry.octets;
      const std::string written = ours_.substr(begin);
      state::NewStaged row = staged_row(account_.row().id, mailstore_->row, entry.marker, entry.message);
      row.suspect = entry.suspect;
      row.entry = {.offset = ours_offset_ + begin, .length = written.size(), .sha256 = sha256(written)};
      entry.row = transaction.insert_staged(row);
      begin = ours_.size();
    }
    transaction.commit();
  }

  void step(char kind, Input line) {
    const unsigned first = line.octet();
    const unsigned second = line.octet();
    switch (kind) {
      case 'W': text_ += ours_.substr(0, first + 256 * second); break;
      case 'Z':
        for (std::size_t i = ours_offset_ + first; i < std::min<std::size_t>(text_.size(), ours_offset_ + first + second); ++i) text_[i] = '\0';
        break;
      case 'A': text_ += kAnother; break;
      case 'T': text_ += line.take(40); break;
      case 'F':
      case 'H':
        if (!entries_.empty()) {
          const std::string& octets = entries_[first % entries_.size()].octets;
          text_.insert(0, kind == 'F' ? octets : octets.substr(0, octets.size() / 2) + "\n\n");
        }
        break;
      case 'C': remove_first(); break;
      case 'D': suspend(); break;
      case 'M': mailstore_->staging().distrust_disk(); break;
      default: break;
    }
  }

  void remove_first() {
    const auto next = text_.find("\nFrom ");
    text_.erase(0, next == std::string::npos ? text_.size() : next + 1);
  }

  void suspend() {
    auto transaction = store_.begin();
    transaction.suspend(mailstore_->row.id, "the disk failed");
    transaction.commit();
    suspended_ = true;
  }

  void stage(const Entry& entry) {
    const stdfs::path file = staging_ / entry.marker;
    switch (entry.staged) {
      case 'r': write(file, entry.octets); break;
      case 't': write(file, entry.octets.substr(0, entry.octets.size() / 2)); break;
      case 'z': write(file, std::string(entry.octets.size(), '\0')); break;
      case 'o': write(file, kAnother); break;
      default: break;
    }
  }

  static void write(const stdfs::path& path, const std::string& content) { std::ofstream(path, std::ios::binary) << content; }

  static bool is_mbox(const std::string& text) { return text.empty() || text.starts_with("From "); }

  // Opens the mailstore anew, as the next process does. Empty if it is refused. On a disk that works nothing else may be thrown: the account would be
  // stuck for ever.
  std::optional<sync::Recovered> recover() {
    try {
      open();
      return sync::recover(store_, real_fs(), clock_, account_.row(), &*mailstore_, never_);
    } catch (const Error& error) {
      claim(error.code() == ErrorCode::mailstore_unavailable, std::string("recovery does its work: ") + error.what());
      return std::nullopt;
    }
  }

  // What is not there any more is from one place on, and was ours or zero.
  void check_cut(const std::string& before, const std::string& after) const {
    const auto differs = std::ranges::mismatch(before, after).in1;
    for (auto octet = differs; octet != before.end(); ++octet) {
      const auto at = static_cast<std::size_t>(octet - before.begin());
      claim(at >= ours_offset_ && at < ours_offset_ + ours_.size(), "nothing is cut off but what stands in our place");
      claim(*octet == '\0' || *octet == ours_[at - ours_offset_], "nothing is cut off but our octets and zeros");
    }
  }

  // How often it stands in the mbox. Newlines at the end say nothing: who appends next puts as many before his entry as are wanted. What is
  // `followed` by octets that are no entry is whole, though a reader takes them for its own.
  static std::size_t times_whole(const Entry& entry, const std::string& mbox, bool followed) {
    const auto entries = test::entries_of(mbox);
    const std::string wanted = entry.message.substr(0, entry.message.size() - 1);
    return static_cast<std::size_t>(std::ranges::count_if(entries, [&](const test::MboxText& each) {
      if (each.marker != entry.marker || !each.message.starts_with(wanted)) return false;
      return followed || each.message.find_first_not_of('\n', wanted.size()) == std::string::npos;
    }));
  }

  void check_entry(const Entry& entry, const std::string& before, const std::string& after) const {
    const auto rows = store_.messages(account_.row().id);
    const auto row = std::ranges::find(rows, entry.row, &state::MessageRow::id);
    if (row == rows.end()) {
      claim(entry.staged != 'r', "a whole staged entry is not thrown away");
      return;
    }
    claim(row->state == state::RowState::published, "its row is published");
    claim(times_whole(entry, after, true) >= 1, "what is published is there");
    claim(times_whole(entry, after, false) <= std::max<std::size_t>(1, times_whole(entry, before, false)), "nothing is written twice");
    claim(!row->removable || (!entry.suspect && !suspended_), "what is suspect or in doubt stays on the server");
  }

  state::StateStore& store_ = *the_ground().store;
  std::string path_ = the_ground().folder.make("mail") + "/mbox";
  AccountForAWhile account_{store_};
  ManualClock clock_;
  const StopSignal never_{std::stop_token()};
  std::optional<sync::OpenMailstore> mailstore_;
  stdfs::path staging_;
  std::vector<Entry> entries_;
  std::string text_;  // of the mbox
  std::string ours_;  // what was to be appended, padding included
  std::uint64_t ours_offset_ = 0;
  bool suspended_ = false;
};

}  // namespace

void mbox_recovery(std::string_view octets) {
  Input input(octets);
  Site site;
  site.set_up(input);
  site.check_recovery();
}

}  // namespace popsync::fuzz
