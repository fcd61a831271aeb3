// SPDX-License-Identifier: MIT
#include "config/config_sections.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <utility>

#include "base/escape.h"
#include "base/nearest.h"
#include "config/config_keys.h"

namespace popsync::config {
namespace {

constexpr std::size_t kAccountNameOctetsMax = 64;
constexpr std::string_view kSectionsText = "[daemon], [defaults] or [accounts.NAME]";

bool is_letter_or_digit(char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }

const Entry* find_entry(const std::vector<Entry>& entries, std::string_view key) {
  const auto found = std::ranges::find(entries, key, &Entry::key);
  return found == entries.end() ? nullptr : &*found;
}

OneOf group_of(const Entry& entry) {
  const Key* const key = find_key(Section::account, entry.key);
  return key == nullptr ? OneOf::none : key->one_of;
}

// A key of the same group, of which an account has one.
const Entry* find_rival(const std::vector<Entry>& entries, const Entry& entry) {
  const OneOf group = group_of(entry);
  if (group == OneOf::none) return nullptr;
  const auto found = std::ranges::find(entries, group, group_of);
  return found == entries.end() ? nullptr : &*found;
}

// One section of one file.
class SectionReader {
 public:
  SectionReader(Section section, std::string title, Diagnostics& diagnostics)
      : section_(section), title_(std::move(title)), known_(key_names(section)), diagnostics_(diagnostics) {}

  // Adds the known keys to `entries`, which may hold those of earlier files.
  void read(const Value& table, std::vector<Entry>& entries) {
    for (const Entry& entry : table.table) {
      if (find_key(section_, entry.key) == nullptr) {
        diagnostics_.push_back({entry.where, unknown_key(entry)});
      } else if (const Entry* const other = find_entry(entries, entry.key)) {
        diagnostics_.push_back({entry.where, fmt::format("{}: set in two files, here and at {}; keep one", entry.key, place_text(other->where))});
      } else {
        refuse_second_of_group(entry, entries);
        entries.push_back(entry);
      }
    }
  }

 private:
  std::string unknown_key(const Entry& entry) const {
    const std::string start = fmt::format("unknown key \"{}\" in {}", escaped(entry.key), title_);
    const Section other = section_ == Section::daemon ? Section::account : Section::daemon;
    if (find_key(other, entry.key) != nullptr) {
      return fmt::format("{}; it belongs in {}", start, other == Section::daemon ? "[daemon]" : "[defaults] or [accounts.NAME]");
    }
    // [accounts.example.org] is TOML for a table "org" in the account "example".
    if (entry.value.kind == Value::Kind::table && title_.starts_with("[accounts.")) {
      return start + "; an account's name with a dot in it is quoted: [accounts.\"example.org\"]";
    }
    return start + did_you_mean(entry.key, known_);
  }

  void refuse_second_of_group(const Entry& entry, const std::vector<Entry>& entries) {
    const Entry* const first = find_rival(entries, entry);
    if (first == nullptr) return;
    const std::string_view expected = group_of(entry) == OneOf::secret_source ? "one source of the password" : "either maildir or mbox";
    diagnostics_.push_back(
        {entry.where, fmt::format("{}: {} has {} already ({}), expected {}", entry.key, title_, first->key, place_text(first->where), expected)});
  }

  Section section_;
  std::string title_;
  std::vector<std::string> known_;
  Diagnostics& diagnostics_;
};

std::string account_title(std::string_view name) {
  const bool bare = std::ranges::all_of(name, [](char c) { return is_letter_or_digit(c) || c == '_' || c == '-'; });
  return bare ? fmt::format("[accounts.{}]", name) : fmt::format("[accounts.\"{}\"]", escaped(name));
}

void add_account(const Entry& account, Sections& sections, Diagnostics& diagnostics) {
  const std::string title = account_title(account.key);
  if (account.value.kind != Value::Kind::table) {
    diagnostics.push_back(
        {account.where,
         fmt::format("key \"{}\" stands in [accounts] itself, expected the keys of one account below [accounts.NAME]", escaped(account.key))});
    return;
  }
  if (!is_account_name(account.key)) {
    diagnostics.push_back({account.where, fmt::format("account name \"{}\": expected a letter or digit, then up to {} letters, digits or . _ @ + -",
                                                      escaped(account.key), kAccountNameOctetsMax - 1)});
  }
  const auto other = std::ranges::find(sections.accounts, account.key, &AccountSection::name);
  if (other != sections.accounts.end()) {
    diagnostics.push_back({account.where, fmt::format("{} stands in two files, here and at {}; keep one", title, place_text(other->where))});
    return;
  }
  AccountSection section{account.key, account.where, {}};
  SectionReader(Section::account, title, diagnostics).read(account.value, section.entries);
  sections.accounts.push_back(std::move(section));
}

}  // namespace

void add_file(const Value& root, Sections& sections, Diagnostics& diagnostics) {
  static const std::vector<std::string> kSections = {"daemon", "defaults", "accounts"};
  for (const Entry& entry : root.table) {
    const bool known = std::ranges::find(kSections, entry.key) != kSections.end();
    const bool table = entry.value.kind == Value::Kind::table;
    if (known && !table) {
      diagnostics.push_back(
          {entry.where, fmt::format("{}: expected a section {}, found {}", entry.key,
                                    entry.key == "accounts" ? "[accounts.NAME]" : "[" + entry.key + "]", kind_text(entry.value.kind))});
    } else if (entry.key == "daemon") {
      SectionReader(Section::daemon, "[daemon]", diagnostics).read(entry.value, sections.daemon);
    } else if (entry.key == "defaults") {
      SectionReader(Section::account, "[defaults]", diagnostics).read(entry.value, sections.defaults);
    } else if (entry.key == "accounts") {
      for (const Entry& account : entry.value.table) add_account(account, sections, diagnostics);
    } else if (table) {
      diagnostics.push_back(
          {entry.where, fmt::format("unknown section [{}], expected {}{}", escaped(entry.key), kSectionsText, did_you_mean(entry.key, kSections))});
    } else {
      diagnostics.push_back(
          {entry.where, fmt::format("key \"{}\" stands outside a section, expected it below {}", escaped(entry.key), kSectionsText)});
    }
  }
}

std::vector<Entry> merged(const AccountSection& account, const std::vector<Entry>& defaults) {
  std::vector<Entry> entries = account.entries;
  for (const Entry& entry : defaults) {
    const bool replaced = find_entry(account.entries, entry.key) != nullptr || find_rival(account.entries, entry) != nullptr;
    if (!replaced) entries.push_back(entry);
  }
  return entries;
}

bool is_account_name(std::string_view name) {
  return !name.empty() && name.size() <= kAccountNameOctetsMax && is_letter_or_digit(name.front()) &&
         std::ranges::all_of(name, [](char c) { return is_letter_or_digit(c) || std::string_view("._@+-").find(c) != std::string_view::npos; });
}

}  // namespace popsync::config
